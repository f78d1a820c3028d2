"""What prompt strategies bring on GSM8K, with a real model: any that an OpenAI-compatible server offers.

    python benchmarks/strategies.py --base-url http://127.0.0.1:8080/v1 --model NAME --first 60

The first problems of GSM8K's test split (Cobbe et al. 2021), exact match of the number. The examples that few-shot
prompting shows are the split's last problems with the solutions that people wrote; none of them is asked. Every
strategy answers the same problems, so that its gain over `Direct`, which replies with the number alone, is paired
(95 % interval). A small model is not a large one: the table is true of the model that its head names.
"""

from __future__ import annotations

import argparse
import re

from retrieval import DATA, lines_of, mean
from serving import add_server_arguments, served

from llmopt._stats import paired_difference
from llmopt.evaluation import Evaluator, ExactMatch
from llmopt.interfaces import PromptStrategy
from llmopt.pipeline import Pipeline
from llmopt.prompting import ChainOfThought, Direct, FewShot, ReAct, SelfConsistency, Shot, Tool
from llmopt.retrieval import BM25
from llmopt.types import Options, Sample

EXAMPLES, IN_FLIGHT = 200, 4
CALCULATION = re.compile(r"<<.*?>>")
SUM = re.compile(r"[\d\s.+*/()-]{1,200}")
BRIEF = "Solve the problem. Reply with the number only, without a unit and without an explanation."


def calculate(expression: str) -> float:
    """Return what an arithmetic expression comes to.

    Args:
        expression: Numbers, + - * / and brackets, for example "(16 - 3) * 2".
    """
    if SUM.fullmatch(expression) is None or "**" in expression:
        raise ValueError("only numbers, + - * / and brackets")
    return float(eval(expression, {"__builtins__": {}}))  # nothing but digits and signs gets here


def problems(first: int) -> tuple[list[Sample], list[Shot]]:
    """Return the problems that are asked, and the examples."""
    rows = lines_of(DATA / "gsm8k-solutions" / "data.jsonl")
    asked = [Sample(question=row["question"], id=row["id"], reference=row["ground_truth"]) for row in rows[:first]]
    shots: list[Shot] = []
    for row in rows[-EXAMPLES:]:
        solution, _, answer = CALCULATION.sub("", row["ground_truth_solution"]).rpartition("\nA:")
        shots.append(Shot(row["question"], f"{solution}\nAnswer: {answer.strip()}"))
    return asked, shots


def strategies(shots: list[Shot]) -> dict[str, PromptStrategy]:
    """Return what is compared."""
    greedy = Options(temperature=0, max_tokens=400)
    direct = Direct(instructions=BRIEF, options=greedy)
    plain = Direct(options=greedy)
    thinking = ChainOfThought(plain, kind="number")
    return {
        "Direct": direct,
        "FewShot(Direct), 4": FewShot(direct, [Shot(shot.question, answer_of(shot)) for shot in shots[:4]]),
        "ChainOfThought": thinking,
        "ChainOfThought(FewShot), 4": ChainOfThought(FewShot(plain, shots[:4]), kind="number"),
        "ReAct, calculator": ReAct([Tool(calculate)], direct, fallback=thinking),
        "SelfConsistency(3)": SelfConsistency(thinking, samples=3, kind="number"),
        "ChainOfThought, 2 calls": ChainOfThought(plain, kind="number", calls=2),
        "ChainOfThought, nearest 4": ChainOfThought(FewShot(plain, shots, retriever=BM25()), kind="number"),
    }


def answer_of(shot: Shot) -> str:
    return shot.answer.rpartition("Answer: ")[2]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    add_server_arguments(parser)
    parser.add_argument("--first", type=int, default=60, help="problems")
    parser.add_argument("--only", default="", help="part of the names of what is measured beside `Direct`")
    arguments = parser.parse_args()
    samples, shots = problems(arguments.first)
    model = served(arguments)
    evaluator = Evaluator([ExactMatch()], concurrency=IN_FLIGHT)
    print(f"GSM8K, {len(samples)} problems; model: {arguments.model}")
    print(f"{'':28}{'right':>7}{'failed':>8}{'calls':>7}{'tokens':>8}  gain over Direct")
    base: list[float] = []
    for name, strategy in strategies(shots).items():
        if base and arguments.only not in name:
            continue
        report = evaluator.run(samples, pipeline=Pipeline(model=model, prompt=strategy))
        right = [float(row.scores["exact_match"].value or 0.0) for row in report.rows]
        base = base or right
        failed = sum(row.run is None or bool(row.run.failure) for row in report.rows)
        used = [row.run.spent.usage for row in report.rows if row.run is not None]
        calls, tokens = sum(one.calls for one in used), sum(one.input_tokens + one.output_tokens for one in used)
        gain = "" if right is base else f"  {paired_difference(base, right)}"
        count = len(samples)
        print(f"{name:28}{mean(right):7.3f}{failed:8}{calls / count:7.1f}{tokens / count:8.0f}{gain}", flush=True)


if __name__ == "__main__":
    main()
