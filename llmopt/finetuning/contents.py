"""What a set of examples teaches as a whole: duplicates, conflicts, leaks, balance, length."""

from __future__ import annotations

import json
import math
import random
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from .._tokens import count_messages
from .leaks import Questions
from .raw import Record, as_list, as_record, content_text
from .report import AnswerShare, Finding, Lengths
from .similar import Shingles, near_pairs, shingles

__all__ = ["EXACT_LIMIT", "NEAR_LIMIT", "Contents", "Taught", "Tokens", "taught", "token_count"]

EXACT_LIMIT = 500_000
"""Examples among which exact duplicates and conflicts are looked for; it bounds the memory."""
NEAR_LIMIT = 10_000
"""Examples among which near-duplicates are looked for."""
_NEAR, _NEAR_LEAK = 0.8, 0.75
_SAMPLED = 1_000
_SHORT_ANSWER = 60
_MOST_ANSWERS = 10_000
_ONE_ANSWER = 0.6


@dataclass(frozen=True, slots=True)
class Taught:
    """What a record asks and what it answers."""

    system: str
    asked: str
    answer: str


@dataclass(frozen=True, slots=True)
class Tokens:
    """Tokens of all examples, their lengths, and whether every one was counted by the vocabulary."""

    total: int
    lengths: Lengths
    exact: bool


def taught(record: Record) -> Taught:
    """Return what a chat or a preference pair teaches; tool calls count by their JSON."""
    given = as_record(record.get("input"))
    turns = [as_record(turn) for turn in as_list(given.get("messages") if given else record.get("messages"))]
    last = as_record(None)
    if given:
        last = as_record(next(iter(as_list(record.get("preferred_output"))), None))
    elif turns:
        last = turns.pop()
    systems = [_said(turn) for turn in turns if turn.get("role") in {"system", "developer"}]
    asked = [_said(turn) for turn in turns if turn.get("role") not in {"system", "developer"}]
    return Taught("\n".join(systems), "\n".join(asked), _said(last))


def _said(turn: Record) -> str:
    content = turn.get("content")
    text = content_text(content)
    if isinstance(content, list):  # two images with the same question are two questions
        pictures = [part for part in map(as_record, as_list(turn["content"])) if part.get("type") != "text"]
        text += json.dumps(pictures, sort_keys=True) if pictures else ""
    return f"{text}{json.dumps(turn['tool_calls'], sort_keys=True)}" if turn.get("tool_calls") else text


def token_count(record: Record, model: str | None) -> tuple[int, bool]:
    """Return the tokens of a record and whether they are exact; tools count by their JSON."""
    given = as_record(record.get("input"))
    source = given or record
    turns = [as_record(turn) for turn in as_list(source.get("messages"))]
    sides = (as_list(record.get(side)) for side in ("preferred_output", "non_preferred_output"))
    counted = count_messages([*turns, *(as_record(turn) for side in sides for turn in side)], model)
    tools = source.get("tools")
    if not tools:
        return counted.count, counted.exact
    written = count_messages([{"content": json.dumps(tools, ensure_ascii=False)}], model)
    return counted.count + written.count, False  # how providers put tools into words is not published


class Contents:
    """Takes the examples of a file one by one and tells in the end what is wrong with the whole.

    Memory: some 200 bytes for each of the first `EXACT_LIMIT` examples, some kilobytes for each of the
    first `NEAR_LIMIT`.

    Args:
        others: Names of other sets (validation, evaluation) and the questions in them, to find leaks.
        model: The model to be trained, for the token counts.
    """

    def __init__(self, others: Mapping[str, Iterable[str]], model: str | None) -> None:
        self._model = model
        self._lines: dict[int, int] = {}
        self._answers: dict[int, tuple[int, int]] = {}
        self._near: list[tuple[int, Shingles]] = []
        self._asked: list[Shingles] = []
        self._repeated: Counter[str] = Counter()
        self._others = Questions(others, inside=["evaluation"])
        self._sample: list[tuple[int, Record]] = []
        self._random = random.Random(0)
        self._seen = 0
        self._bytes = 0

    def add(self, line: int, record: Record, size: int) -> Iterator[Finding]:
        """Take an example and yield what can be said at once."""
        self._seen += 1
        self._bytes += size
        self._keep_sample(record, size)
        if self._seen > EXACT_LIMIT:
            return
        said = taught(record)
        if len(said.answer) <= _SHORT_ANSWER and (said.answer in self._repeated or len(self._repeated) < _MOST_ANSWERS):
            self._repeated[said.answer] += 1
        known = self._lines.setdefault(hash((said, str(record.get("non_preferred_output")))), line)
        if known != line:
            yield Finding.of("duplicate", line, f"it says the same as line {known}")
            return
        answer, at = self._answers.setdefault(hash((said.system, said.asked)), (hash(said.answer), line))
        if at != line and answer != hash(said.answer) and said.asked.strip():
            yield Finding.of("conflict", line, f"it gives another answer to the question of line {at}")
        leak = self._leak(line, said)
        if leak is not None:
            yield leak
        elif len(self._near) < NEAR_LIMIT:
            self._near.append((line, shingles(f"{said.asked}\n{said.answer}")))
            if self._others.known:
                self._asked.append(shingles(said.asked))

    def _leak(self, line: int, said: Taught) -> Finding | None:
        if not self._others.known:
            return None
        asked = self._others.asked_in(said.asked)
        if asked is not None and asked.place != "inside":
            how = "is" if asked.place == "whole" else "stands at an end of its prompt and is"
            return Finding.of("leak", line, f"the question {asked.question[:60]!r} {how} in the {asked.name} set, too")
        held = asked or (self._others.asked_in(said.system) if said.system else None)
        if held is None:
            return None
        return Finding.of("near-leak", line, f"its prompt holds {held.question[:60]!r} of the {held.name} set")

    def _keep_sample(self, record: Record, size: int) -> None:
        if len(self._sample) < _SAMPLED:
            self._sample.append((size, record))
        elif (place := self._random.randrange(self._seen)) < _SAMPLED:
            self._sample[place] = (size, record)

    def finish(self) -> Iterator[Finding]:
        """Yield what only the whole set shows."""
        if self._others.known:
            yield from self._near_leaks()
        for near in near_pairs([found for _, found in self._near], _NEAR):
            line, other = self._near[near.second][0], self._near[near.first][0]
            yield Finding.of("near-duplicate", line, f"it says nearly the same as line {other} ({near.likeness:.0%})")
        for share in self.answers()[:1]:
            if share.count > _ONE_ANSWER * self._seen and self._seen >= 10:
                yield Finding.of(
                    "one-answer", None, f"{share.count} of {self._seen} examples have the answer {share.answer!r}"
                )

    def _near_leaks(self) -> Iterator[Finding]:
        named = self._others.known[:NEAR_LIMIT]
        pool = [shingles(known.question) for known in named]
        for near in near_pairs([*pool, *self._asked], _NEAR_LEAK):
            if near.first < len(pool) <= near.second:
                known = named[near.first]
                line = self._near[near.second - len(pool)][0]
                what = f"its question is near one of the {known.name} set ({known.question[:60]!r})"
                yield Finding.of("near-leak", line, what)

    def answers(self) -> list[AnswerShare]:
        """Return the short answers that come more than once, the most frequent first."""
        ranked = sorted(self._repeated.items(), key=lambda item: (-item[1], item[0]))
        return [AnswerShare(answer, count) for answer, count in ranked[:20] if count > 1]

    def limits(self) -> Sequence[str]:
        """Return what was not looked at because there is so much."""
        limits: list[str] = []
        if self._seen > EXACT_LIMIT:
            limits.append(f"duplicates and conflicts beyond the first {EXACT_LIMIT:,} examples")
        if self._seen > NEAR_LIMIT:
            limits.append(f"near-duplicates beyond the first {NEAR_LIMIT:,} examples")
        return limits

    def tokens(self) -> Tokens | None:
        """Return the tokens: counted where there are up to 1,000 examples, else scaled from a sample of 1,000."""
        if not self._sample:
            return None
        counted = [token_count(record, self._model) for _, record in self._sample]
        counts = sorted(count for count, _ in counted)
        total, whole = sum(counts), self._seen <= _SAMPLED
        if not whole:
            total = round(total * self._bytes / max(1, sum(size for size, _ in self._sample)))
        lengths = Lengths(counts[len(counts) // 2], counts[math.ceil(0.95 * (len(counts) - 1))], counts[-1])
        return Tokens(total, lengths, whole and all(exact for _, exact in counted))
