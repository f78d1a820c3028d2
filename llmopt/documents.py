"""Documents from a user's own folder: text, Markdown and HTML files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

from .chunking import html_to_text
from .errors import CorpusError
from .types import Document

__all__ = ["load_documents"]

_TEXT = {".txt", ".text", ".md", ".markdown", ".rst"}
_HTML = {".html", ".htm", ".xhtml"}
_BYTE_ORDER_MARKS: Mapping[bytes, str] = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
_SNIFFED = 8192


def load_documents(path: str | Path, *, encoding: str = "utf-8") -> list[Document]:
    """Return a document per text, Markdown or HTML file, from a folder and all below it, or of one file.

    A document's id is the file's path within the folder; its metadata are `path`, `title` and `modified`
    (ISO 8601, UTC). HTML becomes text with Markdown headings. Other kinds of files, hidden ones and empty
    ones are passed over.

    Args:
        path: A folder or a file.
        encoding: Of files without a byte order mark, for example "gb18030".

    Raises:
        CorpusError: When the path does not exist, holds no such file, or a file is not text; the message
            names the file.
    """
    root = Path(path)
    if not root.exists():
        raise CorpusError(f"there is no file or folder {root}")
    files = [root] if root.is_file() else list(_readable(root))
    base = root.parent if root.is_file() else root
    documents = [document for file in files if (document := _document(file, base, encoding)) is not None]
    if not documents:
        kinds = " ".join(sorted(_TEXT | _HTML))
        raise CorpusError(f"{root} holds no text to search; files with these endings are read: {kinds}")
    return documents


def _readable(root: Path) -> Iterator[Path]:
    for file in sorted(root.rglob("*")):
        hidden = any(part.startswith(".") for part in file.relative_to(root).parts)
        if not hidden and file.suffix.lower() in _TEXT | _HTML and file.is_file():
            yield file


def _document(file: Path, base: Path, encoding: str) -> Document | None:
    raw = _decoded(file, encoding)
    text = html_to_text(raw) if file.suffix.lower() in _HTML else raw
    if not text.strip():
        return None
    modified = datetime.fromtimestamp(file.stat().st_mtime, tz=UTC).isoformat(timespec="seconds")
    name = file.relative_to(base).as_posix()
    return Document(name, text, {"path": name, "title": _title(text, file), "modified": modified})


def _decoded(file: Path, encoding: str) -> str:
    try:
        content = file.read_bytes()
    except OSError as error:
        raise CorpusError(f"cannot read {file}: {error}") from error
    marked = next((name for mark, name in _BYTE_ORDER_MARKS.items() if content.startswith(mark)), None)
    if marked is None and b"\0" in content[:_SNIFFED]:
        raise CorpusError(f"{file} is not text (it has NUL bytes): move it away or give it another ending")
    try:
        return content.decode(marked or encoding).replace("\r\n", "\n")
    except (UnicodeDecodeError, LookupError) as error:
        raise CorpusError(
            f"{file} is not {marked or encoding}: {error}; name its encoding, for example "
            "encoding='gb18030' for Chinese or 'cp1252' for Western files"
        ) from error


def _title(text: str, file: Path) -> str:
    first = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return first.lstrip("#").strip()[:120] if first.startswith("#") else file.stem
