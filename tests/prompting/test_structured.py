"""Structured: answers as objects."""

from __future__ import annotations

import pytest
from pydantic import BaseModel

from llmopt.errors import ModelOutputError
from llmopt.models import OpenAIChat
from llmopt.prompting import ChainOfThought, FewShot, Grounded, SelfConsistency, Shot, Structured
from llmopt.testing import FakeModel
from llmopt.testing.contracts import PromptStrategyContract
from llmopt.testing.server import FakeOpenAI, Fault
from llmopt.types import Document, Hit, Options

CAT = Hit(Document("cat", "Cats sleep 15 hours."), 1.0)


class Sleep(BaseModel):
    animal: str
    hours: int = 0


JSON = '{"animal": "cat [1]", "hours": 15}'


class TestStructured(PromptStrategyContract[Structured]):
    reply = JSON

    def make(self) -> Structured:
        return Structured(Sleep, Grounded())


def test_the_object_is_the_value_and_its_json_the_text() -> None:
    answer = Structured(Sleep, Grounded()).run(FakeModel(f"Here:\n```json\n{JSON}\n```"), "q?", [CAT])
    assert answer.value == Sleep(animal="cat [1]", hours=15)
    assert answer.text == '{"animal":"cat [1]","hours":15}'
    assert [citation.document_id for citation in answer.citations] == ["cat"]


def test_numbers_in_the_object_are_not_citations() -> None:
    class Numbers(BaseModel):
        values: list[int]

    assert Structured(Numbers, Grounded()).run(FakeModel('{"values": [1]}'), "q?", [CAT]).citations == ()


def test_an_object_that_only_says_it_does_not_know_abstains() -> None:
    answer = Structured(Sleep, Grounded()).run(FakeModel('{"animal": "I don\'t know.", "hours": 0}'), "q?", [CAT])
    assert answer.outcome == "abstained"


def test_a_reply_that_does_not_fit_is_sent_back_once() -> None:
    model = FakeModel(script=['{"animal": "cat", "hours": "many"}', JSON])
    assert Structured(Sleep).run(model, "q?").value == Sleep(animal="cat [1]", hours=15)
    assert "hours" in model.requests[1][-1].content
    with pytest.raises(ModelOutputError, match="Sleep"):
        Structured(Sleep).run(FakeModel("prose"), "q?")


def test_a_reply_is_read_as_the_objects_json() -> None:
    assert Structured(Sleep).parse(f"Here: {JSON}") == '{"animal":"cat [1]","hours":15}'


def test_it_nests_in_both_directions() -> None:
    shots = [Shot("How long do dogs sleep?", '{"animal": "dog", "hours": 12}')]
    for strategy in (
        FewShot(Structured(Sleep), shots),
        Structured(Sleep, FewShot(Grounded(), shots)),
        ChainOfThought(Structured(Sleep), calls=2),
        SelfConsistency(Structured(Sleep), samples=3),
    ):
        answer = strategy.run(FakeModel(JSON), "q?")
        assert answer.value == Sleep(animal="cat [1]", hours=15)


def test_the_schema_goes_along_and_where_the_server_takes_none_it_is_put_in_words() -> None:
    refuses = Fault("unsupported_parameter", parameters=("response_format",))
    with FakeOpenAI(lambda body: JSON, faults=[refuses]) as server:
        answer = Structured(Sleep, Grounded(options=Options(temperature=0))).run(
            OpenAIChat("m", base_url=server.base_url), "q?"
        )
    assert answer.value == Sleep(animal="cat [1]", hours=15)
    assert "response_format" in server.requests[0].body
    assert "hours" in str(server.requests[-1].body["messages"])
    assert server.requests[-1].body["temperature"] == 0
