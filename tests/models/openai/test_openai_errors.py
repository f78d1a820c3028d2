from __future__ import annotations

import json
import traceback
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmopt.errors import (
    ContentFilteredError,
    ContextOverflowError,
    CredentialsError,
    LlmoptError,
    ModelError,
    ModelUnavailableError,
    QuotaError,
    RateLimitError,
    RequestRejectedError,
    UnknownModelError,
)
from llmopt.models import OpenAIChat
from llmopt.models.openai.errors import error_of
from llmopt.models.openai.refusals import Caller
from llmopt.models.openai.reports import Report, Trouble
from llmopt.testing.server import FakeOpenAI, Fault, FaultKind, RecordedRequest, Response
from llmopt.types import Options

CALLER = Caller("OpenAIChat", "m", "http://localhost/v1", 60.0, "sk-secret")


def failure(fault: Fault, options: Options = Options()) -> ModelError:
    """Return what a call raises that meets the fault."""
    with FakeOpenAI(faults=[fault]) as server, pytest.raises(ModelError) as caught:
        OpenAIChat("m", base_url=server.base_url, api_key="sk-secret").complete("hi", options)
    return caught.value


def refusal(
    status: int, body: Mapping[str, object] | str, headers: Mapping[str, str] | None = None, key: str = "sk-secret"
) -> ModelError:
    """Return what a call raises whose server answers so."""
    content = body.encode() if isinstance(body, str) else json.dumps(body).encode()

    def handler(_: RecordedRequest) -> Response:
        return Response(status=status, content=content, headers=headers or {})

    routes = {("POST", "/v1/chat/completions"): handler}
    with FakeOpenAI(routes=routes) as server, pytest.raises(ModelError) as caught:
        OpenAIChat("m", base_url=server.base_url, api_key=key).complete("hi")
    return caught.value


@pytest.mark.parametrize(
    ("kind", "expected", "retryable"),
    [
        ("rate_limit", RateLimitError, True),
        ("insufficient_quota", QuotaError, False),
        ("server_error", ModelUnavailableError, True),
        ("gateway", ModelUnavailableError, True),
        ("bad_key", CredentialsError, False),
        ("unknown_model", UnknownModelError, False),
        ("context_overflow", ContextOverflowError, False),
        ("malformed", ModelUnavailableError, True),
        ("reset", ModelUnavailableError, True),
        ("truncated", ModelUnavailableError, True),
    ],
)
def test_every_fault_has_its_error(kind: FaultKind, expected: type[ModelError], retryable: bool) -> None:
    error = failure(Fault(kind))
    assert type(error) is expected
    assert error.retryable is retryable
    assert "OpenAIChat('m') at http://127.0.0.1" in str(error)


@pytest.mark.parametrize(
    ("status", "error", "expected"),
    [
        (400, {"message": "max tokens reached", "code": "billing_hard_limit_reached"}, QuotaError),
        (402, {"message": "Insufficient Balance"}, QuotaError),
        (400, {"message": "the request exceeds the available context size", "code": 400}, ContextOverflowError),
        (413, {"message": "Payload Too Large"}, ContextOverflowError),
        (400, {"message": "filtered by the policy", "code": "content_filter"}, ContentFilteredError),
        (403, {"message": "Project has no access to model `m`", "code": "model_not_found"}, UnknownModelError),
        (400, {"message": "Invalid model: m"}, UnknownModelError),
        (404, {"message": 'model "m" not found, try pulling it first'}, UnknownModelError),
        (403, {"message": "Country not supported"}, CredentialsError),
        (408, {"message": "timed out"}, ModelUnavailableError),
        (409, {"message": "try again"}, ModelUnavailableError),
        (503, {"message": "overloaded"}, ModelUnavailableError),
        (400, {"message": "'messages' is wrong", "param": "messages"}, RequestRejectedError),
        (422, {"message": "wrong"}, RequestRejectedError),
    ],
)
def test_status_code_and_words_make_the_error(status: int, error: object, expected: type[ModelError]) -> None:
    assert type(refusal(status, {"error": error})) is expected


def test_a_server_without_this_path_says_where_to_look() -> None:
    error = refusal(404, "404 page not found")
    assert type(error) is RequestRejectedError
    assert "base_url" in str(error)


def test_a_page_of_html_is_not_put_into_the_message() -> None:
    error = refusal(502, "<html><body>Bad Gateway</body></html>")
    assert type(error) is ModelUnavailableError
    assert "<html>" not in str(error)


def test_complaints_of_servers_built_on_fastapi_are_read() -> None:
    complaint = {"type": "missing", "loc": ["body", "messages"], "msg": "Field required"}
    assert "body.messages: Field required" in str(refusal(422, {"detail": [complaint]}))


def test_an_error_with_status_200_is_an_error() -> None:
    error = refusal(200, {"error": {"message": "Provider overloaded", "code": 429}})
    assert type(error) is RateLimitError
    assert error.retryable


def test_the_wait_that_the_provider_asks_for_is_told() -> None:
    assert failure(Fault("rate_limit", retry_after=7)).retry_after == 7.0
    assert failure(Fault("rate_limit", retry_after=7, retry_after_ms=250)).retry_after == 0.25
    assert failure(Fault("server_error", status=503, retry_after=200)).retry_after == 200.0
    assert failure(Fault("rate_limit")).retry_after is None
    assert failure(Fault("rate_limit", retry_after="soon")).retry_after is None


def test_the_wait_may_be_a_date() -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    seconds = failure(Fault("rate_limit", retry_after=date)).retry_after
    assert seconds is not None
    assert 60 < seconds <= 90
    past = format_datetime(datetime.now(UTC) - timedelta(days=1), usegmt=True)
    assert failure(Fault("rate_limit", retry_after=past)).retry_after == 0.0


def test_a_single_request_above_the_limit_per_minute_is_not_to_be_repeated() -> None:
    words = "Request too large for m on tokens per min (TPM): Limit 30000, Requested 50000."
    error = refusal(429, {"error": {"message": words, "code": "rate_limit_exceeded", "type": "tokens"}})
    assert type(error) is RateLimitError
    assert not error.retryable


def test_the_id_of_the_request_is_kept_for_the_providers_support() -> None:
    assert refusal(500, {"error": {"message": "oops"}}, {"x-request-id": "req_7"}).request_id == "req_7"


def test_the_refused_parameter_is_named() -> None:
    error = refusal(400, {"error": {"message": "'messages' has a bad role", "param": "messages[0].role"}})
    assert isinstance(error, RequestRejectedError)
    assert error.parameter == "messages"


def test_a_server_that_is_not_there_is_said_to_be_away() -> None:
    with pytest.raises(ModelUnavailableError, match=r"OpenAIChat\('m'\) at http://127.0.0.1:9/v1.*running") as caught:
        OpenAIChat("m", base_url="http://127.0.0.1:9/v1").complete("hi")
    assert caught.value.retryable


def test_a_server_that_never_answers_is_left_after_the_timeout() -> None:
    error = failure(Fault("stuck"), Options(timeout=0.2))
    assert type(error) is ModelUnavailableError
    assert "within 0.2 s" in str(error)
    assert error.retryable


def test_a_server_that_trickles_is_left_after_the_timeout_too() -> None:
    def handler(_: RecordedRequest) -> Response:
        return Response(events=[b" "] * 100, event_delay=0.05)

    with (
        FakeOpenAI(routes={("POST", "/v1/chat/completions"): handler}) as server,
        pytest.raises(ModelUnavailableError, match="within"),
    ):
        OpenAIChat("m", base_url=server.base_url, timeout=0.3).complete("hi")


def test_a_missing_key_is_said_before_anything_is_sent() -> None:
    with pytest.raises(CredentialsError, match="OPENAI_API_KEY"):
        OpenAIChat("gpt-6-luna").complete("hi")


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422, 429, 500])
def test_a_key_that_the_server_repeats_does_not_get_into_the_error(status: int) -> None:
    error = refusal(status, {"error": {"message": "bad key sk-secret given"}})
    assert "sk-secret" not in "".join(traceback.format_exception(error))
    assert "***" in str(error)


def test_nothing_shows_the_key() -> None:
    model = OpenAIChat("m", base_url="http://127.0.0.1:9/v1?key=sk-other", api_key="sk-secret")
    assert "sk-secret" not in repr(model)
    assert "sk-secret" not in repr(CALLER)
    with pytest.raises(ModelUnavailableError) as caught:
        model.complete("hi")
    assert "sk-secret" not in "".join(traceback.format_exception(caught.value))
    assert "sk-other" not in str(caught.value)


REPORTS = st.builds(
    Report,
    trouble=st.sampled_from(get_args(Trouble)),
    words=st.text() | st.just("your key is sk-secret"),
    status=st.none() | st.integers(300, 599),
    code=st.text() | st.sampled_from(["insufficient_quota", "model_not_found", "context_length_exceeded"]),
    kind=st.text(),
    parameter=st.text(),
    retry_after=st.none() | st.floats(0, 1e6),
)


@given(REPORTS)
def test_every_report_becomes_one_of_our_errors_that_says_who_asked_whom(report: Report) -> None:
    error = error_of(report, CALLER)
    assert isinstance(error, LlmoptError)
    assert str(error).startswith("OpenAIChat('m') at http://localhost/v1: ")
    assert "sk-secret" not in str(error)


def test_a_key_that_is_an_everyday_word_is_left_in_messages() -> None:
    assert "too many requests" in str(refusal(429, {"error": {"message": "slow down"}}, key="any"))
