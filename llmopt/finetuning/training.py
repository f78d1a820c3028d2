"""The training loop: accumulation, checkpoints, early stopping."""

from __future__ import annotations

import math
import pickle
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from .._progress import Progress
from ..errors import StorageError, TuningError
from .extras import load_extra
from .losses import LossPoint
from .objectives import Objective

__all__ = ["Plan", "Trainer"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Plan:
    """How to train; see `LoRAFineTune` for the meaning of the values."""

    epochs: int
    batch_size: int
    accumulation: int
    learning_rate: float
    warmup: float
    weight_decay: float
    patience: int
    seed: int
    device: str
    bf16: bool


@dataclass(slots=True)
class _State:
    """How far the training has come."""

    epoch: int = 0
    step: int = 0
    best: float = math.inf
    stale: int = 0
    points: list[LossPoint] = field(default_factory=list[LossPoint])


class Trainer(Generic[T]):
    """Trains the parameters of a model that want a gradient.

    Args:
        model: Of transformers, or of peft around one.
        objective: The loss.
        plan: How.
        checkpoint: The file from which an interrupted run goes on.
        cancelled: Asked before every step.
    """

    def __init__(
        self, model: Any, objective: Objective[T], plan: Plan, checkpoint: Path, cancelled: Callable[[], bool]
    ) -> None:
        self._torch: Any = load_extra("torch", "LoRAFineTune")
        self._model = model.to(plan.device)
        self._objective = objective
        self._plan = plan
        self._checkpoint = checkpoint
        self._cancelled = cancelled
        self._trained = {name: value for name, value in model.named_parameters() if value.requires_grad}
        self._optimizer = self._torch.optim.AdamW(
            list(self._trained.values()), lr=plan.learning_rate, weight_decay=plan.weight_decay
        )
        self._best: dict[str, Any] = {}
        self._state = _State()

    @property
    def points(self) -> list[LossPoint]:
        """The losses so far, a point per epoch."""
        return self._state.points

    def steps(self, examples: int) -> int:
        """Return the steps of the optimizer that the plan comes to."""
        return self._plan.epochs * self._per_epoch(examples)

    def run(self, training: Sequence[T], validation: Sequence[T], progress: Progress) -> None:
        """Train, and leave the best parameters in the model: those with the lowest validation loss.

        Raises:
            TuningError: When it was cancelled, or the loss is not finite.
        """
        self._torch.manual_seed(self._plan.seed)
        self._resume()
        progress.advance(self._state.step)
        while self._state.epoch < self._plan.epochs and self._state.stale < self._plan.patience:
            loss = self._epoch(training, progress)
            held = self.loss(validation) if validation else None
            self._state.epoch += 1
            self._state.points.append(LossPoint(self._state.step, loss, held))
            self._judge(held)
            self._save()
        if self._best:
            self._put(self._best)

    def loss(self, examples: Sequence[T]) -> float:
        """Return the mean loss: per learnt token of chats, per pair of preference pairs."""
        total = 0.0
        self._model.eval()
        with self._torch.no_grad():
            for at in range(0, len(examples), self._plan.batch_size):
                total += float(self._loss(examples[at : at + self._plan.batch_size]))
        return total / max(1, sum(map(self._objective.weight, examples)))

    def _per_epoch(self, examples: int) -> int:
        return math.ceil(examples / (self._plan.batch_size * self._plan.accumulation))

    def _epoch(self, training: Sequence[T], progress: Progress) -> float:
        self._model.train()
        total, count = 0.0, 0
        for group in self._groups(training):
            if self._cancelled():
                raise TuningError("the job was cancelled")
            self._optimizer.param_groups[0]["lr"] = self._rate(self._state.step, self.steps(len(training)))
            weight = max(1, sum(self._objective.weight(example) for batch in group for example in batch))
            summed = 0.0
            for batch in group:
                value = self._loss(batch)
                (value / weight).backward()
                summed += float(value.detach())
            if not math.isfinite(summed):
                raise TuningError(f"the loss is {summed} at step {self._state.step}: lower the learning rate")
            self._torch.nn.utils.clip_grad_norm_(list(self._trained.values()), 1.0)
            self._optimizer.step()
            self._optimizer.zero_grad(set_to_none=True)
            self._state.step += 1
            total, count = total + summed, count + weight
            progress.advance()
            progress.say(f"loss {summed / weight:.4f}")
        return total / max(1, count)

    def _groups(self, training: Sequence[T]) -> Iterator[Sequence[Sequence[T]]]:
        """Yield the batches of each step, in an order of their own in every epoch."""
        order = list(training)
        random.Random(f"{self._plan.seed} {self._state.epoch}").shuffle(order)
        size, together = self._plan.batch_size, self._plan.accumulation
        batches = [order[at : at + size] for at in range(0, len(order), size)]
        for at in range(0, len(batches), together):
            yield batches[at : at + together]

    def _rate(self, step: int, steps: int) -> float:
        warm = max(1, round(self._plan.warmup * steps))
        if step < warm:
            return self._plan.learning_rate * (step + 1) / warm
        return self._plan.learning_rate * 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))

    def _loss(self, batch: Sequence[T]) -> Any:
        return self._objective.loss(self._model, batch, self._plan.device, bf16=self._plan.bf16)

    def _judge(self, held: float | None) -> None:
        if held is None:
            return
        if held < self._state.best:
            self._state.best, self._state.stale = held, 0
            self._best = self._taken()
        else:
            self._state.stale += 1

    def _taken(self) -> dict[str, Any]:
        return {name: value.detach().cpu().clone() for name, value in self._trained.items()}

    def _put(self, values: dict[str, Any]) -> None:
        with self._torch.no_grad():
            for name, value in values.items():
                self._trained[name].copy_(value)

    def _save(self) -> None:
        """Write the checkpoint: the old one stands until the new one is whole."""
        content = {
            "state": {**asdict(self._state), "points": [asdict(point) for point in self._state.points]},
            "parameters": self._taken(),
            "best": self._best,
            "optimizer": self._optimizer.state_dict(),
            "random": self._torch.get_rng_state(),
        }
        temporary = self._checkpoint.with_suffix(".tmp")
        try:
            self._torch.save(content, temporary)
        except RuntimeError as error:  # so torch says that the disk is full
            temporary.unlink(missing_ok=True)
            raise StorageError(f"cannot write the checkpoint {self._checkpoint}: {error}") from error
        temporary.replace(self._checkpoint)

    def _resume(self) -> None:
        if not self._checkpoint.is_file():
            return
        try:
            content = self._torch.load(self._checkpoint, map_location="cpu", weights_only=True)
        except (OSError, RuntimeError, LookupError, ValueError, EOFError, pickle.UnpicklingError) as error:
            raise StorageError(
                f"the checkpoint {self._checkpoint} cannot be read ({error}): remove it, and the job begins anew"
            ) from error
        state = content["state"]
        points = [LossPoint(**point) for point in state["points"]]
        self._state = _State(state["epoch"], state["step"], state["best"], state["stale"], points)
        self._put(content["parameters"])
        self._best = content["best"]
        self._optimizer.load_state_dict(content["optimizer"])
        self._torch.set_rng_state(content["random"])
