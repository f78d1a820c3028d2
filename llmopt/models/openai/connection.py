"""How an OpenAI-compatible server is reached."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Literal, TypeAlias, cast, get_args
from urllib.parse import SplitResult, urlsplit, urlunsplit
from urllib.request import getproxies, proxy_bypass

from ..._version import __version__
from ...errors import CredentialsError, MissingExtraError, UsageError
from .channel import Channel, Direct

if TYPE_CHECKING:
    from ssl import SSLContext

    from openai import AsyncOpenAI, DefaultAsyncHttpxClient

__all__ = ["Connection", "Transport"]

Transport: TypeAlias = Literal["auto", "httpx", "aiohttp"]

_OPENAI = "https://api.openai.com/v1"
_OWN_HOSTS = (".openai.com", ".openai.azure.com")
_PLACEHOLDER_KEY = "not-needed"
_LONGEST_CONNECT_SECONDS = 10.0
_MOST_CONNECTIONS = 1000
_LONGEST_HEADER = 2**16  # as long as the HTTP library below the openai package takes one
_LONGEST_IDLE_SECONDS = 4.0  # usual servers hang up after 5, and a request that crosses that is lost


@dataclass(frozen=True, slots=True)
class Connection:
    """Where a server is and how it is spoken to.

    Attributes:
        base_url: Of the API, usually ending in `/v1`; None: the environment's OPENAI_BASE_URL, else OpenAI.
        api_key: None: the environment's OPENAI_API_KEY (AZURE_OPENAI_API_KEY with an `api_version`).
        organization: Who pays, where an account has several.
        project: The same one level below.
        timeout: Seconds for one attempt.
        api_version: Of an Azure resource's older API, whose address is then `base_url`.
        transport: The HTTP library below the openai package.
    """

    base_url: str | None = None
    api_key: str | None = field(default=None, repr=False)
    organization: str | None = None
    project: str | None = None
    timeout: float = 60.0
    api_version: str | None = None
    transport: Transport = "auto"

    @property
    def url(self) -> str:
        """The address of the API, without a final slash.

        Raises:
            UsageError: When it is none.
        """
        given = (self.base_url or os.environ.get("OPENAI_BASE_URL") or _OPENAI).strip()
        parts = _parts(given)
        if parts is None or parts.scheme not in {"http", "https"} or not parts.hostname:
            raise UsageError(
                f"`base_url` is the full address of an API, for example http://localhost:8000/v1, got "
                f"{given.rpartition('@')[2]!r}"
            )
        if parts.username or parts.password:
            raise UsageError(
                f"`base_url` for {parts.hostname} holds a user name or a password: take them out and pass `api_key`"
            )
        return given.rstrip("/")

    @property
    def address(self) -> str:
        """The address as it may be shown: without a query, which may hold a key."""
        return urlunsplit((*urlsplit(self.url)[:3], "", ""))

    @property
    def is_openai(self) -> bool:
        """Whether the server is OpenAI's own, or Azure's, rather than a compatible one."""
        host = urlsplit(self.url).hostname or ""
        return f".{host}".endswith(_OWN_HOSTS)

    def key(self) -> str:
        """Return the key to send; servers other than OpenAI get a placeholder when there is none.

        Raises:
            CredentialsError: When there is none, or it cannot be a key; it is not shown.
        """
        variable = "OPENAI_API_KEY" if self.api_version is None else "AZURE_OPENAI_API_KEY"
        key = (self.api_key or os.environ.get(variable) or "").strip()
        if not key and self.is_openai:
            raise CredentialsError(
                f"there is no API key for {self.address}: set the environment variable {variable}, or pass `api_key` "
                "(a local server needs none: pass its `base_url`)"
            )
        if not (key.isascii() and key.isprintable() and " " not in key):
            raise CredentialsError(
                f"the API key for {self.address} holds white space or other characters that no key has: copy it again"
            )
        return key or _PLACEHOLDER_KEY

    def payer(self) -> tuple[str, str]:
        """Return organization and project, each empty where none is named.

        Raises:
            UsageError: When one cannot be sent.
        """
        organization = (self.organization or os.environ.get("OPENAI_ORG_ID") or "").strip()
        project = (self.project or os.environ.get("OPENAI_PROJECT_ID") or "").strip()
        for name, value in (("organization", organization), ("project", project)):
            if not (value.isascii() and value.isprintable()):
                raise UsageError(f"`{name}` is an id of ASCII characters, got {value!r}")
        return organization, project

    @property
    def secret(self) -> str:
        """The key if there is a real one, for keeping it out of messages; else empty."""
        key = self.key()
        return "" if key == _PLACEHOLDER_KEY else key

    def open(self) -> Channel:
        """Return a new way to the server, on which nothing is tried twice; for the running event loop.

        Raises:
            UsageError: When a setting makes no sense.
            MissingExtraError: When the aiohttp transport is asked for and not installed.
            CredentialsError: When there is no key.
        """
        if not self.timeout > 0:
            raise UsageError(f"`timeout` is the seconds for one attempt, more than 0, got {self.timeout}")
        if self.transport not in get_args(Transport):
            raise UsageError(f"`transport` is one of {', '.join(get_args(Transport))}, got {self.transport!r}")
        if self.transport == "aiohttp" and find_spec("aiohttp") is None:
            raise MissingExtraError(
                "transport='aiohttp' needs a package that is not installed: pip install 'llmopt[fast]'"
            )
        url, key, _ = self.url, self.key(), self.payer()
        indirect = self.transport == "httpx" or find_spec("aiohttp") is None or self._is_indirect(url)
        return Channel(lambda: self._client(url, key), None if indirect else self._direct(url, key))

    def _client(self, url: str, key: str) -> AsyncOpenAI:
        import openai  # noqa: PLC0415 - it takes a second

        timeout = openai.Timeout(self.timeout, connect=self._connect_seconds)
        organization, project = self.payer()
        if self.api_version is not None:
            return openai.AsyncAzureOpenAI(
                azure_endpoint=url,
                api_version=self.api_version,
                api_key=key,
                organization=organization or None,
                timeout=timeout,
                max_retries=0,
                http_client=self._http_client(),
            )
        return openai.AsyncOpenAI(
            base_url=url,
            api_key=key,
            organization=organization or None,
            project=project or None,
            timeout=timeout,
            max_retries=0,
            http_client=self._http_client(),
        )

    def _http_client(self) -> DefaultAsyncHttpxClient:
        import openai  # noqa: PLC0415 - it takes a second

        if self.transport != "httpx":
            maker = getattr(openai, "DefaultAioHttpClient", None)  # older versions have none
            with suppress(RuntimeError):  # aiohttp is not installed
                if maker is not None:
                    return cast("type[DefaultAsyncHttpxClient]", maker)()
        # Not the client that AsyncOpenAI makes by itself: that one closes itself on whatever loop runs when it goes.
        return openai.DefaultAsyncHttpxClient()

    def _is_indirect(self, url: str) -> bool:
        """Whether the address of a request is more than the API's and a path, or a proxy stands in between."""
        parts, proxies = urlsplit(url), getproxies()
        proxied = bool(proxies.get(parts.scheme) or proxies.get("all")) and not proxy_bypass(parts.netloc)
        return self.api_version is not None or bool(parts.query or parts.fragment) or proxied

    def _direct(self, url: str, key: str) -> Direct:
        import aiohttp  # noqa: PLC0415 - an extra

        session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                ssl=_trusted() if url.startswith("https:") else True,
                limit=_MOST_CONNECTIONS,
                keepalive_timeout=_LONGEST_IDLE_SECONDS,
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            max_line_size=_LONGEST_HEADER,
            max_field_size=_LONGEST_HEADER,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._connect_seconds),
        )
        organization, project = self.payer()
        headers = {
            "Authorization": f"Bearer {key}",
            "Accept": "application/json",
            "Content-Type": "application/json",
            "User-Agent": f"llmopt/{__version__}",
            "OpenAI-Organization": organization,
            "OpenAI-Project": project,
        }
        return Direct(session, url, {name: value for name, value in headers.items() if value})

    @property
    def _connect_seconds(self) -> float:
        return min(self.timeout, _LONGEST_CONNECT_SECONDS)


def _parts(url: str) -> SplitResult | None:
    """Return the parts of an address, or None if it is none."""
    try:
        parts = urlsplit(url)
        (parts.hostname or "").encode("idna")
        return parts if parts.port is None or parts.port else None
    except ValueError:  # no closing bracket, a label that is empty or too long, a port beyond 65,535
        return None


def _trusted() -> SSLContext:
    """Return the certificates of the HTTP library below the openai package, so that both ways trust the same."""
    library = import_module("httpx2" if find_spec("httpx2") is not None else "httpx")
    return cast("SSLContext", library.create_ssl_context())
