"""What every test gets: no network but loopback, no key from the outside, a settled Hypothesis."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import hypothesis
import pytest

hypothesis.settings.register_profile("llmopt", deadline=None, print_blob=True)
hypothesis.settings.load_profile("llmopt")

LOOPBACK = ("127.", "::1", "localhost")


@pytest.fixture(autouse=True, scope="session")
def only_loopback() -> Iterator[None]:
    """Refuse every connection that leaves the machine."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: object) -> None:
        host = address[0] if isinstance(address, tuple) else ""  # pyright: ignore[reportUnknownVariableType]
        if isinstance(host, str) and host and not host.startswith(LOOPBACK):
            raise OSError(f"a test tried to reach {host}: tests use loopback only")
        connect(self, address)  # type: ignore[arg-type]  # any address family

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded)
        yield


@pytest.fixture(autouse=True)
def no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget keys and addresses of the surrounding shell."""
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        monkeypatch.delenv(name, raising=False)
