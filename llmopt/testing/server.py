"""An OpenAI-compatible server on loopback that can be told what to say and how to fail.

In a test, in a thread:

    with FakeOpenAI(lambda body: "Paris", faults=[Fault("rate_limit", at=(1,), retry_after=0)]) as server:
        client = OpenAI(base_url=server.base_url, api_key="any")
        ...
        assert server.count("chat/completions") == 2

In a benchmark, as a process of its own:

    with spawn_server("judge.py:reply", latency=0.05) as base_url:
        ...
        print(server_statistics(base_url).cpu_seconds)

From a shell: `python -m llmopt.testing.server --latency 0.05 --fault rate_limit:0.1`.
"""

from ._server import (
    Ending,
    FakeOpenAI,
    Fault,
    FaultKind,
    Handler,
    RecordedRequest,
    Reply,
    Response,
    ServedModel,
    ServerStatistics,
    bag_of_words,
    echo,
    error_response,
    server_statistics,
    spawn_server,
)
from ._server.command import main

__all__ = [
    "Ending",
    "FakeOpenAI",
    "Fault",
    "FaultKind",
    "Handler",
    "RecordedRequest",
    "Reply",
    "Response",
    "ServedModel",
    "ServerStatistics",
    "bag_of_words",
    "echo",
    "error_response",
    "main",
    "server_statistics",
    "spawn_server",
]

if __name__ == "__main__":
    main()
