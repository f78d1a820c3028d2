"""The life of a job at an OpenAI-compatible provider, against a server on loopback."""

import datetime as dt
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pytest

from llmopt.errors import CredentialsError, ModelUnavailableError, StorageError, TuningError, UsageError
from llmopt.finetuning import LossPoint, OpenAIFineTune
from llmopt.testing import FakeModel
from llmopt.testing.contracts import FineTuneJobContract
from llmopt.testing.openapi import schema_errors
from llmopt.testing.server import FakeOpenAI, RecordedRequest, Response, error_response
from llmopt.types import Example, Message

SPEC_FILE = Path(__file__).resolve().parents[3] / "shared" / "openai" / "openapi.json"


def example(number: int) -> Example:
    return Example((Message("user", f"question {number}?"), Message("assistant", f"answer {number}")))


def pair(number: int) -> Example:
    return Example(example(number).messages, rejected=Message("assistant", "no"))


TRAINING = [example(number) for number in range(12)]
VALIDATION = [example(number) for number in range(100, 104)]


def reply(body: Mapping[str, object], status: int = 200) -> Response:
    return Response(status=status, content=json.dumps(body).encode())


@dataclass
class Provider:
    """A provider whose job takes the given states one after the other."""

    states: list[str] = field(default_factory=lambda: ["validating_files", "queued", "running", "succeeded"])
    refuse: Response | None = None
    created: list[Mapping[str, object]] = field(default_factory=list[Mapping[str, object]])
    uploads: list[bytes] = field(default_factory=list[bytes])
    answers: list[Response] = field(default_factory=list[Response])

    def job(self, state: str) -> Response:
        tuned = "ft:gpt-4.1-mini:acme::1" if state == "succeeded" else None
        error = {"code": "bad", "message": "the data is bad", "param": None} if state == "failed" else None
        return reply({"id": "ftjob-1", "status": state, "fine_tuned_model": tuned, "error": error})

    def upload(self, request: RecordedRequest) -> Response:
        self.uploads.append(request.content)
        file = {"id": f"file-{len(self.uploads)}", "object": "file", "bytes": 1, "created_at": 1, "filename": "x"}
        return reply({**file, "purpose": "fine-tune", "status": "processed"})

    def create(self, request: RecordedRequest) -> Response:
        if self.refuse is not None:
            return self.refuse
        self.created.append(request.body)
        return self.job("validating_files")

    def poll(self, request: RecordedRequest) -> Response:
        if request.parameters["id"] != "ftjob-1":
            return error_response(404, "there is no such job")
        if self.answers:
            return self.answers.pop(0)
        return self.job(self.states.pop(0) if len(self.states) > 1 else self.states[0])

    def server(self) -> FakeOpenAI:
        routes: Mapping[tuple[str, str], Callable[[RecordedRequest], Response]] = {
            ("POST", "/v1/files"): self.upload,
            ("GET", "/v1/files/{id}"): lambda request: reply({"id": request.parameters["id"]}),
            ("POST", "/v1/fine_tuning/jobs"): self.create,
            ("GET", "/v1/fine_tuning/jobs"): lambda request: reply({"object": "list", "data": [], "has_more": False}),
            ("GET", "/v1/fine_tuning/jobs/{id}"): self.poll,
            ("POST", "/v1/fine_tuning/jobs/{id}/cancel"): lambda request: self.job("cancelled"),
            ("POST", "/v1/fine_tuning/jobs/{id}/pause"): lambda request: self.job("paused"),
            ("POST", "/v1/fine_tuning/jobs/{id}/resume"): lambda request: self.job("queued"),
            ("GET", "/v1/fine_tuning/jobs/{id}/events"): self.events,
        }
        return FakeOpenAI(routes=routes)

    def events(self, request: RecordedRequest) -> Response:
        newest: dict[str, object] = {"id": "e2", "created_at": 2, "level": "info", "message": "Step 1"}
        newest["data"] = {"step": 1, "train_loss": 0.5, "note": "x"}
        oldest = {"id": "e1", "created_at": 1, "level": "info", "message": "created"}
        first = "after" not in request.query
        return reply({"data": [newest if first else oldest], "has_more": first})


def job(server: FakeOpenAI, folder: Path, **more: object) -> OpenAIFineTune:
    settings: dict[str, object] = {"base_url": server.base_url, "folder": str(folder / "jobs"), "timeout": 10.0}
    return OpenAIFineTune("gpt-4.1-mini", FakeModel, **{**settings, **more})  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def test_a_job_lives_from_upload_to_the_tuned_model(tmp_path: Path) -> None:
    provider = Provider()
    with provider.server() as server:
        tuned = job(server, tmp_path, epochs=2, suffix="mine", seed=3).run(TRAINING, VALIDATION, poll_seconds=0.01)
    assert tuned.complete("hi").text == "ft:gpt-4.1-mini:acme::1"
    (body,) = provider.created
    method = {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 2}}}
    assert body["method"] == method
    assert (body["training_file"], body["validation_file"]) == ("file-1", "file-2")
    assert b'"question 3?"' in provider.uploads[0]
    assert b"fine-tune" in provider.uploads[0]


@pytest.mark.parametrize("method", ["supervised", "dpo"])
def test_the_request_fits_the_published_schema(tmp_path: Path, method: str) -> None:
    pytest.importorskip("jsonschema")
    if not SPEC_FILE.is_file():
        pytest.skip("OpenAI's API schema is not there: ../shared/openai/openapi.json")
    spec = cast("Mapping[str, object]", json.loads(SPEC_FILE.read_bytes()))
    provider = Provider()
    training = TRAINING if method == "supervised" else [pair(number) for number in range(12)]
    more: dict[str, object] = {"beta": 0.1} if method == "dpo" else {}
    with provider.server() as server:
        made = job(server, tmp_path, method=method, epochs=3, batch_size=4, learning_rate_multiplier=0.5, **more)
        made.submit(training, ())
    assert schema_errors(spec, "/v1/fine_tuning/jobs", "POST", provider.created[0]) == []
    assert schema_errors(spec, "/v1/fine_tuning/jobs", "POST", {"model": 3})


def test_nothing_is_uploaded_when_a_check_fails(tmp_path: Path) -> None:
    provider = Provider()
    with provider.server() as server:
        with pytest.raises(TuningError, match="too-few-examples"):
            job(server, tmp_path).run(TRAINING[:3])
        with pytest.raises(TuningError, match="leak"):
            job(server, tmp_path).run(TRAINING, TRAINING)
        with pytest.raises(TuningError, match="epochs"):
            job(server, tmp_path, epochs=99).run(TRAINING)
        with pytest.raises(TuningError, match="1 to 50, got 0"):
            job(server, tmp_path, epochs=0).run(TRAINING)
        with pytest.raises(TuningError, match="1 to 64 characters, got 65"):
            job(server, tmp_path, suffix="x" * 65).run(TRAINING)
        with pytest.raises(UsageError, match="supervised or dpo, got 'reinforcement'"):
            job(server, tmp_path, method="reinforcement").run(TRAINING)
        assert server.count() == 0
        assert job(server, tmp_path, force=True).submit(TRAINING[:3], ()) == "ftjob-1"
    assert len(provider.uploads) == 1


def test_an_account_that_may_not_train_is_told_what_to_do(tmp_path: Path) -> None:
    refusal = error_response(403, "Training is not available.", code="training_not_available")
    provider = Provider(refuse=refusal)
    with provider.server() as server, pytest.raises(TuningError, match=r"LoRAFineTune.*FewShotDistil"):
        job(server, tmp_path).run(TRAINING)


def test_a_refusal_before_the_upload_costs_no_upload(tmp_path: Path) -> None:
    provider = Provider()
    server = provider.server()
    closed = error_response(403, "Training is not available.", code="training_not_available")

    def refuse(request: RecordedRequest) -> Response:
        return closed

    routes = {**server.routes, ("GET", "/v1/fine_tuning/jobs"): refuse}
    with FakeOpenAI(routes=routes) as refusing, pytest.raises(TuningError, match="base_url"):
        job(refusing, tmp_path).run(TRAINING)
    assert provider.uploads == []


def test_a_failed_job_says_why(tmp_path: Path) -> None:
    with Provider(["running", "failed"]).server() as server, pytest.raises(TuningError, match="the data is bad"):
        job(server, tmp_path).run(TRAINING, poll_seconds=0.01)


def test_a_state_that_nobody_knows_yet_is_waited_through(tmp_path: Path) -> None:
    with Provider(["evaluating_safety", "succeeded"]).server() as server:
        made = job(server, tmp_path)
        assert made.poll("ftjob-1").state == "unknown"
        assert made.attach("ftjob-1", poll_seconds=0.01).complete("x").text.startswith("ft:")


def test_attach_works_after_a_crash_by_the_state_file(tmp_path: Path) -> None:
    with Provider().server() as server:
        job(server, tmp_path).submit(TRAINING, ())
        (job_id,) = job(server, tmp_path).submitted()
        assert job(server, tmp_path).attach(job_id, poll_seconds=0.01).complete("x").text.startswith("ft:")


def test_what_was_uploaded_before_a_crash_is_not_uploaded_again(tmp_path: Path) -> None:
    provider = Provider(refuse=error_response(500, "down"))
    with provider.server() as server:
        with pytest.raises(ModelUnavailableError):
            job(server, tmp_path).submit(TRAINING, ())
        provider.refuse = None
        job(server, tmp_path).submit(TRAINING, ())
    assert len(provider.uploads) == 1


def test_a_lost_connection_while_waiting_is_outlived(tmp_path: Path) -> None:
    lost = [Response(ending="reset", share=0.0), error_response(503, "overloaded"), error_response(429, "too many")]
    with Provider(["running", "succeeded"], answers=lost).server() as server:
        assert job(server, tmp_path).attach("ftjob-1", poll_seconds=0.01).complete("x").text.startswith("ft:")


def test_patience_ends_and_says_how_to_go_on(tmp_path: Path) -> None:
    lost = [error_response(503, "overloaded")] * 4
    with (
        Provider(answers=lost).server() as server,
        pytest.raises(ModelUnavailableError, match=r"attach\('ftjob-1'\)"),
    ):
        job(server, tmp_path, patience=2).attach("ftjob-1", poll_seconds=0.01)


def test_a_job_that_vanished_is_an_error(tmp_path: Path) -> None:
    gone = [error_response(404, "No such job")]
    with Provider(answers=gone).server() as server, pytest.raises(TuningError, match="gone"):
        job(server, tmp_path).attach("ftjob-1", poll_seconds=0.01)


def test_a_wrong_key_is_an_error_of_credentials(tmp_path: Path) -> None:
    with (
        Provider(answers=[error_response(401, "bad key", code="invalid_api_key")]).server() as server,
        pytest.raises(CredentialsError, match="bad key"),
    ):
        job(server, tmp_path).poll("ftjob-1")


def test_a_job_can_be_paused_resumed_and_cancelled(tmp_path: Path) -> None:
    with Provider().server() as server:
        made = job(server, tmp_path)
        states = [made.pause("ftjob-1").state, made.resume("ftjob-1").state, made.cancel("ftjob-1").state]
    assert states == ["paused", "queued", "cancelled"]


def test_events_come_oldest_first_with_their_losses(tmp_path: Path) -> None:
    with Provider().server() as server:
        events = job(server, tmp_path).events("ftjob-1")
    assert [event.message for event in events] == ["created", "Step 1"]
    assert events[1].metrics == {"step": 1.0, "train_loss": 0.5}


def test_a_folder_that_takes_no_state_file_is_found_before_the_upload(tmp_path: Path) -> None:
    (tmp_path / "jobs").write_text("a file where the folder should be")
    provider = Provider()
    with provider.server() as server, pytest.raises(StorageError, match="state file"):
        job(server, tmp_path).submit(TRAINING, ())
    assert provider.uploads == []


@pytest.mark.parametrize(
    ("day", "base", "words"),
    [
        (dt.date(2027, 1, 7), "gpt-4.1-nano-2025-04-14", "2027-01-06"),
        (dt.date(2027, 1, 20), "gpt-4.1-mini-2025-04-14", "switched off"),
        (dt.date(2026, 11, 1), "gpt-6-luna", "does not train"),
    ],
)
def test_what_is_closed_is_said_before_the_upload(day: dt.date, base: str, words: str) -> None:
    report = OpenAIFineTune(base, FakeModel, base_url="https://api.openai.com/v1").preflight(TRAINING, today=day)
    assert not report.ok
    assert words in str(report)
    assert "FewShotDistil" in str(report)


def test_a_model_that_goes_soon_is_a_warning_and_money_can_be_limited() -> None:
    today = dt.date(2026, 11, 22)
    made = OpenAIFineTune("gpt-4.1-mini", FakeModel, base_url="https://api.openai.com/v1", max_dollars=1e-9)
    report = made.preflight(TRAINING, today=today)
    assert "2027-01-14" in report.warnings[0]
    assert "pass `price`" in report.problems[0]
    priced = OpenAIFineTune("gpt-4.1-mini", FakeModel, base_url="https://api.openai.com/v1", price=5.0, max_dollars=1)
    report = priced.preflight(TRAINING, today=today)
    assert report.ok
    assert report.training.cost is not None
    assert report.training.cost.dollars is not None
    dear = OpenAIFineTune("gpt-4.1-mini", FakeModel, base_url="https://api.openai.com/v1", price=5.0, max_dollars=1e-9)
    assert "above max_dollars" in dear.preflight(TRAINING, today=today).problems[0]


def test_losses_are_read_from_the_events(tmp_path: Path) -> None:
    with Provider().server() as server:
        assert job(server, tmp_path).losses("ftjob-1") == [LossPoint(1, 0.5, None)]


def test_the_key_is_never_shown(tmp_path: Path) -> None:
    assert "secret-key" not in repr(OpenAIFineTune("gpt-4.1-mini", FakeModel, api_key="secret-key"))


class TestOpenAIFineTune(FineTuneJobContract[OpenAIFineTune]):
    @pytest.fixture(autouse=True)
    def serve(self, tmp_path: Path) -> Iterator[None]:
        with Provider().server() as server:
            self.address, self.folder = server.base_url, str(tmp_path / "jobs")
            yield

    def make(self) -> OpenAIFineTune:
        return OpenAIFineTune(
            "gpt-4.1-mini", FakeModel, base_url=self.address, api_key="secret-key", folder=self.folder
        )  # fmt: skip
