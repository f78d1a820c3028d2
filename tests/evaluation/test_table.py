"""Tables are aligned whatever is in them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmopt.evaluation.table import Table, display_width, shortened


@pytest.mark.parametrize(
    ("text", "width"), [("abc", 3), ("猫", 2), ("ａ", 2), ("e\u0301", 1), ("한국", 4), ("", 0), ("a\u200b", 1)]
)
def test_width_is_what_a_terminal_takes(text: str, width: int) -> None:
    assert display_width(text) == width


def test_columns_line_up_with_chinese_in_them() -> None:
    table = Table(["name", "n"], [["猫猫", "1"], ["cat", "20"]], numbers=1)
    assert str(table).splitlines() == ["name   n", "----  --", "猫猫   1", "cat   20"]


def test_caption_and_notes_stand_around_it() -> None:
    text = str(Table(["a"], [["1"]], caption="top", notes=["below"]))
    assert text.splitlines() == ["top", "a", "-", "1", "below"]


def test_control_characters_cannot_break_a_line_or_colour_the_terminal() -> None:
    text = str(Table(["a"], [["x\ny\x1b[31m\u202ez"]]))
    assert len(text.splitlines()) == 3
    assert "\x1b" not in text
    assert "\u202e" not in text


def test_html_is_escaped() -> None:
    assert "<b>" not in Table(["<b>"], [["<b>"]], caption="<b>", notes=["<b>"]).html()


@given(st.text(), st.integers(3, 40))
def test_shortened_text_fits(text: str, width: int) -> None:
    assert display_width(shortened(text, width)) <= width


@given(st.lists(st.tuples(st.text(), st.text()), max_size=5))
def test_every_line_is_as_wide_as_its_columns_allow(rows: list[tuple[str, str]]) -> None:
    lines = str(Table(["left", "right"], rows, numbers=1)).split("\n")
    widths = {display_width(line) for line in lines}
    assert len(lines) == len(rows) + 2
    assert max(widths) == display_width(lines[1])
