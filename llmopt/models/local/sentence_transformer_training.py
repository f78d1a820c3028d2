"""Training all weights of a sentence-transformers model on questions and the texts that answer them."""

from __future__ import annotations

import math
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from ..._progress import progress_bar
from ...errors import StorageError, TuningError, UsageError
from ._extras import no_bars, required

__all__ = ["Labelled", "Plan", "publish", "train"]

_SCALE = 20.0
_WARMUP = 0.1
_WEIGHT_DECAY = 0.01
_LONGEST_STEP = 1.0

Torch: TypeAlias = Any  # torch and its modules come with an extra, and are not installed where types are checked


@dataclass(frozen=True, slots=True)
class Labelled:
    """A query with texts that answer it, at least one, and hard ones that do not."""

    query: str
    positives: Sequence[str]
    negatives: Sequence[str]


@dataclass(frozen=True, slots=True)
class Plan:
    """How to train; see `FineTuning` for the meaning of the values."""

    epochs: int
    batch_size: int
    rate: float
    seed: int
    progress: bool | None

    def __post_init__(self) -> None:
        """Refuse numbers that make no training."""
        if self.epochs < 1 or self.batch_size < 2 or not self.rate > 0:
            raise UsageError(
                "training an embedder needs at least 1 epoch, 2 pairs per batch and a learning rate above 0, got "
                f"epochs={self.epochs}, batch_size={self.batch_size}, rate={self.rate}"
            )


@dataclass(frozen=True, slots=True)
class _Pair:
    labelled: Labelled
    positive: str


def train(model: Torch, labelled: Sequence[Labelled], plan: Plan, prompts: Sequence[str]) -> None:
    """Train the model in place.

    The loss is InfoNCE (multiple negatives ranking, Henderson et al. 2017): the cross-entropy of picking a
    query's text by cosine times 20 among the texts of its batch and one mined negative per pair; other
    positives of a query never count as negatives. AdamW, the rate rising over a tenth of the steps and then
    falling to 0.

    Args:
        model: A `SentenceTransformer`.
        labelled: What to learn from.
        plan: How.
        prompts: What goes before queries, and before documents.

    Raises:
        TuningError: When the loss is not finite.
    """
    torch: Torch = required("torch", extra="local", component="FineTuning")
    batches = list(_batches(labelled, plan))
    optimizer = torch.optim.AdamW(model.parameters(), lr=plan.rate, weight_decay=_WEIGHT_DECAY)
    model.train()
    with torch.random.fork_rng(), progress_bar(len(batches), "tune", plan.progress) as bar:
        torch.manual_seed(plan.seed)
        for step, (pairs, negatives) in enumerate(batches):
            optimizer.param_groups[0]["lr"] = plan.rate * _share_of_rate(step, len(batches))
            loss = _loss(torch, model, pairs, negatives, prompts)
            value = float(loss.detach())
            if not math.isfinite(value):
                raise TuningError(f"the loss is {value} at step {step}: lower the learning rate")
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), _LONGEST_STEP)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            bar.advance()
            bar.say(f"loss {value:.3f}")
    model.eval()


def publish(model: Torch, folder: Path) -> None:
    """Write the model into the folder; an older model there is replaced.

    Raises:
        StorageError: When the folder cannot be written or holds something that is no model.
    """
    if folder.exists() and any(folder.iterdir()) and not (folder / "modules.json").is_file():
        raise StorageError(f"{folder} holds something else than a sentence-transformers model: choose another folder")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
            fresh = Path(temporary) / "model"
            with no_bars():
                model.save_pretrained(str(fresh), create_model_card=False)
            if folder.exists():
                shutil.rmtree(folder)
            fresh.rename(folder)
    except OSError as error:
        raise StorageError(f"the tuned model cannot be written to {folder}: {error}") from error


def _batches(labelled: Sequence[Labelled], plan: Plan) -> Iterator[tuple[list[_Pair], list[str]]]:
    """Yield pairs, in a new order in every epoch, each with one of its query's hard negatives if it has any."""
    random = np.random.default_rng(plan.seed)
    pairs = [_Pair(one, positive) for one in labelled for positive in one.positives]
    for _ in range(plan.epochs):
        order: list[int] = random.permutation(len(pairs)).tolist()
        for at in range(0, len(order), plan.batch_size):
            batch = [pairs[number] for number in order[at : at + plan.batch_size]]
            hard = [pair.labelled.negatives for pair in batch if pair.labelled.negatives]
            yield batch, [texts[int(random.integers(len(texts)))] for texts in hard]


def _share_of_rate(step: int, steps: int) -> float:
    warm = max(1, round(_WARMUP * steps))
    return (step + 1) / warm if step < warm else (steps - step) / max(1, steps - warm)


def _loss(torch: Torch, model: Torch, pairs: Sequence[_Pair], negatives: Sequence[str], prompts: Sequence[str]) -> Any:
    places = {text: place for place, text in enumerate(dict.fromkeys([*(pair.positive for pair in pairs), *negatives]))}
    queries = _embedded(torch, model, [prompts[0] + pair.labelled.query for pair in pairs])
    documents = _embedded(torch, model, [prompts[1] + text for text in places])
    logits = _SCALE * queries @ documents.T
    others = np.zeros((len(pairs), len(places)), bool)
    for row, pair in enumerate(pairs):
        also = [places[text] for text in pair.labelled.positives if text in places and text != pair.positive]
        others[row, also] = True
    logits = logits.masked_fill(torch.from_numpy(others).to(logits.device), -math.inf)
    wanted = torch.tensor([places[pair.positive] for pair in pairs], device=logits.device)
    return torch.nn.functional.cross_entropy(logits, wanted)


def _embedded(torch: Torch, model: Torch, texts: Sequence[str]) -> Any:
    encode = getattr(model, "preprocess", None) or model.tokenize  # `preprocess` since sentence-transformers 6
    features = {
        name: value.to(model.device) if hasattr(value, "to") else value for name, value in encode(list(texts)).items()
    }
    return torch.nn.functional.normalize(model(features)["sentence_embedding"], dim=1)
