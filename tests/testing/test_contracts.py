"""The contract suites pass on good components and fail on bad ones."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import pytest

from llmopt.prompting import Direct, Grounded
from llmopt.testing import FakeEmbedder, FakeJudge, FakeModel
from llmopt.testing.contracts import (
    ChatModelContract,
    EmbedderContract,
    JudgeContract,
    PromptStrategyContract,
)
from llmopt.types import ImpliedQuestion

pytest_plugins = ["pytester"]


class TestFakeModel(ChatModelContract[FakeModel]):
    def make(self) -> FakeModel:
        return FakeModel("hello")


class TestFakeEmbedder(EmbedderContract[FakeEmbedder]):
    def make(self) -> FakeEmbedder:
        return FakeEmbedder()


class TestFakeJudge(JudgeContract[FakeJudge]):
    def make(self) -> FakeJudge:
        return FakeJudge(implied={self.answer: [ImpliedQuestion("How long?")]})


class TestDirect(PromptStrategyContract[Direct]):
    def make(self) -> Direct:
        return Direct("Be brief.")


class TestGrounded(PromptStrategyContract[Grounded]):
    def make(self) -> Grounded:
        return Grounded()


BROKEN = [
    ("sorts nothing and repeats", "[Hit(D[0], 1.0), Hit(D[0], 2.0)] * 3 if k > 5 else []", "fewer_hits_are_the_best"),
    ("scores without end", "[Hit(D[0], float('inf'))]", "the_query_finds_something"),
    ("trips over odd queries", "[Hit(D[0], 1.0)] if query.isascii() else 1 / 0", "odd_queries"),
    ("counts its searches", "[Hit(D[0], float(next(COUNT) % 2)), Hit(D[1], 0.5)]", "asking_twice"),
]


@pytest.mark.parametrize(("fault", "hits", "check"), BROKEN, ids=[fault for fault, _, _ in BROKEN])
def test_a_broken_retriever_fails_the_check_that_is_about_it(
    pytester: pytest.Pytester, fault: str, hits: str, check: str
) -> None:
    source = f"""
        import itertools
        from llmopt.interfaces import Retriever
        from llmopt.testing.contracts import RetrieverContract
        from llmopt.types import Document, Hit

        D = [Document("a", "a cat"), Document("b", "a dog")]
        COUNT = itertools.count()

        class Broken(Retriever):
            def search(self, query, k):
                return {hits}

        class TestBroken(RetrieverContract):
            def make(self):
                return Broken()
    """
    pytester.makepyfile(textwrap.dedent(source))
    result = pytester.runpytest("-p", "no:cacheprovider", "-q")
    failed: Sequence[str] = [line for line in result.outlines if line.startswith("FAILED")]
    assert any(check in line for line in failed), f"{fault}: {failed}"


def test_a_good_retriever_of_four_lines_passes(pytester: pytest.Pytester) -> None:
    source = """
        from llmopt.interfaces import Retriever
        from llmopt.testing.contracts import RetrieverContract
        from llmopt.types import Document, Hit

        D = [Document("a", "a cat"), Document("b", "a cat and a dog")]

        class Keyword(Retriever):
            async def search(self, query, k):
                return [Hit(d, float(d.text.count(query))) for d in D if query and query in d.text]

        class TestKeyword(RetrieverContract):
            def make(self):
                return Keyword()
    """
    pytester.makepyfile(textwrap.dedent(source))
    pytester.runpytest("-p", "no:cacheprovider", "-q").assert_outcomes(passed=24)
