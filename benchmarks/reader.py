"""The extractive reader on real questions: does it quote the evidence, does it abstain when it should, how fast.

    python benchmarks/reader.py                 # the demo's questions
    python benchmarks/reader.py --shared        # XQuAD and CMRC 2018 from ../shared/data, too

Five contexts a question, of the Python reference cut to 220 tokens with an overlap of 40:

* gold: the passages that hold the evidence, filled up with BM25's best others, in BM25's order;
* BM25, Hybrid: the five that the retriever finds, evidence or not.

`answered` is the part of the questions whose contexts hold the evidence that get an answer, `evidence` the
part of these questions whose answer holds most of a passage of it, `F1` the token F1 of the English answers
with the reference. Abstentions: `precision` is the part of them that is right (the contexts hold no evidence),
`recall` the part of the questions without evidence that get one, `unanswerable` the part of those that the whole
corpus does not answer. The weights and the threshold of the reader were fitted on the half "tuned"; "held out"
is the other half (every second question of a category, every second article).
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from llmopt._text import is_cjk, words
from llmopt.chunking import Recursive
from llmopt.demo import demo_samples, python_reference
from llmopt.interfaces import Embedder, Retriever
from llmopt.models import ExtractiveReader, LatentSemantic
from llmopt.prompting import Grounded
from llmopt.retrieval import BM25, Dense, Hybrid
from llmopt.types import Document, Hit

SHARED = Path(__file__).parents[2] / "shared" / "data"
CONTEXTS = 5
SHARED_QUESTIONS = 600
COUNTS = ("questions", "with evidence")
_CITATION = re.compile(r" \[\d+\]")


@dataclass(frozen=True)
class Case:
    """A question with its contexts and what the answer should hold."""

    question: str
    contexts: Sequence[str]
    evidence: Sequence[str]
    reference: str
    answerable: bool
    held_out: bool

    @property
    def holds_evidence(self) -> bool:
        """Whether one of the contexts holds most of a passage of evidence."""
        return any(holds(context, passage) for context in self.contexts for passage in self.evidence)


@dataclass(frozen=True)
class Outcome:
    """What the reader made of it."""

    case: Case
    text: str
    abstained: bool
    seconds: float


def holds(text: str, passage: str) -> bool:
    """Return whether most runs of four words of the passage stand in the text; a short one: all of it."""
    wanted = runs(passage)
    if not wanted:
        return " ".join(passage.split()).casefold() in " ".join(text.split()).casefold()
    return len(wanted & runs(text)) > len(wanted) / 2


def runs(text: str) -> set[tuple[str, ...]]:
    found = words(text)
    return {tuple(found[at : at + 4]) for at in range(len(found) - 3)}


def token_f1(answer: str, reference: str) -> float:
    said, wanted = Counter(words(_CITATION.sub("", answer))), Counter(words(reference))
    common = (said & wanted).total()
    return 2 * common / (said.total() + wanted.total()) if common else 0.0


def demo_cases(retriever: Retriever, passages: Sequence[Document], *, gold: bool) -> Iterator[Case]:
    seen: Counter[str] = Counter()
    for sample in demo_samples():
        seen[sample.category] += 1
        evidence = cast("tuple[str, ...]", sample.metadata["evidence"])
        found = [hit.document for hit in retriever.retrieve(sample.question, k=100)]
        if gold:
            rest = [passage for passage in passages if passage.source in sample.gold and passage not in found]
            chosen = {p.id for e in evidence for p in [*found, *rest] if p.source in sample.gold and holds(p.text, e)}
            best = [p for p in found if p.id not in chosen][: max(0, CONTEXTS - len(chosen))]
            found = [p for p in [*found, *rest] if p.id in chosen or p in best]
        texts = [document.text for document in found[:CONTEXTS]]
        yield Case(
            sample.question,
            texts,
            evidence,
            sample.reference or "",
            bool(sample.answerable),
            not seen[sample.category] % 2,
        )


def shared_cases(name: str) -> Iterator[Case]:
    """The paragraph and BM25's best others; of every second question only others without the answer."""
    read = [json.loads(line) for line in (SHARED / name / "corpus.jsonl").open(encoding="utf-8")]
    titles = {row["_id"]: row["title"] for row in read}
    corpus = {row["_id"]: Document(row["_id"], row["text"]) for row in read}
    index = BM25().index(corpus.values())
    for number, line in enumerate((SHARED / name / "qa.jsonl").open(encoding="utf-8")):
        row = json.loads(line)
        if number >= SHARED_QUESTIONS:
            return
        home, answers = row["context_ids"][0], row["answers"]
        found = [hit.document for hit in index.retrieve(row["question"], k=20)]
        others = [document for document in found if not any(answer in document.text for answer in answers)]
        answerable = number % 2 == 0
        chosen = [corpus[home], *others[: CONTEXTS - 1]] if answerable else others[:CONTEXTS]
        order = [document.id for document in found]
        chosen.sort(key=lambda document: order.index(document.id) if document.id in order else len(order))
        held_out = sum(map(ord, titles[home])) % 2 == 0
        texts = [document.text for document in chosen]
        yield Case(row["question"], texts, answers if answerable else (), answers[0], answerable, held_out)


def read(cases: Sequence[Case], embedder: Embedder | None) -> list[Outcome]:
    reader, prompt = ExtractiveReader(embedder=embedder), Grounded()
    outcomes: list[Outcome] = []
    for case in cases:
        hits = [Hit(Document(str(number), text), 1.0) for number, text in enumerate(case.contexts)]
        messages = prompt.messages(case.question, hits)
        started = time.perf_counter()
        text = reader.complete(messages).text
        outcomes.append(Outcome(case, text, prompt.abstains(text), time.perf_counter() - started))
    return outcomes


def figures(outcomes: Sequence[Outcome]) -> dict[str, float]:
    able = [outcome for outcome in outcomes if outcome.case.holds_evidence]
    unable = [outcome for outcome in outcomes if not outcome.case.holds_evidence]
    quoting = [o for o in able if not o.abstained and any(holds(o.text, passage) for passage in o.case.evidence)]
    english = [o for o in able if not o.abstained and not is_cjk(o.case.question)]
    abstained = [outcome for outcome in outcomes if outcome.abstained]
    return {
        "questions": len(outcomes),
        "with evidence": len(able),
        "answered": part([not outcome.abstained for outcome in able]),
        "evidence": len(quoting) / max(len(able), 1),
        "F1": statistics.fmean(token_f1(o.text, o.case.reference) for o in english) if english else float("nan"),
        "precision": part([not outcome.case.holds_evidence for outcome in abstained]),
        "recall": part([outcome.abstained for outcome in unable]),
        "unanswerable": part([outcome.abstained for outcome in outcomes if not outcome.case.answerable]),
        "ms": statistics.median(outcome.seconds for outcome in outcomes) * 1000,
    }


def part(flags: Sequence[bool]) -> float:
    return sum(flags) / len(flags) if flags else float("nan")


def show(name: str, cases: Sequence[Case], embedder: Embedder | None) -> None:
    outcomes = read(cases, embedder)
    for half, held_out in (("tuned", False), ("held out", True)):
        row = figures([outcome for outcome in outcomes if outcome.case.held_out is held_out])
        shown = "".join(
            f"{value:>14.0f}" if value >= 2 and key != "ms" else f"{value:>14.2f}" for key, value in row.items()
        )
        print(f"{name:28}{half:>9}{shown}")


def speed(passages: Sequence[Document]) -> float:
    """Milliseconds of processor time for five contexts of about 500 tokens, the best of three rounds each."""
    reader, prompt = ExtractiveReader(), Grounded()
    best: list[float] = []
    for number, sample in enumerate(demo_samples()):
        texts = [passages[(number * 7 + step) % len(passages)] for step in range(CONTEXTS)]
        messages = prompt.messages(sample.question, [Hit(document, 1.0) for document in texts])
        times: list[float] = []
        for _ in range(3):
            started = time.process_time()
            reader.complete(messages)
            times.append(time.process_time() - started)
        best.append(min(times))
    return statistics.median(best) * 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", action="store_true", help="also the sets in ../shared/data")
    given = parser.parse_args()
    documents = python_reference()
    passages = Recursive(max_tokens=220, overlap=40).chunk_many(documents)
    embedder = LatentSemantic().fit([passage.text for passage in passages])
    by_words = BM25().index(passages)
    hybrid = Hybrid([BM25(), Dense(embedder)]).index(passages)
    head = ("questions", "with evidence", "answered", "evidence", "F1", "precision", "recall", "unanswerable", "ms")
    print(f"{'':37}" + "".join(f"{title:>14}" for title in head))
    sets = {
        "gold": list(demo_cases(by_words, passages, gold=True)),
        "BM25": list(demo_cases(by_words, passages, gold=False)),
        "Hybrid": list(demo_cases(hybrid, passages, gold=False)),
    }
    for name, cases in sets.items():
        show(f"demo, {name}", cases, None)
        show(f"demo, {name}, LatentSemantic", cases, embedder)
    if given.shared and not SHARED.is_dir():
        sys.exit(f"{SHARED} is not there")
    for name in ("xquad-en", "xquad-zh", "cmrc2018-dev") if given.shared else ():
        show(name, list(shared_cases(name)), None)
    long = Recursive(max_tokens=500).chunk_many(documents)
    print(
        f"five contexts of up to 500 tokens: {speed([p for p in long if len(p.text) > 1500]):.2f} ms of processor time"
    )


if __name__ == "__main__":
    main()
