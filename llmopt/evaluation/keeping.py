"""What a run keeps in its journal and finds there again: pipeline runs, scores, replies of models."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar, cast

from ..errors import StorageError
from ..interfaces import ChatModel, Component, Embedder, IndexedRetriever, Metric
from ..models.wrappers.wrapping import bare
from ..types import Sample, Score
from .codec import decode, encode
from .journal import Journal
from .journaled import JournaledEmbedder, JournaledModel, journal_scope
from .rewiring import Rewiring
from .row import ModelCall, Run, Spent

__all__ = ["Keeping", "KeptRun", "Measured", "corpus_digest"]

T = TypeVar("T")

_SAMPLES_KEPT = 500


@dataclass(frozen=True, slots=True)
class Measured:
    """A metric's score with what it took.

    Attributes:
        score: The score.
        spent: What it took.
        calls: The requests to chat models.
    """

    score: Score
    spent: Spent = Spent()
    calls: Sequence[ModelCall] = ()


@dataclass(frozen=True, slots=True)
class KeptRun:
    """A pipeline's run with what it put into the sample.

    Attributes:
        run: The run.
        answer: The answer.
        contexts: Its contexts.
        context_ids: Their ids.
        abstained: Whether it says that it does not know.
        calls: The requests to chat models.
    """

    run: Run
    answer: str = ""
    contexts: Sequence[str] = ()
    context_ids: Sequence[str] = ()
    abstained: bool | None = None
    calls: Sequence[ModelCall] = ()

    def into(self, sample: Sample) -> Sample:
        """Return the sample with the answer in it; unchanged when the run failed."""
        if self.run.failure:
            return sample
        return replace(
            sample,
            answer=self.answer,
            contexts=self.contexts,
            context_ids=self.context_ids,
            abstained=self.abstained,
        )


class _Fingerprinted(Protocol):
    def fingerprint(self) -> str: ...


class Keeping:
    """The journal as one run of an evaluator uses it.

    A finished piece of work is known by what it was made from: a pipeline's run by the pipeline, what it
    searches, the sample's id and question; a score by the metric, its parameters and the sample with its
    answer. Change any of it, and it is measured anew. A failure is tried again, from the replies that came.

    Args:
        journal: The open journal.
        metrics: The evaluator's metrics.
        pipeline: What answers; None when the samples come with answers.
        retry_failed: Whether what failed is tried again with fresh replies.
    """

    def __init__(
        self, journal: Journal, metrics: Sequence[Metric], pipeline: _Fingerprinted | None, *, retry_failed: bool
    ) -> None:
        self._journal = journal
        self._retry_failed = retry_failed
        # Wrappers that only decide when a model is asked (budgets, retries) change nothing that was measured.
        bared = Rewiring(lambda model: cast(ChatModel, bare(model)), lambda model: cast(Embedder, bare(model)))
        self._fingerprints = {metric.name: bared.apply(metric).fingerprint() for metric in metrics}
        self._pipeline = ""
        if pipeline is not None:
            self._pipeline = f"{bared.apply(pipeline).fingerprint()} {corpus_digest(pipeline)}"
        self._failed: set[bytes] = set()
        self._samples: dict[int, tuple[Sample, str]] = {}
        self._rewiring = Rewiring(JournaledModel, JournaledEmbedder)

    def wired(self, component: T) -> T:
        """Return the component with models in it that keep their replies."""
        return self._rewiring.apply(component)

    @contextmanager
    def scope(self, sample: Sample) -> Generator[None, None, None]:
        """Keep the replies of models for this sample until its row is finished and nothing in it failed.

        So a failure is tried again from the replies that were paid for, unless `retry_failed` wants fresh
        ones.
        """
        key = self._scope(sample)
        mark = _digest("failed", key.hex())
        if self._retry_failed and self._journal.result(mark) is not None:
            self._journal.forget_calls(key)
        self._failed.discard(key)
        with journal_scope(self._journal, key):
            yield
        if key in self._failed:
            self._journal.keep_result(mark, "failed")
        else:
            self._journal.forget_calls(key)
            self._journal.forget_result(mark)
        self._failed.discard(key)

    def run_of(self, sample: Sample) -> KeptRun | None:
        """Return the run that was kept for the question."""
        return self._found(KeptRun, self._run_key(sample))

    def keep_run(self, sample: Sample, kept: KeptRun) -> None:
        """Keep a finished run; of a failed one only its replies are kept."""
        if kept.run.failure:
            self._failed.add(self._scope(sample))
        else:
            self._journal.keep_result(self._run_key(sample), _dumped(kept))

    def score_of(self, sample: Sample, metric: str, repeat: int = 0) -> Measured | None:
        """Return the score that was kept for the sample with its answer; `repeat` counts from 0."""
        return self._found(Measured, self._score_key(sample, metric, repeat))

    def keep_score(self, sample: Sample, metric: str, repeat: int, measured: Measured) -> None:
        """Keep a finished score; of a failed one only its replies are kept."""
        if measured.score.status == "failed":
            self._failed.add(self._scope(sample))
        else:
            self._journal.keep_result(self._score_key(sample, metric, repeat), _dumped(measured))

    def _found(self, kind: type[T], key: bytes) -> T | None:
        body = self._journal.result(key)
        try:
            return None if body is None else decode(kind, json.loads(body), "the journal")
        except (StorageError, ValueError):  # written by another version: measure again
            return None

    def _scope(self, sample: Sample) -> bytes:
        return _digest("scope", self._pipeline, sample.id, sample.question)

    def _run_key(self, sample: Sample) -> bytes:
        return _digest("run", self._pipeline, sample.id, sample.question)

    def _score_key(self, sample: Sample, metric: str, repeat: int) -> bytes:
        again = [str(repeat)] if repeat else []
        return _digest("score", metric, self._fingerprints[metric], self._written(sample), *again)

    def _written(self, sample: Sample) -> str:
        """Return the sample as text, made once for all its metrics."""
        known = self._samples.get(id(sample))
        if known is None:
            if len(self._samples) >= _SAMPLES_KEPT:
                self._samples.clear()
            # The sample is kept beside its text: an id is unique only among what is alive.
            known = self._samples[id(sample)] = (sample, _dumped(sample))
        return known[1]


def corpus_digest(part: object) -> str:
    """Return a checksum of all documents that are indexed anywhere inside a component."""
    checksum = 0
    for retriever in _retrievers(part):
        for document in retriever.documents:
            checksum = zlib.crc32(f"{document.id}\0{document.text}".encode("utf-8", "surrogatepass"), checksum)
    return f"{checksum:08x}"


def _retrievers(part: object) -> Iterator[IndexedRetriever]:
    if isinstance(part, IndexedRetriever) and _is_indexed(part):
        yield part
    if isinstance(part, Component):
        for value in part.params().values():
            yield from _retrievers(value)
    elif isinstance(part, list | tuple):
        for item in cast("Sequence[object]", part):
            yield from _retrievers(item)
    elif isinstance(part, Mapping):
        for item in cast("Mapping[object, object]", part).values():
            yield from _retrievers(item)


def _is_indexed(retriever: IndexedRetriever) -> bool:
    try:
        return bool(retriever.documents)
    except RuntimeError:  # NotReadyError: it holds nothing yet
        return False


def _dumped(value: object) -> str:
    return json.dumps(encode(value, "the journal", lenient=True), ensure_ascii=True)


def _digest(*parts: str) -> bytes:
    return hashlib.sha256(json.dumps(parts).encode()).digest()
