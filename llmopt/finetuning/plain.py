"""Plain chats and pairs recognised in bulk, by one regular expression over many lines at a time.

Most lines of most files are chats of text turns, written as `json.dumps` writes them. One expression that
matches those, and no line that breaks a rule, runs several times as fast as parsing them; every line that
it does not match is parsed and checked rule by rule.
"""

from __future__ import annotations

import re

from .structure import Method

__all__ = ["plain_run"]

# A JSON string that is not blank: blanks and escaped ones, then something visible, then anything but half of a
# surrogate pair. What begins with a byte that may belong to a rare kind of space is left to the parser.
_VISIBLE = rb'(?:(?!\xe3\x80\x80)[^"\\\x00-\x20\x7f-\xc2\xe1\xe2]|\\["\\/])'
_REST = rb'(?:[^"\\\x00-\x1f]++|\\(?:["\\/bfnrt]|u(?![dD][89a-fA-F])[0-9a-fA-F]{4}))*+'
_STRING = rb'"(?: |\\[nrt])*+' + _VISIBLE + _REST + rb'"'


def _turn(role: bytes) -> bytes:
    return rb'(?:\{"role": ?"' + role + rb'", ?"content": ?' + _STRING + rb"\}(?:, ?(?=\{)|(?=\])))"


_CHAT = (
    rb'\{"messages": ?\['
    + _turn(b"system")
    + rb"?+"
    + _turn(b"assistant")
    + rb"*+(?:"
    + _turn(b"user")
    + rb"++"
    + _turn(b"assistant")
    + rb"++)++\]\}"
)
_ANSWER = rb'\{"role": ?"assistant", ?"content": ?' + _STRING + rb"\}"
# Two answers that differ in their text differ; what is the same but for its escapes is left to a person.
_PAIR = (
    rb'\{"input": ?\{"messages": ?\['
    + _turn(b"system")
    + rb"?+(?:"
    + _turn(b"assistant")
    + rb"*+"
    + _turn(b"user")
    + rb')++\]\}, ?"preferred_output": ?\[('
    + _ANSWER
    + rb')\], ?"non_preferred_output": ?\[(?!\1\])'
    + _ANSWER
    + rb"\]\}"
)
_RUNS = {
    "supervised": re.compile(rb"(?:" + _CHAT + rb"\n)++"),
    "dpo": re.compile(rb"(?:" + _PAIR + rb"\n)++"),
}


def plain_run(block: bytes, start: int, longest: int, method: Method) -> int:
    """Return where the run of plain records that begins at `start` ends; `start` when there is none.

    Args:
        block: Whole lines.
        start: The beginning of a line.
        longest: Bytes of the longest line that may be in a run.
        method: Whether chats or preference pairs are looked for.
    """
    match = _RUNS[method].match(block, start)
    if match is None:
        return start
    run = match.group()
    try:
        run.decode()
    except UnicodeDecodeError:
        return start
    return start if max(map(len, run.split(b"\n"))) > longest else match.end()
