"""Learning without training: the examples that help most, shown with every question."""

from __future__ import annotations

import hashlib
import json
import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .._files import write_text
from .._sync import call, gather_bounded
from ..errors import TuningError, UsageError
from ..interfaces import ChatModel, FineTuneJob
from ..types import Completion, Example, JobStatus, MaybeAwaitable
from .examples import example_record, read_examples
from .with_shots import WithShots, shot_tokens

__all__ = ["FewShotDistil"]

_FIRST_HEAT = 8


@dataclass(frozen=True, slots=True)
class _Racer:
    """A set of examples, by their places, and what it has scored so far."""

    places: tuple[int, ...]
    scores: tuple[float, ...] = ()

    @property
    def mean(self) -> float:
        return sum(self.scores) / max(1, len(self.scores))


@dataclass(repr=False, eq=False)
class FewShotDistil(FineTuneJob):
    """Picks the set of examples that makes a model best, within a token budget; nothing is trained.

    Random sets race on the validation examples: each heat scores the sets that are left on more of them,
    and the worse half leaves (successive halving, Jamieson and Talwalkar 2016). Showing nothing takes part
    in every heat and wins a tie: the examples must earn their tokens.

    Args:
        base: The model to teach.
        score: How good a reply is, higher is better, given the example whose answer is the right one.
        max_tokens: Budget for all examples shown together.
        sets: Sets that start; the calls are at most about 2 x sets x log2(sets) x 8, plus the whole
            validation set twice.
        count: Most examples in a set.
        folder: Where the choice is written as `<job>.jsonl`, so that `attach` finds it in another process;
            None: it is kept in this one only.
        concurrency: Calls under way at a time.
        seed: Of the sets.

    Example:
        >>> from llmopt.testing import FakeModel
        >>> from llmopt.types import Message
        >>> def reply(messages):
        ...     return '{"n": 1}' if len(messages) > 1 else "one"
        >>> examples = [Example((Message("user", f"say {n}"), Message("assistant", '{"n": 1}'))) for n in range(12)]
        >>> job = FewShotDistil(FakeModel(reply), lambda example, reply: float(reply.text.startswith("{")))
        >>> tuned = job.run(examples[:8], examples[8:])
        >>> tuned.complete("say 99").text
        '{"n": 1}'
    """

    base: ChatModel
    score: Callable[[Example, Completion], MaybeAwaitable[float]]
    max_tokens: int = 1_500
    sets: int = 8
    count: int = 8
    folder: str | None = None
    concurrency: int = 8
    seed: int = 0
    _chosen: dict[str, tuple[Example, ...]] = field(init=False, default_factory=dict[str, tuple[Example, ...]])

    async def submit(self, training: Sequence[Example], validation: Sequence[Example]) -> str:
        """Race the sets and return the id of the job; it is over when this returns.

        Raises:
            UsageError: Without validation examples, with a budget that no example fits into, with a number below
                1, or when a score is no number.
            ModelError: When a call fails.
        """
        numbers = (self.max_tokens, self.sets, self.count, self.concurrency)
        if min(numbers) < 1:
            raise UsageError(
                f"FewShotDistil: max_tokens, sets, count and concurrency must be at least 1, got {numbers}"
            )
        if not validation:
            raise UsageError("FewShotDistil needs validation examples to race the sets on: use `split_examples`")
        racers = self._starters(training)
        order = list(validation)
        random.Random(self.seed).shuffle(order)
        seen, heat = 0, _FIRST_HEAT
        while len(racers) > 2 and seen < len(order):
            racers = await self._heat(racers, training, order[seen : seen + heat])
            seen, heat = seen + heat, heat * 2
            nothing, *others = racers
            others.sort(key=lambda racer: (-racer.mean, racer.places))
            racers = [nothing, *others[: max(1, len(others) // 2)]]
        racers = await self._heat(racers[:2], training, order[seen:])
        nothing, best = racers
        return self._keep(training, best if best.mean > nothing.mean else nothing)

    def poll(self, job_id: str) -> JobStatus:
        """Return `succeeded` for a job whose choice is known, else `failed` with the reason."""
        if self._find(job_id) is not None:
            return JobStatus(job_id, "succeeded", tuned_model=job_id)
        return JobStatus(job_id, "failed", message="its choice of examples is not here: give the same `folder`")

    def model(self, status: JobStatus) -> ChatModel:
        """Return the model that shows the examples; the bare one where none helped."""
        shown = self._find(status.job_id)
        if shown is None:
            raise TuningError(f"job {status.job_id} is not known here: give the same `folder`, or run it again")
        return WithShots(self.base, shown) if shown else self.base

    def _starters(self, training: Sequence[Example]) -> list[_Racer]:
        sizes = [shot_tokens(example) for example in training]
        fitting = [place for place, size in enumerate(sizes) if size <= self.max_tokens]
        if not fitting:
            raise UsageError(
                f"FewShotDistil: no example fits into max_tokens={self.max_tokens}, the shortest takes {min(sizes)}"
            )
        chance = random.Random(self.seed)
        found: set[tuple[int, ...]] = set()
        for _ in range(self.sets * 10):
            left, chosen = self.max_tokens, list[int]()
            for place in chance.sample(fitting, len(fitting)):
                if len(chosen) < self.count and sizes[place] <= left:
                    chosen.append(place)
                    left -= sizes[place]
            found.add(tuple(chosen))
            if len(found) == self.sets:
                break
        return [_Racer(()), *(_Racer(places) for places in sorted(found))]

    async def _heat(
        self, racers: Sequence[_Racer], training: Sequence[Example], tested: Sequence[Example]
    ) -> list[_Racer]:
        async def run(entry: tuple[_Racer, Example]) -> float:
            racer, example = entry
            shown = [training[place] for place in racer.places if training[place].messages != example.messages]
            model = WithShots(self.base, shown)
            score = float(await call(self.score, example, await model.acomplete(example.messages[:-1])))
            if not math.isfinite(score):
                raise UsageError(f"FewShotDistil: `score` gave {score}, which ranks nothing: return a finite number")
            return score

        entries = [(racer, example) for racer in racers for example in tested]
        scores = await gather_bounded(run, entries, limit=self.concurrency)
        size = len(tested)
        return [
            _Racer(racer.places, (*racer.scores, *scores[number * size : (number + 1) * size]))
            for number, racer in enumerate(racers)
        ]

    def _keep(self, training: Sequence[Example], racer: _Racer) -> str:
        shown = tuple(training[place] for place in racer.places)
        lines = [json.dumps(example_record(example), ensure_ascii=False) for example in shown]
        text = "".join(f"{line}\n" for line in lines)
        job_id = f"few-shot-{hashlib.sha256(text.encode('utf-8', 'replace')).hexdigest()[:12]}"
        self._chosen[job_id] = shown
        if self.folder is not None:
            Path(self.folder).mkdir(parents=True, exist_ok=True)
            write_text(Path(self.folder) / f"{job_id}.jsonl", text)
        return job_id

    def _find(self, job_id: str) -> tuple[Example, ...] | None:
        if job_id in self._chosen or self.folder is None:
            return self._chosen.get(job_id)
        path = Path(self.folder) / f"{Path(job_id).name}.jsonl"
        if not path.is_file():
            return None
        return tuple(read_examples(path)) if path.stat().st_size else ()
