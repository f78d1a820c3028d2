"""`Tokens`: even passages with an even overlap."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from llmopt._tokens import count_tokens
from llmopt.chunking import Tokens
from llmopt.types import Document

VOCABULARIES = Path(__file__).parents[3] / "shared" / "tiktoken"


def test_passages_are_full_but_for_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    if not VOCABULARIES.is_dir():
        pytest.skip("../shared/tiktoken is not here")
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(VOCABULARIES))
    text = "A retriever finds passages; the model reads them before it answers. " * 60
    counts = [count_tokens(passage.text).count for passage in Tokens(50, 0).chunk(Document("d", text))]
    assert all(48 <= count <= 50 for count in counts[:-1])
    assert counts[-1] <= 50


def test_neighbours_share_the_overlap(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    text = " ".join(f"w{number}" for number in range(400))
    passages = Tokens(40, 10).chunk(Document("d", text))
    for one, two in itertools.pairwise(passages):
        assert one.span is not None
        assert two.span is not None
        shared = count_tokens(text[two.span.start : one.span.end]).count
        assert 8 <= shared <= 10
