"""Parameters, fingerprints, saving: what every component has."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmopt.errors import StorageError, UsageError
from llmopt.interfaces import Component
from llmopt.interfaces.config import Json, described, dump, load
from llmopt.prompting import Direct, Grounded
from llmopt.types import Options


@dataclass(repr=False)
class Part(Component):
    number: int = 1
    learnt: str = field(init=False, default="")

    def write_state(self, folder: Path) -> None:
        if self.learnt:
            (folder / "learnt.txt").write_text(self.learnt, encoding="utf-8")

    def read_state(self, folder: Path) -> None:
        self.learnt = (folder / "learnt.txt").read_text("utf-8")


@dataclass(repr=False)
class Whole(Component):
    secrets: ClassVar[frozenset[str]] = frozenset({"api_key"})

    parts: Sequence[Part] = ()
    named: Mapping[str, Part] = field(default_factory=dict[str, Part])
    api_key: str | None = None


@dataclass(repr=False)
class WithFunction(Component):
    function: object = None


def test_params_rebuild_the_component() -> None:
    whole = Whole([Part(2)], {"a": Part(3)}, "key")
    assert Whole(**whole.params()) == whole  # type: ignore[arg-type]  # any parameters


def test_secrets_are_masked_and_left_out_of_the_fingerprint_and_the_file(tmp_path: Path) -> None:
    whole = Whole(api_key="sk-very-secret")
    assert "secret" not in repr(whole)
    assert whole.fingerprint() == Whole(api_key="sk-other").fingerprint()
    whole.save(tmp_path / "whole")
    assert all("secret" not in file.read_text("utf-8") for file in (tmp_path / "whole").rglob("*.json"))
    assert Whole.load(tmp_path / "whole", allow=[Part]).api_key is None


def test_incidental_parameters_are_saved_but_do_not_count_in_the_fingerprint() -> None:
    @dataclass(repr=False)
    class Slow(Component):
        incidental: ClassVar[frozenset[str]] = frozenset({"timeout"})

        name: str = "a"
        timeout: float = 1.0

    assert Slow("a", 1.0).fingerprint() == Slow("a", 9.0).fingerprint() != Slow("b", 1.0).fingerprint()
    again = load(dump(Slow("a", 9.0)), allow=[Slow])
    assert isinstance(again, Slow)
    assert again.timeout == 9.0


def test_the_fingerprint_sees_nested_parameters() -> None:
    assert Whole([Part(1)]).fingerprint() != Whole([Part(2)]).fingerprint()
    assert Whole(named={"a": Part(1)}).fingerprint() != Whole(named={"b": Part(1)}).fingerprint()


def test_the_fingerprint_sees_the_body_of_a_function() -> None:
    assert WithFunction(lambda: 1).fingerprint() != WithFunction(lambda: 2).fingerprint()


def test_the_fingerprint_sees_what_a_function_captured() -> None:
    def adder(number: int) -> Callable[[int], int]:
        def add(other: int, more: int = number) -> int:
            return number + other + more

        return add

    assert WithFunction(adder(1)).fingerprint() == WithFunction(adder(1)).fingerprint()
    assert WithFunction(adder(1)).fingerprint() != WithFunction(adder(2)).fingerprint()


def test_the_fingerprint_is_the_same_in_another_process() -> None:
    code = "from llmopt.prompting import Grounded; print(Grounded('be kind').fingerprint())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == Grounded("be kind").fingerprint()


def test_saving_brings_back_nested_parts_with_what_they_learnt(tmp_path: Path) -> None:
    inner, other = Part(2), Part(3)
    inner.learnt, other.learnt = "one", "zwei 二"
    Whole([inner, Part(9)], {"a/b": other}).save(tmp_path / "whole")
    again = Whole.load(tmp_path / "whole", allow=[Part])
    assert [part.learnt for part in again.parts] == ["one", ""]
    assert again.named["a/b"].learnt == "zwei 二"


def test_saving_again_replaces_the_folder(tmp_path: Path) -> None:
    Part(1).save(tmp_path / "part")
    Part(2).save(tmp_path / "part")
    assert Part.load(tmp_path / "part").number == 2
    assert [path.name for path in tmp_path.iterdir()] == ["part"]


def test_a_folder_that_is_not_ours_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(StorageError, match="was not written by llmopt"):
        Part(1).save(tmp_path)
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_a_damaged_file_is_found_by_its_checksum(tmp_path: Path) -> None:
    part = Part(1)
    part.learnt = "something"
    part.save(tmp_path / "part")
    (victim,) = (tmp_path / "part").rglob("learnt.txt")
    victim.write_text("something else")
    with pytest.raises(StorageError, match=r"learnt\.txt has 14 bytes and should have 9"):
        Part.load(tmp_path / "part")


def test_a_missing_folder_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="nowhere"):
        Part.load(tmp_path / "nowhere")


def test_a_file_cannot_name_a_class_that_was_not_allowed(tmp_path: Path) -> None:
    Whole([Part(1)]).save(tmp_path / "whole")
    with pytest.raises(UsageError, match=r"allow=\[Part\]"):
        Whole.load(tmp_path / "whole")


def test_loading_as_another_class_is_refused(tmp_path: Path) -> None:
    Grounded().save(tmp_path / "prompt")
    with pytest.raises(UsageError, match="holds a Grounded, not a Direct"):
        Direct.load(tmp_path / "prompt")


@pytest.mark.parametrize(
    "path",
    [
        "os:system",
        "subprocess:Popen",
        "llmopt._files:shutil",
        "llmopt.interfaces.config:importlib",
        "llmopt.interfaces.config:load",
        "llmopt.types:Options",
        "llmopt:__builtins__",
        "builtins:eval",
        "llmopt.nowhere:Thing",
    ],
)
def test_json_that_names_something_else_is_refused(path: str) -> None:
    with pytest.raises((UsageError, StorageError)):
        load({"$class": path, "params": {}})


@pytest.mark.parametrize("data", [{"$what": 1}, {"a": 1, "b": 2}, {"$dict": [1]}, {"$tuple": 3}, {"$class": "x"}])
def test_json_of_another_making_is_refused(data: Json) -> None:
    with pytest.raises((StorageError, UsageError)):
        load(data)


def test_parameters_that_the_class_does_not_take_are_refused() -> None:
    with pytest.raises(StorageError, match="does not take"):
        load({"$class": "llmopt.prompting.direct:Direct", "params": {"colour": "red"}})


def test_a_lambda_cannot_be_saved_and_the_message_says_what_to_do() -> None:
    with pytest.raises(UsageError, match="top level"):
        dump(WithFunction(lambda: 0))


def test_a_named_function_comes_back_only_when_allowed() -> None:
    data = dump(WithFunction(json.dumps))
    with pytest.raises(UsageError):
        load(data, allow=[WithFunction])
    again = load(data, allow=[WithFunction, json.dumps])
    assert isinstance(again, WithFunction)
    assert again.function is json.dumps


PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.builds(Path, st.just("a/b")),
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(PLAIN)
def test_plain_values_survive_the_round_trip(value: object) -> None:
    assert load(json.loads(json.dumps(dump(value)))) == value


@given(PLAIN, PLAIN)
def test_descriptions_are_equal_only_for_equal_values(left: object, right: object) -> None:
    same = json.dumps(described(left), sort_keys=True) == json.dumps(described(right), sort_keys=True)
    assert not same or left == right


def test_values_inside_components_come_back_as_values() -> None:
    again = load(dump(Grounded("x", options=Options(temperature=0.2, stop=("\n",)))))
    assert isinstance(again, Grounded)
    assert again.options == Options(temperature=0.2, stop=("\n",))
