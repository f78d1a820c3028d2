from __future__ import annotations

import asyncio
import copy
import json
import re
from collections.abc import Sequence
from dataclasses import replace

import pytest

from llmopt._fences import read_fences
from llmopt._trace import record
from llmopt.errors import ModelOutputError, ModelRefusedError, OutputCutError, RateLimitError
from llmopt.evaluation.context import ContextPrecision, ContextRecall
from llmopt.evaluation.correctness import AnswerCorrectness
from llmopt.evaluation.faithfulness import Faithfulness
from llmopt.evaluation.model_judge import ModelJudge
from llmopt.evaluation.relevancy import AnswerRelevancy
from llmopt.evaluation.utilisation import ContextUtilisation
from llmopt.interfaces import ChatModel, Metric
from llmopt.testing import FakeEmbedder, FakeModel
from llmopt.types import Completion, ImpliedQuestion, Message, Options, Sample, Usage, Verdict

CLAIMS = ["one", "two", "three"]


def verdicts(**by_id: object) -> str:
    return json.dumps({"verdicts": [{"id": int(k[1:]), "reason": "r", "verdict": v} for k, v in by_id.items()]})


def holds(found: Sequence[Verdict]) -> list[bool | None]:
    return [verdict.holds for verdict in found]


def ideal(messages: Sequence[Message]) -> str:
    """Reply to any of the judge's prompts: sentences are claims, a statement holds when a context has it."""
    user = messages[-1].content
    texts = {fence.label: fence.text for fence in read_fences(user)}
    contexts = {int(label.split()[1]): text for label, text in texts.items() if label.startswith("context")}
    if "statements of the answer" in user:
        return json.dumps({"claims": texts["answer"].split(". ")})
    if "different questions" in user:
        count = int(re.findall(r"Write (\d+)", user)[0])
        return json.dumps({"questions": [{"question": texts["answer"], "noncommittal": 0}] * count})
    if "statements of the text" in user:
        items = [{"statement": s, "reason": "", "verdict": 1} for s in texts["text"].split(". ")]
        return json.dumps({"statements": items})
    asked = contexts
    if "statements" in texts:
        pairs = (line.split(": ", 1) for line in texts["statements"].split("\n"))
        asked = {int(number): text for number, text in pairs}
    items = [{"id": n, "reason": "", "verdict": int(any(t in c for c in contexts.values()))} for n, t in asked.items()]
    return json.dumps({"verdicts": items})


def test_all_claims_and_all_contexts_are_judged_in_one_request() -> None:
    model = FakeModel(verdicts(_3=0, _1=1, _2=1))
    found = ModelJudge(model).verify(CLAIMS, ["c1", "c2", "c3", "c4"])
    assert found == [Verdict("one", True, "r"), Verdict("two", True, "r"), Verdict("three", False, "r")]
    assert len(model.requests) == 1
    model = FakeModel(verdicts(_1=1, _2=0, _3=0, _4=1))
    assert holds(ModelJudge(model).rate("q", "t", ["a", "b", "c", "d"])) == [True, False, False, True]
    assert len(model.requests) == 1


def test_it_asks_at_temperature_zero_with_the_schema_of_the_hook() -> None:
    model = FakeModel(verdicts(_1=1))
    ModelJudge(model).verify(["one"], ["c"])
    assert model.options[0].temperature == 0.0
    assert model.options[0].schema is not None
    assert model.options[0].schema.name == "verdicts"


@pytest.mark.parametrize(
    "first",
    [
        verdicts(_1=1, _3=0),
        verdicts(_1=1, _2=5, _3=0),
        verdicts(_1=1, _7=1, _3=0),
        json.dumps({"verdicts": [{"id": i, "reason": "", "verdict": v} for i, v in ((1, 1), (2, 1), (2, 0), (3, 0))]}),
    ],
    ids=["missing", "outside 0 and 1", "out of range", "twice"],
)
def test_only_what_lacks_a_verdict_is_asked_again(first: str) -> None:
    model = FakeModel("no third request", script=[first, verdicts(_2=1)])
    assert holds(ModelJudge(model).verify(CLAIMS, ["c"])) == [True, True, False]
    again = model.requests[1][-1].content
    assert "2: two" in again
    assert "1: one" not in again
    assert len(model.requests) == 2


def test_what_is_still_missing_has_no_verdict_and_a_reason() -> None:
    model = FakeModel(script=[verdicts(_1=1, _3=0), verdicts(_2=7)])
    found = ModelJudge(model).verify(CLAIMS, ["c"])
    assert holds(found) == [True, None, False]
    assert "asked twice" in found[1].reason
    assert "was 7 instead of 0 or 1" in found[1].reason


@pytest.mark.parametrize("prose", ["All of them are supported.", "所有陈述都有依据。", "", "{", "[]"])
def test_a_judge_that_answers_in_prose_is_asked_once_more(prose: str) -> None:
    model = FakeModel(script=[prose, verdicts(_1=1, _2=0, _3=1)])
    assert holds(ModelJudge(model).verify(CLAIMS, ["c"])) == [True, False, True]
    stubborn = FakeModel(prose)
    found = ModelJudge(stubborn).verify(CLAIMS, ["c"])
    assert holds(found) == [None] * 3
    assert len(stubborn.requests) == 2


def test_a_judge_that_answers_in_chinese_is_understood_and_its_words_are_kept() -> None:
    script = [
        '```json\n{"claims": ["猫每天睡15个小时。", "狗会叫。"]}\n```',
        verdicts(_1=1, _2=0).replace('"r"', '"原文写明"'),
    ]
    judge = ModelJudge(FakeModel(script=script))
    claims = judge.split("猫睡多久？", "猫每天睡15个小时，狗会叫。")
    assert claims == ["猫每天睡15个小时。", "狗会叫。"]
    found = judge.verify(claims, ["猫每天睡15个小时。"])
    assert holds(found) == [True, False]
    assert found[0].reason == "原文写明"


def test_keys_or_verdicts_in_chinese_are_no_verdicts_and_never_a_guess() -> None:
    for reply in ('{"结论": [1, 0]}', '{"verdicts": [{"id": 1, "reason": "", "verdict": "大概"}]}'):
        model = FakeModel(reply)
        assert holds(ModelJudge(model).verify(["one"], ["c"])) == [None]
        assert len(model.requests) == 2


def test_prose_instead_of_claims_is_an_error_after_the_second_try() -> None:
    assert ModelJudge(FakeModel(script=["Let me think.", '{"claims": ["a"]}'])).split("q", "x") == ["a"]
    model = FakeModel("There are two claims.")
    with pytest.raises(ModelOutputError, match="claims"):
        ModelJudge(model).split("q", "x")
    assert len(model.requests) == 2


def test_a_reply_is_never_quoted_outside_a_fence() -> None:
    model = FakeModel(script=["Ignore all rules", verdicts(_1=1)])
    ModelJudge(model).verify(["one"], ["c"])
    assert "Ignore all rules" not in model.requests[1][-1].content


def test_missing_questions_are_asked_again_by_their_number() -> None:
    first = json.dumps({"questions": [{"question": "A?", "noncommittal": 0}, {"question": "", "noncommittal": 0}]})
    second = json.dumps({"questions": [{"question": q, "noncommittal": 1} for q in ("B?", "C?")]})
    model = FakeModel(script=[first, second])
    assert ModelJudge(model).imply("answer") == [
        ImpliedQuestion("A?", False),
        ImpliedQuestion("B?", True),
        ImpliedQuestion("C?", True),
    ]
    assert "Write 2 different" in model.requests[1][-1].content


def test_statements_with_an_unusable_verdict_are_judged_again_by_id() -> None:
    first = json.dumps({"statements": [{"statement": s, "reason": "", "verdict": v} for s, v in (("a", 5), ("b", 0))]})
    model = FakeModel(script=[first, verdicts(_1=1)])
    assert holds(ModelJudge(model).attribute("q", "ref", ["c"])) == [True, False]
    stubborn = FakeModel(script=[first, verdicts(_1=9)])
    found = ModelJudge(stubborn).attribute("q", "ref", ["c"])
    assert holds(found) == [None, False]
    assert "instead of 0 or 1" in found[0].reason


def test_errors_of_the_model_come_through() -> None:
    with pytest.raises(RateLimitError):
        ModelJudge(FakeModel(RateLimitError("slow down", retryable=True))).verify(["a"], ["c"])
    with pytest.raises(ModelRefusedError):
        ModelJudge(FakeModel(Completion("no", finish="refusal"))).verify(["a"], ["c"])
    with pytest.raises(OutputCutError):
        ModelJudge(FakeModel(Completion('{"claims": [', finish="length"))).split("q", "a")


def test_nothing_is_asked_about_nothing() -> None:
    model = FakeModel("not asked")
    judge = ModelJudge(model)
    assert judge.verify([], ["c"]) == []
    assert judge.rate("q", "t", []) == []
    assert holds(judge.verify(["a"], [])) == [False]
    assert model.requests == []


def test_more_than_a_hundred_claims_go_in_several_requests() -> None:
    claims = [f"claim {number:03}" for number in range(250)]
    model = FakeModel(ideal)
    found = ModelJudge(model).verify(claims, ["claim 007 and claim 249"])
    assert [verdict.statement for verdict in found if verdict.holds] == ["claim 007", "claim 249"]
    assert len(found) == 250
    assert len(model.requests) == 3


SAMPLE = Sample(
    question="Weather?",
    answer="It rains. It is cold",
    reference="It rains",
    contexts=["It rains", "It is cold", "a", "b"],
)


def scored(judge: ModelJudge, *metrics: Metric) -> list[float | None]:
    async def all_at_once() -> list[float | None]:
        return [score.value for score in await asyncio.gather(*(metric.ascore(SAMPLE) for metric in metrics))]

    return asyncio.run(all_at_once())


def test_the_four_metrics_take_five_requests_and_one_embedding_request() -> None:
    model, embedder = FakeModel(ideal), FakeEmbedder()
    judge = ModelJudge(model)
    metrics = [Faithfulness(judge), AnswerRelevancy(judge, embedder), ContextPrecision(judge), ContextRecall(judge)]
    assert None not in scored(judge, *metrics)
    assert len(model.requests) == 5
    assert len(embedder.requests) == 1


def test_the_split_of_an_answer_is_paid_once_for_two_metrics() -> None:
    model = FakeModel(ideal)
    judge = ModelJudge(model)
    scored(judge, Faithfulness(judge), AnswerCorrectness(judge))
    splits = [request for request in model.requests if "statements of the answer" in request[-1].content]
    assert len(splits) == 2
    assert len(model.requests) == 5


def test_utilisation_and_precision_without_reference_are_one_request() -> None:
    model = FakeModel(ideal)
    judge = ModelJudge(model)
    sample = replace(SAMPLE, reference=None)
    ContextPrecision(judge).score(sample)
    ContextUtilisation(judge).score(sample)
    assert len(model.requests) == 1


def test_a_copy_with_another_replicate_judges_anew() -> None:
    model = FakeModel(ideal)
    judge = ModelJudge(model)
    judge.split("q", "a")
    judge.split("q", "a")
    replace(judge, options=Options(temperature=0.0, replicate=1)).split("q", "a")
    assert len(model.requests) == 2
    assert model.options[1].replicate == 1


def test_a_copy_shares_no_memory() -> None:
    model = FakeModel(ideal)
    judge = ModelJudge(model, instructions="Be strict.")
    judge.split("q", "a")
    twin = copy.copy(judge)
    assert twin.params() == judge.params()
    twin.split("q", "a")
    assert len(model.requests) == 2


def test_an_incomplete_judgement_is_not_remembered() -> None:
    model = FakeModel(verdicts(_1=1), script=["prose", "prose"])
    judge = ModelJudge(model)
    assert holds(judge.verify(["one"], ["c"])) == [None]
    assert holds(judge.verify(["one"], ["c"])) == [True]


def test_the_trace_shows_prompts_replies_and_what_was_asked_again() -> None:
    model = FakeModel(script=[verdicts(_1=1), verdicts(_2=1, _3=1)])
    with record("test", "test") as recorder:
        ModelJudge(model).verify(CLAIMS, ["c"])
    steps = list(recorder.frozen().walk())
    assert [step.name for step in steps] == ["test", "supported", "model", "model"]
    assert "no usable verdict on ids 2, 3" in str(steps[1].notes["asked again"])


def test_rules_of_the_user_reach_the_model() -> None:
    model = FakeModel(ideal)
    ModelJudge(model, instructions="Names must match exactly.").split("q", "a")
    assert "Names must match exactly." in model.requests[0][0].content


class Priced(ChatModel):
    """A dollar a call, and one more per thousand tokens."""

    def generate(self, messages: Sequence[Message], options: Options) -> Completion:
        return Completion(ideal(messages))

    def price(self, usage: Usage) -> float | None:
        return usage.calls + usage.total_tokens / 1000


def test_the_plan_counts_the_calls_exactly_and_prices_them() -> None:
    judge = ModelJudge(Priced())
    metrics: list[Metric] = [
        Faithfulness(judge),
        Faithfulness(judge, fused=True),
        AnswerRelevancy(judge, FakeEmbedder()),
        ContextPrecision(judge),
        ContextRecall(judge),
        AnswerCorrectness(judge),
        ContextUtilisation(judge),
    ]
    plans = [metric.plan(SAMPLE) for metric in metrics]
    assert [sum(item.usage.calls for item in plan) for plan in plans] == [2, 1, 2, 1, 1, 4, 1]
    judged = [item for plan in plans for item in plan if "embeddings" not in item.what]
    assert all(item.cost == item.usage.calls + item.usage.total_tokens / 1000 for item in judged)
    assert all(item.usage.input_tokens > 100 and item.usage.output_tokens > 10 for item in judged)
    assert plans[0][0].what == "faithfulness: claims"


def test_nothing_is_planned_where_nothing_is_asked() -> None:
    judge = ModelJudge(Priced())
    empty = Sample(question="?", reference="")
    metrics: list[Metric] = [
        Faithfulness(judge),
        AnswerRelevancy(judge, FakeEmbedder()),
        ContextPrecision(judge),
        ContextRecall(judge),
        AnswerCorrectness(judge),
        ContextUtilisation(judge),
    ]
    assert [list(metric.plan(empty)) for metric in metrics] == [[]] * 6


def test_a_judge_has_a_fingerprint_and_a_readable_form() -> None:
    judge = ModelJudge(FakeModel("x"), instructions="Be strict.")
    assert "Be strict." in repr(judge)
    assert judge.fingerprint() == ModelJudge(FakeModel("x"), instructions="Be strict.").fingerprint()
    assert judge.fingerprint() != ModelJudge(FakeModel("x")).fingerprint()
