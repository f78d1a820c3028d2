"""How long a cold `import llmopt` takes beside `import openai`, and what it loads.

    python benchmarks/import_time.py --json benchmarks/results/import_time.json

Every import runs in a process of its own, in turns, bytecode compiled beforehand; figures are medians of the
whole process less that of an empty Python. Target: at most a third of `import openai`.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

STATEMENTS = {
    "empty": "pass",
    "import numpy, pydantic": "import numpy, pydantic",
    "import llmopt": "import llmopt",
    "import openai": "import openai",
}
TARGET = 1 / 3


def seconds_of(statement: str) -> float:
    """Run the statement in a fresh interpreter and return its wall time."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", statement], check=True, env=environment)
    return time.perf_counter() - started


def main() -> None:
    """Measure, print a table, and write it as JSON where asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    for statement in STATEMENTS.values():
        seconds_of(statement)
    times: dict[str, list[float]] = {name: [] for name in STATEMENTS}
    for _ in range(arguments.runs):
        for name, statement in STATEMENTS.items():
            times[name].append(seconds_of(statement))
    floor = statistics.median(times["empty"])
    medians = {name: statistics.median(runs) - floor for name, runs in times.items() if name != "empty"}
    for name, seconds in medians.items():
        spread = f"{min(times[name]) - floor:.3f}-{max(times[name]) - floor:.3f}"
        print(f"{name:24} {seconds:6.3f} s  ({spread})  {seconds / medians['import openai']:.2f} of openai")
    ratio = medians["import llmopt"] / medians["import openai"]
    print(f"import llmopt / import openai: {ratio:.2f}, target at most {TARGET:.2f}")
    if arguments.json:
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(json.dumps({"seconds": medians, "ratio": ratio, "target": TARGET}, indent=1))


if __name__ == "__main__":
    main()
