"""A judge that lets a natural-language-inference model say what follows from what."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np
import numpy.typing as npt

from .._sync import call
from .._text import sentences, words
from ..errors import MissingExtraError, UnknownModelError, UsageError
from ..interfaces import Judge
from ..types import ImpliedQuestion, Verdict
from .heuristic_judge import HeuristicJudge

__all__ = ["NLIJudge"]

_Floats = npt.NDArray[np.float64]

_FEWEST_WORDS = 4
_CHARACTERS_PER_TOKEN = 3.5


class _Tensor(Protocol):
    def float(self) -> _Tensor: ...
    def cpu(self) -> _Tensor: ...
    def numpy(self) -> npt.NDArray[np.float32]: ...


class _Output(Protocol):
    logits: _Tensor


class _Inputs(Protocol):
    def to(self, device: object) -> Mapping[str, object]: ...


class _Config(Protocol):
    id2label: Mapping[int, str]


class _Model(Protocol):
    config: _Config
    device: object

    def __call__(self, **inputs: object) -> _Output: ...
    def eval(self) -> object: ...
    def to(self, device: str) -> object: ...


class _Tokenizer(Protocol):
    model_max_length: int

    def __call__(
        self, text: list[str], text_pair: list[str], *, truncation: str, max_length: int, padding: bool,
        return_tensors: str,
    ) -> _Inputs: ...  # fmt: skip


class _Torch(Protocol):
    def inference_mode(self) -> AbstractContextManager[object]: ...


@dataclass(frozen=True, slots=True)
class _Loaded:
    tokenizer: _Tokenizer
    model: _Model
    torch: _Torch
    label: int


@dataclass(frozen=True, slots=True)
class _Premise:
    """A piece of a context: the context's number, from 1, and the text."""

    number: int
    text: str


@dataclass(repr=False, eq=False)
class NLIJudge(Judge):
    """A judge that asks a sequence-classification model whether a context entails a claim.

    Any HuggingFace model with an entailment label, or with a single output that means entailment. Each
    claim is put to windows of whole sentences of each context, and the best counts (as in SummaC,
    Laban et al. 2022). Claims and implied questions come from another judge. Free, local and reproducible;
    better than the heuristic judge, and a small model still misses numbers and long chains of thought:
    calibrate it.

    Needs the packages transformers and torch (the extra `local`). The model is loaded on first use, without
    code from the hub.

    Args:
        model: A local folder, or a name on the hub, which is downloaded once.
        splitter: Who splits answers and implies questions.
        threshold: Chance of entailment from which a verdict is yes, 0 to 1.
        entailment: The name of the entailment label; None finds one that begins with "entail".
        device: "cpu", "cuda" ...; None leaves the model where it is loaded.
        batch_size: Pairs per run of the model.
        window: Longest premise in tokens, roughly; longer contexts are cut into windows that overlap by a
            sentence.

    Raises:
        MissingExtraError: On first use, when transformers or torch is not installed.
        UnknownModelError: On first use, when there is no such model.
        UsageError: On first use, when no label means entailment.

    Example:
        >>> judge = NLIJudge("cross-encoder/nli-deberta-v3-small")
        >>> judge.verify(["Cats sleep."], ["Cats sleep 15 hours a day."])[0].holds  # doctest: +SKIP
        True
    """

    model: str | Path
    splitter: Judge = HeuristicJudge()
    threshold: float = 0.5
    entailment: str | None = None
    device: str | None = None
    batch_size: int = 16
    window: int = 300
    _loaded: _Loaded | None = field(init=False, default=None)
    _lock: threading.Lock = field(init=False, default_factory=threading.Lock)

    async def claims(self, question: str, answer: str) -> list[str]:
        """Let the splitter split the answer."""
        return await self.splitter.asplit(question, answer)

    def supported(self, claims: Sequence[str], contexts: Sequence[str]) -> list[Verdict]:
        """Return verdicts with the chance that the best window of a context entails each claim."""
        premises = _windows(contexts, self.window)
        if not premises:
            return [Verdict(claim, False, "there are no contexts", 0.0) for claim in claims]
        pairs = [(premise.text, claim) for claim in claims for premise in premises]
        chances = self._chances(pairs).reshape(len(claims), len(premises))
        return [self._verdict(claim, row, premises) for claim, row in zip(claims, chances, strict=True)]

    async def useful(self, question: str, target: str, contexts: Sequence[str]) -> list[Verdict]:
        """Return verdicts with the chance that each context entails at least one of the target's claims."""
        short = len(words(target)) < _FEWEST_WORDS
        claims = [f"{question} {target}"] if short else await self.splitter.asplit(question, target) or [target]
        found: list[Verdict] = []
        for context in contexts:
            verdicts = await call(self.supported, claims, [context])
            best = max(verdicts, key=lambda verdict: verdict.probability or 0.0)
            found.append(Verdict(context, best.holds, f"{best.reason}: {best.statement[:80]!r}", best.probability))
        return found

    async def questions(self, answer: str, count: int) -> list[ImpliedQuestion]:
        """Let the splitter imply the questions."""
        return await self.splitter.aimply(answer, count=count)

    async def attributed(self, question: str, reference: str, contexts: Sequence[str]) -> list[Verdict]:
        """Let the splitter split the reference, and verify the statements."""
        claims = await self.splitter.asplit(question, reference)
        return await call(self.supported, claims, contexts) if claims else []

    def _verdict(self, claim: str, chances: _Floats, premises: Sequence[_Premise]) -> Verdict:
        best = int(np.argmax(chances))
        chance = float(chances[best])
        reason = f"entailment {chance:.2f} from context {premises[best].number}"
        return Verdict(claim, chance >= self.threshold, reason, chance)

    def _chances(self, pairs: Sequence[tuple[str, str]]) -> _Floats:
        """Return the chance of entailment for each pair of premise and claim, pairs of one length together."""
        if self.batch_size < 1:
            raise UsageError(f"NLIJudge: `batch_size` must be at least 1, got {self.batch_size}")
        found = np.zeros(len(pairs))
        order = sorted(range(len(pairs)), key=lambda number: len(pairs[number][0]) + len(pairs[number][1]))
        with self._lock:
            loaded = self._loaded = self._loaded or self._load()
            for at in range(0, len(order), self.batch_size):
                chosen = order[at : at + self.batch_size]
                found[chosen] = _run(loaded, [pairs[number] for number in chosen])
        return found

    def _load(self) -> _Loaded:
        transformers, torch = _required("transformers"), _required("torch")
        name = str(self.model)
        try:
            tokenizer = transformers.AutoTokenizer.from_pretrained(name)
            model = transformers.AutoModelForSequenceClassification.from_pretrained(name)
        except (OSError, ValueError, LookupError) as error:
            raise UnknownModelError(
                f"NLIJudge cannot load {name!r}; give a local folder, or the name of a model on the hub and a "
                f"connection to it: {error}"
            ) from error
        model.eval()
        if self.device is not None:
            model.to(self.device)
        return _Loaded(tokenizer, model, torch, self._label(cast(_Model, model)))

    def _label(self, model: _Model) -> int:
        labels = {int(number): str(label) for number, label in model.config.id2label.items()}
        if len(labels) == 1:
            return 0
        wanted = (self.entailment or "entail").casefold()
        fitting = [number for number, label in sorted(labels.items()) if label.casefold().startswith(wanted)]
        if len(fitting) != 1:
            raise UsageError(
                f"NLIJudge: the labels of {str(self.model)!r} are {sorted(labels.values())}; say by `entailment` which "
                "of them means entailment"
            )
        return fitting[0]


def _run(loaded: _Loaded, pairs: Sequence[tuple[str, str]]) -> _Floats:
    longest = min(loaded.tokenizer.model_max_length, 4096)
    premises, claims = [premise for premise, _ in pairs], [claim for _, claim in pairs]
    with loaded.torch.inference_mode():
        inputs = loaded.tokenizer(
            premises, claims, truncation="longest_first", max_length=longest, padding=True, return_tensors="pt"
        )
        logits = loaded.model(**inputs.to(loaded.model.device)).logits
        rows = logits.float().cpu().numpy().astype(np.float64)
    if rows.shape[1] == 1:
        return 1.0 / (1.0 + np.exp(-rows[:, 0]))
    chances = np.exp(rows - rows.max(axis=1, keepdims=True))
    return cast(_Floats, (chances / chances.sum(axis=1, keepdims=True))[:, loaded.label])


def _windows(contexts: Sequence[str], tokens: int) -> list[_Premise]:
    """Return the contexts cut into windows of whole sentences that overlap by one."""
    longest = max(1, int(tokens * _CHARACTERS_PER_TOKEN))
    found: list[_Premise] = []
    for number, context in enumerate(contexts, 1):
        spans = list(sentences(context))
        start = 0
        while start < len(spans):
            end = start + 1
            while end < len(spans) and spans[end].end - spans[start].start <= longest:
                end += 1
            found.append(_Premise(number, context[spans[start].start : spans[end - 1].end]))
            if end == len(spans):
                break
            start = max(start + 1, end - 1)
    return found


def _required(package: str) -> Any:
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise MissingExtraError(
            f"NLIJudge needs the package {package}, which cannot be imported ({error}): pip install 'llmopt[local]'"
        ) from error
