"""Compose components into one callable feature: classify, retrieve, rerank, prompt, answer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Self, cast, final

from ._progress import Progress, progress_bar
from ._sync import gather_bounded, iterate_sync, run_sync
from ._trace import Recorder, note, record
from .errors import UsageError
from .interfaces import ChatModel, Classifier, FineTuneJob, PromptStrategy, Reranker, Retriever
from .interfaces.component import Component
from .interfaces.planning import stand_in_hits
from .models.wrappers.noted import Noted
from .retrieval.fusion import fuse_ranks
from .types import Answer, AnswerDelta, Example, Failure, Hit, Message, Planned, Usage

__all__ = ["Pipeline"]


@final
@dataclass(frozen=True, kw_only=True, repr=False)
class Pipeline(Component):
    """A feature built on a language model, as interchangeable parts. All slots but the first two may stay empty.

    Args:
        model: Who answers.
        prompt: How the question and its contexts are put to the model.
        retriever: Where contexts come from; without one the model answers by itself.
        reranker: Puts the best `fetch` hits in a better order before they are cut to `k`.
        classifier: Names the route of a question.
        routes: By label, the pipeline that answers such questions.
        tuning: The job that `tune` runs.
        k: Contexts in the prompt.
        fetch: Hits that the reranker sees.
        margin: A classification whose best label leads by less than this is unsure: contexts then come
            from the retrievers of all routes.
        notes: Put before every request to the model as a system message; for routes, what the model must
            know of their domain.

    Raises:
        UsageError: When a slot holds what it cannot take, or slots contradict each other.

    Example:
        >>> from llmopt.prompting import Grounded
        >>> from llmopt.retrieval import BM25
        >>> from llmopt.testing import FakeModel
        >>> from llmopt.types import Document
        >>> documents = [Document("a", "Cats sleep 15 hours a day."), Document("b", "Dogs bark at cars.")]
        >>> pipeline = Pipeline(
        ...     model=FakeModel("15 hours [1]."), prompt=Grounded(), retriever=BM25().index(documents), k=1
        ... )
        >>> answer = pipeline.run("How long do cats sleep?")
        >>> answer.text, [citation.document_id for citation in answer.citations]
        ('15 hours [1].', ['a'])
    """

    model: ChatModel
    prompt: PromptStrategy
    retriever: Retriever | None = None
    reranker: Reranker | None = None
    classifier: Classifier | None = None
    routes: Mapping[str, Pipeline] = field(default_factory=dict[str, "Pipeline"])
    tuning: FineTuneJob | None = None
    k: int = 5
    fetch: int = 50
    margin: float = 0.0
    notes: str = ""

    def __post_init__(self) -> None:
        """Refuse what a slot cannot take, and slots that contradict each other."""
        super().__post_init__()
        if self.k < 1 or self.fetch < self.k:
            raise UsageError(f"`k` must be at least 1 and `fetch` at least `k`, got k={self.k}, fetch={self.fetch}")
        if self.reranker is not None and self.retriever is None and not self.routes:
            raise UsageError(f"the reranker {self.reranker!r} has nothing to rerank: give the pipeline a retriever")
        if bool(self.routes) != (self.classifier is not None):
            given, lacking = ("routes", "classifier") if self.routes else ("classifier", "routes")
            raise UsageError(f"the pipeline has {given} but no {lacking}: they work together only")

    def run(self, question: str, *, contexts: Sequence[Hit] | None = None) -> Answer:
        """Answer one question.

        Args:
            question: Any text but an empty one.
            contexts: Answer from these, in this order, instead of searching; an empty sequence: from nothing.
                For "what would it say if it had the right passages?".

        Raises:
            UsageError: When the question is empty.
            LlmoptError: When a component fails for good.
        """
        return run_sync(self.arun, question, contexts=contexts)

    async def arun(self, question: str, *, contexts: Sequence[Hit] | None = None) -> Answer:
        """Answer one question; the async twin of `run`."""
        with record("pipeline", self, _asked(question)) as recorder:
            answer = await self._answer(question, contexts)
            recorder.output = answer.text
        return _accounted(answer, recorder)

    def run_many(
        self, questions: Iterable[str], *, concurrency: int = 8, progress: bool | None = None
    ) -> list[Answer | Failure]:
        """Answer many questions side by side; one that fails is a `Failure` in its place.

        Args:
            questions: Any number; a generator is drawn from as places come free.
            concurrency: Questions under way at a time.
            progress: Show a bar; None: on a terminal or in a notebook only.
        """
        return run_sync(self.arun_many, questions, concurrency=concurrency, progress=progress)

    async def arun_many(
        self, questions: Iterable[str], *, concurrency: int = 8, progress: bool | None = None
    ) -> list[Answer | Failure]:
        """Answer many questions side by side; the async twin of `run_many`."""
        total = len(questions) if isinstance(questions, Sequence) else None
        with progress_bar(total, "questions", progress) as bar:
            return await gather_bounded(lambda question: self._outcome(question, bar), questions, limit=concurrency)

    def stream(self, question: str) -> Iterator[AnswerDelta]:
        """Yield the answer in pieces, the last with the whole answer."""
        return iterate_sync(lambda: self.astream(question))

    async def astream(self, question: str) -> AsyncIterator[AnswerDelta]:
        """Yield the answer in pieces, the last with the whole answer; the async twin of `stream`."""
        with record("pipeline", self, _asked(question)) as recorder:
            pipeline, contexts = await self._prepared(question)
            prompt = await pipeline.prompt.prepare(question)
        pieces = prompt.stream(pipeline._noted_model(), question, contexts)
        while True:
            with recorder.resumed():
                delta = await anext(pieces, None)
            if delta is None:
                return
            yield delta if delta.answer is None else replace(delta, answer=_accounted(delta.answer, recorder))

    def preview(self, question: str) -> Sequence[Message]:
        """Return the messages of the first model call, as they would be sent, without sending them."""
        return run_sync(self.apreview, question)

    async def apreview(self, question: str) -> Sequence[Message]:
        """Return the messages of the first model call; the async twin of `preview`."""
        pipeline, contexts = await self._prepared(_asked(question))
        messages = (await pipeline.prompt.prepare(question)).messages(question, contexts)
        return Noted(pipeline.model, pipeline.notes).noted(messages) if pipeline.notes else messages

    def plan(self, question: str) -> Sequence[Planned]:
        """Return the calls, tokens and money that answering will take at most, repairs and retries not counted.

        Nothing is asked: passages of usual length stand for what a search will find, and the route that
        takes most calls for the one that the classifier will choose.
        """
        if self.classifier is None:
            return self._planned_answer(question, [self])
        unsure = [self, *self.routes.values()] if self.margin > 0 else [self]
        ways = [self._planned_answer(question, unsure), *(route.plan(question) for route in self.routes.values())]
        classified = [replace(item, what=f"pipeline: {item.what}") for item in self.classifier.plan(question)]
        return [*classified, *max(ways, key=lambda way: sum((item.usage for item in way), Usage()).calls)]

    def contexts(self, question: str) -> list[Hit]:
        """Return the contexts that the question would get."""
        return run_sync(self.acontexts, question)

    async def acontexts(self, question: str) -> list[Hit]:
        """Return the contexts that the question would get; the async twin of `contexts`."""
        return (await self._prepared(_asked(question)))[1]

    def but(self, **changes: object) -> Self:
        """Return the same pipeline with some slots changed: the unit of an experiment.

        Raises:
            UsageError: When there is no such slot.
        """
        slots = [slot.name for slot in fields(self)]
        for name in changes:
            if name not in slots:
                raise UsageError(f"a Pipeline has no slot {name!r}; its slots are {', '.join(slots)}")
        return replace(self, **cast("dict[str, Any]", changes))

    def tune(self, training: Sequence[Example], validation: Sequence[Example] = ()) -> Self:
        """Run the job in the `tuning` slot and return the pipeline with the tuned model.

        Raises:
            UsageError: When the slot is empty.
            TuningError: When the job fails.
        """
        return run_sync(self.atune, training, validation)

    async def atune(self, training: Sequence[Example], validation: Sequence[Example] = ()) -> Self:
        """Run the job in the `tuning` slot; the async twin of `tune`."""
        if self.tuning is None:
            raise UsageError("the pipeline has no job in its `tuning` slot: `pipeline.but(tuning=...)`")
        return self.but(model=await self.tuning.arun(training, validation))

    def _planned_answer(self, question: str, searched: Sequence[Pipeline]) -> list[Planned]:
        retrievers = [pipeline.retriever for pipeline in searched if pipeline.retriever is not None]
        items = [item for retriever in retrievers for item in retriever.plan(question)]
        if self.reranker is not None:
            # Each retriever brings `fetch` hits; a pipeline without a reranker brings `k`.
            found = sum(p.k if p.reranker is None else p.fetch for p in searched if p.retriever is not None)
            items += self.reranker.plan(question, stand_in_hits(found))
        # Notes go along with every request: they count as if each question began with them.
        asked = f"{self.notes}\n{question}" if self.notes else question
        items += self.prompt.plan(self.model, asked, stand_in_hits(self.k if retrievers else 0))
        return [replace(item, what=f"pipeline: {item.what}") for item in items]

    async def _answer(self, question: str, given: Sequence[Hit] | None) -> Answer:
        pipeline, contexts = await self._prepared(question, given)
        return await pipeline.prompt.arun(pipeline._noted_model(), question, contexts)

    async def _outcome(self, question: str, bar: Progress) -> Answer | Failure:
        try:
            return await self.arun(question)
        except Exception as error:  # noqa: BLE001 - a failure is a value here, whatever broke
            return Failure(question, error)
        finally:
            bar.advance()

    async def _prepared(self, question: str, given: Sequence[Hit] | None = None) -> tuple[Pipeline, list[Hit]]:
        """Return the pipeline that answers this question (a route or this one) and its contexts."""
        pipeline, everywhere = await self._routed(question)
        if given is not None:
            return pipeline, list(given)
        hits = await (pipeline._found_everywhere(question) if everywhere else pipeline._found(question))
        return pipeline, await pipeline._ranked(question, hits)

    async def _routed(self, question: str) -> tuple[Pipeline, bool]:
        """Return the pipeline that answers this question, and whether it is unsure: then all routes are searched."""
        if self.classifier is None:
            return self, False
        found = await self.classifier.aclassify(question)
        if found.margin < self.margin:
            note("route", f"unsure ({found.label} leads by {found.margin:.3f}): all routes are searched")
            return self, True
        if found.label in self.routes:
            note("route", found.label)
            return await self.routes[found.label]._routed(question)
        note("route", f"none for {found.label}")
        return self, False

    async def _found(self, question: str) -> list[Hit]:
        if self.retriever is None:
            return []
        return await self.retriever.aretrieve(question, k=self.k if self.reranker is None else self.fetch)

    async def _found_everywhere(self, question: str) -> list[Hit]:
        searched = [self, *self.routes.values()]
        lists = await gather_bounded(lambda pipeline: pipeline._found(question), searched, limit=len(searched))
        return fuse_ranks([hits for hits in lists if hits])

    async def _ranked(self, question: str, hits: list[Hit]) -> list[Hit]:
        if self.reranker is None:
            return hits[: self.k]
        return await self.reranker.arerank(question, hits, k=self.k)

    def _noted_model(self) -> ChatModel:
        return Noted(self.model, self.notes) if self.notes else self.model


def _asked(question: str) -> str:
    if not isinstance(question, str):  # pyright: ignore[reportUnnecessaryIsInstance] - the boundary
        raise UsageError(f"the question must be a text, got {question!r:.100}")
    if not question.strip():
        raise UsageError("the question is empty")
    return question


def _accounted(answer: Answer, recorder: Recorder) -> Answer:
    step = recorder.frozen()
    return replace(answer, usage=step.usage, cost=step.cost, trace=step)
