"""The server as a process of its own."""

import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import openai
import pytest
from openai import OpenAI

from llmopt.errors import ContractError, UsageError
from llmopt.testing.server import Fault, main, server_statistics, spawn_server

ROOT = str(Path(__file__).resolve().parents[2])


def ask(base_url: str, *, model: str = "m") -> str | None:
    with OpenAI(base_url=base_url, api_key="any", max_retries=0) as client:
        completion = client.chat.completions.create(model=model, messages=[{"role": "user", "content": "x"}])
    return completion.choices[0].message.content


def test_a_function_in_a_file_answers(tmp_path: Path) -> None:
    (tmp_path / "judge.py").write_text("def reply(body):\n    return 'asked ' + body['model']\n")
    with spawn_server(f"{tmp_path / 'judge.py'}:reply") as base_url:
        assert ask(base_url, model="m1") == "asked m1"


def test_a_function_in_a_module_answers() -> None:
    with spawn_server("llmopt.testing.server:echo", models=["a", "b"]) as base_url:
        assert ask(base_url, model="b") == "x"
        with pytest.raises(openai.NotFoundError):
            ask(base_url, model="c")


def test_switches_and_limits_arrive_in_the_process() -> None:
    with (
        spawn_server(
            requests_per_minute=1, only_float=True, shuffle_rows=True, check_requests=False, latency=0.001, seed=5
        ) as base_url,
        OpenAI(base_url=base_url, api_key="any", max_retries=0) as client,
    ):
        rows = client.embeddings.create(model="e", input=["", "b", "c"], encoding_format="base64").data
        with pytest.raises(openai.RateLimitError):
            client.models.list()
    assert isinstance(rows[0].embedding, list)
    assert [row.index for row in rows] != [0, 1, 2]


def test_a_function_that_raises_is_reported_at_the_end(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "judge.py").write_text("def reply(body):\n    raise KeyError('oops')\n")
    place = f"{tmp_path / 'judge.py'}:reply"
    with (
        pytest.raises(ContractError, match="status 1"),
        spawn_server(place) as base_url,
        pytest.raises(openai.InternalServerError),
    ):
        ask(base_url)
    assert "KeyError('oops') on request 1" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("reply", "words"),
    [("nothing", "names no function"), ("json:nothing", "has no function 'nothing'"), ("no_such:x", "no_such")],
)
def test_a_server_that_cannot_start_says_why(reply: str, words: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UsageError, match="did not start"), spawn_server(reply):
        pass
    assert words in capfd.readouterr().err


def test_an_error_in_the_block_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError), spawn_server():
        raise ZeroDivisionError


def test_a_condition_cannot_go_to_another_process() -> None:
    with pytest.raises(UsageError, match="`when`"), spawn_server(faults=[Fault("empty", when=lambda _: True)]):
        pass


def test_prints_its_url_and_stops_when_its_parent_is_killed() -> None:
    code = (
        "import os, signal\n"
        "from llmopt.testing.server import spawn_server\n"
        "with spawn_server() as base_url:\n"
        "    print(base_url, flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    environment = {**os.environ, "PYTHONPATH": ROOT}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == -signal.SIGKILL
    base_url = done.stdout.strip()
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            server_statistics(base_url)
        except OSError:
            return
        time.sleep(0.01)
    pytest.fail("the server outlived its parent")


def test_the_command_reads_faults_in_both_forms(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO()))
    main(["--until-eof", "--fault", "rate_limit:0.1", "--fault", '{"kind": "slow", "at": [3], "seconds": 2}'])
    assert capsys.readouterr().out.startswith("http://127.0.0.1:")


@pytest.mark.parametrize("fault", ["earthquake", "rate_limit:x", '{"kind": "slow", "speed": 3}', "{"])
def test_the_command_refuses_what_is_no_fault(fault: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--fault", fault])
    assert caught.value.code == 2
    assert "is no fault" in capsys.readouterr().err


def test_the_module_runs_without_a_warning() -> None:
    command = [sys.executable, "-W", "error", "-m", "llmopt.testing.server", "--until-eof"]
    environment = {**os.environ, "PYTHONPATH": ROOT}
    done = subprocess.run(command, input="", capture_output=True, text=True, env=environment, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("http://127.0.0.1:")
