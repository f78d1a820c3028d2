"""The runs that `benchmarks/evaluation.py` compares: ours, Ragas, DeepEval, and the bare client with Ragas's prompts.

    python benchmarks/evaluation_peers.py RUN BASE_URL SAMPLES [--bodies FILE]

Each run is a process of its own: it is warmed up on one sample, then measured on the others, and prints its
figures as JSON. `record` writes the requests that Ragas makes into FILE; `bare` sends them with nothing but the
openai client. What a tool needs is imported by its run only, so that the others go where it is not installed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import os
import re
import sys
import time
import warnings
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, cast

from llmopt.evaluation import AnswerRelevancy, ContextPrecision, ContextRecall, Evaluator, Faithfulness, ModelJudge
from llmopt.models import OpenAIChat, OpenAIEmbedder, wrap, wrap_embedder
from llmopt.testing.server import FakeOpenAI, Reply
from llmopt.types import Sample

sys.path.insert(0, str(Path(__file__).parent))
from evaluation_data import samples
from ragas_parity import reply as legacy_reply

IN_FLIGHT = 64
_SCHEMA = re.compile(r"json_schema:\s*(\{.*\})\s*Make sure", re.DOTALL)
_WORDS = {"verdict": "yes", "question": "What falls on the town?", "reason": "It is said."}

Run = Callable[[str, Sequence[Sample]], Coroutine[Any, Any, int]]


def peer_reply(body: Mapping[str, object]) -> Reply | str:
    """Reply to Ragas's prompts by word overlap, and to a schema with what fits it."""
    schema = _schema_of(body)
    return legacy_reply(body) if schema is None else json.dumps(_fitting(schema, schema, ""))


def _schema_of(body: Mapping[str, object]) -> Mapping[str, Any] | None:
    form = cast("Mapping[str, Any]", body.get("response_format") or {})
    if "json_schema" in form:
        return cast("Mapping[str, Any]", form["json_schema"]["schema"])
    first = str(cast("Sequence[Mapping[str, object]]", body["messages"])[0]["content"])
    found = _SCHEMA.search(first)
    return None if found is None else cast("Mapping[str, Any]", json.loads(found.group(1)))


def _fitting(schema: Mapping[str, Any], root: Mapping[str, Any], name: str) -> object:
    if "$ref" in schema:
        return _fitting(root["$defs"][str(schema["$ref"]).rpartition("/")[2]], root, name)
    if "properties" in schema:
        fields = cast("Mapping[str, Mapping[str, Any]]", schema["properties"])
        return {field: _fitting(inner, root, field) for field, inner in fields.items()}
    if schema.get("type") == "array":
        return [_fitting(schema["items"], root, name) for _ in range(4 if name == "verdicts" else 3)]
    if schema.get("type") == "integer":
        return int(name != "noncommittal")
    return _WORDS.get(name, "The rain falls on the old town.")


async def ours(base_url: str, given: Sequence[Sample], transport: str = "auto") -> int:
    chosen = cast(Any, transport)
    model = wrap(OpenAIChat("judge", base_url=base_url, api_key="none", transport=chosen), concurrency=IN_FLIGHT)
    vectors = wrap_embedder(OpenAIEmbedder("vectors", base_url=base_url, api_key="none", transport=chosen))
    judge = ModelJudge(model)
    metrics = [Faithfulness(judge), AnswerRelevancy(judge, vectors), ContextPrecision(judge), ContextRecall(judge)]
    report = await Evaluator(metrics, concurrency=IN_FLIGHT, progress=False).arun(given)
    return sum(summary.scored for summary in report.summaries())


async def ours_httpx(base_url: str, given: Sequence[Sample]) -> int:
    return await ours(base_url, given, "httpx")


async def ragas_legacy(base_url: str, given: Sequence[Sample]) -> int:
    ragas, openai = import_module("ragas"), import_module("langchain_openai")
    data = import_module("ragas.dataset_schema")
    model = import_module("ragas.llms").LangchainLLMWrapper(
        openai.ChatOpenAI(model="gpt-4o-mini", base_url=base_url, api_key="none")
    )
    vectors = import_module("ragas.embeddings").LangchainEmbeddingsWrapper(
        openai.OpenAIEmbeddings(model="v", base_url=base_url, api_key="none", check_embedding_ctx_length=False)
    )
    kinds = {
        "_faithfulness": "Faithfulness",
        "_answer_relevance": "AnswerRelevancy",
        "_context_precision": "ContextPrecision",
        "_context_recall": "ContextRecall",
    }
    rows = [data.SingleTurnSample(**_ragas_row(sample)) for sample in given]
    result = await asyncio.to_thread(
        ragas.evaluate,
        data.EvaluationDataset(samples=rows),
        metrics=[getattr(import_module(f"ragas.metrics.{module}"), name)() for module, name in kinds.items()],
        llm=model,
        embeddings=vectors,
        show_progress=False,
    )
    return sum(not math.isnan(value) for row in result.scores for value in row.values())


async def ragas_collections(base_url: str, given: Sequence[Sample]) -> int:
    client = import_module("openai").AsyncOpenAI(base_url=base_url, api_key="none")
    model = import_module("ragas.llms").llm_factory("gpt-4o-mini", client=client)
    vectors = import_module("ragas.embeddings.base").embedding_factory("openai", model="v", client=client)
    kinds = import_module("ragas.metrics.collections")
    metrics: list[tuple[Any, tuple[str, ...]]] = [
        (kinds.Faithfulness(llm=model), ("user_input", "response", "retrieved_contexts")),
        (kinds.AnswerRelevancy(llm=model, embeddings=vectors), ("user_input", "response")),
        (kinds.ContextPrecisionWithReference(llm=model), ("user_input", "reference", "retrieved_contexts")),
        (kinds.ContextRecall(llm=model), ("user_input", "retrieved_contexts", "reference")),
    ]
    rows = [_ragas_row(sample) for sample in given]
    asked = [metric.ascore(**{name: row[name] for name in names}) for row in rows for metric, names in metrics]
    found = await _bounded(asked)
    return sum(result.value == result.value for result in found)


async def deepeval(base_url: str, given: Sequence[Sample]) -> int:
    kinds, cases = import_module("deepeval.metrics"), import_module("deepeval.test_case")
    model = import_module("deepeval.models").GPTModel(model="gpt-4o-mini", base_url=base_url, api_key="none")
    names = ("FaithfulnessMetric", "AnswerRelevancyMetric", "ContextualPrecisionMetric", "ContextualRecallMetric")
    made = [
        cases.LLMTestCase(
            input=sample.question,
            actual_output=sample.answer,
            expected_output=sample.reference,
            retrieval_context=list(sample.contexts),
        )
        for sample in given
    ]
    asked = [
        getattr(kinds, name)(model=model).a_measure(case, _show_indicator=False) for case in made for name in names
    ]
    return sum(score is not None for score in await _bounded(asked))


async def bare(base_url: str, bodies: Sequence[Mapping[str, Any]]) -> int:
    client = import_module("openai").AsyncOpenAI(base_url=base_url, api_key="none", max_retries=0)
    asked = [
        client.chat.completions.create(**body) if "messages" in body else client.embeddings.create(**body)
        for body in bodies
    ]
    return len(await _bounded(asked))


async def _bounded(work: Iterable[Awaitable[Any]]) -> list[Any]:
    gate = asyncio.Semaphore(IN_FLIGHT)

    async def one(part: Awaitable[Any]) -> Any:
        async with gate:
            return await part

    return await asyncio.gather(*(one(part) for part in work))


def _ragas_row(sample: Sample) -> dict[str, Any]:
    return {
        "user_input": sample.question,
        "response": sample.answer,
        "reference": sample.reference,
        "retrieved_contexts": list(sample.contexts),
    }


RUNS: Mapping[str, Run] = {
    "ours": ours,
    "ours-httpx": ours_httpx,
    "ragas-legacy": ragas_legacy,
    "ragas-collections": ragas_collections,
    "deepeval": deepeval,
}


def record(given: Sequence[Sample], path: Path) -> None:
    """Write every request that legacy Ragas makes for the samples."""
    with FakeOpenAI(legacy_reply) as server:
        asyncio.run(ragas_legacy(server.base_url, given))
        path.write_text(json.dumps([dict(request.body) for request in server.requests]))


async def measured(warm: Callable[[], Awaitable[int]], run: Callable[[], Awaitable[int]]) -> dict[str, float]:
    await warm()  # imports, connections
    cpu, start = time.process_time(), time.perf_counter()
    scores = await run()
    return {"wall s": time.perf_counter() - start, "CPU s": time.process_time() - cpu, "scores": scores}


def main() -> None:
    os.environ.update(RAGAS_DO_NOT_TRACK="true", DEEPEVAL_TELEMETRY_OPT_OUT="YES", OPENAI_API_KEY="none")
    warnings.simplefilter("ignore")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", choices=[*RUNS, "record", "bare"])
    parser.add_argument("base_url")
    parser.add_argument("samples", type=int)
    parser.add_argument("--bodies", type=Path)
    arguments = parser.parse_args()
    url = str(arguments.base_url)
    given = samples(arguments.samples + 1)
    if arguments.run == "record":
        record(given[1:], arguments.bodies)
        return
    if arguments.run == "bare":
        bodies = cast("list[dict[str, Any]]", json.loads(arguments.bodies.read_text()))
        found = asyncio.run(measured(lambda: bare(url, bodies[:4]), lambda: bare(url, bodies)))
    else:
        run = RUNS[arguments.run]
        found = asyncio.run(measured(lambda: run(url, given[:1]), lambda: run(url, given[1:])))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
