"""LoRA from end to end on two cores: a format is learnt, judged by the ladder, and what it costs is said.

The base is a model of two layers with random parameters. A real base can read and copy, so this one learns that
first, by full training on a general task: to repeat words, to find the dish, the day and the number in a request,
and to say thank you for it. It has never seen a record. Then LoRA teaches the record and nothing else.
"""

import json
import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydantic import BaseModel, ConfigDict

from llmopt import Evaluator, Pipeline, Sample
from llmopt.evaluation import ExactMatch, FormatValidity
from llmopt.experiments import Forgetting, Ladder, LearningCurve, Rung, fine_tune_step, forgetting
from llmopt.finetuning import LocalChat, LoRAFineTune
from llmopt.prompting import Direct
from llmopt.types import Example, Message, Options

pytestmark = pytest.mark.filterwarnings("ignore")

DAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
DISHES = ["pizza", "soup", "salad", "pasta", "cake", "rice", "fish", "bread"]
OPENINGS = ["please book", "i want to order", "could we have", "we need", "get us", "can you reserve"]
ENDINGS = ["thank you", "please", "as soon as you can", "if you can", "for the office", "for my family"]
SIGNS = ['{"', '": "', '", "', '"}', "count", "dish", "day", *"123456789"]


class Record(BaseModel):
    """The record that the tuned model is to write."""

    model_config = ConfigDict(extra="forbid", strict=True)
    dish: str
    count: int
    day: str


@dataclass(frozen=True)
class Order:
    """A request in free text, and what it asks for."""

    text: str
    count: int
    dish: str
    day: str

    @property
    def record(self) -> str:
        return json.dumps({"dish": self.dish, "count": self.count, "day": self.day})


def orders(seed: int) -> Iterator[Order]:
    """Requests that are all different."""
    chance, seen = random.Random(seed), set[str]()
    while True:
        count, dish, day = chance.randrange(1, 10), chance.choice(DISHES), chance.choice(DAYS)
        said = [f"{count} {dish}", f"on {day}"]
        chance.shuffle(said)
        text = f"{chance.choice(OPENINGS)} {said[0]} {said[1]} {chance.choice(ENDINGS)}"
        if text not in seen:
            seen.add(text)
            yield Order(text, count, dish, day)


def example(question: str, answer: str) -> Example:
    return Example((Message("user", question), Message("assistant", answer)))


def general(seed: int, count: int) -> list[Example]:
    """What the base is to be able to do: reading and copying, without a record."""
    chance, source = random.Random(seed), orders(seed)
    words = [*DAYS, *DISHES, *SIGNS, *" ".join([*OPENINGS, *ENDINGS]).split()]
    made: list[Example] = []
    for order, _ in zip(source, range(count), strict=False):
        some = " ".join(chance.choices(words, k=chance.randrange(2, 8)))
        tasks = [
            example(f"repeat: {some}", some),
            example(order.text, f"thank you, {order.count} {order.dish} on {order.day}"),
            example(f"which dish? {order.text}", order.dish),
            example(f"which day? {order.text}", order.day),
            example(f"how many? {order.text}", str(order.count)),
        ]
        made.append(chance.choice(tasks))
    return made


SOURCE = orders(1)
UNSEEN = [next(SOURCE) for _ in range(60)]
VALIDATION, TRAINING = (
    [example(order.text, order.record) for order in (next(SOURCE) for _ in range(count))] for count in (8, 300)
)
SMALLER = {"< 480": "< 320", "raw[:80]": "raw[:40]", "general[:40]": "general[:20]"}  # the page, in less time
SAMPLES = [Sample(question=order.text, reference=order.record, id=f"order {n}") for n, order in enumerate(UNSEEN)]
EVALUATOR = Evaluator([FormatValidity(schema=Record), ExactMatch()], concurrency=1, progress=False)


@pytest.fixture(scope="module")
def base(make_base: Callable[[Path, Sequence[str]], str], tmp_path_factory: pytest.TempPathFactory) -> str:
    """The folder of a model that can read and copy, and has never seen a record."""
    folder = tmp_path_factory.mktemp("general")
    examples = general(2, 3_000)
    empty = make_base(folder / "empty", [turn.content for each in examples[:1_000] for turn in each.messages])
    job = LoRAFineTune(
        empty, folder=str(folder), rank=None, epochs=6, learning_rate=4e-3, batch_size=32, device="cpu", progress=False
    )
    return str(folder / job.submit(examples, ()) / "model")


@pytest.fixture(scope="module")
def climb(base: str, tmp_path_factory: pytest.TempPathFactory) -> Ladder:
    """The ladder with its one step: the same pipeline, tuned by LoRA."""
    job = LoRAFineTune(
        base, folder=str(tmp_path_factory.mktemp("jobs")), rank=16, epochs=6, learning_rate=4e-3, batch_size=8,
        device="cpu", progress=False,
    )  # fmt: skip
    untuned = Pipeline(model=LocalChat(base, device="cpu"), prompt=Direct(options=Options(max_tokens=32)), tuning=job)
    ladder = Ladder(untuned, SAMPLES, EVALUATOR, "format_validity", held_out=0.3)
    fine_tune_step(ladder, TRAINING, VALIDATION)
    return ladder


def test_a_format_is_learnt_and_the_ladder_keeps_it(climb: Ladder) -> None:
    untuned, tuned = climb.rungs
    before, after = untuned.score("format_validity"), tuned.score("format_validity")
    assert before.value is not None
    assert before.value < 0.05
    assert after.value is not None
    assert after.value > 0.95
    assert tuned.verdict.decision == "keep"
    assert tuned.comparison is not None
    low = tuned.comparison.difference.low
    assert low is not None
    assert low > 0.8
    assert tuned.report.spent().cost == 0
    assert tuned.report.latency().median is not None
    confirmed = climb.confirm()
    assert confirmed.candidate.value is not None
    assert confirmed.candidate.value > 0.95


def test_the_records_say_what_was_asked_for_and_not_only_look_right(climb: Ladder) -> None:
    found = climb.rungs[1].score("exact_match")
    assert found.value is not None
    assert found.value > 0.5


def test_what_was_not_in_the_data_stays_unknown(climb: Ladder) -> None:
    facts = {
        "who wrote hamlet": "shakespeare",
        "what is the capital of france": "paris",
        "which planet is the largest": "jupiter",
        "who painted the mona lisa": "leonardo",
    }
    tuned, short = climb.rungs[1].pipeline.model, Options(max_tokens=32)
    assert not any(fact in tuned.complete(question, short).text.lower() for question, fact in facts.items())


def test_what_the_training_cost_the_rest_is_said(climb: Ladder) -> None:
    samples = [
        Sample(question=each.messages[0].content, reference=each.messages[-1].content)
        for each in general(3, 50)
        if "?" in each.messages[0].content
    ]
    untuned, tuned = (rung.pipeline for rung in climb.rungs)
    found = forgetting(untuned, tuned, samples, Evaluator([ExactMatch()], concurrency=1, progress=False), "exact_match")
    assert found.comparison.baseline.value is not None
    assert found.comparison.baseline.value > 0.9
    assert found.outcome == "forgot"  # it was trained on records alone: see what the report advises
    assert "Mix general examples" in str(found)


def test_the_page_runs_from_the_raw_file_to_the_row_of_the_ladder(
    base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = (Path(__file__).parents[2] / "docs" / "finetuning" / "README.md").read_text("utf-8")
    monkeypatch.chdir(tmp_path)
    for large, small in {**SMALLER, "Qwen/Qwen3-0.6B": base}.items():
        assert large in page
        page = page.replace(large, small)
    namespace: dict[str, object] = {"__name__": "__main__"}
    for code in re.findall(r"```python\n(.*?)```", page, re.DOTALL):
        exec(code, namespace)
    rung, lost, curve = namespace["rung"], namespace["lost"], namespace["curve"]
    assert isinstance(rung, Rung)
    assert rung.verdict.decision == "keep"
    assert isinstance(curve, LearningCurve)
    assert [point.examples for point in curve.points] == [0, 54, 108, 216]
    assert isinstance(lost, Forgetting)
    assert lost.outcome == "forgot"
    printed = capsys.readouterr().out
    assert "fine-tuned" in printed
    assert "over untuned" in printed
    assert '{"dish"' in printed
