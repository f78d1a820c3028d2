"""Verdicts on real fine-tuning files beside labels that were computed without llmopt.

    python benchmarks/finetune_files.py

Reads ../shared/data/ft-files-dev: 51 files found in the wild and official samples. Prints for each file
whether it is valid for supervised fine-tuning, the label's verdict, the line of the first fault, and argues
every disagreement. Exit code 1 when a disagreement is not argued or an invalid file has no line.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

from llmopt.finetuning import CheckReport, check_file

FOLDER = Path(__file__).resolve().parents[2] / "shared" / "data" / "ft-files-dev"
ARGUED: Mapping[str, str] = {
    "hiyouga__LLaMA-Factory__data__reason_tool_use_demo_50.jsonl": (
        "The labels do not look into content parts. Here every part has its text under `value`, with types such as "
        "`reasoning` and `tool_call`, `tools` is a string, and tool messages name no call: LLaMA-Factory's own format, "
        "which OpenAI's API does not take."
    ),
}
NO_LABEL = "no label: a JSON list is no JSONL, whatever is in it"


def words_of(report: CheckReport) -> str:
    found = {rule: count for rule, count in report.counts.items() if any(e.rule == rule for e in report.errors)}
    return ", ".join(f"{rule} {count}" for rule, count in found.items()) or "-"


def main() -> int:
    if not FOLDER.is_dir():
        print(f"skipped: {FOLDER} is not there")
        return 0
    agreed = labelled = bad = 0
    for text in (FOLDER / "labels.jsonl").read_text("utf-8").splitlines():
        label = json.loads(text)
        name, expected = label["file"], label.get("valid_openai_chat")
        report = check_file(FOLDER / "files" / name, method="supervised")
        print(f"{'valid' if report.ok else 'invalid':8} first fault {report.first_fault or '-':>4}  {name}")
        print(f"{'':27}{words_of(report)}")
        bad += not report.ok and report.first_fault is None
        if expected is None:
            print(f"{'':27}{NO_LABEL}")
            bad += report.ok
            continue
        labelled += 1
        agreed += expected == report.ok
        if expected != report.ok:
            bad += name not in ARGUED
            print(f"{'':27}DISAGREES with the label. {ARGUED.get(name, 'NOT ARGUED')}")
            for rule in report.counts:  # what the argument rests on: the first finding of each rule
                print(f"{'':29}{next(finding for finding in report.findings if finding.rule == rule)}")
        if (line := label.get("first_bad_line")) not in (None, report.first_fault):
            bad += 1
            print(f"{'':27}the label's first broken line is {line}")
    print(f"{agreed} of {labelled} labelled files agree, {labelled - agreed} disagreements, {bad} not explained")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
