"""Rules, diversity, reading order, model-based and learned reranking."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmopt._trace import record
from llmopt.errors import ContractError, MissingExtraError, ModelOutputError, NotReadyError, StorageError, UsageError
from llmopt.interfaces import Reranker
from llmopt.reranking import (
    MMR,
    Ban,
    Boost,
    Chain,
    CrossEncoder,
    DropDuplicates,
    Learned,
    Listwise,
    NewestFirst,
    Pairwise,
    Pointwise,
    Quota,
    ReadingOrder,
    Rule,
    Rules,
    Threshold,
)
from llmopt.reranking._softmax_ranking import contests, fit_ranking
from llmopt.reranking.listwise import read_ranking, windows_of
from llmopt.reranking.mmr import maximal_marginal_relevance
from llmopt.testing import FakeEmbedder, FakeModel
from llmopt.testing.contracts import RerankerContract
from llmopt.types import Completion, Document, Hit, Message, TokenChance, Usage


def hits_of(*texts: str, **metadata: Sequence[object]) -> list[Hit]:
    """Return hits with ids from 0 and falling scores."""
    return [
        Hit(Document(str(n), text, {key: values[n] for key, values in metadata.items()}), 1.0 - n / 10)
        for n, text in enumerate(texts)
    ]


def order(reranker: Reranker, hits: Sequence[Hit], query: str = "query", k: int | None = None) -> list[str]:
    return [hit.document.id for hit in reranker.rerank(query, hits, k=k)]


def longest_first(messages: Sequence[Message]) -> str:
    """Grade a passage by its length, as a model that replies with JSON."""
    return f'{{"grade": {min(10, len(messages[-1].content) / 100)}}}'


class TestRules(RerankerContract[Rules]):
    def make(self) -> Rules:
        return Rules([NewestFirst(), Boost("source", ["book"], 2.0), DropDuplicates(), Quota(3)])


class TestMMR(RerankerContract[MMR]):
    def make(self) -> MMR:
        return MMR(FakeEmbedder())


class TestChain(RerankerContract[Chain]):
    def make(self) -> Chain:
        return Chain([Rules([DropDuplicates()]), MMR(FakeEmbedder())], keep=3)


class TestReadingOrder(RerankerContract[ReadingOrder]):
    def make(self) -> ReadingOrder:
        return ReadingOrder(k=3)


class TestPointwise(RerankerContract[Pointwise]):
    def make(self) -> Pointwise:
        return Pointwise(FakeModel(longest_first))


class TestListwise(RerankerContract[Listwise]):
    def make(self) -> Listwise:
        return Listwise(FakeModel("[2] > [1]"), window=3, step=1)


class TestPairwise(RerankerContract[Pairwise]):
    def make(self) -> Pairwise:
        return Pairwise(FakeModel("A"), most=3)


class TestLearned(RerankerContract[Learned]):
    def make(self) -> Learned:
        return Learned().fit([self.query] * 2, [self.hits] * 2, [{"cat": 1}] * 2)


def test_a_hit_loses_half_its_score_per_half_life() -> None:
    hits = hits_of("a", "b", "c", date=["2026-01-01", "2026-01-31", "not a date"])
    scores = {hit.document.id: hit.score for hit in Rules([NewestFirst("date", half_life_days=30)]).rerank("q", hits)}
    assert scores == pytest.approx({"0": 0.5, "1": 0.9, "2": 0.4})


def test_negative_scores_are_brought_to_one_scale() -> None:
    hits = [Hit(Document(id, id), score) for id, score in (("a", 1.0), ("b", 0.0), ("c", -1.0))]
    assert [hit.score for hit in Rules([]).rerank("q", hits)] == pytest.approx([1.0, 0.55, 0.1])


def test_dates_may_be_text_dates_datetimes_or_seconds() -> None:
    from datetime import UTC, date, datetime

    values = ["2026-01-01T00:00:00+00:00", date(2026, 1, 1), datetime(2026, 1, 1, tzinfo=UTC), 1767225600]
    hits = hits_of("a", "b", "c", "d", date=values)
    assert order(Rules([NewestFirst(half_life_days=1)]), hits) == ["0", "1", "2", "3"]


def test_boosts_bans_thresholds_and_quotas_do_what_they_say() -> None:
    hits = hits_of("a", "b", "c", "d", source=["web", "web", "book", "spam"])
    assert order(Rules([Boost("source", ["book"], 5.0)]), hits)[0] == "2"
    assert order(Rules([Ban("source", ["spam", "web"])]), hits) == ["2"]
    assert order(Rules([Threshold(0.85)]), hits) == ["0", "1"]
    assert order(Rules([Quota(1, "source")]), hits) == ["0", "2", "3"]


def test_passages_of_one_document_share_a_quota() -> None:
    passages = [Hit(Document(f"d#{n}", str(n), parent="d"), 1.0 - n / 10) for n in range(3)]
    assert order(Rules([Quota(2)]), passages) == ["d#0", "d#1"]


def test_the_better_of_two_duplicates_stays() -> None:
    hits = hits_of("the cat sat on the mat", "The cat sat, on the mat!", "a dog")
    assert order(Rules([DropDuplicates()]), hits[::-1]) == ["0", "2"]


def test_what_every_rule_did_stands_in_the_trace() -> None:
    with record("run", "test") as recorder:
        Rules([Ban("source", ["spam"])]).rerank("q", hits_of("a", "b", source=["web", "spam"]))
    told = recorder.frozen().children[0].notes["rules"]
    assert told == {"Ban(field='source', values=['spam'])": ["1: dropped"]}


def test_a_rule_of_ones_own_takes_part_and_is_checked() -> None:
    class Short(Rule):
        def apply(self, query: str, hits: Sequence[Hit], scores: Sequence[float | None]) -> Sequence[float | None]:
            return [None if len(hit.document.text) > 3 else 1.0 for hit in hits]

    class Broken(Rule):
        def apply(self, query: str, hits: Sequence[Hit], scores: Sequence[float | None]) -> Sequence[float | None]:
            return []

    class Absurd(Rule):
        def apply(self, query: str, hits: Sequence[Hit], scores: Sequence[float | None]) -> Sequence[float | None]:
            return [math.nan for _ in hits]

    assert order(Rules([Short()]), hits_of("long text", "abc")) == ["1"]
    for wrong in (Broken(), Absurd()):
        with pytest.raises(ContractError, match=type(wrong).__name__):
            order(Rules([wrong]), hits_of("a"))


def test_a_dropped_hit_stays_dropped_whatever_a_later_rule_says() -> None:
    class Equal(Rule):
        def apply(self, query: str, hits: Sequence[Hit], scores: Sequence[float | None]) -> Sequence[float | None]:
            return [1.0 for _ in hits]

    assert order(Rules([Ban("source", ["spam"]), Equal()]), hits_of("a", "b", source=["spam", "web"])) == ["1"]


def test_a_field_that_is_a_list_matches_by_its_items_and_one_str_of_values_is_refused() -> None:
    hits = hits_of("a", "b", "c", tags=[["draft", "x"], ["final"], 3])
    assert order(Rules([Ban("tags", ["draft"])]), hits) == ["1", "2"]
    assert order(Rules([Boost("tags", [["final"]], 9.0)]), hits)[0] == "1"
    for rule in (Ban("tags", "draft"), Boost("tags", "draft", 2.0)):
        with pytest.raises(UsageError, match="wrap it"):
            order(Rules([rule]), hits)


def test_a_date_that_is_not_finite_is_an_unknown_one() -> None:
    assert order(Rules([NewestFirst("date")]), hits_of("a", "b", date=[math.nan, 5.0])) == ["1", "0"]


@pytest.mark.parametrize(
    "rule",
    [NewestFirst(half_life_days=0), NewestFirst(weight=2), Boost("source", [1], -1.0), Quota(0), DropDuplicates(0)],
)
def test_rules_that_make_no_sense_are_refused(rule: Rule) -> None:
    with pytest.raises(UsageError, match=type(rule).__name__):
        order(Rules([rule]), hits_of("a", source=[1]))


@given(st.integers(1, 12), st.floats(0, 1), st.integers(0, 99))
def test_mmr_is_the_greedy_optimum_of_its_formula(count: int, trade_off: float, seed: int) -> None:
    random = np.random.default_rng(seed)
    rows = random.normal(size=(count, 4)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    query = rows[:1]
    chosen = maximal_marginal_relevance(query, rows, trade_off=trade_off)
    assert sorted(chosen) == list(range(count))
    assert chosen[0] == int(np.argmax(rows @ query[0]))
    for place in range(1, count):
        values = {
            n: trade_off * float(rows[n] @ query[0])
            - (1 - trade_off) * max(float(rows[n] @ rows[c]) for c in chosen[:place])
            for n in chosen[place:]
        }
        assert values[chosen[place]] >= max(values.values()) - 1e-5


def test_a_trade_off_outside_its_range_is_refused() -> None:
    with pytest.raises(UsageError, match="0 to 1"):
        order(MMR(FakeEmbedder(), trade_off=2), hits_of("a"))


@given(st.integers(1, 30), st.integers(1, 30))
def test_reading_order_puts_the_best_at_both_ends(count: int, k: int) -> None:
    found = [int(id) for id in order(ReadingOrder(k), [Hit(Document(str(n), "t"), -n) for n in range(count)])]
    assert sorted(found) == list(range(min(count, k)))
    middle = (len(found) + 1) // 2
    assert found[:middle] == sorted(found[:middle])
    assert found[middle:] == sorted(found[middle:], reverse=True)


def test_a_chain_hands_on_what_it_keeps() -> None:
    hits = hits_of("cat", "dog", "cow", "hen")
    inner = MMR(FakeEmbedder())
    assert len(order(Chain([Rules([]), inner], keep=2), hits)) == 2
    assert order(ReadingOrder(4, Rules([Boost("none", [0], 1.0)])), hits) == ["0", "2", "3", "1"]


def test_grades_order_the_hits_and_calls_run_side_by_side() -> None:
    model = FakeModel(longest_first)
    hits = hits_of("short", "long " * 60, "middle " * 20)
    assert order(Pointwise(model), hits) == ["1", "2", "0"]
    assert len(model.requests) == 3


def test_yes_and_no_come_from_log_probabilities_where_there_are_some() -> None:
    chances = (TokenChance("Yes", math.log(0.6), {"Yes": math.log(0.6), " no": math.log(0.2), "Maybe": math.log(0.2)}),)
    model = FakeModel(Completion("Yes", Usage(1, 1), logprobs=chances))
    (hit,) = Pointwise(model, "yes_no").rerank("q", hits_of("a"))
    assert hit.score == pytest.approx(0.75)


@pytest.mark.parametrize(
    ("reply", "score"), [("Yes.", 1.0), ("**No**, it does not", 0.0), ("是", 1.0), ("否", 0.0), ("不是", 0.0)]
)
def test_yes_and_no_are_read_from_words(reply: str, score: float) -> None:
    assert Pointwise(FakeModel(reply), "yes_no").rerank("q", hits_of("a"))[0].score == score


def test_what_a_model_thinks_aloud_is_no_verdict() -> None:
    aloud = "<think>No, or A, or [2]?</think>\n"
    chances = (TokenChance("No", math.log(0.9), {"No": math.log(0.9)}),)
    graded = Pointwise(FakeModel(Completion(f"{aloud}Yes", Usage(1, 1), logprobs=chances)), "yes_no")
    assert graded.rerank("q", hits_of("a"))[0].score == 1.0
    assert order(Pairwise(FakeModel(f"{aloud}B")), hits_of("a", "b")) == ["0", "1"]
    assert order(Listwise(FakeModel(f"{aloud}[3]")), hits_of("a", "b", "c")) == ["2", "0", "1"]


def test_a_method_that_there_is_not_is_refused() -> None:
    wrong: Literal["graded", "yes_no"] = "yesno"  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
    with pytest.raises(UsageError, match="yesno"):
        order(Pointwise(FakeModel("Yes"), wrong), hits_of("a"))


def test_replies_without_a_verdict_are_typed_errors() -> None:
    for reranker in (
        Pointwise(FakeModel("Perhaps"), "yes_no"),
        Pointwise(FakeModel('{"grade": 99}')),
        Pairwise(FakeModel("Neither")),
    ):
        with pytest.raises(ModelOutputError):
            order(reranker, hits_of("a", "b"))


@given(st.integers(0, 120), st.integers(2, 25), st.data())
def test_windows_cover_everything_overlap_and_are_as_many_as_needed(
    count: int, window: int, data: st.DataObject
) -> None:
    step = data.draw(st.integers(1, window))
    windows = windows_of(count, window, step)
    expected = 0 if count < 2 else 1 + math.ceil(max(0, count - window) / step)
    assert len(windows) == expected
    if windows:
        assert windows[0][1] == count
        assert windows[-1][0] == 0
        assert all(end - start <= window for start, end in windows)
        assert all(later[1] >= earlier[0] for earlier, later in pairwise(windows))


@given(st.text() | st.lists(st.integers(-3, 30)).map(str), st.integers(1, 20))
def test_any_reply_gives_a_permutation(reply: str, count: int) -> None:
    assert sorted(read_ranking(reply, count)) == list(range(count))


def test_what_a_ranking_leaves_out_keeps_its_order() -> None:
    assert read_ranking("[3] > [1] > [3] > [99]", 5) == [2, 0, 1, 3, 4]
    assert read_ranking("<think>[5] maybe</think>[2]", 3) == [1, 0, 2]
    assert read_ranking("9" * 5000, 2) == [0, 1]


def test_a_good_hit_climbs_from_the_last_window_to_the_top() -> None:
    def best_first(messages: Sequence[Message]) -> str:
        parts = messages[-1].content.split("<<<passage [")[1:]
        return " > ".join(f"[{part.split(']')[0]}]" for part in parts if "needle" in part)

    model = FakeModel(best_first)
    hits = hits_of(*["hay"] * 24, "the needle")
    assert order(Listwise(model, window=10, step=5), hits, k=1) == ["24"]
    assert len(model.requests) == 4


@pytest.mark.parametrize(("window", "step"), [(1, 1), (5, 0), (5, 6)])
def test_windows_that_make_no_sense_are_refused(window: int, step: int) -> None:
    with pytest.raises(UsageError, match="window"):
        order(Listwise(FakeModel("1"), window, step), hits_of("a", "b"))


def test_a_model_that_likes_the_first_place_decides_nothing() -> None:
    model = FakeModel("A")
    hits = hits_of("a", "b", "c", "d")
    assert order(Pairwise(model, most=3), hits) == ["0", "1", "2", "3"]
    assert len(model.requests) == 6


def test_wins_in_both_orders_count() -> None:
    def prefers_cats(messages: Sequence[Message]) -> str:
        first, second = messages[-1].content.split("<<<passage B")
        return "A" if "cat" in first else "B" if "cat" in second else "A"

    assert order(Pairwise(FakeModel(prefers_cats)), hits_of("a dog", "a cow", "a cat"))[0] == "2"
    with pytest.raises(UsageError, match="at least 2"):
        order(Pairwise(FakeModel("A"), most=1), hits_of("a", "b"))


def training() -> tuple[list[str], list[list[Hit]], list[dict[str, float]]]:
    random = np.random.default_rng(0)
    queries: list[str] = []
    lists: list[list[Hit]] = []
    labels: list[dict[str, float]] = []
    for number in range(40):
        relevant = int(random.integers(0, 6))
        lists.append(
            [
                Hit(
                    Document(f"{number}-{n}", "text"),
                    1.0 - n / 10,
                    {"good": float(n == relevant) + random.normal() * 0.3, "noise": random.normal()},
                )
                for n in range(6)
            ]
        )
        queries.append(f"query {number}")
        labels.append({f"{number}-{relevant}": 1.0})
    return queries, lists, labels


def test_a_learned_ranker_finds_the_signal_that_tells_and_survives_saving(tmp_path: Path) -> None:
    queries, lists, labels = training()
    ranker = Learned(l2=0.1).fit(queries[:30], lists[:30], labels[:30])
    weights = ranker.weights()
    assert weights["signal:good"] > 5 * abs(weights["signal:noise"])
    right = [order(ranker, hits)[0] in grades for hits, grades in zip(lists[30:], labels[30:], strict=True)]
    assert np.mean(right) >= 0.8
    ranker.save(tmp_path / "ranker")
    assert Learned.load(tmp_path / "ranker").weights() == weights


def test_grades_count_and_passages_inherit_the_label_of_their_document() -> None:
    hits = [
        Hit(Document("d#0", "cat", parent="d"), 1.0, {"s": 0.0}),
        Hit(Document("e#0", "cat", parent="e"), 0.9, {"s": 1.0}),
    ]
    ranker = Learned(l2=0.01).fit(["cat"], [hits], [{"e": 2.0, "d": 1.0}])
    assert order(ranker, hits, "cat") == ["e#0", "d#0"]


def test_a_hit_without_a_signal_counts_as_the_lowest_in_training() -> None:
    lists = [[Hit(Document(f"{n}-{m}", "text"), 1.0, {"s": float(m)}) for m in (1, 2, 3)] for n in range(5)]
    ranker = Learned(features=["signal:s"]).fit(["q"] * 5, lists, [{f"{n}-3": 1.0} for n in range(5)])
    hits = [Hit(Document("none", "text"), 1.0, {}), Hit(Document("lowest", "text"), 1.0, {"s": 1.0})]
    hits.append(Hit(Document("wild", "text"), 1.0, {"s": math.inf}))
    assert len(set(ranker.score("q", hits))) == 1


def test_weights_do_not_depend_on_the_unit_of_a_signal() -> None:
    queries, lists, labels = training()
    milli = [[Hit(hit.document, hit.score, {"good": hit.signals["good"] * 1e3}) for hit in hits] for hits in lists]
    plain = [[Hit(hit.document, hit.score, {"good": hit.signals["good"]}) for hit in hits] for hits in lists]
    first, second = (Learned().fit(queries, each, labels).weights() for each in (plain, milli))
    assert first == pytest.approx(second, abs=1e-6)


@given(st.integers(2, 4), st.integers(1, 12), st.integers(0, 1000), st.sampled_from([0.01, 1.0, 100.0]))
def test_the_ranking_fit_ends_where_its_loss_is_flat(width: int, count: int, seed: int, l2: float) -> None:
    random = np.random.default_rng(seed)
    games = [
        contest
        for _ in range(count)
        for contest in contests(random.standard_normal((5, width)) * 3, np.array([2.0, 1.0, 0.0, 0.0, 1.0]))
    ]
    weights = fit_ranking(games, l2)

    def loss(place: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> float:
        each = [contest.share * math.log(1 + float(np.exp(contest.lags @ place).sum())) for contest in games]
        return sum(each) + l2 / 2 * float(place @ place)

    moves = random.standard_normal((10, width)) * 0.1
    assert all(loss(weights) <= loss(weights + move) + 1e-6 for move in moves)


def test_unknown_features_and_weights_of_another_format_are_refused(tmp_path: Path) -> None:
    queries, lists, labels = training()
    with pytest.raises(UsageError, match="signal:<name>"):
        Learned(features=["colour"]).fit(queries, lists, labels)
    with pytest.raises(UsageError, match="empty list"):
        Learned(features=[]).fit(queries, lists, labels)
    with pytest.raises(UsageError, match="`l2` above 0"):
        Learned(l2=0).fit(queries, lists, labels)
    (tmp_path / "weights.json").write_text('{"score": 1.0}')
    with pytest.raises(StorageError, match="fit"):
        Learned().read_state(tmp_path)


def test_labels_that_teach_nothing_are_refused_with_the_likely_cause() -> None:
    queries, lists, _ = training()
    with pytest.raises(UsageError, match="ids"):
        Learned().fit(queries, lists, [{"unknown": 1.0}] * len(queries))
    with pytest.raises(UsageError, match="40 queries"):
        Learned().fit(queries, lists, [])
    for grade in (math.nan, -1.0, math.inf):
        with pytest.raises(UsageError, match="grades of 0 or more"):
            Learned().fit(queries, lists, [{"0": grade}] * len(queries))
    with pytest.raises(UsageError, match="grades by id"):
        Learned().fit(queries, lists, [["0"]] * len(queries))  # type: ignore[list-item]  # pyright: ignore[reportArgumentType]
    with pytest.raises(NotReadyError, match="fit"):
        order(Learned(), hits_of("a"))


class TestCrossEncoder(RerankerContract[CrossEncoder]):
    @pytest.fixture(autouse=True)
    def package(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Stand in for sentence-transformers, which is an extra."""
        monkeypatch.setitem(sys.modules, "sentence_transformers", SimpleNamespace(CrossEncoder=SharedWords))

    def make(self) -> CrossEncoder:
        return CrossEncoder("a folder", batch_size=2, device="cpu")

    def test_it_ranks_by_the_score_of_query_and_passage_together(self) -> None:
        assert order(self.make(), self.hits, "a cat")[0] == "cat"


class SharedWords:
    """Has the one method of a cross-encoder that is used, and scores by shared words."""

    def __init__(self, name: str, device: str | None) -> None:
        assert (name, device) == ("a folder", "cpu")

    def predict(self, sentences: list[tuple[str, str]], *, batch_size: int, show_progress_bar: bool) -> list[float]:
        assert (batch_size, show_progress_bar) == (2, False)
        return [float(len(set(query.lower().split()) & set(text.lower().split()))) for query, text in sentences]


def test_a_cross_encoder_without_its_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "sentence_transformers", None)
    with pytest.raises(MissingExtraError, match=r"llmopt\[local\]"):
        order(CrossEncoder("some/model"), hits_of("a"))
