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
_NAMED = 3


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
    found = [*_on_samples(dossiers, left_out, target), *_on_gold(dossiers, corpus)]
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
        yield f"Left out for want of a figure of {target}: {_samples(len(left_out))} (the first: {reason})."
    if 0 < len(dossiers) < _FEW:
        yield f"No more than {_samples(len(dossiers))} failed: the shares are rough, read the findings one by one."
    if dossiers and not any(dossier.row.sample.reference for dossier in dossiers):
        yield "No failed sample has a reference: form, suspect labels and stand-in passages cannot be told."
    unnamed = [dossier for dossier in dossiers if not dossier.needed or dossier.guessed]
    unnamed = [dossier for dossier in unnamed if dossier.row.sample.answerable is not False]
    if unnamed:
        guessed = sum(dossier.guessed for dossier in unnamed)
        yield (
            f"No gold passages are named by {len(unnamed)} of {_samples(len(dossiers))} that failed: where they get "
            f"lost cannot be told ({guessed} asked with a passage that has the reference's words)."
        )


def _on_gold(dossiers: Sequence[Dossier], corpus: Corpus) -> Iterator[str]:
    """Say which gold documents nobody has: they are missing, or their ids are misspelt."""
    lacking = [dossier for dossier in dossiers if "in no document that is known" in dossier.gold_reason]
    if lacking:
        names = [each.source for dossier in lacking for each in dossier.needed if not each.document.text]
        known = [document.source for document in (*corpus.given, *corpus.indexed)]
        todo = "add the documents" if corpus.given else "give `corpus`"
        yield (
            f"Gold documents that are in no document that is known, of {_samples(len(lacking))}: {_listed(names)}. "
            f"Known are {_listed(known) or 'none'}: mend the ids, or {todo}."
        )


def _on_readings(dossiers: Sequence[Dossier], same: int) -> Iterator[str]:
    if same:
        bound = 1 - 0.05 ** (1 / same)
        yield (
            f"Asked again, the pipeline said the same word by word ({same} of {same}), so each condition was asked "
            f"once; noise in fewer than "
            f"{bound:.0%} of the answers cannot be ruled out."
        )
    broken = sum(bool(asked.failure) for dossier in dossiers for told in dossier.asked.values() for asked in told)
    if broken:
        yield f"Reruns that failed and say nothing: {broken}."


def _on_labels(dossiers: Sequence[Dossier], judge: Judge | None) -> Iterator[str]:
    if judge is None and any(dossier.asked["gold"] and not dossier.of_contexts for dossier in dossiers):
        yield "No judge that understands was given, so labels that are wrong are counted as wrong answers."


def _listed(names: Sequence[str]) -> str:
    each = list(dict.fromkeys(names))
    return ", ".join(map(repr, each[:_NAMED])) + (f" and {len(each) - _NAMED} more" if len(each) > _NAMED else "")


def _samples(count: int) -> str:
    return "1 sample" if count == 1 else f"{count} samples"
