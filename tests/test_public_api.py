"""The public door: what it exports, in which order, and that all of it is real."""

from __future__ import annotations

import importlib
import inspect
import pkgutil

import pytest

import llmopt

ROOMS = sorted(
    f"llmopt.{module.name}"
    for module in pkgutil.iter_modules(llmopt.__path__)
    if module.ispkg and module.name[0] != "_"
)


def in_order(names: list[str]) -> bool:
    """Return whether names stand as `sorted` or as the linter puts them: constants, classes, the rest."""

    def kinds_first(name: str) -> tuple[int, str]:
        return (0 if name.isupper() else 1 if name.lstrip("_")[0].isupper() else 2, name)

    return names in (sorted(names), sorted(names, key=kinds_first))


def test_the_door_is_sorted_and_small() -> None:
    assert in_order(llmopt.__all__)
    assert len(llmopt.__all__) <= 60


def test_every_name_at_the_door_is_there() -> None:
    for name in llmopt.__all__:
        assert getattr(llmopt, name) is not None


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_exports_sorted_names_that_exist(room: str) -> None:
    module = importlib.import_module(room)
    exported: list[str] = list(getattr(module, "__all__", []))
    assert in_order(exported)
    assert len(set(exported)) == len(exported)
    for name in exported:
        assert hasattr(module, name), f"{room} exports {name}, which it does not have"


@pytest.mark.parametrize("room", ROOMS)
def test_public_classes_and_functions_are_documented(room: str) -> None:
    module = importlib.import_module(room)
    for name in getattr(module, "__all__", []):
        item: object = getattr(module, name)
        if inspect.isclass(item) or inspect.isfunction(item):
            assert (item.__doc__ or "").strip(), f"{room}.{name} has no docstring"
