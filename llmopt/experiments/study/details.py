"""What the page shows of a row beside its answer and its figures, as lists whose order `detail.js` knows."""

from __future__ import annotations

from collections.abc import Sequence

from ...evaluation import ModelCall, Row, Run
from ...types import Score, ToolCall
from .templates import Templates, marked
from .texts import Known, SharedTexts

__all__ = ["Details"]


class Details:
    """Makes the details of rows.

    Attributes:
        absent: The details of a row that is not there.
    """

    def __init__(self, metrics: Sequence[str], texts: SharedTexts) -> None:
        self.absent: Sequence[object] = [None] * (5 + len(metrics))
        self._metrics = metrics
        self._texts = texts
        self._templates = Templates()
        self._requests: dict[object, int] = {}

    def of(self, row: Row) -> Sequence[object]:
        """Return the details of a row."""
        number = self._texts.number
        known = Known.of(row, self._metrics)
        return [
            [number(text) for text in row.sample.contexts],
            [number(id) for id in row.sample.context_ids],
            None if row.run is None else _run(row.run),
            self._calls(row.calls, known),
            known.nonces,
            *[self._score(row.scores.get(metric)) for metric in self._metrics],
        ]

    def requests(self) -> list[object]:
        """Return the requests of the rows since this was asked last: most are equal but for what fills them."""
        found = list(self._requests)
        self._requests.clear()
        return found

    def _calls(self, calls: Sequence[ModelCall], known: Known) -> Sequence[object]:
        """Return the number of each call's request, and the reply; with their verdicts replies differ too much."""
        replies = map(self._texts.shared, marked([call.reply for call in calls], known))
        return list(zip([self._request(call, known) for call in calls], replies, strict=True))

    def _request(self, call: ModelCall, known: Known) -> int:
        shared, template = self._texts.shared, self._templates.of
        messages = [
            (m.role, shared(template(f"{call.purpose} {m.role}", m.content, known)), *map(_tool, m.tool_calls))
            for m in call.messages
        ]
        request = call.purpose, call.component, tuple(messages), call.cached, call.error
        return self._requests.setdefault(request, len(self._requests))

    def _score(self, score: Score | None) -> object:
        """Return what there is beside the figure, which the index has; 0 for nothing."""
        if score is None or (not score.reason and not score.verdicts and not score.details):
            return 0
        verdicts = score.verdicts
        statements = [self._texts.number_or_text(verdict.statement) for verdict in verdicts]  # some are contexts
        chances = [verdict.probability for verdict in verdicts]
        judged = [statements, [verdict.holds for verdict in verdicts], [verdict.reason for verdict in verdicts]]
        return [score.reason, score.details, *judged, chances if any(c is not None for c in chances) else []]


def _tool(tool: ToolCall) -> str:
    return f"{tool.name}({tool.arguments})"


def _run(run: Run) -> list[object]:
    spent, cited = run.spent, [citation.number for citation in run.citations]
    tokens = spent.usage.input_tokens, spent.usage.output_tokens
    return [round(spent.seconds, 3), spent.cost, spent.usage.calls, *tokens, run.outcome, run.failure, cited]
