"""Chunkers: MB/s against bare tiktoken, and how exactly the passages they cut can be retrieved.

    python benchmarks/chunking.py speed
    python benchmarks/chunking.py quality --minilm FOLDER    # all-MiniLM-L6-v2 exported to ONNX
    python benchmarks/chunking.py quality                    # BM25 instead
    python benchmarks/chunking.py speed quality --json benchmarks/results/chunking.json

`speed`: 512 tokens, overlap 64, o200k_base. The floor is `encode_ordinary` of the whole text on one thread;
every round runs the floor and all contenders, and the ratio is the median over the rounds of processor
time, so that a busy machine disturbs both alike. LangChain's and Chonkie's chunkers run too where they are
installed. Target: `Recursive` at 0.75 or more.

`quality`: the questions of Chroma's chunking evaluation with the exact excerpts that answer them, 3 of its 5
corpora. The best 5 passages of the question's corpora are fetched; recall is the share of the excerpts'
characters that they hold, precision the share of the fetched characters that are excerpts (an overlap
counts twice), IoU both in one. The published figures are of all 5 corpora with text-embedding-3-large.

The vocabulary is read from TIKTOKEN_CACHE_DIR, by default ../shared/tiktoken.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import bm25s
import numpy as np

from llmopt._text import words
from llmopt.chunking import Markdown, Recursive, Semantic, Sentence, Tokens
from llmopt.interfaces import Chunker, Embedder
from llmopt.models.local.onnx_embedder import OnnxEmbedder
from llmopt.types import Document, Matrix, Span

SHARED = Path(__file__).parents[2] / "shared"
TARGET = 0.75
FETCHED = 5
# Recall, precision, IoU in per cent, as in the data's README.
PUBLISHED = {
    "Recursive 800/400": (85.4, 1.5, 1.5),
    "Token 800/400": (87.9, 1.4, 1.4),
    "Recursive 400/200": (88.1, 3.3, 3.3),
    "Recursive 400/0": (89.5, 3.6, 3.6),
    "Recursive 200/0": (88.1, 7.0, 6.9),
    "ClusterSemantic 400": (91.3, 4.5, 4.5),
    "ClusterSemantic 200": (87.3, 8.0, 8.0),
    "LLMSemantic": (91.9, 3.9, 3.9),
}


@dataclass(frozen=True, slots=True)
class Speed:
    """One contender on one text; MB/s by the clock, best round; ratio to the floor by processor time, median."""

    text: str
    name: str
    megabytes_per_second: float
    ratio: float
    passages: int


@dataclass(frozen=True, slots=True)
class Quality:
    """One chunker on all questions; per cent, with the standard error of the recall."""

    name: str
    search: str
    passages: int
    characters: float
    recall: float
    recall_error: float
    precision: float
    iou: float


def jsonl(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def module(name: str) -> Any:
    """Import what only some environments have."""
    return importlib.import_module(name)


def corpora() -> dict[str, str]:
    folder = SHARED / "data" / "chroma-chunking-dev" / "corpora"
    return {file.stem: file.read_text("utf-8") for file in sorted(folder.glob("*.md"))}


def speed_texts() -> dict[str, str]:
    import pydoc_data.topics

    code = "".join(file.read_text("utf-8") for file in sorted(Path(os.__file__).parent.glob("*.py"))[:60])
    chinese = "\n".join(line["text"] for line in jsonl(SHARED / "data" / "domainrag-zh" / "corpus.jsonl"))
    topics = "\n\n".join(pydoc_data.topics.topics.values())
    return {"english": "\n\n".join(corpora().values()), "manual": topics, "code": code, "chinese": chinese}


def contenders() -> dict[str, Callable[[str], int]]:
    """Return what cuts a text and tells the number of passages."""
    import tiktoken

    encoding = tiktoken.get_encoding("o200k_base")

    def two_threads(text: str) -> int:
        half = text.index(" ", len(text) // 2)
        with ThreadPoolExecutor(2) as pool:
            return sum(map(len, pool.map(encoding.encode_ordinary, (text[:half], text[half:]))))

    def ours(chunker: Chunker) -> Callable[[str], int]:
        return lambda text: len(chunker.chunk(Document("d", text)))

    found: dict[str, Callable[[str], int]] = {
        "tiktoken": lambda text: len(encoding.encode_ordinary(text)),
        "tiktoken, two threads": two_threads,
        "Recursive": ours(Recursive(512, 64)),
        "Sentence": ours(Sentence(512, overlap_sentences=2)),
        "Tokens": ours(Tokens(512, 64)),
        "Markdown": ours(Markdown(512, 64)),
    }
    return found | langchain() | chonkie()


class Peer(Chunker):
    """Another library's splitter: a function from a text to (start, end) of its passages."""

    def __init__(self, split: Callable[[str], Iterable[tuple[int, int]]]) -> None:
        self.split = split

    def spans(self, text: str) -> list[Span]:
        """Return its passages."""
        return sorted((Span(start, end) for start, end in self.split(text) if start < end), key=lambda span: span.start)


def langchain_spans(size: int, overlap: int) -> Peer:
    splitter = module("langchain_text_splitters").RecursiveCharacterTextSplitter.from_tiktoken_encoder(
        "o200k_base", chunk_size=size, chunk_overlap=overlap
    )

    def split(text: str) -> Iterable[tuple[int, int]]:
        # Its own `add_start_index` gives -1 where lengths are counted in tokens.
        at = -1
        for part in splitter.split_text(text):
            at = text.index(part, at + 1)
            yield at, at + len(part)

    return Peer(split)


def chonkie_spans(size: int) -> Peer:
    import tiktoken

    splitter = module("chonkie").RecursiveChunker(tiktoken.get_encoding("o200k_base"), chunk_size=size)
    return Peer(lambda text: [(part.start_index, part.end_index) for part in splitter.chunk(text)])


def langchain() -> dict[str, Callable[[str], int]]:
    if importlib.util.find_spec("langchain_text_splitters") is None:
        return {}
    splitters = module("langchain_text_splitters")
    recursive = splitters.RecursiveCharacterTextSplitter.from_tiktoken_encoder(
        "o200k_base", chunk_size=512, chunk_overlap=64
    )
    tokens = splitters.TokenTextSplitter("o200k_base", chunk_size=512, chunk_overlap=64)
    return {
        "langchain recursive": lambda text: len(recursive.split_text(text)),
        "langchain token": lambda text: len(tokens.split_text(text)),
    }


def chonkie() -> dict[str, Callable[[str], int]]:
    if importlib.util.find_spec("chonkie") is None:
        return {}
    import tiktoken

    theirs = module("chonkie")
    encoding = tiktoken.get_encoding("o200k_base")
    # Made anew for every round: they remember the counts of texts that they have seen.
    return {
        "chonkie recursive (no overlap)": lambda text: len(
            theirs.RecursiveChunker(encoding, chunk_size=512).chunk(text)
        ),
        "chonkie sentence": lambda text: len(
            theirs.SentenceChunker(encoding, chunk_size=512, chunk_overlap=64).chunk(text)
        ),
        "chonkie token": lambda text: len(theirs.TokenChunker(encoding, chunk_size=512, chunk_overlap=64).chunk(text)),
    }


def speed(rounds: int) -> list[Speed]:
    rows: list[Speed] = []
    cut = contenders()
    for text_name, text in speed_texts().items():
        size = len(text.encode()) / 1e6
        clock: dict[str, list[float]] = {name: [] for name in cut}
        processor: dict[str, list[float]] = {name: [] for name in cut}
        passages: dict[str, int] = {}
        for _ in range(rounds + 1):  # the first round warms up
            for name, run in cut.items():
                started, busy = time.perf_counter(), time.process_time()
                passages[name] = run(text)
                clock[name].append(time.perf_counter() - started)
                processor[name].append(time.process_time() - busy)
        for name in cut:
            pairs = zip(processor["tiktoken"][1:], processor[name][1:], strict=True)
            ratio = statistics.median(floor / own for floor, own in pairs)
            rows.append(Speed(text_name, name, size / min(clock[name][1:]), ratio, passages[name]))
    return rows


class Remembering(Embedder):
    """Embeds every text once."""

    def __init__(self, embedder: Embedder) -> None:
        self.embedder = embedder
        self.rows: dict[str, Matrix] = {}

    def embed(self, texts: Sequence[str], kind: str) -> Matrix:
        """Look up, embed the rest."""
        fresh = list(dict.fromkeys(text for text in texts if text not in self.rows))
        for at in range(0, len(fresh), 256):
            block = fresh[at : at + 256]
            self.rows.update(zip(block, self.embedder.encode(block, kind="document"), strict=True))
        return np.array([self.rows[text] for text in texts], np.float32)


def by_vectors(embedder: Embedder) -> Callable[[Sequence[Document], Sequence[str]], list[list[int]]]:
    def search(passages: Sequence[Document], questions: Sequence[str]) -> list[list[int]]:
        rows = embedder.encode([passage.text for passage in passages], kind="document")
        scores = embedder.encode(questions, kind="query") @ rows.T
        best: list[list[int]] = np.argsort(-scores, axis=1, kind="stable")[:, :FETCHED].tolist()
        return best

    return search


def by_words(passages: Sequence[Document], questions: Sequence[str]) -> list[list[int]]:
    index: Any = bm25s.BM25()
    index.index([words(passage.text) for passage in passages], show_progress=False)
    found, _ = index.retrieve([words(question) for question in questions], k=FETCHED, show_progress=False)
    best: list[list[int]] = np.asarray(found).tolist()
    return best


def merged(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    joined: list[tuple[int, int]] = []
    for start, end in sorted(ranges):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def score(question: Mapping[str, Any], hits: Sequence[Document]) -> tuple[float, float, float]:
    """Return recall, precision and IoU by characters, as Chroma's `base_evaluation.py` counts them."""
    excerpts = [(ref["start_index"], ref["end_index"]) for ref in question["references"]]
    spans = [(hit.source, hit.span.start, hit.span.end) for hit in hits if hit.span is not None]
    common = [
        (max(start, first), min(end, last))
        for source, start, end in spans
        for first, last in excerpts
        if source == question["corpus"] and max(start, first) < min(end, last)
    ]
    shared = sum(end - start for start, end in merged(common))
    wanted = sum(end - start for start, end in excerpts)
    fetched = sum(end - start for _, start, end in spans)
    missed = sum(end - start for start, end in merged(excerpts)) - shared
    return shared / wanted, shared / fetched, shared / (fetched + missed)


def quality(chunkers: Mapping[str, Chunker], minilm: Embedder | None, questions_file: Path) -> list[Quality]:
    questions = jsonl(questions_file)
    asked = [str(question["question"]) for question in questions]
    search, name = (by_words, "BM25") if minilm is None else (by_vectors(minilm), "MiniLM")
    rows: list[Quality] = []
    for label, chunker in chunkers.items():
        passages = [passage for corpus, text in corpora().items() for passage in chunker.chunk(Document(corpus, text))]
        found = search(passages, asked)
        scores = np.array(
            [score(question, [passages[at] for at in best]) for question, best in zip(questions, found, strict=True)]
        )
        mean = 100 * scores.mean(axis=0)
        error = 100 * float(scores[:, 0].std(ddof=1)) / len(scores) ** 0.5
        length = statistics.mean(len(passage.text) for passage in passages)
        rows.append(Quality(label, name, len(passages), length, float(mean[0]), error, float(mean[1]), float(mean[2])))
        print(f"  {label}: {len(passages)} passages", file=sys.stderr)
    return rows


def chunkers(minilm: Embedder | None) -> dict[str, Chunker]:
    found: dict[str, Chunker] = {
        "Tokens 400/0": Tokens(400, 0),
        "Tokens 200/0": Tokens(200, 0),
        "Recursive 512/64": Recursive(512, 64),
        "Recursive 400/200": Recursive(400, 200),
        "Recursive 400/0": Recursive(400, 0),
        "Recursive 200/0": Recursive(200, 0),
        "Recursive 315/0": Recursive(315, 0),  # passages as long as LangChain's at 400
        "Recursive 165/0": Recursive(165, 0),  # and at 200
        "Sentence 400": Sentence(400, 0),
        "Sentence 200": Sentence(200, 0),
        "Markdown 400/0": Markdown(400, 0),
    }
    if minilm is not None:
        found |= {"Semantic 400": Semantic(minilm, 400), "Semantic 200": Semantic(minilm, 200)}
    if importlib.util.find_spec("langchain_text_splitters") is not None:
        for size, overlap in ((400, 200), (400, 0), (200, 0)):
            found[f"langchain {size}/{overlap}"] = langchain_spans(size, overlap)
    if importlib.util.find_spec("chonkie") is not None:
        found |= {f"chonkie recursive {size}": chonkie_spans(size) for size in (400, 200)}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=["speed", "quality"], default=["speed", "quality"])
    parser.add_argument("--minilm", type=Path, help="folder of all-MiniLM-L6-v2 as ONNX; without it BM25 searches")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="quality of these chunkers alone")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    os.environ.setdefault("TIKTOKEN_CACHE_DIR", str(SHARED / "tiktoken"))
    result: dict[str, object] = {"command": " ".join(sys.argv)}
    if "speed" in options.parts:
        speeds = speed(options.rounds)
        result["speed"] = [asdict(row) for row in speeds]
        print(f"{'text':10} {'contender':32} {'MB/s':>7} {'ratio':>6} {'passages':>9}")
        for row in speeds:
            mark = "" if row.name != "Recursive" else "  ok" if row.ratio >= TARGET else f"  below {TARGET}"
            print(
                f"{row.text:10} {row.name:32} {row.megabytes_per_second:7.1f} {row.ratio:6.2f} {row.passages:9}{mark}"
            )
    if "quality" in options.parts:
        minilm = None if options.minilm is None else Remembering(OnnxEmbedder(options.minilm))
        file = SHARED / "data" / "chroma-chunking-dev" / "questions.jsonl"
        chosen = {name: chunker for name, chunker in chunkers(minilm).items() if name in (options.only or [name])}
        qualities = quality(chosen, minilm, file)
        result["quality"] = [asdict(row) for row in qualities]
        print(f"\n{'chunker':22} {'search':7} {'passages':>8} {'chars':>6} {'recall':>13} {'precision':>9} {'IoU':>5}")
        for scored in qualities:
            print(
                f"{scored.name:22} {scored.search:7} {scored.passages:8} {scored.characters:6.0f} "
                f"{scored.recall:6.1f} +- {scored.recall_error:3.1f} {scored.precision:9.1f} {scored.iou:5.1f}"
            )
        for name, (recall, precision, iou) in PUBLISHED.items():
            print(f"{name:22} {'publ.':7} {'':8} {'':6} {recall:6.1f}{'':7} {precision:9.1f} {iou:5.1f}")
    if options.json is not None:
        options.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
