"""Contract suites, fakes and a fault-injecting server, for the tests of those who write components."""

from .fakes import FakeEmbedder, FakeJudge, FakeModel, Reply

__all__ = ["FakeEmbedder", "FakeJudge", "FakeModel", "Reply"]
