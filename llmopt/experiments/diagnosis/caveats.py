"""What a diagnosis cannot tell, in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...evaluation import Answering, Row
from ...interfaces import Judge
from ...pipeline import Pipeline
from .corpus import Corpus
from .investigation import Dossier

__all__ = ["caveats_of"]

_FEW = 10


def caveats_of(
    pipeline: Answering,
    dossiers: Sequence[Dossier],
    left_out: Sequence[Row],
    target: str,
    *,
    same: int,
    corpus: Corpus,
    judge: Judge | None,
) -> list[str]:
    """Return one sentence for each thing that could not be told.

    Args:
        pipeline: What was diagnosed.
        dossiers: The failed samples.
        left_out: Rows without a figure.
        target: The metric.
        same: Reruns that all said the same word by word, on which it rests that one tells; 0: repeats were made.
        corpus: The documents that are known.
        judge: Who could tell suspect labels.
    """
    found = [*_on_samples(dossiers, left_out, target)]
    if not dossiers:
        return found
    if not isinstance(pipeline, Pipeline):
        found.append(
            "The application cannot be given other contexts, so context and behaviour can hardly be told apart: "
            "build it as a Pipeline to ask it with the gold passages and without any."
        )
    elif pipeline.retriever is not None and not corpus.indexed:
        found.append("The retriever does not say what it holds, so missing and not fetched cannot be told apart.")
    return [*found, *_on_readings(dossiers, same), *_on_labels(dossiers, judge)]


def _on_samples(dossiers: Sequence[Dossier], left_out: Sequence[Row], target: str) -> Iterator[str]:
    if left_out:
        reason = left_out[0].scores[target].reason
        yield f"{len(left_out)} samples have no figure of {target} and are left out (the first: {reason})."
    if 0 < len(dossiers) < _FEW:
        yield f"Only {len(dossiers)} samples fail: the shares are rough, read the findings one by one."
    if dossiers and not any(dossier.row.sample.reference for dossier in dossiers):
        yield "No failed sample has a reference: form, suspect labels and stand-in passages cannot be told."
    unnamed = [dossier for dossier in dossiers if not dossier.needed or dossier.guessed]
    unnamed = [dossier for dossier in unnamed if dossier.row.sample.answerable is not False]
    if unnamed:
        guessed = sum(dossier.guessed for dossier in unnamed)
        yield (
            f"{len(unnamed)} of {len(dossiers)} failed samples name no gold passages: where they get lost cannot be "
            f"told ({guessed} were asked with a passage that has the reference's words)."
        )
    lacking = [dossier for dossier in dossiers if "in no document that is known" in dossier.gold_reason]
    if lacking:
        yield f"The gold documents of {len(lacking)} failed samples are in no document that is known: give `corpus`."


def _on_readings(dossiers: Sequence[Dossier], same: int) -> Iterator[str]:
    if same:
        bound = 1 - 0.05 ** (1 / same)
        yield (
            f"{same} reruns said the same word by word, so each condition was asked once; noise in fewer than "
            f"{bound:.0%} of the answers cannot be ruled out."
        )
    broken = sum(bool(asked.failure) for dossier in dossiers for told in dossier.asked.values() for asked in told)
    if broken:
        yield f"{broken} reruns failed and say nothing."


def _on_labels(dossiers: Sequence[Dossier], judge: Judge | None) -> Iterator[str]:
    if judge is None and any(dossier.asked["gold"] for dossier in dossiers):
        yield "No judge that understands was given, so labels that are wrong are counted as wrong answers."
