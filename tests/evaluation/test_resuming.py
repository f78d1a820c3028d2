"""A run that is killed at any moment is taken up again and pays for nothing twice but what was in flight."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("resumed_run.py")
SAMPLES = 40
CALLS = SAMPLES * 4
CONCURRENCY = 8


def start(folder: Path, seconds: float = 0.01) -> subprocess.Popen[str]:
    command = [sys.executable, str(SCRIPT), str(folder), str(SAMPLES), str(seconds)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ended(folder: Path) -> Counter[str]:
    lines = (folder / "calls").read_text().splitlines() if (folder / "calls").exists() else []
    return Counter(line.split()[1] for line in lines if line.startswith("ended"))


def stop(folder: Path, after: int, how: signal.Signals) -> subprocess.Popen[str]:
    """Start a run and stop it once so many calls have ended."""
    process = start(folder)
    deadline = time.monotonic() + 60
    while sum(ended(folder).values()) < after and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.002)
    process.send_signal(how)
    process.communicate(timeout=60)
    return process


@pytest.mark.parametrize("seed", [1, 2])
def test_a_run_killed_again_and_again_repeats_only_what_was_in_flight(tmp_path: Path, seed: int) -> None:
    moments = random.Random(seed)
    kills = 0
    for _ in range(3):
        before = sum(ended(tmp_path).values())
        process = stop(tmp_path, before + moments.randrange(1, 35), signal.SIGKILL)
        kills += process.returncode == -signal.SIGKILL
    assert kills == 3
    whole = start(tmp_path)
    out, errors = whole.communicate(timeout=60)
    assert whole.returncode == 0, errors
    assert out.split() == [str(CALLS), "0.5", str(SAMPLES), "1.0", str(SAMPLES)]
    counts = ended(tmp_path)
    assert len(counts) == CALLS
    # A reply that was handed back an instant before the kill may not have reached the file.
    assert sum(counts.values()) - CALLS <= kills * CONCURRENCY
    once_more = start(tmp_path)
    assert once_more.communicate(timeout=60)[0] == out
    assert sum(ended(tmp_path).values()) == sum(counts.values())


def test_ctrl_c_ends_a_run_and_keeps_what_was_finished(tmp_path: Path) -> None:
    process = stop(tmp_path, 40, signal.SIGINT)
    assert process.returncode not in {0, -signal.SIGKILL}
    finished = sum(ended(tmp_path).values())
    assert 40 <= finished < CALLS
    whole = start(tmp_path)
    out, errors = whole.communicate(timeout=60)
    assert whole.returncode == 0, errors
    assert out.split()[2] == str(SAMPLES)
    assert sum(ended(tmp_path).values()) - CALLS <= CONCURRENCY


def test_a_second_process_is_kept_out(tmp_path: Path) -> None:
    first = start(tmp_path, seconds=600.0)  # it cannot end before the second one has begun
    try:
        deadline = time.monotonic() + 60
        while not (tmp_path / "calls").exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        second = start(tmp_path)
        _, errors = second.communicate(timeout=60)
        assert second.returncode != 0
        assert "another run is using it" in errors
    finally:
        first.kill()
        first.communicate()
