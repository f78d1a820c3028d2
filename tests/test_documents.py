"""Reading a user's own folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmopt.documents import load_documents
from llmopt.errors import CorpusError


def test_text_markdown_and_html_below_a_folder_become_documents(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "a.txt").write_text("plain text")
    (tmp_path / "sub" / "b.md").write_text("# The title\n\ntext")
    (tmp_path / "c.HTML").write_text(
        "<html><head><style>x{}</style></head><body><h1>Head</h1><p>Body &amp; soul</p></body>"
    )
    documents = {document.id: document for document in load_documents(tmp_path)}
    assert sorted(documents) == ["a.txt", "c.HTML", "sub/b.md"]
    assert documents["sub/b.md"].metadata["title"] == "The title"
    assert "Body & soul" in documents["c.HTML"].text
    assert "x{}" not in documents["c.HTML"].text


def test_other_hidden_and_empty_files_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("text")
    (tmp_path / "empty.txt").write_text(" \n")
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\x00")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "notes.txt").write_text("hidden")
    assert [document.id for document in load_documents(tmp_path)] == ["a.txt"]


def test_one_file_is_a_corpus(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes("中文\r\n第二行".encode())
    (document,) = load_documents(tmp_path / "a.txt")
    assert (document.id, document.text) == ("a.txt", "中文\n第二行")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_byte_order_mark_says_the_encoding(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "a.txt").write_text("中文", encoding=encoding)
    assert load_documents(tmp_path)[0].text == "中文"


def test_another_encoding_can_be_named(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("中文文本", encoding="gb18030")
    with pytest.raises(CorpusError, match=r"a\.txt is not utf-8.*gb18030"):
        load_documents(tmp_path)
    assert load_documents(tmp_path, encoding="gb18030")[0].text == "中文文本"


def test_a_binary_file_that_calls_itself_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"PK\x03\x04\x00\x00binary")
    with pytest.raises(CorpusError, match=r"a\.txt is not text"):
        load_documents(tmp_path)


def test_a_folder_without_text_and_a_missing_one_are_said_so(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="no text to search"):
        load_documents(tmp_path)
    with pytest.raises(CorpusError, match="no file or folder"):
        load_documents(tmp_path / "nowhere")


def test_a_single_line_of_50_megabytes_is_read(tmp_path: Path) -> None:
    (tmp_path / "long.txt").write_text("word " * 10_000_000)
    assert len(load_documents(tmp_path)[0].text) == 50_000_000
