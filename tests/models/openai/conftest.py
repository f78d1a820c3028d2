"""Every test of the adapters runs as if aiohttp were not installed, and where it is, also as it is."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from importlib.util import find_spec

import openai
import pytest

from llmopt.models.openai import connection


def without_aiohttp(name: str) -> ModuleSpec | None:
    return None if name == "aiohttp" else find_spec(name)


@pytest.fixture(autouse=True, scope="module", params=["without aiohttp", "with aiohttp"])
def way(request: pytest.FixtureRequest) -> Iterator[str]:
    """Yield which of the two."""
    chosen = str(request.param)
    with pytest.MonkeyPatch.context() as patch:
        if chosen == "without aiohttp":
            patch.setattr(connection, "find_spec", without_aiohttp)
            patch.delattr(openai, "DefaultAioHttpClient", raising=False)
        elif find_spec("aiohttp") is None:
            pytest.skip("aiohttp is not installed")
        yield chosen
