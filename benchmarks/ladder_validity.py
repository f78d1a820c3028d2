"""Are the verdicts of ladders and searches right as often as they claim?

    python benchmarks/ladder_validity.py [--ladders 300] [--searches 200] [--json PATH] [--data ../shared/data]

1. Null: ladders of 8 planned changes of which none does anything, for several sizes, shares of answers that change,
   kinds of metric, and questions that come in groups. Goal: at most 5 % of whole ladders keep anything.
2. One real gain among seven useless changes: the useless ones must not be kept more often for it.
3. Power: a planted gain of 5 points, on as many samples as `samples_needed` asks for. Goal: about 80 % are kept. And
   the same gain on 150 samples: how often it is found with as many more as an undecided verdict asks for.
4. Searches over 16 candidates that are as good as the baseline: a false win after confirmation in at most 5 %, and how
   much better than it is the winner looks in the race.
5. Real recorded runs (12 configurations of a RAG system, 177 questions, scores of GPT-4): which differences are real,
   and whether the verdicts of one half of the questions hold on the other half.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from llmopt import Direct, Evaluator, ExactMatch, Pipeline, Report, Sample, Score, metric
from llmopt._stats import share
from llmopt.evaluation import Row
from llmopt.evaluation.comparison import comparison_table, with_holm
from llmopt.experiments import Ladder, Limits, Search
from llmopt.experiments.verdict import Verdict, decide, holm_threshold, loss_of, samples_needed
from llmopt.interfaces import ChatModel
from llmopt.types import Completion, Message, Options

Values = npt.NDArray[np.float64]
PLANNED, LEVEL, LEAST = 8, 0.05, 0.02
GROUP = 5


@dataclass(frozen=True)
class World:
    """How scores come about: a share of the answers changes with every change of the pipeline."""

    name: str
    changing: float
    continuous: bool = False
    grouped: bool = False


WORLDS = (
    World("0/1, 5 % of answers change", 0.05),
    World("0/1, 20 % change", 0.2),
    World("0/1, 60 % change", 0.6),
    World("continuous, 30 % change", 0.3, continuous=True),
    World("continuous, all change", 1.0, continuous=True),
    World("0/1, groups of 5 change together", 0.3, grouped=True),
    World("continuous, groups of 5", 0.5, continuous=True, grouped=True),
)


def drawn(world: World, size: int, random: np.random.Generator) -> Values:
    """Return scores of as many samples."""
    units = -(-size // GROUP) if world.grouped else size
    values = random.beta(2, 1, units) if world.continuous else (random.random(units) < 0.6).astype(float)
    if not world.grouped:
        return values
    spread = np.repeat(values, GROUP)[:size]
    own = random.random(size) < 0.2  # members of a group mostly agree
    fresh = random.beta(2, 1, size) if world.continuous else (random.random(size) < 0.6).astype(float)
    return np.where(own, fresh, spread)


def changed(world: World, before: Values, random: np.random.Generator, gain: float = 0.0) -> Values:
    """Return the scores after a change that redraws some and adds the gain on average."""
    size = len(before)
    if world.grouped:
        touched = np.repeat(random.random(-(-size // GROUP)) < world.changing, GROUP)[:size]
    else:
        touched = random.random(size) < world.changing
    after = np.where(touched, drawn(world, size, random), before)
    if gain and not world.continuous:
        # Of the wrong answers as many get right as the gain wants.
        after = np.where((after == 0) & (random.random(size) < gain / 0.4), 1.0, after)
    return after + gain if gain and world.continuous else after


def report_of(values: Values, grouped: bool) -> Report:
    """Return the scores as a report."""
    rows = [
        Row(Sample(question=str(n), id=str(n), group=f"g{n // GROUP}" if grouped else ""), {"m": Score(float(value))})
        for n, value in enumerate(values)
    ]
    return Report(tuple(rows), ("m",))


def kept_in_ladder(world: World, size: int, random: np.random.Generator, gains: Sequence[float]) -> list[bool]:
    """Climb as `Ladder` does, over drawn scores, and return which changes were kept."""
    values = drawn(world, size, random)
    top, kept = report_of(values, world.grouped), list[bool]()
    for tried, gain in enumerate(gains, 1):
        after = changed(world, values, random, gain)
        candidate = report_of(after, world.grouped)
        verdict = decide(
            candidate.compare(top, "m"),
            threshold=holm_threshold(LEVEL, len(gains), sum(kept), tried),
            least=LEAST,
            limits=Limits(),
            seconds=None,
            dollars=None,
            loss=loss_of(top, candidate, "m"),
        )
        kept.append(verdict.decision == "keep")
        if kept[-1]:
            values, top = after, candidate
    return kept


def rate(name: str, hits: int, n: int) -> dict[str, object]:
    """Print a rate with its interval, and return it."""
    found = share(hits, n)
    print(f"  {name:<58} {found}  ({hits} of {n})", flush=True)
    return {"name": name, "hits": hits, "n": n, "low": found.low, "high": found.high}


def null(ladders: int) -> Iterator[dict[str, object]]:
    """Measure false keeps of whole ladders."""
    print(f"1. ladders of {PLANNED} useless changes that keep any (goal: at most 0.050)")
    total = 0
    for number, world in enumerate(WORLDS):
        for size in (30, 100, 300):
            random = np.random.default_rng([number, size])
            hits = sum(any(kept_in_ladder(world, size, random, [0.0] * PLANNED)) for _ in range(ladders))
            total += hits
            yield rate(f"{world.name}, n = {size}", hits, ladders)
    yield rate("all together", total, ladders * 3 * len(WORLDS))


def mixed(ladders: int) -> Iterator[dict[str, object]]:
    """Measure false keeps beside a real gain."""
    print("2. one change of +15 points among 7 useless ones: ladders that keep a useless one (goal: at most 0.050)")
    for number, world in enumerate(WORLDS[1:4:2]):
        random = np.random.default_rng([100, number])
        found = [kept_in_ladder(world, 300, random, [0.15] + [0.0] * (PLANNED - 1)) for _ in range(ladders)]
        yield rate(f"{world.name}, n = 300: useless kept", sum(any(kept[1:]) for kept in found), ladders)
        yield rate(f"{world.name}, n = 300: the real one kept", sum(kept[0] for kept in found), ladders)


def power(ladders: int) -> Iterator[dict[str, object]]:
    """Measure how often a planted gain of 5 points is found on as many samples as were predicted."""
    print("3. a gain of +5 points on as many samples as predicted for a power of 0.800")
    for number, (world, planned) in enumerate((w, m) for w in WORLDS[:5] for m in (1, PLANNED)):
        random = np.random.default_rng([200, number])
        pilot = drawn(world, 200_000, random)
        differences = changed(world, pilot, random, 0.05) - pilot
        threshold = holm_threshold(LEVEL, planned, 0, 1)
        size = samples_needed(0.05, float(differences.var()), threshold=threshold, exact=not world.continuous)
        found = 0
        for _ in range(ladders):
            values = drawn(world, size, random)
            before, after = (report_of(each, False) for each in (values, changed(world, values, random, 0.05)))
            compared = after.compare(before, "m")
            found += (compared.difference.value or 0.0) > 0 and compared.p <= threshold
        yield rate(f"{world.name}, {planned} planned, n = {size}", found, ladders)


def foretold(ladders: int) -> Iterator[dict[str, object]]:
    """Measure how often a gain of 5 points is found on as many more samples as an undecided verdict asked for."""
    print("   the same gain on 150 samples; where undecided, as many more as the verdict asked for")
    for number, world in enumerate(WORLDS[1:4]):
        random = np.random.default_rng([250, number])
        undecided = kept = 0
        for _ in range(ladders):
            values = drawn(world, 20_000, random)
            after = changed(world, values, random, 0.05)
            more = decided_on(values[:150], after[:150]).more
            if more:
                undecided += 1
                kept += decided_on(values[: 150 + more], after[: 150 + more]).decision == "keep"
        yield rate(f"{world.name}, n = 150: undecided", undecided, ladders)
        yield rate(f"{world.name}: of these kept with the samples asked for", kept, undecided)


def decided_on(values: Values, after: Values) -> Verdict:
    """Return the verdict on the only change of a ladder."""
    before, candidate = report_of(values, False), report_of(after, False)
    compared = candidate.compare(before, "m")
    return decide(compared, threshold=LEVEL, least=LEAST, limits=Limits(), seconds=None, dollars=None)


@dataclass(repr=False)
class Guessing(ChatModel):
    """A model that is right on 60 % of the questions; which ones, its salt decides."""

    salt: int = 0
    skill: float = 0.6

    def generate(self, messages: Sequence[Message], options: Options) -> Completion:
        """Answer."""
        seed = [self.salt, *messages[-1].content.encode()]
        return Completion("yes" if np.random.default_rng(seed).random() < self.skill else "no", cost=0.0)


def searching(searches: int) -> Iterator[dict[str, object]]:
    """Measure false wins of searches."""
    print("4. searches over 16 candidates as good as the baseline, 150 samples (goal: at most 0.050)")
    evaluator = Evaluator([ExactMatch()], progress=False, prompts=False)
    false, gains = 0, list[float]()
    for number in range(searches):
        samples = [Sample(question=f"{number} {n}?", id=str(n), reference="yes") for n in range(150)]
        base = Pipeline(model=Guessing(0), prompt=Direct())
        space = {"model": [Guessing(salt) for salt in range(1, 17)]}
        result = Search(evaluator, "exact_match", seed=number).run(base, space, samples)
        false += result.improved
        if result.confirmed is not None:
            gains.append(result.trials[0].gain.value or 0.0)
            gains.append(result.confirmed.difference.value or 0.0)
    yield rate("false wins", false, searches)
    optimism = {"race": float(np.mean(gains[::2])), "held out": float(np.mean(gains[1::2]))}
    print(f"  winner's mean gain: {optimism['race']:+.3f} in the race, {optimism['held out']:+.3f} on held-out samples")
    yield {"name": "mean gain of the winner", **optimism}


def recorded(folder: Path) -> Mapping[str, Mapping[str, tuple[str, float]]]:
    """Return by configuration and question the answer and its score, 0 to 1."""
    found: dict[str, dict[str, tuple[str, float]]] = {}
    for line in (folder / "ray-rag-runs" / "evaluations.jsonl").read_text("utf-8").splitlines():
        row = json.loads(line)
        found.setdefault(row["config"], {})[row["question"]] = (row["answer"], (row["gpt4_score"] - 1) / 4)
    return found


@dataclass(repr=False)
class Replayed(ChatModel):
    """A configuration whose answers were recorded."""

    name: str
    folder: str

    def generate(self, messages: Sequence[Message], options: Options) -> Completion:
        """Return the recorded answer, marked with the configuration's name."""
        answer, _ = _RUNS[self.name][messages[-1].content]
        return Completion(f"{self.name}\n{answer}", cost=0.0)


_RUNS: dict[str, Mapping[str, tuple[str, float]]] = {}


@metric
def quality(sample: Sample) -> float:
    """The recorded score."""
    return _RUNS[sample.answer.partition("\n")[0]][sample.question][1]


def real(folder: Path) -> Iterator[dict[str, object]]:
    """Compare the recorded configurations, climb them, and check the verdicts on the other half."""
    _RUNS.update(recorded(folder))
    baseline, *others = list(_RUNS)
    questions = list(_RUNS[baseline])
    print(f"5. {len(_RUNS)} recorded configurations on {len(questions)} questions, against {baseline}")
    samples = [Sample(question=question, id=str(number)) for number, question in enumerate(questions)]
    base = Pipeline(model=Replayed(baseline, str(folder)), prompt=Direct())
    evaluator = Evaluator([quality], progress=False, prompts=False)
    reports = {
        name: evaluator.run(samples, pipeline=base.but(model=Replayed(name, str(folder))), title=name) for name in _RUNS
    }
    compared = with_holm([reports[name].compare(reports[baseline], "quality") for name in others])
    print(comparison_table(dict(zip(others, compared, strict=True))))
    ladder = Ladder(base, samples, evaluator, "quality", planned=len(others), held_out=0.3)
    for name in others:
        ladder.step(name, **{"model.name": name})
    if ladder.top.change is not None:
        ladder.confirm()
    print(ladder)
    yield {"name": "ladder", "verdicts": {rung.name: str(rung.verdict) for rung in ladder.rungs}}
    yield from halves(reports)


def halves(reports: Mapping[str, Report]) -> Iterator[dict[str, object]]:
    """Decide on one half of the questions, all ordered pairs of configurations, and look at the other half."""
    counts = Counter[str]()
    random = np.random.default_rng(0)
    names = list(reports)
    scores = {
        name: np.array([row.scores["quality"].value for row in report], float) for name, report in reports.items()
    }
    for _ in range(20):
        half = random.permutation(len(scores[names[0]])) % 2 == 0
        first, other = ({n: report_of(s[side], False) for n, s in scores.items()} for side in (half, ~half))
        for before in names:
            compared = with_holm([first[name].compare(first[before], "m") for name in names if name != before])
            for name, found in zip((n for n in names if n != before), compared, strict=True):
                if not (found.significant and (found.difference.value or 0.0) > 0):
                    continue
                held = other[name].compare(other[before], "m")
                low, high = held.difference.low or 0.0, held.difference.high or 0.0
                counts["decided"] += 1
                counts["same sign"] += (held.difference.value or 0.0) > 0
                counts["significant again"] += low > 0
                counts["contradicted"] += high < 0
    for name in ("same sign", "significant again", "contradicted"):
        yield rate(f"decided better on one half: {name} on the other", counts[name], counts["decided"])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ladders", type=int, default=300)
    parser.add_argument("--searches", type=int, default=200)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    ladders = options.ladders
    found = [*null(ladders), *mixed(ladders), *power(ladders), *foretold(ladders), *searching(options.searches)]
    if (options.data / "ray-rag-runs").is_dir():
        found += real(options.data)
    else:
        print("5. left out: the recorded runs are not there")
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
