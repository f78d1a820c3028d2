"""Runs the real Ragas 0.4.3 against a deterministic local server and records what it asked and what it scored.

    RAGAS_DO_NOT_TRACK=true python benchmarks/ragas_parity.py tests/evaluation/ragas_vectors.json

Needs an environment of its own with `ragas==0.4.3`, `langchain-community<0.4` (its import fails with later
ones) and llmopt. The record holds, for every sample, the SHA-256 of each prompt with the replies that the
server gave, and the four legacy scores (null for NaN). `tests/evaluation/test_ragas_parity.py` replays it:
the same prompts, byte for byte, and the same scores. The samples were written for this; some make the
server misbehave.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
import re
import sys
import warnings
from collections.abc import Mapping
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import cast

from llmopt.testing.server import FakeOpenAI, Reply
from llmopt.types import Sample

DIMENSIONS = 64
CONTEXTS = (
    "The Seine is a river in northern France. It is 777 km long and flows through Paris.",
    "Marie Curie was born in Warsaw in 1867 and won two Nobel Prizes.",
    "Paris has been the capital of France since 987; the Louvre stands on the Seine.",
    "Bread is made of flour, water, salt and yeast.",
)
SAMPLES = (
    Sample(
        id="plain",
        question="How long is the Seine?",
        answer="The Seine is 777 km long. It flows through Paris. It is the longest river of Europe.",
        reference="The Seine is 777 km long. It rises in Burgundy.",
        contexts=CONTEXTS,
    ),
    Sample(
        id="chinese",
        question="塞纳河有多长？",
        answer="塞纳河长777公里。它流经巴黎。",
        reference="塞纳河长777公里。",
        contexts=("塞纳河长777公里，流经巴黎。", "面包由面粉、水和酵母制成。"),
    ),
    Sample(
        id="quotes",
        question='What is "\\d+" {x}?',
        answer='A "regex"\n\tfor {digits}. é',
        reference="A regex.",
        contexts=("\\d+ is a regex \x07.",),
    ),
    Sample(id="no claims", question="Hello?", answer="NOCLAIMS", reference="Paris is a city.", contexts=CONTEXTS[:1]),
    Sample(
        id="drops",
        question="Seine?",
        answer="DROPS The Seine is long. It is in Spain. It is deep.",
        reference="The Seine is long.",
        contexts=CONTEXTS[:2],
    ),
    Sample(
        id="five",
        question="Seine?",
        answer="FIVE The Seine is long. Purple elephants dance.",
        reference="FIVE The Seine is long. Purple elephants dance.",
        contexts=CONTEXTS[:2],
    ),
    Sample(
        id="no contexts", question="Seine?", answer="The Seine is long.", reference="The Seine is long.", contexts=()
    ),
    Sample(id="empty answer", question="Seine?", answer="", reference="The Seine is long.", contexts=CONTEXTS[:1]),
    Sample(
        id="noncommittal",
        question="Seine?",
        answer="NONE I don't know.",
        reference="The Seine is long.",
        contexts=CONTEXTS[:1],
    ),
    Sample(
        id="two of three",
        question="Seine length?",
        answer="TWO The Seine may be long.",
        reference="The Seine is long.",
        contexts=CONTEXTS[:1],
    ),
    Sample(
        id="empty questions",
        question="Seine?",
        answer="BLANK The Seine is long.",
        reference="The Seine is long.",
        contexts=CONTEXTS[:1],
    ),
    Sample(
        id="one empty question",
        question="Seine?",
        answer="HALF The Seine is long.",
        reference="The Seine is long.",
        contexts=CONTEXTS[:1],
    ),
    Sample(
        id="nothing attributed",
        question="Seine?",
        answer="The Seine is long.",
        reference="NORECALL The Seine is long.",
        contexts=CONTEXTS[:1],
    ),
    Sample(
        id="useful 1", question="Paris?", answer="Paris.", reference="Paris capital France", contexts=(CONTEXTS[2],)
    ),
    Sample(
        id="useful 101",
        question="Paris?",
        answer="Paris.",
        reference="Paris France",
        contexts=(CONTEXTS[2], CONTEXTS[3], CONTEXTS[0]),
    ),
    Sample(
        id="useful 00",
        question="Paris?",
        answer="Paris.",
        reference="Warsaw Poland Vistula",
        contexts=(CONTEXTS[3], CONTEXTS[0]),
    ),
)
_INPUT = re.compile(r"input: (\{.*\})\nOutput: $", re.DOTALL)


def reply(body: Mapping[str, object]) -> Reply:
    """Judge by word overlap; capital words in a sample's texts ask for a fault."""
    prompt = prompt_of(body)
    match = _INPUT.search(prompt)
    assert match is not None, prompt[-200:]
    given = cast("dict[str, object]", json.loads(match.group(1)))
    if "response" in given:
        said = [json.dumps(item, ensure_ascii=False) for item in implied(str(given["response"]))]
        return Reply(said[0], alternatives=said[1:])
    if "statements" in given:
        found: object = verified(str(given["context"]), cast("list[str]", given["statements"]))
    elif "context" not in given:
        found = {"statements": split(str(given["answer"]))}
    elif "attributed" in prompt:
        found = attributed(str(given["context"]), str(given["answer"]))
    else:
        found = {"reason": "by overlap", "verdict": overlaps(str(given["answer"]), str(given["context"]))}
    return Reply(json.dumps(found, ensure_ascii=False))


def prompt_of(body: Mapping[str, object]) -> str:
    (message,) = cast("list[dict[str, object]]", body["messages"])
    return str(message["content"])


def split(text: str) -> list[str]:
    return [] if "NOCLAIMS" in text else [part.strip() for part in re.split(r"(?<=[.。])\s*", text) if part.strip()]


def overlaps(text: str, context: str) -> int:
    words = re.findall(r"[A-Za-z0-9]+|[\u4e00-\u9fff]", text)
    return int(bool(words) and sum(word in context for word in words) >= 0.6 * len(words))


def verified(context: str, statements: list[str]) -> object:
    kept = statements[:1] if any("DROPS" in item for item in statements) else statements
    verdicts = [5 if "FIVE" in item else overlaps(item, context) for item in kept]
    return {"statements": [{"statement": s, "reason": "r", "verdict": v} for s, v in zip(kept, verdicts, strict=True)]}


def attributed(context: str, answer: str) -> object:
    parts = [] if "NORECALL" in answer else split(answer)
    verdicts = [5 if "FIVE" in item else overlaps(item, context) for item in parts]
    pairs = zip(parts, verdicts, strict=True)
    return {"classifications": [{"statement": s, "reason": "r", "attributed": v} for s, v in pairs]}


def implied(answer: str) -> list[dict[str, object]]:
    questions = [f"What is {answer}?", f"{answer[:20]}?", "Seine length?"]
    flags = [0, 0, 0]
    if "BLANK" in answer:
        questions = ["", "", ""]
    elif "HALF" in answer:
        questions[1] = " "
    flags = [1, 1, 1] if "NONE" in answer else [1, 0, 1] if "TWO" in answer else flags
    return [{"question": q, "noncommittal": f} for q, f in zip(questions, flags, strict=True)]


async def scores(base_url: str) -> list[dict[str, float | None]]:
    """Return the four legacy scores of every sample, by the real Ragas."""
    openai, ragas = import_module("langchain_openai"), "ragas.metrics"
    model = import_module("ragas.llms").LangchainLLMWrapper(
        openai.ChatOpenAI(model="gpt-4o-mini", base_url=base_url, api_key="any")
    )
    embedder = import_module("ragas.embeddings").LangchainEmbeddingsWrapper(
        openai.OpenAIEmbeddings(
            model="text-embedding-3-small",
            base_url=base_url,
            api_key="any",
            dimensions=DIMENSIONS,
            check_embedding_ctx_length=False,
        )
    )
    metrics = {
        "faithfulness": import_module(f"{ragas}._faithfulness").Faithfulness(llm=model),
        "answer_relevancy": import_module(f"{ragas}._answer_relevance").AnswerRelevancy(llm=model, embeddings=embedder),
        "context_precision": import_module(f"{ragas}._context_precision").ContextPrecision(llm=model),
        "context_recall": import_module(f"{ragas}._context_recall").ContextRecall(llm=model),
    }
    make_row = import_module("ragas.dataset_schema").SingleTurnSample
    found: list[dict[str, float | None]] = []
    for sample in SAMPLES:
        row = make_row(
            user_input=sample.question,
            response=sample.answer,
            retrieved_contexts=list(sample.contexts),
            reference=sample.reference,
        )
        values = {name: float(await metric.single_turn_ascore(row)) for name, metric in metrics.items()}
        found.append({name: None if math.isnan(value) else value for name, value in values.items()})
    return found


def recorded() -> dict[str, object]:
    """Return the record: the samples, their scores, and every exchange by the hash of its prompt."""
    warnings.simplefilter("ignore")
    with FakeOpenAI(reply) as server:
        found = asyncio.run(scores(server.base_url))
        bodies = [request.body for request in server.requests if "messages" in request.body]
    exchanges: dict[str, list[str]] = {}
    for body in bodies:
        said = reply(body)
        replies = [str(said.text), *(str(one) for one in said.alternatives)]
        exchanges[hashlib.sha256(prompt_of(body).encode()).hexdigest()] = replies
    rows = [{"sample": asdict(sample), "scores": score} for sample, score in zip(SAMPLES, found, strict=True)]
    return {"ragas": "0.4.3", "dimensions": DIMENSIONS, "rows": rows, "exchanges": exchanges}


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(json.dumps(recorded(), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
