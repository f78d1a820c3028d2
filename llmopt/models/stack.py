"""Ready-made models: with retries, the provider's limits, a budget and a cache around them."""

from __future__ import annotations

import os
from pathlib import Path

from ..interfaces import ChatModel, Embedder
from .openai.chat import OpenAIChat
from .openai.embedder import OpenAIEmbedder
from .pricing import Price
from .wrappers.budget import Budget
from .wrappers.budgeted import Budgeted, BudgetedEmbedder
from .wrappers.cached import Cached
from .wrappers.cached_embedder import CachedEmbedder
from .wrappers.limited import Limited, LimitedEmbedder
from .wrappers.limiter import check_limits
from .wrappers.retrier import Patience
from .wrappers.retrying import Retrying, RetryingEmbedder

__all__ = ["chat_model", "embedder", "wrap", "wrap_embedder"]


def chat_model(
    model: str,
    *,
    base_url: str | None = None,
    api_key: str | None = None,
    cache: str | Path | None = None,
    budget: Budget | None = None,
    requests_per_minute: float | None = None,
    tokens_per_minute: float | None = None,
    concurrency: int = 64,
    attempts: int = 6,
    deadline_seconds: float = 600.0,
    price: Price | None = None,
) -> ChatModel:
    """Return a chat model of OpenAI, or of any server that speaks its protocol, that is ready for work.

    It tries again when the provider is busy, keeps to the limits that you give, never spends more than the
    budget, and answers a request that it has answered before from the cache file, at once and for nothing.

    Args:
        model: The name, as the provider spells it, for example "gpt-6-luna" or "llama3.2".
        base_url: The server's address, for example "http://localhost:11434/v1" for Ollama; None: the
            environment variable OPENAI_BASE_URL, else OpenAI.
        api_key: None: the environment variable OPENAI_API_KEY.
        cache: A file for the replies, for example "replies.db"; None: nothing is kept.
        budget: The most that may be spent, for example `Budget(dollars=5)`; None: no limit. Pass the same
            object to several models to limit them together.
        requests_per_minute: What your account allows; None: as fast as the provider lets you.
        tokens_per_minute: What your account allows, read and written together; None: no limit.
        concurrency: Most requests at the same time; it goes down by itself while the provider is busy.
        attempts: How often a request is sent at most when it fails for a reason that may pass.
        deadline_seconds: No attempt begins later than that after the first failure.
        price: What the model costs; None: OpenAI's list price where the server is OpenAI's and the model
            is in the table. A budget in dollars needs to know; `Price(0, 0)` is right for a server of your own.

    Raises:
        UsageError: When a limit makes no sense.

    Example:
        >>> from llmopt.testing.server import FakeOpenAI
        >>> with FakeOpenAI(lambda body: "Paris") as server:
        ...     model = chat_model("any", base_url=server.base_url, budget=Budget(calls=10))
        ...     model.complete("Capital of France?").text
        'Paris'
    """
    bare = OpenAIChat(model, base_url=_address(base_url), api_key=api_key, prices=price)
    return wrap(
        bare,
        cache=cache,
        budget=budget,
        requests_per_minute=requests_per_minute,
        tokens_per_minute=tokens_per_minute,
        concurrency=concurrency,
        attempts=attempts,
        deadline_seconds=deadline_seconds,
    )


def embedder(
    model: str,
    *,
    base_url: str | None = None,
    api_key: str | None = None,
    cache: str | Path | None = None,
    budget: Budget | None = None,
    requests_per_minute: float | None = None,
    tokens_per_minute: float | None = None,
    concurrency: int = 64,
    attempts: int = 6,
    deadline_seconds: float = 600.0,
    price: Price | None = None,
) -> Embedder:
    """Return an embedder of OpenAI, or of any server that speaks its protocol, that is ready for work.

    A text that is in the cache file is not sent again, whatever batch it comes in.

    Args:
        model: The name, as the provider spells it, for example "text-embedding-3-small".
        base_url: The server's address; None: the environment variable OPENAI_BASE_URL, else OpenAI.
        api_key: None: the environment variable OPENAI_API_KEY.
        cache: A file for the vectors; it may be the one of a chat model. None: nothing is kept.
        budget: The most that may be spent; may be shared with chat models. None: no limit.
        requests_per_minute: What your account allows, in calls of `embed`; None: no limit.
        tokens_per_minute: What your account allows; None: no limit.
        concurrency: Most calls of `embed` at the same time.
        attempts: How often a call is sent at most when it fails for a reason that may pass.
        deadline_seconds: No attempt begins later than that after the first failure.
        price: What the model costs; None: as for `chat_model`.

    Raises:
        UsageError: When a limit makes no sense.

    Example:
        >>> from llmopt.testing.server import FakeOpenAI
        >>> with FakeOpenAI(dimensions=8) as server:
        ...     embedder("any", base_url=server.base_url).encode(["a cat"], kind="document").shape
        (1, 8)
    """
    bare = OpenAIEmbedder(model, base_url=_address(base_url), api_key=api_key, prices=price)
    return wrap_embedder(
        bare,
        cache=cache,
        budget=budget,
        requests_per_minute=requests_per_minute,
        tokens_per_minute=tokens_per_minute,
        concurrency=concurrency,
        attempts=attempts,
        deadline_seconds=deadline_seconds,
    )


def wrap(
    model: ChatModel,
    *,
    cache: str | Path | None = None,
    budget: Budget | None = None,
    requests_per_minute: float | None = None,
    tokens_per_minute: float | None = None,
    concurrency: int = 64,
    attempts: int = 6,
    deadline_seconds: float = 600.0,
) -> ChatModel:
    """Return any chat model with retries, limits, and where asked for a budget and a cache around it.

    A request passes the cache first, then the budget, the retries, the limits, and last the model. See
    `chat_model` for the arguments, and `Cached`, `Budgeted`, `Retrying` and `Limited` for each by itself.

    Raises:
        UsageError: When a limit makes no sense.

    Example:
        >>> from llmopt.testing import FakeModel
        >>> type(wrap(FakeModel(), budget=Budget(calls=10))).__name__
        'Budgeted'
    """
    _check(requests_per_minute, tokens_per_minute, concurrency, attempts, deadline_seconds)
    model = Limited(model, requests_per_minute, tokens_per_minute, concurrency)
    if attempts > 1:
        model = Retrying(model, attempts, deadline_seconds)
    if budget is not None:
        model = Budgeted(model, budget)
    return model if cache is None else Cached(model, cache)


def wrap_embedder(
    embedder: Embedder,
    *,
    cache: str | Path | None = None,
    budget: Budget | None = None,
    requests_per_minute: float | None = None,
    tokens_per_minute: float | None = None,
    concurrency: int = 64,
    attempts: int = 6,
    deadline_seconds: float = 600.0,
) -> Embedder:
    """Return any embedder with retries, limits, and where asked for a budget and a cache around it; as `wrap`.

    Raises:
        UsageError: When a limit makes no sense.

    Example:
        >>> from llmopt.testing import FakeEmbedder
        >>> wrap_embedder(FakeEmbedder()).encode(["a text"], kind="query").shape
        (1, 256)
    """
    _check(requests_per_minute, tokens_per_minute, concurrency, attempts, deadline_seconds)
    embedder = LimitedEmbedder(embedder, requests_per_minute, tokens_per_minute, concurrency)
    if attempts > 1:
        embedder = RetryingEmbedder(embedder, attempts, deadline_seconds)
    if budget is not None:
        embedder = BudgetedEmbedder(embedder, budget)
    return embedder if cache is None else CachedEmbedder(embedder, cache)


def _address(base_url: str | None) -> str | None:
    # Written down now: a cache file must not mix the replies of two servers that the environment named in turn.
    return base_url or os.environ.get("OPENAI_BASE_URL") or None


def _check(
    requests_per_minute: float | None,
    tokens_per_minute: float | None,
    concurrency: int,
    attempts: int,
    deadline_seconds: float,
) -> None:
    check_limits(requests_per_minute, tokens_per_minute, concurrency)
    Patience(attempts, deadline_seconds).check()
