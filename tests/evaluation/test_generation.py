"""Test sets from documents: what is asked, what passes the filter, and what becomes of the rest."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

import pytest

from llmopt.errors import BudgetError, CorpusError, CredentialsError, UsageError
from llmopt.evaluation import HeuristicJudge, QuestionKind, Recall, SampleGenerator, load_samples, save_samples
from llmopt.evaluation.generation_prompts import refers_to_text
from llmopt.models import Budget, chat_model
from llmopt.testing import FakeJudge, FakeModel, Reply
from llmopt.testing.server import FakeOpenAI, Fault
from llmopt.types import Answer, Document, Hit, Message

NAMES = ("Ada", "Bela", "Cleo", "Dora", "Emil", "Fritz", "Gerd", "Hans", "Ines", "Jana", "Karl", "Lena")
TOWNS = ("Rome", "Oslo", "Bern", "Lima", "Kiel", "Graz", "Nice", "Turin", "Porto", "Ghent", "Malmo", "Basel")
PEOPLE = [
    Document(f"p{n}", f"{name} was born in {town} in {1900 + n} and kept a pet.", parent=f"book {n // 4}")
    for n, (name, town) in enumerate(zip(NAMES, TOWNS, strict=True))
]
SINGLE: Mapping[QuestionKind, float] = {"single_fact": 1}


def kind_of(messages: Sequence[Message]) -> str:
    system = messages[0].content
    marks = {"about one fact": "single_fact", "a fact from each": "multi_hop", "compares what": "comparison"}
    marks |= {"that it does not answer": "unanswerable", "from the passages between": "passages", "you know": "memory"}
    return next(kind for mark, kind in marks.items() if mark in system)


def drafted(kind: str, found: Sequence[tuple[str, str, str]]) -> dict[str, object]:
    (name, town, year), *others = found
    if kind == "single_fact":
        return {"question": f"Where was {name} born?", "answer": town}
    if kind == "unanswerable":
        return {"question": f"What was the pet of {name} called?", "answer": ""}
    other = others[0]
    older = name if year < other[2] else other[0]
    return {"question": f"Who is older, {name} or {other[0]}?", "answer": older}


def answered(question: str, found: Sequence[tuple[str, str, str]]) -> dict[str, object]:
    asked = [person for person in found if person[0] in question]
    if "pet" in question or not asked:
        return {"answer": "", "found": False, "used": [], "clear": True}
    used = [number for number, person in enumerate(found, 1) if person in asked]
    answer = asked[0][1] if "Where" in question else min(asked, key=lambda person: person[2])[0]
    return {"answer": answer, "found": True, "used": used, "clear": True}


def scholar(messages: Sequence[Message]) -> Reply:
    """Write and answer as a careful model would that knows nothing by heart."""
    kind, text = kind_of(messages), messages[-1].content
    if kind == "memory":
        return '{"answer": "I do not know.", "known": false}'
    found = re.findall(r"(\w+) was born in (\w+) in (\d+)", text)
    if kind == "passages":
        return json.dumps(answered(text.rpartition("# Question")[2], found))
    return json.dumps(drafted(kind, found))


def generator(model: FakeModel, kinds: Mapping[QuestionKind, float] = SINGLE) -> SampleGenerator:
    return SampleGenerator(model, kinds, HeuristicJudge(), concurrency=1)


# --- what is kept


def test_every_kind_comes_with_its_truth() -> None:
    model = FakeModel(scholar)
    made = SampleGenerator(model, judge=HeuristicJudge()).generate(PEOPLE, 8)
    assert made.counts == {}
    by_kind = {sample.category: sample for sample in made}
    assert [sample.category for sample in made].count("single_fact") == 4
    single, pair, none = by_kind["single_fact"], by_kind["comparison"], by_kind["unanswerable"]
    assert single.reference in TOWNS
    assert single.answerable is True
    assert len(cast("list[str]", single.metadata["passages"])) == 1
    assert len(cast("list[str]", pair.metadata["passages"])) == 2
    assert pair.reference in NAMES
    assert (none.reference, none.gold, none.answerable) == (None, (), False)
    assert len({sample.id for sample in made}) == 8
    assert made.spent.usage.calls == len(model.requests)


def test_gold_is_what_an_answer_names_as_its_source() -> None:
    made = generator(FakeModel(scholar)).generate(PEOPLE, 4)
    for sample in made:
        passage = next(p for p in PEOPLE if p.id in cast("list[str]", sample.metadata["passages"]))
        assert sample.gold == (passage.source,)
        assert sample.group == passage.source
        found = sample.answered(Answer("x", [Hit(passage, 1.0)]))
        assert Recall(k=1).score(found).value == 1.0


def test_what_was_made_can_be_saved_and_loaded(tmp_path: Path) -> None:
    made = SampleGenerator(FakeModel(scholar), judge=HeuristicJudge()).generate(PEOPLE, 8)
    path = tmp_path / "samples.jsonl"
    save_samples(path, made)
    assert load_samples(path) == list(made)


def test_the_same_seed_draws_the_same_and_another_seed_other_passages() -> None:
    def questions(seed: int, count: int) -> list[str]:
        return [sample.question for sample in generator(FakeModel(scholar)).generate(PEOPLE, count, seed=seed)]

    assert questions(1, 6) == questions(1, 6)
    assert questions(1, 6)[:3] == questions(1, 3)
    assert questions(1, 6) != questions(2, 6)


def test_side_by_side_gives_the_same_as_one_after_the_other() -> None:
    makers = [SampleGenerator(FakeModel(scholar), judge=HeuristicJudge(), concurrency=n) for n in (1, 16)]
    one, many = (list(maker.generate(PEOPLE, 8, seed=3)) for maker in makers)
    assert one == many


def test_chinese_documents_give_chinese_samples() -> None:
    rivers = [Document("a", "塞纳河长777公里，流经巴黎。"), Document("b", "莱茵河长1230公里，流经科隆。")]

    def said(messages: Sequence[Message]) -> Reply:
        kind = kind_of(messages)
        if kind == "memory":
            return '{"answer": "不知道", "known": true}'
        if kind == "passages":
            return json.dumps({"answer": "莱茵河", "found": True, "used": [1, 2], "clear": True})
        return json.dumps({"question": "塞纳河和莱茵河哪条更长？", "answer": "莱茵河。"})

    (sample,) = generator(FakeModel(said), {"comparison": 1}).generate(rivers, 1)
    assert sample.question == "塞纳河和莱茵河哪条更长？"
    assert set(sample.gold) == {"a", "b"}


# --- what is dropped


def dropping(**changes: object) -> FakeModel:
    """A scholar whose replies to one kind of request are changed."""

    def said(messages: Sequence[Message]) -> Reply:
        kind = kind_of(messages)
        reply = cast("dict[str, object]", json.loads(cast(str, scholar(messages))))
        asked = "draft" if kind not in {"passages", "memory"} else kind
        return json.dumps(reply | cast("dict[str, object]", changes.get(asked, {})))

    return FakeModel(said)


@pytest.mark.parametrize(
    ("kind", "changes", "reason"),
    [
        ("single_fact", {"draft": {"question": " "}}, "no question"),
        ("single_fact", {"draft": {"answer": ""}}, "no question"),
        ("single_fact", {"draft": {"question": "Who is named in the text above?"}}, "refers to the text"),
        ("single_fact", {"passages": {"clear": False}}, "refers to the text"),
        ("single_fact", {"passages": {"found": False}}, "not answerable from its passages"),
        ("single_fact", {"passages": {"answer": "I don't know."}}, "not answerable from its passages"),
        ("single_fact", {"passages": {"answer": "Atlantis"}}, "reference differs from the passages' answer"),
        ("multi_hop", {"passages": {"used": [2]}}, "one passage is enough"),
        ("unanswerable", {"passages": {"found": True, "answer": "Rex"}}, "answerable after all"),
        ("unanswerable", {"passages": {"clear": False}}, "refers to the text"),
    ],
)
def test_drafts_are_dropped_for_a_reason(kind: QuestionKind, changes: Mapping[str, object], reason: str) -> None:
    made = generator(dropping(**changes), {kind: 1}).generate(PEOPLE, 2)
    assert list(made) == []
    assert made.counts == {reason: 3}
    assert made.dropped[0].why
    assert reason in str(made)


def test_what_the_model_knows_by_heart_is_dropped_unless_you_say_otherwise() -> None:
    everybody = [(name, town, "") for name, town in zip(NAMES, TOWNS, strict=True)]

    def said(messages: Sequence[Message]) -> Reply:
        if kind_of(messages) == "memory":
            return json.dumps({**answered(messages[-1].content, everybody), "known": True})
        return scholar(messages)

    assert generator(FakeModel(said)).generate(PEOPLE, 2).counts == {"answerable without its passages": 3}
    model = FakeModel(said)
    kept = SampleGenerator(model, SINGLE, HeuristicJudge(), drop_known=False).generate(PEOPLE, 2)
    assert len(kept) == 2
    assert all(kind_of(messages) != "memory" for messages in model.requests)


def test_a_wrong_answer_from_memory_does_not_count_as_knowing() -> None:
    made = generator(dropping(memory={"answer": "Atlantis", "known": True})).generate(PEOPLE, 2)
    assert len(made) == 2


def test_near_duplicates_are_dropped_before_they_are_checked() -> None:
    born = {"answer": "Rome", "found": True, "used": [1]}
    model = dropping(draft={"question": "Where was the first of them born?", "answer": "Rome"}, passages=born)
    made = generator(model).generate(PEOPLE, 4)
    assert made.counts["near-duplicate"] == 3 + 2
    assert sum(kind_of(messages) == "passages" for messages in model.requests) == 1


def test_further_drafts_stand_in_for_dropped_ones_up_to_the_spare() -> None:
    calls = iter(range(100))

    def said(messages: Sequence[Message]) -> Reply:
        if kind_of(messages) == "single_fact" and next(calls) % 2 == 0:
            return '{"question": "", "answer": ""}'
        return scholar(messages)

    made = SampleGenerator(FakeModel(said), SINGLE, HeuristicJudge(), spare=1.0, concurrency=1).generate(PEOPLE, 4)
    assert len(made) == 4
    assert 3 <= made.counts["no question"] <= 4
    assert "4 samples from" in str(made)


def test_a_passage_without_relatives_gives_no_pair_and_costs_nothing() -> None:
    model = FakeModel(scholar)
    made = generator(model, {"multi_hop": 1}).generate([PEOPLE[0], Document("x", "Zebras xylophone quickly.")], 2)
    assert made.counts == {"no related passage": 3}
    assert model.requests == []


def test_a_copy_of_a_passage_is_no_partner() -> None:
    twins = [PEOPLE[0], Document("twin", PEOPLE[0].text + " ")]
    assert generator(FakeModel(scholar), {"comparison": 1}).generate(twins, 1).counts == {"no related passage": 2}


def test_a_passage_that_comes_again_is_asked_anew() -> None:
    model = FakeModel(scholar)
    generator(model).generate(PEOPLE[:1], 1)
    generator(model).generate(PEOPLE[:1], 2)
    drafts = [o.replicate for m, o in zip(model.requests, model.options, strict=True) if kind_of(m) == "single_fact"]
    assert drafts == [0, 0, 1, 2]


@pytest.mark.parametrize(
    ("question", "points"),
    [
        ("What does the passage say about cats?", True),
        ("According to the author, why?", True),
        ("Which of the rivers mentioned above is longer?", True),
        ("What is said in context 2?", True),
        ("根据上述内容，哪条河更长？", True),
        ("本文的主要观点是什么？", True),
        ("这段文字说了什么？", True),
        ("该文件由谁签署？", False),
        ("60岁以上的人可以申请吗？", False),
        ("桌子上面放着什么？", False),
        ("When did the passage of the bill happen?", False),
        ("What follows from article 5 of the contract?", False),
        ("How long is the Seine?", False),
    ],
)
def test_questions_that_point_to_a_text_are_found(question: str, points: bool) -> None:
    assert refers_to_text(question) is points


# --- what fails


def test_requests_that_fail_drop_their_draft_and_nothing_else() -> None:
    script: list[Reply] = ["no JSON", "still no JSON"]
    model = FakeModel(scholar, script=script)
    made = generator(model).generate(PEOPLE, 4)
    assert len(made) == 4
    assert made.counts == {"failed": 1}
    assert "ModelOutputError" in made.dropped[0].why


def test_when_everything_fails_the_first_error_is_raised() -> None:
    model = FakeModel(CredentialsError("no key"))
    with pytest.raises(CredentialsError, match="no key"):
        generator(model).generate(PEOPLE, 4)
    assert len(model.requests) == 4


def test_a_judge_without_a_verdict_is_a_failure_not_a_guess() -> None:
    made = SampleGenerator(dropping(passages={"answer": "somewhere"}), SINGLE, FakeJudge(), concurrency=1, spare=0.0)
    with pytest.raises(Exception, match="cannot say whether 'somewhere' says"):
        made.generate(PEOPLE, 2)


def served(body: Mapping[str, object]) -> str:
    """Answer the same requests through a server."""
    raw = cast("Sequence[Mapping[str, str]]", body["messages"])
    return cast(str, scholar([Message("user", one["content"]) for one in raw]))


def test_a_budget_that_runs_out_keeps_what_was_made() -> None:
    with FakeOpenAI(served) as server:
        model = chat_model("any", base_url=server.base_url, api_key="k", budget=Budget(calls=9), concurrency=1)
        made = SampleGenerator(model, SINGLE, HeuristicJudge(), concurrency=1).generate(PEOPLE, 6)
        assert server.count("chat/completions") <= 9
    assert 1 <= len(made) < 6
    assert any(BudgetError.__name__ in dropped.why for dropped in made.dropped)


def test_all_samples_come_through_a_server_that_fails_now_and_then() -> None:
    faults = (
        Fault("rate_limit", rate=0.1, retry_after=0.01),
        Fault("server_error", rate=0.05),
        Fault("reset", rate=0.02),
    )
    with FakeOpenAI(served, faults=faults) as server:
        model = chat_model("any", base_url=server.base_url, api_key="k", attempts=10)
        made = SampleGenerator(model, judge=HeuristicJudge()).generate(PEOPLE, 12, seed=5)
    assert len(made) == 12, made


@pytest.mark.parametrize(
    ("changes", "count", "match"),
    [
        ({}, 0, "`count`"),
        ({"kinds": {"riddle": 1}}, 1, "no kind of question 'riddle'"),
        ({"kinds": {"multi_hop": 0}}, 1, "one above 0"),
        ({"spare": -1.0}, 1, "`spare`"),
        ({"longest": 0}, 1, "`longest`"),
    ],
)
def test_numbers_and_kinds_that_make_no_sense_are_refused(changes: dict[str, object], count: int, match: str) -> None:
    model = FakeModel(scholar)
    parameters = {**SampleGenerator(model).params(), **changes}
    with pytest.raises(UsageError, match=match):
        SampleGenerator(**parameters).generate(PEOPLE, count)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    assert model.requests == []


def test_documents_without_text_or_with_one_id_are_refused() -> None:
    with pytest.raises(CorpusError, match="no text"):
        generator(FakeModel(scholar)).generate([Document("a", " ")], 1)
    with pytest.raises(CorpusError):
        generator(FakeModel(scholar)).generate([PEOPLE[0], PEOPLE[0]], 1)


# --- the plan


@pytest.mark.parametrize("judge", [None, HeuristicJudge()])
def test_the_plan_bounds_the_calls(judge: HeuristicJudge | None) -> None:
    def said(messages: Sequence[Message]) -> Reply:
        if "Judge texts literally" in messages[0].content:
            return '{"verdicts": [{"id": 1, "reason": "r", "verdict": 1}]}'
        return scholar(messages)

    model = FakeModel(said)
    made = SampleGenerator(model, judge=judge, spare=0.0)
    plan = made.plan(PEOPLE, 8)
    assert model.requests == []
    made.generate(PEOPLE, 8)
    assert len(model.requests) <= plan.calls
    pairs_and_singles, unanswerable = 7, 1
    assert plan.calls == pairs_and_singles * (3 if judge else 5) + unanswerable * 2
    assert {"write", "answer from passages", "answer from memory"} <= {item.what for item in plan.items}
