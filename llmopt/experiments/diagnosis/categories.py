"""How the kinds of question fare: by the categories that the samples carry, or by clusters of their wording."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from ..._stats import mean
from ..._stats.estimate import Floats
from ..._sync import call
from ..._text import is_cjk, words
from ...errors import CorpusError
from ...evaluation import Report, Row
from ...interfaces import Embedder
from ...models import LatentSemantic
from ...retrieval import STOP_WORDS
from .finding import AXIS_OF, CategoryFailures, Cause, Finding

__all__ = ["categories_of", "characteristic_words", "clustered"]

_EXAMPLES, _NAMING = 3, 3
_FEWEST, _MOST, _PER_CLUSTER = 12, 8, 8
_STARTS, _TURNS = 5, 30
_ASKING = frozenset(
    [
        "what",
        "which",
        "who",
        "whom",
        "whose",
        "where",
        "when",
        "why",
        "how",
        "many",
        "much",
        "do",
        "does",
        "did",
        "can",
        "could",
        "should",
        "would",
        "will",
        "is",
        "are",
        "什么",
        "怎么",
        "如何",
        "多少",
        "是否",
        "哪些",
        "哪个",
        "可以",
        "为什",
        "怎样",
        "什麼",
    ]
)


async def categories_of(
    report: Report, findings: Sequence[Finding], target: str, embedder: Embedder | None, *, seed: int = 0
) -> list[CategoryFailures]:
    """Return how each kind of question fares, the one with the most failures' share first.

    Where no sample carries a category the questions are grouped by k-means over their embeddings; a group
    is named by the words that set it apart. Fewer than a dozen questions are not grouped.

    Args:
        report: All samples.
        findings: The failed ones.
        target: The metric.
        embedder: Of the questions; None: latent semantic analysis, fitted on them.
        seed: Of the grouping.
    """
    rows = [row for row in report.rows if row.scores[target].status != "undefined"]
    if any(row.sample.category for row in rows):
        labels, given = [row.sample.category for row in rows], True
        nearness = np.zeros(len(rows))
    else:
        found = await _grouped([row.sample.question for row in rows], embedder, seed)
        if found is None:
            return []
        (labels, nearness), given = found, False
    causes: dict[str, Cause] = {finding.sample.id: finding.cause for finding in findings}
    kinds = [
        _category(name, given, [at for at, label in enumerate(labels) if label == name], rows, causes, target, nearness)
        for name in sorted(set(labels))
    ]
    return sorted(kinds, key=lambda each: (-sum(each.causes.values()) / each.samples, each.name))


def clustered(vectors: Floats, count: int, *, seed: int = 0) -> tuple[list[int], Floats]:
    """Return each row's cluster and how near it is to the middle of it, as a cosine.

    Spherical k-means with k-means++ starts, the best of several by the sum of the cosines.

    Args:
        vectors: Rows of unit length.
        count: How many clusters at most.
        seed: Of the starts.

    Source: Dhillon and Modha (2001), Machine Learning 42; Arthur and Vassilvitskii (2007), SODA.
    """
    random = np.random.default_rng(seed)
    best: tuple[float, list[int], Floats] | None = None
    for _ in range(_STARTS):
        middles = _starts(vectors, count, random)
        for _ in range(_TURNS):
            member = np.argmax(vectors @ middles.T, axis=1)
            sums = np.array([vectors[member == number].sum(axis=0) for number in range(len(middles))])
            lengths = np.linalg.norm(sums, axis=1, keepdims=True)
            moved = np.where(lengths > 0, sums / np.maximum(lengths, 1e-12), middles)
            if np.allclose(moved, middles):
                break
            middles = moved
        cosines = vectors @ middles.T
        nearness: Floats = cosines.max(axis=1)
        if best is None or float(nearness.sum()) > best[0]:
            best = float(nearness.sum()), [int(number) for number in np.argmax(cosines, axis=1)], nearness
    return ([], np.zeros(0)) if best is None else (best[1], best[2])


def characteristic_words(inside: Sequence[str], outside: Sequence[str]) -> str:
    """Return the words that set some texts apart from others: in the most of them, and in the fewest others."""
    here, there = (Counter(word for text in texts for word in set(_telling(text))) for texts in (inside, outside))
    odds = {
        word: (count / len(inside))
        * np.log((count + 0.5) / (len(inside) + 1) * (len(outside) + 1) / (there[word] + 0.5))
        for word, count in here.items()
    }
    chosen: list[str] = []
    for word in sorted(odds, key=lambda each: (-odds[each], each)):
        overlaps = any(is_cjk(word) and set(word) & set(other) for other in chosen)
        if odds[word] > 0 and not overlaps:
            chosen.append(word)
        if len(chosen) == _NAMING:
            break
    return ", ".join(chosen)


async def _grouped(questions: Sequence[str], embedder: Embedder | None, seed: int) -> tuple[list[str], Floats] | None:
    if len(questions) < _FEWEST:
        return None
    try:
        used = embedder or await LatentSemantic().afit(questions)
        vectors = np.asarray(await used.aencode(questions, kind="query"), np.float64)
    except CorpusError:  # not a word in any of the questions
        return None
    count = min(_MOST, max(2, len(questions) // _PER_CLUSTER))
    member, nearness = await call(clustered, vectors, count, seed=seed)
    names: dict[int, str] = {}
    for number in sorted(set(member)):
        inside = [text for text, at in zip(questions, member, strict=True) if at == number]
        outside = [text for text, at in zip(questions, member, strict=True) if at != number]
        name = characteristic_words(inside, outside) or f"group {number + 1}"
        names[number] = f"{name} ({number + 1})" if name in names.values() else name
    return [names[number] for number in member], nearness


def _category(
    name: str,
    given: bool,
    places: Sequence[int],
    rows: Sequence[Row],
    causes: Mapping[str, Cause],
    target: str,
    nearness: Floats,
) -> CategoryFailures:
    members = [rows[at] for at in places]
    counted = Counter[Cause](causes[row.sample.id] for row in members if row.sample.id in causes)
    in_tree: dict[Cause, int] = {cause: counted[cause] for cause in AXIS_OF if counted[cause]}
    typical = sorted((at for at in places if rows[at].sample.id in causes), key=lambda at: (-nearness[at], at))
    scores = [value for row in members if (value := row.scores[target].value) is not None]
    return CategoryFailures(
        name,
        given,
        samples=len(members),
        score=mean(scores),
        causes=dict(sorted(in_tree.items(), key=lambda item: -item[1])),
        examples=tuple(rows[at].sample.question for at in typical[:_EXAMPLES]),
    )


def _starts(vectors: Floats, count: int, random: np.random.Generator) -> Floats:
    chosen = [int(random.integers(len(vectors)))]
    while len(chosen) < min(count, len(vectors)):
        apart = np.maximum(0.0, 1 - (vectors @ vectors[chosen].T).max(axis=1))
        if apart.sum() <= 0:
            break
        chosen.append(int(random.choice(len(vectors), p=apart / apart.sum())))
    starts: Floats = vectors[chosen]
    return starts


def _telling(text: str) -> list[str]:
    return [word for word in words(text) if len(word) > 1 and word not in STOP_WORDS and word not in _ASKING]
