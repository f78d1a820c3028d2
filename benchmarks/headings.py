"""What it brings that the headings above a passage stand in its text: `Markdown(with_headings=True)`.

    python benchmarks/headings.py                                      # searched by BM25: a minute
    python benchmarks/headings.py --minilm FOLDER --tokens 128 256     # and by all-MiniLM-L6-v2 exported to ONNX

Four sets of ../shared/data. Passages count for the section or the article that they were cut from, each at its best
rank, and the two chunkers are compared question by question at the same budget, headings included:

`docs`: anthropic-docs-rag, 45 pages put together again from their 232 sections: the last part of a page's address as
its title, the sections' own headings below. 100 questions with the sections that answer them.
`wiki`: Chroma's "wikitexts", 17 articles of 80 sections under headings of up to four levels, which stand there as
" = = Title = = "; 144 questions with the exact excerpts, that is the sections, that answer them.
`questions`: clapnq-dev, 300 questions that people asked a search engine, 600 passages of Wikipedia under the titles of
their articles.
`chinese`: domainrag-zh, 155 questions, 2,706 pieces of a university's web pages under the titles of the pages.
"""

from __future__ import annotations

import argparse
import itertools
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from chunking import SHARED, Remembering, corpora, jsonl

from llmopt import BM25
from llmopt.chunking import Markdown
from llmopt.chunking.outline import sections
from llmopt.evaluation import Recall, ReciprocalRank, Report, RetrievalEvaluator
from llmopt.interfaces import Embedder
from llmopt.models import OnnxEmbedder
from llmopt.retrieval import Dense
from llmopt.types import Document, Sample

DATA = SHARED / "data"
METRICS = ("recall@3", "reciprocal_rank")
WIKI_HEADING = re.compile(r"^ ((?:= )+)(.*?) (?:= )+$", re.MULTILINE)


@dataclass(frozen=True)
class Labelled:
    """Markdown texts, the places in them where what can be found begins, and questions with its ids."""

    documents: Sequence[Document]
    starts: Mapping[str, Sequence[tuple[int, str]]]
    samples: Sequence[Sample]

    def passages(self, chunker: Markdown) -> Iterator[Document]:
        """Yield the passages; the parent of each is what it counts for."""
        for passage in chunker.chunk_many(self.documents):
            place = 0 if passage.span is None else passage.span.start
            found = [id for start, id in self.starts[passage.source] if start <= place]
            yield replace(passage, parent=found[-1])


def of_documents(documents: Sequence[Document], samples: Sequence[Sample]) -> Labelled:
    return Labelled(documents, {document.id: [(0, document.id)] for document in documents}, samples)


def beir_samples(folder: Path) -> list[Sample]:
    gold: dict[str, list[str]] = {}
    for line in (folder / "qrels" / "test.tsv").read_text("utf-8").splitlines()[1:]:
        query, document, score = line.split("\t")
        if int(score) > 0:
            gold.setdefault(query, []).append(document)
    queries = jsonl(folder / "queries.jsonl")
    return [Sample(question=row["text"], gold=gold[row["_id"]], id=row["_id"]) for row in queries if row["_id"] in gold]


def docs() -> Labelled:
    folder = DATA / "anthropic-docs-rag"
    documents: list[Document] = []
    starts: dict[str, list[tuple[int, str]]] = {}
    rows = jsonl(folder / "corpus.jsonl")
    for page, parts in itertools.groupby(rows, lambda row: str(row["_id"]).partition("#")[0]):
        id = f"{page}/{len(documents)}"
        text = "# " + page.rstrip("/").rpartition("/")[2].replace("-", " ").capitalize() + "\n"
        starts[id] = []
        for row in parts:
            starts[id].append((len(text) if starts[id] else 0, row["_id"]))
            body = str(row["text"]).strip().removeprefix(row["title"]).strip()
            # What looks like a heading below is a comment in a program.
            text += f"\n## {row['title']}\n\n" + re.sub(r"^#", "    #", body, flags=re.MULTILINE) + "\n"
        documents.append(Document(id, text))
    return Labelled(documents, starts, beir_samples(folder))


def wiki() -> Labelled:
    def marked(match: re.Match[str]) -> str:
        # As long as before, so that the labelled places stay right.
        return ("#" * (len(match[1]) // 2) + " " + match[2]).ljust(len(match[0]))

    text = WIKI_HEADING.sub(marked, corpora()["wikitexts"])
    starts = [(section.start, f"section {number}") for number, section in enumerate(sections(text))]
    samples: list[Sample] = []
    for row in jsonl(DATA / "chroma-chunking-dev" / "questions.jsonl"):
        if row["corpus"] == "wikitexts":
            gold = [max(each for each in starts if each[0] <= ref["start_index"])[1] for ref in row["references"]]
            samples.append(Sample(question=row["question"], gold=list(dict.fromkeys(gold)), id=row["id"]))
    return Labelled([Document("wikitexts", text)], {"wikitexts": starts}, samples)


def questions() -> Labelled:
    rows = jsonl(DATA / "clapnq-dev" / "qa.jsonl")
    documents = [Document(row["id"], f"# {row['titles'][0]}\n\n{row['contexts'][0]}") for row in rows]
    asked = [Sample(question=row["question"], gold=[row["id"]], id=row["id"]) for row in rows if row["answerable"]]
    return of_documents(documents, asked)


def chinese() -> Labelled:
    folder = DATA / "domainrag-zh"
    rows = jsonl(folder / "corpus.jsonl")
    documents = [Document(row["_id"], f"# {row['title']}\n\n{row['text']}") for row in rows]
    return of_documents(documents, beir_samples(folder))


def report(labelled: Labelled, chunker: Markdown, embedder: Embedder | None) -> tuple[int, Report]:
    passages = list(labelled.passages(chunker))
    retriever = BM25() if embedder is None else Dense(embedder)
    evaluator = RetrievalEvaluator([Recall(3), ReciprocalRank()], progress=False)
    return len(passages), evaluator.run(retriever.index(passages), labelled.samples)


def row(name: str, search: str, size: int, labelled: Labelled, embedder: Embedder | None) -> str:
    count, plain = report(labelled, Markdown(size), embedder)
    more, headed = report(labelled, Markdown(size, with_headings=True), embedder)
    cells: list[Any] = [name, search, size, f"{count} → {more}"]
    for metric in METRICS:
        change = headed.compare(plain, metric)
        gain = change.difference
        cells.append(f"{change.baseline.value:.3f} → {change.candidate.value:.3f}")
        cells.append(f"{gain.value:+.3f} [{gain.low:+.3f}, {gain.high:+.3f}]")
    return "| " + " | ".join(map(str, cells)) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minilm", type=Path, help="folder of all-MiniLM-L6-v2 as ONNX")
    parser.add_argument("--sets", nargs="+", default=["docs", "wiki", "questions", "chinese"])
    parser.add_argument("--tokens", nargs="+", type=int, default=[64, 128, 256, 512], help="budgets of the passages")
    options = parser.parse_args()
    os.environ.setdefault("TIKTOKEN_CACHE_DIR", str(SHARED / "tiktoken"))
    minilm = None if options.minilm is None else Remembering(OnnxEmbedder(options.minilm))
    sets = {"docs": docs, "wiki": wiki, "questions": questions, "chinese": chinese}
    print("| set | search | tokens | passages | recall@3 | gain | MRR | gain |\n" + "|---" * 8 + "|")
    for name in options.sets:
        labelled = sets[name]()
        for embedder in [None] if minilm is None or name == "chinese" else [None, minilm]:
            for size in options.tokens:
                print(row(name, "BM25" if embedder is None else "MiniLM", size, labelled, embedder), flush=True)


if __name__ == "__main__":
    main()
