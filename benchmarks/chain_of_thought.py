"""Reading answers out of recorded model outputs: our extraction against the authors' and the published figures.

    python benchmarks/chain_of_thought.py --json benchmarks/results/chain_of_thought.json
    python benchmarks/chain_of_thought.py --logs zero_shot_cot/log

The zero-shot-CoT logs hold what GPT-3 wrote with and without "Let's think step by step" (Kojima et al. 2022).
The copy in the data has the first 200 rows of each log; `--logs` reads whole ones, as they lie in the authors'
repository (github.com/kojima-takeshi188/zero_shot_cot), those of the folder that are there. What is compared row by
row is our reading with the authors' own of the very same replies: how far apart they are in points, and who is
right where they differ, that is, whose reading equals the true answer as a number. The authors take the first
number of a reply; "rule" is that rule with our reading of numbers. From 200 rows follows what our reading would
give on the full log: the published figure and the difference on the rows, with its 95 % interval.

The GSM8K solutions (Cobbe et al. 2021) are full, each with the authors' word on its correctness.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
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
RECORD = re.compile(r"^pred_before : (.*?)\npred_after : (.*?)\n.*?^GT : (.*?)$", re.DOTALL | re.MULTILINE)
SYSTEMS = {"6b_finetuning": 21.7, "6b_verification": 39.0, "175b_finetuning": 34.7, "175b_verification": 56.3}


@dataclass(frozen=True, slots=True)
class Row:
    """Per cent right of one log, by our reading and by the authors' of the same replies, and as published of all.

    Attributes:
        rule: By the authors' rule, the first number, with our reading of numbers.
        ours_alone: Replies that only our reading finds right.
        authors_alone: Replies that only the authors' reading finds right.
    """

    name: str
    rows: int
    ours: float
    rule: float
    authors: float
    published: float
    ours_alone: int
    authors_alone: int

    @property
    def expected(self) -> tuple[float, float]:
        """Our reading on the full log, in per cent, and half the width of its 95 % interval.

        The published figure is known; only the difference of the two readings has to be estimated. Half a reply is
        added to each cell of the table, so that no difference seen is not none for sure (Agresti and Min 2005).
        """
        ours, authors, rows = self.ours_alone + 0.5, self.authors_alone + 0.5, self.rows + 2
        deviation = (ours + authors - (ours - authors) ** 2 / rows) ** 0.5 / rows
        return self.published + self.ours - self.authors, 196 * deviation


def lines(path: Path) -> Iterator[Mapping[str, object]]:
    with path.open(encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


@dataclass(frozen=True, slots=True)
class Reading:
    """Whether one reply is read right: by us, by the authors' rule with our reading of numbers, by the authors."""

    ours: bool
    rule: bool
    authors: bool


def row(name: str, published: float, readings: Sequence[Reading]) -> Row:
    """Return the figures of one log."""
    count = len(readings)
    ours, rule = sum(reading.ours for reading in readings), sum(reading.rule for reading in readings)
    authors = sum(reading.authors for reading in readings)
    both = sum(reading.ours and reading.authors for reading in readings)
    shares = [100 * right / count for right in (ours, rule, authors)]
    return Row(name, count, shares[0], shares[1], shares[2], published, ours - both, authors - both)


def is_right(reply: str, kind: AnswerKind, truth: str) -> bool:
    """Return whether our reading of a reply is the true answer."""
    read = read_answer(reply, kind)
    return read is not None and normalised(read) == normalised(truth)


def replies(log: str, whole: Path | None) -> Iterator[tuple[str, str, str]]:
    """Yield of each row the reply, the authors' reading and the truth."""
    if whole is not None:
        for match in RECORD.finditer((whole / f"{log}.log").read_text("utf-8")):
            yield match.group(1), match.group(2), match.group(3)
        return
    for line in lines(DATA / "zero-shot-cot-logs" / f"{log}.jsonl"):
        yield str(line["pred_before"]), str(line["pred_after"]), str(line["ground_truth"])


def recorded(log: str, kind: AnswerKind, published: float, whole: Path | None, show: bool) -> Row:
    """Return the figures of one log."""
    readings: list[Reading] = []
    for reply, theirs, truth in replies(log, whole):
        first = is_right(reply.replace("=", ";"), kind, truth)  # ours prefers what stands behind an equals sign
        reading = Reading(is_right(reply, kind, truth), first, theirs == truth)
        readings.append(reading)
        if show and reading.ours != reading.authors:
            print(f"{log}: {reply.strip()!r}: the truth is written {truth!r}, the authors read {theirs!r}")
            print(f"    ours {read_answer(reply, kind)!r}: {'ours' if reading.ours else 'authors'} right")
    return row(log, published, readings)


def solutions(system: str, published: float) -> Row:
    """Return the figures of one system on GSM8K."""
    readings: list[Reading] = []
    for line in lines(DATA / "gsm8k-solutions" / "data.jsonl"):
        solution, truth = cast("Mapping[str, object]", line[system]), str(line["ground_truth"])
        reply = str(solution["solution"]).rpartition("\nA:")[2]
        first = is_right(reply.replace("=", ";"), "number", truth)
        readings.append(Reading(is_right(reply, "number", truth), first, bool(solution["is_correct"])))
    return row(system, published, readings)


def argue(table: Sequence[Row]) -> None:
    """Print the figures and what they say of our reading."""
    print(f"{'':32}{'':6}{'per cent right':^33}{'right alone':^16}{'ours on':>12}")
    heads = f"{'ours':>8}{'rule':>6}{'authors':>9}{'published':>10}{'ours':>8}{'authors':>8}{'all rows':>14}"
    print(f"{'log':32}{'rows':>6}{heads}")
    for each in table:
        figure, half = each.expected
        print(
            f"{each.name:32}{each.rows:6}{each.ours:8.1f}{each.rule:6.1f}{each.authors:9.1f}{each.published:10.1f}"
            f"{each.ours_alone:8}{each.authors_alone:8}{figure:8.1f} +-{half:4.1f}"
        )
    apart = [each for each in table if abs(each.ours - each.authors) > MOST_POINTS_APART]
    print(f"within a point of the authors' reading: {len(table) - len(apart)} of {len(table)} logs")
    for each in apart:
        print(
            f"  apart: {each.name}, {each.ours - each.authors:+.1f} points: ours alone is right on {each.ours_alone} "
            f"replies, theirs alone on {each.authors_alone} (--show prints them)"
        )
    ours, authors = sum(each.ours_alone for each in table), sum(each.authors_alone for each in table)
    print(f"where the readings differ ours is right on {ours} replies, theirs on {authors}")
    outside = [each.name for each in table if abs(each.expected[0] - each.published) > max(each.expected[1], 1.0)]
    print(f"published figures that our reading would miss on all rows, beyond a point and chance: {outside or 'none'}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--show", action="store_true", help="print the replies that are read differently")
    parser.add_argument("--logs", type=Path, help="a folder of whole logs, the authors' `log`")
    parser.add_argument("--json", type=Path, help="write the figures there")
    arguments = parser.parse_args()
    if arguments.logs is None and not DATA.is_dir():
        sys.exit("the recorded outputs are not there: ../shared/data")
    logs: list[tuple[str, AnswerKind, float]] = [
        (f"{task}_{method}", kind, figure)
        for task, (kind, plain, chained) in PUBLISHED.items()
        for method, figure in (("zero_shot", plain), ("zero_shot_cot", chained))
        if arguments.logs is None or (arguments.logs / f"{task}_{method}.log").is_file()
    ]
    if not logs:
        sys.exit(f"{arguments.logs} has none of the logs: give the folder `log` of the authors' repository")
    table = [recorded(log, kind, figure, arguments.logs, arguments.show) for log, kind, figure in logs]
    if arguments.logs is None:
        table += [solutions(system, published) for system, published in SYSTEMS.items()]
    argue(table)
    if arguments.json:
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(json.dumps([asdict(each) for each in table], indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
