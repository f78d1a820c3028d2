"""The ruler against the plain count: equal for every slice, at every border of a block."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import llmopt._tokens
import llmopt.chunking.estimated
from llmopt._tokens import count_tokens
from llmopt.chunking.measuring import ruler_for

VOCABULARIES = Path(__file__).parents[3] / "shared" / "tiktoken"
PIECES = [
    *("word", " word", "it's", "3.14", "x" * 50, "12345", "don't", "'s", "_", "/", "é", "e\u0301", "ß", "ﬁ"),
    *("中文", "字。", "，", "“", "漢字かな", "한국어", "……", "！", "😀", "👨‍👩‍👧", "🇩🇪", "\ud800", "\udc00", "\u200d"),
    *(" ", "  ", ". ", ", ", "\n", "\n\n", "\r\n", "\t", "\u3000", "\u00a0", "(", ")", "-", "<|endoftext|>", "\x00"),
]
TEXTS = st.lists(st.sampled_from(PIECES) | st.text(max_size=4), min_size=1, max_size=80).map("".join).filter(bool)


@pytest.fixture(params=["vocabulary", "estimate"], scope="module")
def counting(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> object:
    folder = VOCABULARIES if request.param == "vocabulary" else tmp_path_factory.mktemp("empty")
    if not folder.is_dir():
        pytest.skip("../shared/tiktoken is not here")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TIKTOKEN_CACHE_DIR", str(folder))
        patch.setattr(llmopt._tokens, "_BLOCK", 96)
        patch.setattr(llmopt._tokens, "_STEP", 24)
        patch.setattr(llmopt._tokens, "_SEARCHED", 12)
        patch.setattr(llmopt.chunking.estimated, "_BLOCK", 16)
        yield request.param


@pytest.mark.usefixtures("counting")
@given(text=TEXTS, data=st.data(), model=st.sampled_from(["gpt-4o", "gpt-4"]))
@settings(max_examples=300, deadline=None)
def test_a_slice_counts_as_it_would_alone(text: str, data: st.DataObject, model: str) -> None:
    ruler = ruler_for(text, model)
    starts = sorted(data.draw(st.lists(st.integers(0, len(text) - 1), min_size=1, max_size=4)))
    for start in starts:
        ruler.reach(start, data.draw(st.integers(1, 40)))
        end = data.draw(st.integers(start + 1, len(text)))
        # Blocks are cut where tokens may lie across, so a long word's count may depend on where it begins.
        if end - start <= 24:
            assert ruler.count(start, end) == count_tokens(text[start:end], model).count
        budget = data.draw(st.integers(0, 60))
        assert (ruler.excess(start, end, budget) <= 0) == (ruler.count(start, end) <= budget)


@pytest.mark.usefixtures("counting")
@given(text=TEXTS, start=st.integers(0, 60), budget=st.integers(1, 40))
@settings(max_examples=200, deadline=None)
def test_reach_goes_on_and_back_returns(text: str, start: int, budget: int) -> None:
    start = min(start, len(text) - 1)
    ruler = ruler_for(text, None)
    end = ruler.reach(start, budget)
    assert 0 <= end <= len(text)
    assert end == len(text) or ruler.reach(start, budget + 8) > end
    if end > start:
        assert ruler.back(end, budget) <= end
        assert ruler.back(end, 0) <= end


@pytest.mark.usefixtures("counting")
def test_a_ruler_of_another_text_measures_that_text() -> None:
    ruler = ruler_for("one two", None).of("one two three four")
    ruler.reach(0, 10)
    assert ruler.count(0, 18) == count_tokens("one two three four").count


@pytest.mark.usefixtures("counting")
@pytest.mark.parametrize("long", ["x" * 100, "zq" * 90, "字" * 80])
def test_a_word_over_the_border_of_a_block_counts_as_it_would_alone(long: str) -> None:
    text = f"one two three {long} four five six"
    ruler = ruler_for(text, None)
    ruler.reach(0, 400)
    assert ruler.count(4, len(text) - 4) == count_tokens(text[4:-4]).count
