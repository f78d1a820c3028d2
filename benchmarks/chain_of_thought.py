"""Reading answers out of recorded model outputs: our extraction against the authors' and the published figures.

The zero-shot-CoT logs hold what GPT-3 wrote with and without "Let's think step by step" (Kojima et al. 2022);
the copy has the first 200 rows of each log, so the published figures, which are of the full logs, stand beside
those of the authors' own extraction on the same rows. The GSM8K solutions (Cobbe et al. 2021) are full, each
with the authors' word on its correctness.

Where our reading and the authors' differ by more than a point the row says "apart"; `--show` prints such
replies. On GSM8K they are three in 200 that are right and that the authors' comparison of texts calls wrong:
"40,000" where the truth is written "40000", and sums written out, whose result stands behind the equals sign.

    python benchmarks/chain_of_thought.py --json benchmarks/results/chain_of_thought.json
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import cast

from llmopt.prompting import normalised, read_answer
from llmopt.prompting.answers import AnswerKind

DATA = Path(__file__).parents[2] / "shared" / "data"
MOST_POINTS_APART = 1.0
# Per cent of the full logs, as the authors published or as their extraction gives on them.
PUBLISHED: dict[str, tuple[AnswerKind, float, float]] = {
    "gsm8k": ("number", 10.4, 40.7),
    "multiarith": ("number", 17.7, 78.7),
    "addsub": ("number", 72.2, 69.6),
    "singleeq": ("number", 74.6, 78.0),
    "svamp": ("number", 58.8, 62.1),
    "aqua": ("choice", 22.4, 33.5),
    "commonsensqa": ("choice", 68.8, 64.6),
    "coin_flip": ("yes_no", 12.8, 91.4),
    "strategyqa": ("yes_no", 12.7, 54.8),
}
SYSTEMS = {"6b_finetuning": 21.7, "6b_verification": 39.0, "175b_finetuning": 34.7, "175b_verification": 56.3}


@dataclass(frozen=True, slots=True)
class Row:
    """Per cent right: by our reading, by the authors' on the same rows, and as published of all rows."""

    name: str
    rows: int
    ours: float
    authors: float
    published: float
    disagree: int


def lines(path: Path) -> Iterator[Mapping[str, object]]:
    with path.open(encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


def recorded(task: str, method: str, kind: AnswerKind, published: float, show: bool) -> Row:
    """Return the figures of one log."""
    ours = authors = disagree = rows = 0
    for line in lines(DATA / "zero-shot-cot-logs" / f"{task}_{method}.jsonl"):
        truth = normalised(str(line["ground_truth"]))
        read = read_answer(str(line["pred_before"]), kind)
        mine, theirs = read is not None and normalised(read) == truth, line["pred_after"] == line["ground_truth"]
        rows, ours, authors, disagree = rows + 1, ours + mine, authors + theirs, disagree + (mine != theirs)
        if show and mine != theirs:
            print(
                f"{task}: {line['pred_before']!r} read as {read!r}, by the authors as {line['pred_after']!r}; {truth=}"
            )
    return Row(f"{task} {method}", rows, 100 * ours / rows, 100 * authors / rows, published, disagree)


def solutions(system: str, published: float) -> Row:
    """Return the figures of one system on GSM8K."""
    ours = authors = disagree = rows = 0
    for line in lines(DATA / "gsm8k-solutions" / "data.jsonl"):
        solution = cast("Mapping[str, object]", line[system])
        read = read_answer(str(solution["solution"]).rpartition("\nA:")[2], "number")
        mine = read is not None and normalised(read) == normalised(str(line["ground_truth"]))
        theirs = bool(solution["is_correct"])
        rows, ours, authors, disagree = rows + 1, ours + mine, authors + theirs, disagree + (mine != theirs)
    return Row(system, rows, 100 * ours / rows, 100 * authors / rows, published, disagree)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--show", action="store_true", help="print the replies that are read differently")
    parser.add_argument("--json", type=Path, help="write the figures there")
    arguments = parser.parse_args()
    if not DATA.is_dir():
        sys.exit("the recorded outputs are not there: ../shared/data")
    table = [
        recorded(task, method, kind, figure, arguments.show)
        for task, (kind, plain, chained) in PUBLISHED.items()
        for method, figure in (("zero_shot", plain), ("zero_shot_cot", chained))
    ]
    table += [solutions(system, published) for system, published in SYSTEMS.items()]
    print(f"{'log':32}{'rows':>6}{'ours':>8}{'authors':>9}{'published':>11}{'disagree':>10}")
    for row in table:
        print(
            f"{row.name:32}{row.rows:6}{row.ours:8.1f}{row.authors:9.1f}{row.published:11.1f}{row.disagree:10}"
            f"{'' if abs(row.ours - row.authors) <= MOST_POINTS_APART else '  apart'}"
        )
    if arguments.json:
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(json.dumps([asdict(row) for row in table], indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
