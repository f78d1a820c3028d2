"""Text to SQL over sqlite3, repaired by execution, against the loopback server: question, SQL, error, fix."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import cast

import pytest

from llmopt._fences import read_fences
from llmopt.errors import ModelOutputError
from llmopt.models import OpenAIChat
from llmopt.pipeline import Pipeline
from llmopt.prompting import Direct, ReAct, Repair, Tool, code_of
from llmopt.testing.server import FakeOpenAI, Reply
from llmopt.types import Document, Hit, ToolCall

SCHEMA = "CREATE TABLE orders (id INTEGER, customer TEXT, amount REAL)"
QUESTION = "What did Ann spend in all?"
WRONG = "```sql\nSELECT SUM(price) FROM orders WHERE customer = 'Ann'\n```"
RIGHT = "```sql\nSELECT SUM(amount) FROM orders WHERE customer = 'Ann'\n```"


@pytest.fixture
def path(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return a database with three orders."""
    file = tmp_path_factory.mktemp("shop") / "shop.db"
    with closing(sqlite3.connect(file)) as database, database:
        database.execute(SCHEMA)
        rows = [(1, "Ann", 20.0), (2, "Bob", 5.0), (3, "Ann", 22.5)]
        database.executemany("INSERT INTO orders VALUES (?, ?, ?)", rows)
    return str(file)


def run_sql(path: str, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        return database.execute(query).fetchall()


def contents(body: Mapping[str, object]) -> list[str]:
    return [str(message["content"]) for message in cast("Sequence[Mapping[str, object]]", body["messages"])]


def fixing(body: Mapping[str, object]) -> str:
    """Answer wrongly first, and right as soon as the database's error is in sight."""
    return RIGHT if any("no such column: price" in content for content in contents(body)) else WRONG


def test_the_databases_error_leads_to_a_query_that_runs(path: str) -> None:
    def check(answer: str) -> str | None:
        try:
            run_sql(path, code_of(answer))
        except sqlite3.Error as error:
            return str(error)
        return None

    prompt = Repair(Direct("Write one SQLite query, nothing else."), check)
    with FakeOpenAI(fixing) as server:
        model = OpenAIChat("m", base_url=server.base_url)
        answer = prompt.run(model, QUESTION, [Hit(Document("schema", SCHEMA), 1.0)])
    assert run_sql(path, code_of(answer.text)) == [(42.5,)]
    assert server.count("chat/completions") == 2
    (error,) = read_fences(contents(server.requests[1].body)[-1])
    assert error.text == "no such column: price"


def test_a_model_that_does_not_learn_ends_in_a_typed_error(path: str) -> None:
    def check(answer: str) -> str | None:
        try:
            run_sql(path, code_of(answer))
        except sqlite3.Error as error:
            return str(error)
        return None

    with FakeOpenAI(lambda body: WRONG) as server, pytest.raises(ModelOutputError, match="no such column: price"):
        Repair(Direct(), check, tries=2).run(OpenAIChat("m", base_url=server.base_url), QUESTION)
    assert server.count("chat/completions") == 2


def test_a_query_tool_mends_itself_in_a_pipeline(path: str) -> None:
    def query(sql: str) -> list[tuple[object, ...]]:
        """Run a query on the shop's database.

        Args:
            sql: One SELECT for SQLite.
        """
        return run_sql(path, sql)

    def tables() -> str:
        """Return the tables of the shop's database."""
        return SCHEMA

    def reply(body: Mapping[str, object]) -> Reply:
        seen = contents(body)
        if "42.5" in seen[-1]:
            return Reply("Ann spent 42.50.")
        sql = code_of(RIGHT if "no such column: price" in seen[-1] else WRONG)
        calls = [ToolCall("", "query", f'{{"sql": "{sql}"}}')]
        return Reply(None, tool_calls=[ToolCall("", "tables", "{}"), *calls] if len(seen) == 1 else calls)

    with FakeOpenAI(reply) as server:
        model = OpenAIChat("m", base_url=server.base_url)
        answer = Pipeline(model=model, prompt=ReAct([Tool(tables), Tool(query)])).run(QUESTION)
    assert answer.text == "Ann spent 42.50."
    assert answer.trace is not None
    tools = [(step.component, step.error) for step in answer.trace.walk() if step.name == "tool"]
    assert tools == [
        ("tables", ""),
        ("query", "Error: OperationalError: no such column: price"),
        ("query", ""),
    ]
