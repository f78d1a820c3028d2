"""What people are asked to judge: items in a blind, shuffled order, and what they said."""

from __future__ import annotations

import hashlib
import json
import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from os import PathLike
from pathlib import Path
from typing import Literal, TypeAlias

from .._files import write_text
from ..errors import SampleError, StorageError, UsageError
from ..types import Sample
from .codec import decode, encode
from .report import Report

__all__ = ["TIE", "Annotation", "AnnotationItem", "AnnotationSet", "Shown", "annotation_of", "majority"]

Shown: TypeAlias = Literal["contexts", "reference"]

TIE = "tie"
_FORMAT, _VERSION = "llmopt annotation set", 1
_EVERYTHING: tuple[Shown, ...] = ("contexts", "reference")


@dataclass(frozen=True, slots=True)
class AnnotationItem:
    """One thing to judge.

    Attributes:
        key: What the annotator's file calls it; it tells nothing of the sample or the system.
        sample: The sample's id.
        question: What was asked.
        answers: One answer, or two to choose between, in the order shown.
        systems: Who gave them; annotators do not see it.
        contexts: What is shown beside them.
        reference: The right answer, where it is shown.
    """

    key: str
    sample: str
    question: str
    answers: Sequence[str]
    systems: Sequence[str] = ()
    contexts: Sequence[str] = ()
    reference: str = ""


@dataclass(frozen=True, slots=True)
class Annotation:
    """A person's word on one item.

    Attributes:
        sample: The sample's id.
        system: Who gave the answer; of two: who gave the first.
        other: Of two answers: who gave the second.
        label: The label; of two answers: the system that is better, or "tie".
        annotator: Who says so.
        note: What they wrote beside it.
        seconds: How long they looked at it, where the page measured it.
    """

    sample: str
    system: str
    label: str
    annotator: str
    other: str = ""
    note: str = ""
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class AnnotationSet:
    """Items for people, in the order in which they are shown.

    Make one by `of_samples`, `of_reports` or `of_pairs`, write it by `write_annotation_page` or
    `write_annotation_sheet`, keep it by `save`, and read what people said by `read_annotations`.

    Attributes:
        instruction: What is asked of people.
        labels: What they can say; two or more.
        items: In a shuffled order.
        format: What the file is.
        version: Of the format.
    """

    instruction: str
    labels: Sequence[str]
    items: Sequence[AnnotationItem]
    format: str = _FORMAT
    version: int = _VERSION

    @classmethod
    def of_samples(
        cls,
        samples: Iterable[Sample],
        *,
        instruction: str = "Is the answer correct?",
        labels: Sequence[str] = ("yes", "no"),
        show: Iterable[Shown] = _EVERYTHING,
        seed: int = 0,
    ) -> AnnotationSet:
        """Ask for a label for every answered sample.

        Args:
            samples: Answered ones; those without an answer are left out.
            instruction: What is asked of people.
            labels: What they can say.
            show: What stands beside the answer.
            seed: For the order.

        Raises:
            UsageError: When there is nothing to judge, or fewer than two labels.
        """
        shown = frozenset(show)
        items = [_item(sample, [("", sample.answer)], shown) for sample in samples if sample.answer.strip()]
        return _made(instruction, labels, items, seed)

    @classmethod
    def of_reports(
        cls,
        reports: Mapping[str, Report],
        *,
        instruction: str = "Is the answer correct?",
        labels: Sequence[str] = ("yes", "no"),
        show: Iterable[Shown] = _EVERYTHING,
        seed: int = 0,
    ) -> AnnotationSet:
        """Ask for a label for every answer of several systems, mixed, without telling which is whose."""
        shown = frozenset(show)
        items = [
            _item(row.sample, [(name, row.sample.answer)], shown)
            for name, report in reports.items()
            for row in report
            if row.sample.answer.strip()
        ]
        return _made(instruction, labels, items, seed)

    @classmethod
    def of_pairs(
        cls,
        reports: Mapping[str, Report],
        *,
        instruction: str = "Which answer is better?",
        show: Iterable[Shown] = _EVERYTHING,
        seed: int = 0,
    ) -> AnnotationSet:
        """Ask which of two systems' answers is better, for every pair of systems and every sample that both answered.

        Which of the two stands first is left to chance, so that a preference for the first place does not
        favour a system. Equal answers are left out: there is nothing to choose.
        """
        chance, shown = random.Random(seed), frozenset(show)
        items: list[AnnotationItem] = []
        for first, second in combinations(reports, 2):
            others = {row.sample.id: row.sample for row in reports[second]}
            for row in reports[first]:
                other = others.get(row.sample.id)
                if other is not None and _differ(row.sample.answer, other.answer):
                    pair = [(first, row.sample.answer), (second, other.answer)]
                    chance.shuffle(pair)
                    items.append(_item(row.sample, pair, shown))
        return _made(instruction, ("first", "second", TIE), items, seed)

    @property
    def fingerprint(self) -> str:
        """A hash of everything in it: what people saved for another set is refused."""
        canonical = json.dumps(encode(self, "the annotation set"), sort_keys=True)
        return hashlib.sha256(canonical.encode()).hexdigest()[:16]

    def save(self, path: str | PathLike[str]) -> None:
        """Write the set, which says who gave which answer: keep it from the annotators.

        Raises:
            StorageError: When the file cannot be written.
        """
        write_text(Path(path), json.dumps(encode(self, "the annotation set"), indent=1) + "\n")

    @classmethod
    def load(cls, path: str | PathLike[str]) -> AnnotationSet:
        """Read a set that `save` wrote.

        Raises:
            StorageError: When it is not one.
        """
        try:
            data: object = json.loads(Path(path).read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise StorageError(f"cannot read {path} as an annotation set: {error}") from error
        found = decode(AnnotationSet, data, str(path))
        if (found.format, found.version) != (_FORMAT, _VERSION):
            raise StorageError(
                f"{path} is {found.format!r} of version {found.version}, expected {_FORMAT!r} {_VERSION}"
            )
        return found


def annotation_of(
    item: AnnotationItem, labels: Sequence[str], label: str, annotator: str, note: str, seconds: float | None
) -> Annotation:
    """Return what a label for an item means: for which sample and system, or which of two is better.

    Raises:
        SampleError: When the label is none of the set's.
    """
    if label not in labels:
        raise SampleError(f"{item.key!r} has the label {label!r}, expected one of {', '.join(labels)}")
    system, other = [*item.systems, "", ""][:2]
    if len(item.answers) == 2:
        label = {labels[0]: system, labels[1]: other}.get(label, TIE)
    return Annotation(item.sample, system, label, annotator, other, note, seconds)


def majority(annotations: Iterable[Annotation], *, system: str = "") -> dict[str, str]:
    """Return the label that most annotators gave to each sample of a system; where two lead, the sample is left out."""
    votes: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for annotation in annotations:
        if annotation.system == system and not annotation.other:
            votes[annotation.sample][annotation.label] += 1
    found: dict[str, str] = {}
    for sample, counts in votes.items():
        (label, most), *rest = counts.most_common(2)
        if not rest or rest[0][1] < most:
            found[sample] = label
    return found


def _item(sample: Sample, answers: Sequence[tuple[str, str]], shown: frozenset[Shown]) -> AnnotationItem:
    return AnnotationItem(
        key="",
        sample=sample.id,
        question=sample.question,
        answers=tuple(text for _, text in answers),
        systems=tuple(name for name, _ in answers),
        contexts=tuple(sample.contexts) if "contexts" in shown else (),
        reference=sample.reference or "" if "reference" in shown else "",
    )


def _made(instruction: str, labels: Sequence[str], items: list[AnnotationItem], seed: int) -> AnnotationSet:
    if not items:
        raise UsageError("there is nothing to annotate: no sample has an answer (or no two answers differ)")
    if len(set(labels)) < 2 or len(set(labels)) < len(labels):
        raise UsageError(f"people need two or more different labels to choose from, got {list(labels)}")
    random.Random(seed).shuffle(items)
    width = len(str(len(items)))
    numbered = (
        AnnotationItem(
            f"item-{number:0{width}d}",
            item.sample,
            item.question,
            item.answers,
            item.systems,
            item.contexts,
            item.reference,
        )
        for number, item in enumerate(items, 1)
    )
    return AnnotationSet(instruction, tuple(labels), tuple(numbered))


def _differ(first: str, second: str) -> bool:
    return bool(first.strip()) and bool(second.strip()) and first.split() != second.split()
