"""The parts of the OpenAI-compatible test server; `llmopt.testing.server` is the door to them."""

from .application import FakeOpenAI
from .embeddings import bag_of_words
from .exchange import Handler, RecordedRequest
from .faults import Fault, FaultKind
from .http import Ending, Response
from .models import ServedModel
from .problems import error_response
from .replies import Reply, echo
from .spawn import spawn_server
from .statistics import ServerStatistics, server_statistics

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
    "server_statistics",
    "spawn_server",
]
