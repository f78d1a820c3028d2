"""Chunkers: MB/s against bare tiktoken, and how exactly the passages they cut can be retrieved.

    python benchmarks/chunking.py speed
    python benchmarks/chunking.py quality                    # searched by BM25: a minute
    python benchmarks/chunking.py quality --minilm FOLDER    # and by all-MiniLM-L6-v2 exported to ONNX: half an hour
    python benchmarks/chunking.py speed quality --json benchmarks/results/chunking.json

`speed`: 512 tokens, overlap 64, o200k_base. The floor is `encode_ordinary` of the whole text on one thread;
every round runs the floor and all contenders, and the ratio is the median over the rounds of processor
time, so that a busy machine disturbs both alike. LangChain's and Chonkie's chunkers run too where they are
installed. Target: `Recursive` at 0.75 or more.

`quality`: the questions of Chroma's chunking evaluation with the exact excerpts that answer them, 3 of its 5
corpora, beside the figures that Chroma published of all 5. Sizes are tokens of cl100k_base, as there. The best 5
passages of all corpora are fetched; recall is the share of the excerpts that they hold, precision the share of what
they hold that is excerpt (an overlap counts twice), IoU both in one; precision omega is that of a perfect search: of
all passages that hold any of the excerpts. Chroma's report speaks of tokens, its code counts characters
(`sum_of_ranges` in evaluation_utils.py, over `start_index` and `end_index`), and so does the table; the last column
counts the tokens of cl100k_base that begin in the same ranges.

The vocabulary is read from TIKTOKEN_CACHE_DIR, by default ../shared/tiktoken.
"""

from __future__ import annotations

import argparse
import bisect
import importlib
import importlib.util
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeAlias

import bm25s
import numpy as np
import numpy.typing as npt

from llmopt._text import words
from llmopt.chunking import Markdown, Recursive, Semantic, Sentence, Tokens
from llmopt.interfaces import Chunker, Embedder
from llmopt.models.local.onnx_embedder import OnnxEmbedder
from llmopt.types import Document, Matrix, Span

SHARED = Path(__file__).parents[2] / "shared"
TARGET = 0.75
FETCHED = 5
SIZES = ((800, 400), (400, 200), (400, 0), (250, 125), (250, 0), (200, 0))
AS_LONG = {400: 315, 250: 205, 200: 166}
MINILM_READS = 256  # word pieces; Chroma's table of it ends at 250 tokens, too
CL100K = "gpt-4"  # a model of the vocabulary in which Chroma counts
# Smith and Troynikov 2024, research.trychroma.com/evaluating-chunking: five passages, all 5 corpora.
PUBLISHED = """
text-embedding-3-large | Recursive 800/400 | 661 | 85.4 ± 34.9 | 1.5 ± 1.3 | 6.7 ± 5.2 | 1.5 ± 1.3
text-embedding-3-large | TokenText 800/400 | 800 | 87.9 ± 31.7 | 1.4 ± 1.1 | 4.7 ± 3.1 | 1.4 ± 1.1
text-embedding-3-large | Recursive 400/200 | 312 | 88.1 ± 31.6 | 3.3 ± 2.7 | 13.9 ± 10.4 | 3.3 ± 2.7
text-embedding-3-large | TokenText 400/200 | 400 | 88.6 ± 29.7 | 2.7 ± 2.2 | 8.4 ± 5.1 | 2.7 ± 2.2
text-embedding-3-large | Recursive 400/0 | 276 | 89.5 ± 29.7 | 3.6 ± 3.2 | 17.7 ± 14.0 | 3.6 ± 3.2
text-embedding-3-large | TokenText 400/0 | 400 | 89.2 ± 29.2 | 2.7 ± 2.2 | 12.5 ± 8.1 | 2.7 ± 2.2
text-embedding-3-large | Recursive 200/0 | 137 | 88.1 ± 30.1 | 7.0 ± 5.6 | 29.9 ± 18.4 | 6.9 ± 5.6
text-embedding-3-large | TokenText 200/0 | 200 | 87.0 ± 30.8 | 5.2 ± 4.1 | 21.0 ± 11.9 | 5.1 ± 4.1
text-embedding-3-large | Kamradt | 660 | 83.6 ± 36.8 | 1.5 ± 1.6 | 7.4 ± 10.2 | 1.5 ± 1.6
text-embedding-3-large | KamradtMod 300 | 397 | 87.1 ± 31.9 | 2.1 ± 2.0 | 10.5 ± 12.3 | 2.1 ± 2.0
text-embedding-3-large | Cluster 400 | 182 | 91.3 ± 25.4 | 4.5 ± 3.4 | 20.7 ± 14.5 | 4.5 ± 3.4
text-embedding-3-large | Cluster 200 | 103 | 87.3 ± 29.8 | 8.0 ± 6.0 | 34.0 ± 19.7 | 8.0 ± 6.0
text-embedding-3-large | LLM (GPT-4o) | 240 | 91.9 ± 26.5 | 3.9 ± 3.2 | 19.9 ± 16.3 | 3.9 ± 3.2
"""
PUBLISHED_OF_MINILM = """
all-MiniLM-L6-v2 | Recursive 250/125 | 180 | 78.7 ± 39.2 | 4.9 ± 4.5 | 21.9 ± 14.9 | 4.9 ± 4.4
all-MiniLM-L6-v2 | TokenText 250/125 | 250 | 82.4 ± 36.2 | 3.6 ± 3.1 | 11.4 ± 6.6 | 3.5 ± 3.1
all-MiniLM-L6-v2 | Recursive 250/0 | 162 | 78.5 ± 39.5 | 5.4 ± 4.9 | 26.7 ± 18.3 | 5.4 ± 4.9
all-MiniLM-L6-v2 | TokenText 250/0 | 250 | 77.1 ± 39.3 | 3.3 ± 3.0 | 16.4 ± 10.3 | 3.3 ± 3.0
all-MiniLM-L6-v2 | Recursive 200/0 | 128 | 75.7 ± 40.7 | 6.5 ± 6.2 | 31.2 ± 18.4 | 6.5 ± 6.1
all-MiniLM-L6-v2 | TokenText 200/0 | 200 | 76.6 ± 38.8 | 4.1 ± 3.7 | 19.1 ± 11.0 | 4.1 ± 3.6
all-MiniLM-L6-v2 | Cluster 250 | 168 | 77.3 ± 38.6 | 6.1 ± 5.1 | 28.6 ± 16.7 | 6.0 ± 5.1
all-MiniLM-L6-v2 | Cluster 200 | 102 | 75.2 ± 39.9 | 7.2 ± 6.1 | 33.6 ± 20.0 | 7.2 ± 6.0
"""
Search: TypeAlias = Callable[[Sequence[Document], Sequence[str]], list[list[int]]]  # to the places of the best
Length: TypeAlias = Callable[[str, int, int], int]  # of what stands in a corpus from one character to another


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
    """One chunker on all questions: (recall, precision, precision omega, IoU) in per cent; lengths in tokens."""

    search: str
    name: str
    passages: int
    tokens: float
    means: Sequence[float]
    deviations: Sequence[float]
    means_by_tokens: Sequence[float]

    def __str__(self) -> str:
        """Return it as a row of a Markdown table."""
        figures = [f"{mean:.1f} ± {spread:.1f}" for mean, spread in zip(self.means, self.deviations, strict=True)]
        by_tokens = " / ".join(f"{mean:.1f}" for mean in self.means_by_tokens)
        return f"| {self.search} | {self.name} | {self.tokens:.0f} | {' | '.join(figures)} | {by_tokens} |"


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


def langchain_spans(size: int, overlap: int, *, recursive: bool) -> Peer:
    splitters = module("langchain_text_splitters")
    options = {"encoding_name": "cl100k_base", "chunk_size": size, "chunk_overlap": overlap}
    # The separators are Chroma's: with its own, the report says, the splitter does worse.
    splitter = (
        splitters.RecursiveCharacterTextSplitter.from_tiktoken_encoder(
            separators=["\n\n", "\n", ".", "?", "!", " ", ""], **options
        )
        if recursive
        else splitters.TokenTextSplitter(**options)
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

    splitter = module("chonkie").RecursiveChunker(tiktoken.get_encoding("cl100k_base"), chunk_size=size)
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


def by_vectors(embedder: Embedder) -> Search:
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


def characters(_: str, start: int, end: int) -> int:
    """Return how many characters stand from one place of a corpus to another."""
    return end - start


def tokens_of(texts: Mapping[str, str]) -> Length:
    """Return what tells how many tokens of cl100k_base begin from one place of a corpus to another."""
    import tiktoken

    encoding = tiktoken.get_encoding("cl100k_base")
    starts = {name: encoding.decode_with_offsets(encoding.encode_ordinary(text))[1] for name, text in texts.items()}
    return lambda name, start, end: bisect.bisect_left(starts[name], end) - bisect.bisect_left(starts[name], start)


def score(
    question: Mapping[str, Any], hits: Sequence[Document], length: Length = characters
) -> tuple[float, float, float]:
    """Return recall, precision and IoU as Chroma's `base_evaluation.py` counts them."""
    corpus = question["corpus"]
    excerpts = [(ref["start_index"], ref["end_index"]) for ref in question["references"]]
    spans = [(hit.source, hit.span.start, hit.span.end) for hit in hits if hit.span is not None]
    common = shared_ranges([(start, end) for source, start, end in spans if source == corpus], excerpts)
    shared = sum(length(corpus, *each) for each in common)
    wanted = sum(length(corpus, *each) for each in excerpts)
    fetched = sum(length(*span) for span in spans)
    return shared / wanted, shared / fetched, shared / (fetched + wanted - shared)


def perfect_precision(question: Mapping[str, Any], passages: Sequence[Document], length: Length) -> float:
    """Return precision omega: that of finding exactly the passages of the corpus that hold any of the excerpts."""
    corpus = question["corpus"]
    excerpts = [(ref["start_index"], ref["end_index"]) for ref in question["references"]]
    spans = [(passage.span.start, passage.span.end) for passage in passages if passage.span is not None]
    # As there, a passage that only touches an excerpt holds it.
    held = [(s, e) for s, e in spans if any(max(s, first) <= min(e, last) for first, last in excerpts)]
    shared = sum(length(corpus, *each) for each in shared_ranges(held, excerpts))
    wanted = sum(length(corpus, *each) for each in excerpts)
    return shared / (sum(length(corpus, *each) for each in merged(held)) + wanted - shared)


def shared_ranges(spans: Sequence[tuple[int, int]], excerpts: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    return merged(
        (max(start, first), min(end, last))
        for start, end in spans
        for first, last in excerpts
        if max(start, first) < min(end, last)
    )


def quality(name: str, search: Search, chunkers: Mapping[str, Chunker]) -> Iterator[Quality]:
    questions = jsonl(SHARED / "data" / "chroma-chunking-dev" / "questions.jsonl")
    asked = [str(question["question"]) for question in questions]
    texts = corpora()
    tokens = tokens_of(texts)
    for label, chunker in chunkers.items():
        by_corpus = {corpus: chunker.chunk(Document(corpus, text)) for corpus, text in texts.items()}
        passages = [passage for cut in by_corpus.values() for passage in cut]
        found = search(passages, asked)

        def scores(length: Length) -> npt.NDArray[np.float64]:
            rows: list[tuple[float, ...]] = []
            for question, best in zip(questions, found, strict=True):  # noqa: B023 - called at once
                recall, precision, iou = score(question, [passages[at] for at in best], length)  # noqa: B023
                omega = perfect_precision(question, by_corpus[question["corpus"]], length)  # noqa: B023
                rows.append((recall, precision, omega, iou))
            return 100 * np.array(rows)

        spans = [(passage.source, passage.span) for passage in passages]
        size = statistics.mean(tokens(source, span.start, span.end) for source, span in spans if span is not None)
        table = scores(characters)
        means, deviations = table.mean(axis=0).tolist(), table.std(axis=0).tolist()
        yield Quality(name, label, len(passages), size, means, deviations, scores(tokens).mean(axis=0).tolist())


def chunkers(minilm: Embedder | None, size: int, overlap: int) -> dict[str, Chunker]:
    found: dict[str, Chunker] = {
        f"`Recursive` {size}/{overlap}": Recursive(size, overlap, CL100K),
        f"`Markdown` {size}/{overlap}": Markdown(size, overlap, CL100K),
        f"`Tokens` {size}/{overlap}": Tokens(size, overlap, CL100K),
    }
    if overlap == 0:
        found[f"`Sentence` {size}/0"] = Sentence(size, 0, model=CL100K)
        if minilm is not None:
            found[f"`Semantic` {size}/0"] = Semantic(minilm, size, model=CL100K)
        if size in AS_LONG:  # passages as long as LangChain's of this size, to compare like with like
            found[f"`Recursive` {AS_LONG[size]}/0"] = Recursive(AS_LONG[size], 0, CL100K)
    if importlib.util.find_spec("langchain_text_splitters") is not None:
        found[f"LangChain recursive {size}/{overlap}"] = langchain_spans(size, overlap, recursive=True)
        found[f"LangChain token {size}/{overlap}"] = langchain_spans(size, overlap, recursive=False)
    if overlap == 0 and importlib.util.find_spec("chonkie") is not None:
        found[f"Chonkie recursive {size}/0"] = chonkie_spans(size)
    return found


def print_quality(folder: Path | None) -> list[Quality]:
    minilm = None if folder is None else Remembering(OnnxEmbedder(folder))
    rows: list[Quality] = []
    print("| search | chunker, tokens/overlap | mean | recall | precision | precision Ω | IoU | by tokens |")
    print("|---" * 8 + "|")
    searches: list[tuple[str, Search, str, list[tuple[int, int]]]] = [("BM25", by_words, PUBLISHED, list(SIZES))]
    if minilm is not None:
        short = [pair for pair in SIZES if pair[0] <= MINILM_READS]
        searches.append(("MiniLM", by_vectors(minilm), PUBLISHED_OF_MINILM, short))
    for name, search, published, sizes in searches:
        theirs = [f"| {line.strip()} |  |" for line in published.strip().splitlines()]
        for size, overlap in sizes:
            for row in quality(name, search, chunkers(minilm, size, overlap)):
                rows.append(row)
                print(row, flush=True)
            for line in [line for line in theirs if f" {size}/{overlap} |" in line]:
                print(line)
                theirs.remove(line)
        print("\n".join(theirs))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=["speed", "quality"], default=["speed", "quality"])
    parser.add_argument("--minilm", type=Path, help="folder of all-MiniLM-L6-v2 as ONNX; without it only BM25 searches")
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
        result["quality"] = [asdict(row) for row in print_quality(options.minilm)]
    if options.json is not None:
        options.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
