"""Whether the order of the passages in a prompt matters to a model: any that an OpenAI-compatible server offers.

    python benchmarks/reading_order.py --base-url http://127.0.0.1:8080/v1 --model NAME --first 30

Questions spread over XQuAD-en (Artetxe et al. 2020), the first eight paragraphs by BM25 in the prompt of `Grounded`,
answers by whole pipelines: as ranked, and by `ReadingOrder`. Right is an answer that holds the true one, both
normalised. Gains are paired, with their 95 % interval.
"""

from __future__ import annotations

import argparse

from retrieval import DATA, collection, lines_of, mean
from serving import add_server_arguments, served

from llmopt._stats import paired_difference
from llmopt.evaluation import Evaluator, metric
from llmopt.pipeline import Pipeline
from llmopt.prompting import Grounded, normalised
from llmopt.reranking import ReadingOrder
from llmopt.retrieval import BM25
from llmopt.types import Options, Sample

PASSAGES, IN_FLIGHT = 8, 1


@metric(needs={"answer", "reference"})
def holds_the_truth(sample: Sample) -> float:
    """Return 1 for an answer that holds the true one."""
    return float(normalised(sample.reference or "") in normalised(sample.answer))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    add_server_arguments(parser)
    parser.add_argument("--first", type=int, default=30, help="questions")
    arguments = parser.parse_args()
    rows = lines_of(DATA / "xquad-en" / "qa.jsonl")
    rows = rows[:: max(1, len(rows) // arguments.first)][: arguments.first]
    samples = [Sample(question=row["question"], id=row["id"], reference=row["ground_truth"]) for row in rows]
    ranked = Pipeline(
        model=served(arguments),
        prompt=Grounded(options=Options(temperature=0, max_tokens=60)),
        retriever=BM25().index(collection("xquad-en", "test").documents),
        k=PASSAGES,
    )
    evaluator = Evaluator([holds_the_truth], concurrency=IN_FLIGHT)
    print(f"XQuAD-en, {len(samples)} questions, {PASSAGES} paragraphs each; model: {arguments.model}")
    base: list[float] = []
    for name, pipeline in (("as ranked", ranked), ("ReadingOrder", ranked.but(reranker=ReadingOrder(k=PASSAGES)))):
        report = evaluator.run(samples, pipeline=pipeline)
        right = [float(row.scores["holds_the_truth"].value or 0.0) for row in report.rows]
        base = base or right
        gain = "" if right is base else f"  {paired_difference(base, right)}"
        print(f"{name:16}{mean(right):7.3f}{gain}", flush=True)


if __name__ == "__main__":
    main()
