"""Self-consistency: votes, ties, spoilt votes, early stops."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmopt.errors import ModelOutputError, ModelRefusedError, ModelUnavailableError, UsageError
from llmopt.interfaces import ChatModel
from llmopt.models import Cached, OpenAIChat
from llmopt.prompting import ChainOfThought, Direct, FewShot, Grounded, SelfConsistency, Shot
from llmopt.prompting.answers import AnswerKind
from llmopt.prompting.voting import tally
from llmopt.testing import FakeModel
from llmopt.testing.contracts import PromptStrategyContract
from llmopt.testing.server import FakeOpenAI
from llmopt.types import Answer, Completion, Document, Hit, Message, Options, Usage

CAT = Hit(Document("cat", "Cats sleep 15 hours."), 1.0)


class TestVote(PromptStrategyContract[SelfConsistency]):
    def make(self) -> SelfConsistency:
        return SelfConsistency(Grounded(), samples=3)


class TestNested(PromptStrategyContract[SelfConsistency]):
    reply = "Long.\nAnswer: Fifteen hours [1]."

    def make(self) -> SelfConsistency:
        return SelfConsistency(ChainOfThought(FewShot(Grounded(), [Shot("Dogs?", "Bark [1].", (CAT,))])))


class Numbered(ChatModel):
    """Answers by the number of the sample, whatever the order in which the samples run."""

    def __init__(self, replies: Sequence[str]) -> None:
        self.replies = replies
        self.options: list[Options] = []

    def generate(self, messages: Sequence[Message], options: Options) -> Completion:
        self.options.append(options)
        reply = self.replies[options.replicate]
        return Completion(reply, Usage(1, 1, calls=1), finish="refusal" if reply == "REFUSED" else "stop")


def ask(replies: Sequence[str], *, early_stop: bool = False, kind: AnswerKind = "text") -> tuple[Answer, Numbered]:
    """Return the answer to a vote of as many samples as there are replies, and the model."""
    model = Numbered(replies)
    strategy = SelfConsistency(Grounded(), samples=len(replies), early_stop=early_stop, kind=kind)
    return strategy.run(model, "q?", [CAT]), model


def noted(answer: Answer, name: str) -> object:
    assert answer.trace is not None
    return answer.trace.notes.get(name)


def test_the_majority_wins_and_its_share_is_the_confidence() -> None:
    answer, _ = ask(["Rome", "Paris [1].", "the paris", "Lyon", "PARIS"])
    assert (answer.text, answer.confidence) == ("Paris [1].", 0.6)
    assert [citation.document_id for citation in answer.citations] == ["cat"]
    assert noted(answer, "votes") == {"paris": 3, "rome": 1, "lyon": 1}


def test_of_equally_many_votes_the_answer_given_first_wins() -> None:
    answer, _ = ask(["b", "c", "c", "b"])
    assert (answer.text, answer.confidence) == ("b", 0.5)
    assert noted(answer, "tie") == "between b, c: the one given first wins"


def test_the_vote_is_over_what_the_kind_reads() -> None:
    answer, _ = ask(["It is 18 dollars", "about 20", "$18.00"], kind="number")
    assert answer.text == "It is 18 dollars"
    assert answer.confidence == pytest.approx(2 / 3)


def test_replies_that_do_not_know_vote_together() -> None:
    answer, _ = ask(["I don't know.", "Paris", "I cannot find that in the contexts."])
    assert answer.outcome == "abstained"


def test_spoilt_votes_count_in_the_confidence_but_do_not_end_the_vote() -> None:
    answer, _ = ask(["REFUSED", "Paris", "Paris", " "])
    assert (answer.text, answer.confidence) == ("Paris", 0.5)
    assert noted(answer, "spoilt") == 2


def test_when_all_votes_are_spoilt_the_first_error_is_raised() -> None:
    with pytest.raises(ModelRefusedError):
        ask(["REFUSED", " ", "REFUSED"])
    with pytest.raises(ModelOutputError, match="no number"):
        ask(["many", "few"], kind="number")


def test_a_model_that_cannot_be_reached_ends_it() -> None:
    with pytest.raises(ModelUnavailableError):
        SelfConsistency(Direct(), early_stop=False).run(FakeModel(ModelUnavailableError("down")), "q?")


def test_no_samples_are_refused() -> None:
    with pytest.raises(UsageError, match="at least 1"):
        SelfConsistency(Direct(), samples=0).run(FakeModel("x"), "q?")


def test_every_sample_has_its_own_replicate_and_the_temperature() -> None:
    _, model = ask(["a", "b", "a", "c"])
    assert sorted(options.replicate for options in model.options) == [0, 1, 2, 3]
    assert {options.temperature for options in model.options} == {0.7}


def test_samples_inside_samples_have_replicates_of_their_own() -> None:
    model = Numbered(["a"] * 6)
    inner = SelfConsistency(Direct(), samples=3, early_stop=False)
    SelfConsistency(inner, samples=2, temperature=None, early_stop=False).run(model, "q?")
    assert sorted(options.replicate for options in model.options) == list(range(6))


@pytest.mark.parametrize(("replies", "drawn"), [("aaabc", 3), ("abaac", 4), ("abcba", 5)])
def test_an_early_stop_draws_no_more_than_can_change_the_winner(replies: str, drawn: int) -> None:
    answer, model = ask([*replies], early_stop=True)
    assert len(model.options) == drawn
    assert answer.text == ask([*replies])[0].text


def test_without_an_early_stop_all_samples_run_at_once() -> None:
    with FakeOpenAI(lambda body: "Paris", latency=0.2) as server:
        model = OpenAIChat("m", base_url=server.base_url)
        answer = SelfConsistency(Direct(), samples=10, early_stop=False).run(model, "q?")
    assert server.max_in_flight_seen == 10
    assert answer.usage.calls == server.count("chat/completions") == 10


def test_samples_are_not_collapsed_by_a_cache(tmp_path: Path) -> None:
    inner = Numbered(["a", "b", "b"])
    model = Cached(inner, tmp_path / "cache.db")
    strategy = SelfConsistency(Direct(), samples=3, early_stop=False)
    for _ in range(2):
        assert strategy.run(model, "q?").text == "b"
    assert len(inner.options) == 3


@given(st.lists(st.sampled_from(["a", "b", "c", None]), min_size=1, max_size=9))
def test_an_early_stop_gives_the_winner_of_the_full_vote(votes: list[str | None]) -> None:
    total = len(votes)
    full = next(iter(tally(votes, total).counts), None)
    drawn = total // 2 + 1
    while (counted := tally(votes[:drawn], total)).further:
        drawn += counted.further
    assert drawn <= total
    if counted.counts and full is not None and drawn < total:
        assert next(iter(counted.counts)) == full


@given(st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=8), st.integers(0, 5))
def test_further_is_the_least_that_may_settle_it(votes: list[str], left: int) -> None:
    total = len(votes) + left
    counted = tally(votes, total)
    leader = next(iter(counted.counts))
    if counted.further:
        with_less = [*votes, *[leader] * (counted.further - 1)]
        assert tally(with_less, total).further > 0
        assert tally([*with_less, leader], total).further == 0
    assert counted.counts == dict(Counter(votes))


def test_the_trace_of_nested_strategies_reads_well() -> None:
    shots = [Shot("Dogs?", "Bark.")]
    strategy = SelfConsistency(ChainOfThought(FewShot(Direct(), shots), kind="number"), samples=2, early_stop=False)
    answer = strategy.run(FakeModel("Because.\nAnswer: 15"), "Cats?")
    assert answer.trace is not None
    assert [step.name for step in answer.trace.walk()] == [
        "prompt", "choose examples", "sample 1", "model", "model", "sample 2", "model", "model",
    ]  # fmt: skip
    samples = [step for step in answer.trace.walk() if step.name.startswith("sample")]
    assert [step.notes for step in samples] == [{"reasoning": "Because.", "vote": "15"}] * 2
    assert answer.trace.notes == {"votes": {"15": 2}, "samples": "2 of 2"}
    assert answer.usage.calls == 2
