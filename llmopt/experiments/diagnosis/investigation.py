"""What is found out about each failed sample: reruns, gold passages, and where they got lost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from ..._sync import gather_bounded
from ..._trace import record
from ...evaluation import Answering, Evaluator, Row, Spent
from ...pipeline import Pipeline
from ...types import Hit
from .corpus import Corpus
from .faults import looks_at_answers
from .finding import Condition
from .gold import Needed, needed_of
from .place import Located, deepened, locate, shown
from .rerun import Asked, Rerun, Rerunner
from .stand_in import StandIns

__all__ = ["Dossier", "Investigation"]

_PILOT = 100


@dataclass
class Dossier:
    """All that is known of one failed sample.

    Attributes:
        row: As the pipeline answered it and the metric measured it.
        failure: The error that ended the run as it is, or its measurement; empty when there is a figure.
        needed: The passages that the answer needs; none where nobody knows.
        guessed: Whether they are passages that share the reference's words, for lack of gold ones.
        gold_reason: Why it cannot be asked with the gold passages; empty when it can.
        none: Whether it can be asked without contexts.
        located: How far the gold passages came.
        asked: What became of the reruns.
        supported: Whether a judge says that the contexts support the answer, which the reference contradicts.
        of_contexts: Whether the metric sees only the contexts, whatever the answer is.
    """

    row: Row
    failure: str = ""
    needed: Sequence[Needed] = ()
    guessed: bool = False
    gold_reason: str = ""
    none: bool = False
    located: Located = field(default_factory=Located)
    asked: dict[Condition, list[Asked]] = field(
        default_factory=lambda: {"current": [], "gold": [], "none": []}
    )  # fmt: skip
    supported: bool = False
    of_contexts: bool = False

    def contexts(self, condition: Condition) -> list[Hit] | None:
        """Return what is given under a condition: the gold passages, each once, or nothing; None: what is found."""
        if condition == "current":
            return None
        if condition == "none":
            return []
        found = {each.document.text: each.document for each in self.needed}
        return [Hit(document, 1 - number / 1000) for number, document in enumerate(found.values())]


class Investigation:
    """Asks failed samples again, and looks where their passages got lost.

    Args:
        pipeline: What answered.
        evaluator: What measured.
        target: The metric that says what failed.
        corpus: The documents that are known.
        passing: Figures from this on pass.
        repeats: Reruns per condition.
        gold_tokens: How long the gold passages of one question may be together.

    Attributes:
        same: Reruns that all said the same word by word; 0 when one did not.
    """

    def __init__(
        self,
        pipeline: Answering,
        evaluator: Evaluator,
        target: str,
        corpus: Corpus,
        *,
        passing: float,
        repeats: int,
        gold_tokens: int,
    ) -> None:
        self._pipeline, self._corpus = pipeline, corpus
        self._rerunner = Rerunner(pipeline, evaluator, target)
        self._concurrency = evaluator.concurrency
        self._passing, self._repeats, self._gold_tokens = passing, repeats, gold_tokens
        self._stand_ins = StandIns(corpus)
        self._searched = Spent()
        self.same = 0

    @property
    def exact(self) -> bool:
        """Whether the pipeline always says the same, as far as was seen, so that one rerun tells."""
        return self.same > 0

    @property
    def spent(self) -> Spent:
        """What the reruns and searches took."""
        return self._rerunner.spent + self._searched

    async def of(self, rows: Sequence[Row]) -> list[Dossier]:
        """Return a dossier for each of the failed rows."""
        dossiers = [self._opened(row) for row in rows]
        alive = [dossier for dossier in dossiers if not dossier.failure]
        await self._ask_again(alive)
        await self._ask_otherwise([dossier for dossier in alive if not self._is_noise(dossier)])
        await self._locate(alive)
        return dossiers

    def _opened(self, row: Row) -> Dossier:
        sample = row.sample
        needed = needed_of(sample, self._corpus, self._gold_tokens)
        guessed = not needed and sample.answerable is not False
        if guessed:
            needed = self._stand_ins.of(sample, self._gold_tokens)
        composed = isinstance(self._pipeline, Pipeline)
        reads = "contexts" not in self._rerunner.metric.needs
        return Dossier(
            row,
            self._failure(row),
            needed,
            guessed=guessed and bool(needed),
            gold_reason=self._gold_reason(row, needed),
            none=composed and reads and bool(sample.contexts),
            of_contexts=not looks_at_answers(self._rerunner.metric),
        )

    def _failure(self, row: Row) -> str:
        score = row.scores[self._rerunner.metric.name]
        if row.run is not None and row.run.failure:
            return row.run.failure
        return f"the metric failed: {score.reason}" if score.status == "failed" else ""

    def _gold_reason(self, row: Row, needed: Sequence[Needed]) -> str:
        if not isinstance(self._pipeline, Pipeline):
            return "an application cannot be given other contexts: only a Pipeline can"
        if row.sample.answerable is False:
            return "the question is marked unanswerable"
        if not needed:
            return "no gold passages are known, and no passage has the reference's words"
        empty = [each.source for each in needed if not each.document.text]
        return f"the gold document {empty[0]!r} is in no document that is known" if empty else ""

    async def _ask_again(self, dossiers: Sequence[Dossier]) -> None:
        """Ask as it is: once at first; when all say the same word by word as before, they would say it again."""
        first, others = dossiers[:_PILOT], dossiers[_PILOT:]
        await self._run(first, "current", 1)
        pilot = [(dossier, asked) for dossier in first for asked in dossier.asked["current"]]
        alike = all(not asked.failure and asked.sample.answer == d.row.sample.answer for d, asked in pilot)
        self.same = len(pilot) if alike else 0
        if not self.exact:
            await self._run(first, "current", self._repeats - 1)
            await self._run(others, "current", self._repeats)

    async def _ask_otherwise(self, dossiers: Sequence[Dossier]) -> None:
        repeats = 1 if self.exact else self._repeats
        await self._run([dossier for dossier in dossiers if not dossier.gold_reason], "gold", repeats)
        await self._run([dossier for dossier in dossiers if dossier.none], "none", repeats)

    async def _run(self, dossiers: Sequence[Dossier], condition: Condition, repeats: int) -> None:
        asking = [
            (dossier, 0 if self.exact else 1 + len(dossier.asked[condition]) + number)
            for dossier in dossiers
            for number in range(repeats)
        ]
        reruns = [Rerun(d.row.sample, condition, number, d.contexts(condition)) for d, number in asking]
        for (dossier, _), asked in zip(asking, await self._rerunner.run(reruns), strict=True):
            dossier.asked[condition].append(asked)

    def _is_noise(self, dossier: Dossier) -> bool:
        """Return whether it was right each time: then nobody need ask under other conditions."""
        told = [asked for asked in dossier.asked["current"] if asked.tells]
        return bool(told) and all(asked.is_right(self._passing) for asked in told)

    async def _locate(self, dossiers: Sequence[Dossier]) -> None:
        wanted = [dossier for dossier in dossiers if dossier.needed and not dossier.guessed]
        with record("locate", self._pipeline, len(wanted)) as recorder:
            found = await gather_bounded(self._located, wanted, limit=self._concurrency)
        self._searched += Spent.of(recorder.frozen())
        for dossier, located in zip(wanted, found, strict=True):
            dossier.located = located

    async def _located(self, dossier: Dossier) -> Located:
        contexts = shown(dossier.row.sample)
        here = locate(dossier.needed, contexts, [])
        if here.place == "in the prompt":
            return here
        if not isinstance(self._pipeline, Pipeline):
            if not contexts:
                return Located()  # it may have had some and not said so
            unknown = [replace(each, known=None) for each in dossier.needed]
            return locate(unknown, contexts, [])
        if not _searches(self._pipeline):
            return locate(dossier.needed, contexts, None)
        try:
            fetched = await deepened(self._pipeline).acontexts(dossier.row.sample.question)
        except Exception as error:  # noqa: BLE001 - one search that breaks must not end the diagnosis
            return Located("lost", f"the search failed: {type(error).__name__}: {error}")
        return locate(dossier.needed, contexts, fetched)


def _searches(pipeline: Pipeline) -> bool:
    return pipeline.retriever is not None or any(map(_searches, pipeline.routes.values()))
