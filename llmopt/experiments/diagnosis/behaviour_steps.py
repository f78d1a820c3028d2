"""Experiments against failures of the behaviour and of the measurement."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Final

from ...interfaces import PromptStrategy
from ...prompting import ChainOfThought, Decompose, Direct, FewShot, Grounded, Repair, SelfConsistency, Shot, Structured
from ...prompting.wrapper import is_one_call
from .finding import Cause
from .scene import NAME_GOLD, Scene, Step

__all__ = ["BEHAVIOUR_STEPS"]

_SHOTS, _FEWEST_SHOTS, _SAMPLES = 4, 2, 5
_FOLLOW = (
    "You answer questions from reference texts. Answer every part of the question, in the language of the question, "
    "in the form that it asks for, and from the contexts alone."
)
_ANSWER = (
    "You answer questions from reference texts. The texts may say it in other words than the question, or a part of "
    "it only: then answer from that. Say that you do not know only when they are silent."
)
_BETTER_MODEL = Step("another model", "this one only quotes: it cannot follow an instruction", {"model": "..."}, {})


def _format(scene: Scene) -> Iterator[Step]:
    if not scene.thinks:
        yield _BETTER_MODEL
        return
    if not scene.prompt_has(Structured):
        why = "a schema holds the answer to its form"
        yield Step("structured answers", why, {"prompt": "Structured(YourModel, inner=prompt)"}, {})
    if not scene.prompt_has(Repair):
        why = "a check that says what is wrong lets the model mend it"
        yield Step("check and repair", why, {"prompt": "Repair(prompt, check=your_check)"}, {}, calls=1)
    yield from _shots(scene, "the form is easier shown than told")


def _instruction(scene: Scene) -> Iterator[Step]:
    if not scene.thinks:
        yield _BETTER_MODEL
        return
    yield from _instructed(scene, _FOLLOW, "say plainly what the answers get wrong")
    yield from _shots(scene, "what is wanted is easier shown than told")


def _reasoning(scene: Scene) -> Iterator[Step]:
    pipeline = scene.pipeline
    if not scene.thinks:
        yield _BETTER_MODEL
        return
    if is_one_call(pipeline.prompt) and not scene.prompt_has(ChainOfThought):
        thinking = {"prompt": ChainOfThought(pipeline.prompt)}
        why = "the passages are there: time to think before the answer"
        yield Step("think first", why, {"prompt": "ChainOfThought(prompt)"}, thinking)
    yield from _voting(scene, "several lines of reasoning outvote a slip")
    if is_one_call(pipeline.prompt) and not scene.prompt_has(Decompose):
        made = {"prompt": Decompose(pipeline.prompt)}
        yield Step(
            "split the question", "parts are easier than the whole", {"prompt": "Decompose(prompt)"}, made, calls=3
        )
    yield Step("a stronger model", "it concludes wrongly from the right passages", {"model": "..."}, {})


def _refusal(scene: Scene) -> Iterator[Step]:
    if not scene.thinks:
        yield _BETTER_MODEL
        return
    yield from _instructed(scene, _ANSWER, "tell it that other words and partial answers will do")
    if isinstance(scene.pipeline.prompt, Grounded):
        why = "the strict rules make it abstain with the answer before it"
        yield Step("a freer prompt", why, {"prompt": "Direct()"}, {"prompt": Direct()})


def _noise(scene: Scene) -> Iterator[Step]:
    prompt = scene.pipeline.prompt
    options = prompt.options
    cold = _with(prompt, "options", replace(options, temperature=0))
    if scene.thinks and cold is not None and options.temperature != 0:
        code = {"prompt": "replace(prompt, options=Options(temperature=0))"}
        yield Step("temperature 0", "the same question gets other answers", code, {"prompt": cold})
    yield from _voting(scene, "the answer that most samples agree on is steadier")


def _suspect(scene: Scene) -> Iterator[Step]:
    beside = "answer"
    why = "the contexts support the answer: the reference may be wrong"
    if any(dossier.of_contexts for dossier in scene.failed["suspect label"]):
        beside = "gold"
        why = "the gold passages do not say what the reference says: one of them or the judge is wrong"
    code = (
        f'for finding in diagnosis.by_cause("suspect label"): print(finding.sample.reference, finding.sample.{beside})'
    )
    yield Step("look at the labels", why, {}, {}, code=code)


def _undetermined(scene: Scene) -> Iterator[Step]:
    failed = [dossier.row.sample for dossier in scene.failed["undetermined"]]
    if any(sample.answerable is not False and not sample.gold for sample in failed):
        yield NAME_GOLD


def _error(_: Scene) -> Iterator[Step]:
    code = 'for finding in diagnosis.by_cause("error"): print(finding.sample.id, finding.reason)'
    yield Step("mend what breaks", "the run ended with an error", {}, {}, code=code)


def _shots(scene: Scene, why: str) -> Iterator[Step]:
    samples = [sample for sample in scene.passed if sample.reference][:_SHOTS]
    if len(samples) < _FEWEST_SHOTS or not is_one_call(scene.pipeline.prompt) or scene.prompt_has(FewShot):
        return
    shots = [Shot(sample.question, sample.reference or "") for sample in samples]
    made = {"prompt": FewShot(scene.pipeline.prompt, shots)}
    yield Step("show examples", why, {"prompt": "FewShot(prompt, shots)"}, made)


def _voting(scene: Scene, why: str) -> Iterator[Step]:
    if scene.thinks and not scene.prompt_has(SelfConsistency):
        made = {"prompt": SelfConsistency(scene.pipeline.prompt, samples=_SAMPLES)}
        code = {"prompt": f"SelfConsistency(prompt, samples={_SAMPLES})"}
        yield Step("vote", why, code, made, calls=_SAMPLES - 1)


def _instructed(scene: Scene, instructions: str, why: str) -> Iterator[Step]:
    prompt = scene.pipeline.prompt
    told = _with(prompt, "instructions", instructions)
    if told is not None and not prompt.params()["instructions"]:
        code = {"prompt": f"replace(prompt, instructions={instructions!r})"}
        yield Step("plainer instructions", why, code, {"prompt": told})


def _with(prompt: PromptStrategy, slot: str, value: object) -> PromptStrategy | None:
    """Return the strategy with another value in one of its slots; None when it has no such slot."""
    slots = prompt.params()
    return type(prompt)(**{**slots, slot: value}) if slot in slots else None


BEHAVIOUR_STEPS: Final[Mapping[Cause, Callable[[Scene], Iterator[Step]]]] = {
    "format": _format,
    "instruction": _instruction,
    "reasoning": _reasoning,
    "refusal": _refusal,
    "noise": _noise,
    "suspect label": _suspect,
    "error": _error,
    "undetermined": _undetermined,
}
"""Per cause, the experiments that may mend it, the likeliest first."""
