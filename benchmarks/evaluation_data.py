"""The samples of the evaluation benchmarks: random words, the same at every run."""

from __future__ import annotations

import random
import re

from llmopt.types import Sample

CONTEXTS = 4
_WORDS = re.findall(r"\w+", "the rain falls on the old town in spring while people walk home under trees and lamps")


def samples(count: int) -> list[Sample]:
    """Return samples of 4 contexts of about 450 characters."""
    chance = random.Random(0)

    def text(words: int) -> str:
        return " ".join(chance.choice(_WORDS) for _ in range(words)) + "."

    return [
        Sample(
            question=f"What about case {number}: {text(10)}",
            answer=f"{text(20)} {text(20)}",
            contexts=[text(90) for _ in range(CONTEXTS)],
            reference=text(25),
        )
        for number in range(count)
    ]
