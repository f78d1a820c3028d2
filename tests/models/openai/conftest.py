"""Every test of the adapters runs by the openai package alone, and past it where aiohttp is installed."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec

import openai
import pytest


@pytest.fixture(autouse=True, scope="module", params=["without aiohttp", "with aiohttp"])
def way(request: pytest.FixtureRequest) -> Iterator[str]:
    """Yield which of the two; without it the package is as if its extra were not installed."""
    chosen = str(request.param)
    with pytest.MonkeyPatch.context() as patch:
        if chosen == "without aiohttp":
            patch.delattr(openai, "DefaultAioHttpClient", raising=False)
        elif find_spec("aiohttp") is None:
            pytest.skip("aiohttp is not installed")
        yield chosen
