"""What the techniques that ask a model bring, with a real model: any that an OpenAI-compatible server offers.

    python benchmarks/with_model.py --base-url http://127.0.0.1:8080/v1 --model NAME --minilm FOLDER --first 100
    python benchmarks/with_model.py --minilm FOLDER recorded     # texts that a model has written before: no server

`searches`: StrategyQA (Geva et al. 2021). The facts that people wrote down for all 2,290 questions are the documents,
those of a question what it should find: most need two to four facts, and the question names few of them. The first
questions of the dev split. "People's split" gives `SubQuestions` the sub-questions that people wrote: what a perfect
splitter would bring.

`classes`: insurance-tickets, 68 test texts of ten classes, beside the classifiers that learn from its 68 train texts.

`recorded`: anthropic-docs-rag, 232 sections, 100 questions; `Contextual` gets the summaries that a Claude model wrote
of the sections, in place of a model.

Everything is measured on the same questions, so that every gain is paired, with its 95 % interval. A small model is
not a large one: what does not help here may help with a better writer, and what the tables say is true of the model
that their head names.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from retrieval import DATA, lines_of, mean, ndcg
from serving import add_server_arguments, served

from llmopt._fences import read_fences
from llmopt._stats import paired_difference, share
from llmopt.chunking import Recursive
from llmopt.interfaces import ChatModel, Classifier, IndexedRetriever, Reranker, Retriever
from llmopt.models import OnnxEmbedder
from llmopt.reranking import Listwise, Pairwise, Pointwise
from llmopt.retrieval import BM25, Contextual, Dense, Hybrid, HyDE, MultiQuery, SubQuestions
from llmopt.routing import Linear, ModelClassifier, Nearest
from llmopt.testing import FakeModel
from llmopt.types import Completion, Document, Message, Options, Usage

K, PAIRED = 10, 3
IN_FLIGHT = 8
DESCRIBED = {
    "Account Management": "logging in, passwords, contact details, other changes to the customer's account",
    "Billing Disputes": "complaints about wrong or unexpected charges, refunds wanted",
    "Billing Inquiries": "questions about charges, fees, premiums, payment dates and methods",
    "Claims Assistance": "how to file a claim, which documents it needs, how far it is",
    "Claims Disputes": "complaints about a claim that was denied, underpaid or delayed",
    "Coverage Explanations": "what a policy covers, its limits, exclusions and deductibles",
    "General Inquiries": "about the company, opening hours, products in general",
    "Policy Administration": "changing, renewing, transferring or cancelling a policy",
    "Policy Comparisons": "how policies or options differ, which one suits",
    "Quotes and Proposals": "prices wanted for a new policy",
}
STEP = re.compile(r"#\d+")


@dataclass(repr=False, eq=False)
class Counted(ChatModel):
    """A model that knows what it was used for."""

    inner: ChatModel
    used: Usage = field(default=Usage(), init=False)

    async def generate(self, messages: Sequence[Message], options: Options) -> Completion:
        """Ask it, and count."""
        completion = await self.inner.acomplete(messages, options)
        self.used += completion.usage
        return completion


@dataclass(frozen=True)
class Question:
    """A question, the facts that it needs, and how people split it."""

    text: str
    facts: frozenset[str]
    parts: Sequence[str]


@dataclass(frozen=True)
class Contender:
    """A retriever and what reorders its first hits, beside the name of what it refines."""

    retriever: Retriever
    over: str = ""
    reranker: Reranker | None = None

    async def found(self, question: str) -> list[str]:
        """Return the ids of the best ten."""
        hits = await self.retriever.aretrieve(question, k=K)
        if self.reranker is not None:
            hits = await self.reranker.arerank(question, hits, k=K)
        return [hit.document.id for hit in hits]


def strategyqa(first: int) -> tuple[list[Document], list[Question]]:
    """Return all facts as documents, and the first questions of the dev split."""
    ids: dict[str, str] = {}
    questions: list[Question] = []
    for split in ("dev", "train"):
        rows: list[Any] = lines_of(DATA / "strategyqa" / f"{split}.jsonl")
        for row in rows:
            facts = [ids.setdefault(fact.strip(), str(len(ids))) for fact in row["facts"] if fact.strip()]
            if split == "dev" and len(questions) < first:
                parts = [STEP.sub("", part) for part in row["sub_questions"]]
                questions.append(Question(row["question"], frozenset(facts), parts))
    return [Document(id, fact) for fact, id in ids.items()], questions


def splitter(questions: Sequence[Question]) -> FakeModel:
    """Return a model that splits as people did."""
    parts = {question.text: question.parts for question in questions}

    def reply(messages: Sequence[Message]) -> str:
        quoted = ", ".join(f'"{part}"' for part in (text.replace('"', "'") for text in parts[messages[-1].content]))
        return f'{{"queries": [{quoted}]}}'

    return FakeModel(reply)


def contenders(
    documents: Sequence[Document], questions: Sequence[Question], model: ChatModel, minilm: str
) -> dict[str, Contender]:
    """Return what is compared."""
    words, vectors = BM25().index(documents), Dense(OnnxEmbedder(minilm)).index(documents)
    greedy = Options(temperature=0, max_tokens=200)
    short = Options(temperature=0, max_tokens=80)
    return {
        "BM25": Contender(words),
        "Dense": Contender(vectors),
        "Hybrid": Contender(Hybrid([words, vectors]), "Dense"),
        "HyDE(Dense), 1 answer": Contender(HyDE(vectors, model, count=1, options=short), "Dense"),
        "MultiQuery(Dense)": Contender(MultiQuery(vectors, model, options=greedy), "Dense"),
        "SubQuestions(Dense)": Contender(SubQuestions(vectors, model, options=greedy), "Dense"),
        "  by people's split": Contender(SubQuestions(vectors, splitter(questions), most=5), "Dense"),
        "Listwise, 10": Contender(vectors, "Dense", Listwise(model, options=short)),
        "Pointwise, yes_no": Contender(vectors, "Dense", Pointwise(model, "yes_no", options=Options(temperature=0))),
        f"Pairwise, {PAIRED}": Contender(vectors, "Dense", Pairwise(model, PAIRED, options=Options(temperature=0))),
    }


async def side_by_side(work: Callable[[str], Coroutine[Any, Any, Any]], texts: Iterable[str]) -> list[Any]:
    """Return what the work gives for every text, a few at a time."""
    places = asyncio.Semaphore(IN_FLIGHT)

    async def one(text: str) -> object:
        async with places:
            return await work(text)

    return await asyncio.gather(*(one(text) for text in texts))


def searches(model: Counted, minilm: str, first: int, only: str) -> None:
    """Print recall and nDCG of everything that searches or reorders."""
    documents, questions = strategyqa(first)
    needed = mean([len(question.facts) for question in questions])
    print(f"StrategyQA: {len(documents)} facts, {len(questions)} questions that need {needed:.1f} of them")
    print(f"{'':24}{'R@10':>7}{'nDCG@10':>9}{'calls':>7}{'tokens':>8}{'s':>7}  gain in nDCG@10 / in R@10")
    seen: dict[str, tuple[list[float], list[float]]] = {}
    for name, contender in contenders(documents, questions, model, minilm).items():
        if only and only not in name and contender.over:
            continue
        model.used, started = Usage(), time.perf_counter()
        found = asyncio.run(side_by_side(contender.found, [question.text for question in questions]))
        seconds = time.perf_counter() - started
        recall, quality = list[float](), list[float]()
        for question, ids in zip(questions, found, strict=True):
            recall.append(len(question.facts.intersection(ids)) / len(question.facts))
            quality.append(ndcg(ids, dict.fromkeys(question.facts, 1.0)))
        seen[name] = recall, quality
        used, count = model.used, len(questions)
        tokens = (used.input_tokens + used.output_tokens) / count
        line = f"{name:24}{mean(recall):7.3f}{mean(quality):9.3f}{used.calls / count:7.1f}{tokens:8.0f}{seconds:7.0f}"
        if contender.over:
            before = seen[contender.over]
            gains = [paired_difference(old, new) for old, new in zip(before[::-1], (quality, recall), strict=True)]
            line += f"  {gains[0]} / {gains[1]} over {contender.over}"
        print(line, flush=True)


def classes(model: Counted, minilm: str) -> None:
    """Print the accuracy of classifiers that learn and of one that asks."""
    train, test = (lines_of(DATA / "insurance-tickets" / f"{split}.jsonl") for split in ("train", "test"))
    texts, labels = [row["text"] for row in train], [row["label"] for row in train]
    embedder = OnnxEmbedder(minilm)
    named = {label: label for label in DESCRIBED}
    competitors: dict[str, Classifier] = {
        "Nearest": Nearest(embedder).fit(texts, labels),
        "Linear": Linear(embedder).fit(texts, labels),
        "ModelClassifier, names": ModelClassifier(model, named),
        "  names described": ModelClassifier(model, DESCRIBED),
    }
    print(f"\ninsurance-tickets: {len(test)} texts, {len(named)} classes, {len(train)} to learn from")
    for name, classifier in competitors.items():
        model.used = Usage()
        found = asyncio.run(side_by_side(classifier.aclassify, [row["text"] for row in test]))
        right = sum(one.label == row["label"] for one, row in zip(found, test, strict=True))
        print(f"{name:24}{share(right, len(test))}  {model.used.calls / len(test):.1f} calls", flush=True)


def summaries(rows: Sequence[Mapping[str, str]]) -> FakeModel:
    """Return a model that says of every section what was recorded."""
    written = {row["text"].strip(): row["summary"] for row in rows}

    def reply(messages: Sequence[Message]) -> str:
        texts = [fenced.text.strip() for message in messages for fenced in read_fences(message.content)]
        return next(written[text] for text in reversed(texts) if text in written)

    return FakeModel(reply)


def recorded(minilm: str) -> None:
    """Print what recorded contexts bring to three retrievers."""
    rows = lines_of(DATA / "anthropic-docs-rag" / "corpus.jsonl")
    documents = [Document(row["_id"], row["text"].strip()) for row in rows]
    judged: dict[str, set[str]] = {}
    for line in (DATA / "anthropic-docs-rag" / "qrels" / "test.tsv").read_text("utf-8").splitlines()[1:]:
        query, document, _ = line.split("\t")
        judged.setdefault(query, set()).add(document)
    texts = {row["_id"]: row["text"] for row in lines_of(DATA / "anthropic-docs-rag" / "queries.jsonl")}
    embedder, model = OnnxEmbedder(minilm), summaries(rows)
    makers: dict[str, Callable[[], IndexedRetriever]] = {
        "BM25": BM25,
        "Dense": lambda: Dense(embedder),
        "Hybrid": lambda: Hybrid([BM25(), Dense(embedder)]),
    }
    print(f"\nanthropic-docs-rag: {len(documents)} sections, {len(judged)} questions\n{'':24}{'R@3':>7}{'MRR':>7}")
    for name, make in makers.items():
        rank_lists: list[list[float]] = []
        for title, retriever in (
            (name, make()),
            (f"Contextual({name})", Contextual(Recursive(100_000), make(), model)),
        ):
            retriever.index(documents)
            recall, ranks = list[float](), list[float]()
            for query, wanted in judged.items():
                ids = [hit.document.parent or hit.document.id for hit in retriever.retrieve(texts[query], k=K)]
                recall.append(len(wanted.intersection(ids[:3])) / len(wanted))
                ranks.append(next((1 / rank for rank, id in enumerate(ids, 1) if id in wanted), 0.0))
            rank_lists.append(ranks)
            gain = f"  {paired_difference(*rank_lists)} over {name}" if len(rank_lists) > 1 else ""
            print(f"{title:24}{mean(recall):7.3f}{mean(ranks):7.3f}{gain}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("parts", nargs="*", help="searches, classes, recorded; all, where none is named")
    add_server_arguments(parser)
    parser.add_argument("--minilm", required=True, help="folder of all-MiniLM-L6-v2 as ONNX, for `OnnxEmbedder`")
    parser.add_argument("--first", type=int, default=229, help="questions")
    parser.add_argument("--only", default="", help="part of the names of what is measured")
    arguments = parser.parse_args()
    parts = arguments.parts or ["searches", "classes", "recorded"]
    if "recorded" in parts:
        recorded(arguments.minilm)
    if {"searches", "classes"}.isdisjoint(parts):
        return
    inner = served(arguments)
    model = Counted(inner)
    print(f"\nmodel: {arguments.model}")
    if "classes" in parts:
        classes(model, arguments.minilm)
    if "searches" in parts:
        searches(model, arguments.minilm, arguments.first, arguments.only)


if __name__ == "__main__":
    main()
