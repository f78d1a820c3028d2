"""How fast fine-tuning files are checked, and in how much memory.

    python benchmarks/finetune_validation_speed.py [megabytes]

Writes files of that size (default 100; 1000 shows that the memory stays bounded) of four kinds, checks each
by the structural rules alone and with its contents, and prints MB/s beside what the plain parsing of the
same lines by `json.loads` reaches on the same machine. Time is that of the processor, so that a busy machine changes
little.
"""

from __future__ import annotations

import json
import random
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from llmopt.finetuning import check_file

SENTENCE = "the model answers a question of the user about the order that came late and was never paid back"
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": f"look_up_{number}",
            "description": "Look an order up by its number and return its state.",
            "parameters": {"type": "object", "properties": {"number": {"type": "string"}}, "required": ["number"]},
        },
    }
    for number in range(3)
]


def records(kind: str) -> Iterator[dict[str, object]]:
    chance = random.Random(0)

    def text(words: int) -> str:
        return " ".join(chance.choices(SENTENCE.split(), k=words)) + f" {chance.randrange(10**9)}"

    while True:
        asked: list[dict[str, object]] = [
            {"role": "system", "content": "You are a helpful clerk."},
            {"role": "user", "content": text(30 if kind != "long chats" else 400)},
        ]
        answer: dict[str, object] = {"role": "assistant", "content": text(60 if kind != "long chats" else 800)}
        if kind == "pairs":
            other = {"role": "assistant", "content": text(40)}
            yield {"input": {"messages": asked}, "preferred_output": [answer], "non_preferred_output": [other]}
        elif kind == "tools":
            function = {"name": "look_up_1", "arguments": json.dumps({"number": text(1)})}
            call = {"id": "call_1", "type": "function", "function": function}
            turns = [
                *asked,
                {"role": "assistant", "content": None, "tool_calls": [call]},
                {"role": "tool", "tool_call_id": "call_1", "content": text(10)},
                answer,
            ]
            yield {"messages": turns, "tools": TOOLS}
        else:
            yield {"messages": [*asked, answer]}


def write(path: Path, kind: str, megabytes: int) -> None:
    size = 0
    with path.open("w", encoding="utf-8") as file:
        for record in records(kind):
            size += file.write(json.dumps(record) + "\n")
            if size >= megabytes * 1_000_000:
                return


def plain(path: Path) -> None:
    with path.open("rb") as file:
        for line in file:
            json.loads(line)


def main() -> None:
    megabytes = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    print(f"{megabytes} MB per file; MB/s: json.loads alone, structural rules, structural rules and contents")
    with tempfile.TemporaryDirectory() as folder:
        for kind in ("chats", "long chats", "tools", "pairs"):
            path = Path(folder) / "train.jsonl"
            write(path, kind, megabytes)
            rates: list[float] = []
            peaks: list[int] = []
            for work in (
                lambda path=path: plain(path),
                lambda path=path: check_file(path, contents=False, most_megabytes=10_000),
                lambda path=path: check_file(path, most_megabytes=10_000),
            ):
                started = time.process_time()
                report = work()
                rates.append(path.stat().st_size / 1e6 / (time.process_time() - started))
                peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
                if report is not None and not report.ok:
                    raise SystemExit(f"the file should be valid: {report}")
            shown = "  ".join(f"{rate:6.1f}" for rate in rates)
            print(f"{kind:12} {shown}   peak MiB so far {peaks[0]}, {peaks[1]}, {peaks[2]}")


if __name__ == "__main__":
    main()
