"""Repairs: what has one right answer is done, the rest stays and is named, the old file is not touched."""

import json
from pathlib import Path

import pytest

from llmopt.errors import UsageError
from llmopt.finetuning import check_file, fix_file

CHAT = {"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}]}


def numbered(number: int) -> dict[str, object]:
    return {
        "messages": [{"role": "user", "content": f"hi {number}"}, {"role": "assistant", "content": f"hello {number}"}]
    }


LINES = [json.dumps(numbered(number)) for number in range(12)]


@pytest.mark.parametrize(
    ("rule", "raw"),
    [
        ("bom", "\ufeff" + "\n".join(LINES)),
        ("crlf", "\r\n".join(LINES)),
        ("blank-line", "\n\n".join(LINES)),
        ("json-array", "[" + ",".join(LINES) + "]"),
        ("multi-line", "\n".join(json.dumps(json.loads(line), indent=2) for line in LINES)),
        ("utf-16", "\n".join(LINES).encode("utf-16")),
        ("duplicate", "\n".join([*LINES, LINES[0]])),
        ("unknown-key", "\n".join(json.dumps({**json.loads(line), "id": 1}) for line in LINES)),
        ("system-key", "\n".join(json.dumps({**json.loads(line), "system": "x"}) for line in LINES)),
        (
            "message-unknown-key",
            "\n".join(line.replace('"role": "user"', '"mood": 1, "role": "user"') for line in LINES),
        ),
        ("role-alias", "\n".join(line.replace('"user"', '"human"') for line in LINES)),
        ("other-shape", "\n".join(json.dumps({"prompt": f"hi {n}", "completion": f"hello {n}"}) for n in range(12))),
    ],
)
def test_what_has_one_right_answer_is_repaired(tmp_path: Path, rule: str, raw: str | bytes) -> None:
    path = tmp_path / "raw.jsonl"
    path.write_bytes(raw if isinstance(raw, bytes) else raw.encode())
    before = path.read_bytes()
    assert rule in check_file(path).counts
    report = fix_file(path, tmp_path / "train.jsonl")
    assert report.fixed[rule] >= 1
    assert rule not in report.after.counts
    assert report.after.ok, str(report)
    assert report.after.examples == 12
    assert path.read_bytes() == before


def test_arguments_become_a_string(tmp_path: Path) -> None:
    made = {"id": "c", "type": "function", "function": {"name": "add", "arguments": {"a": 1}}}
    tools = [{"type": "function", "function": {"name": "add"}}]
    record = {"messages": [CHAT["messages"][0], {"role": "assistant", "tool_calls": [made]}], "tools": tools}
    (tmp_path / "raw.jsonl").write_text(json.dumps(record))
    fix_file(tmp_path / "raw.jsonl", tmp_path / "train.jsonl")
    written = json.loads((tmp_path / "train.jsonl").read_text())
    assert written["messages"][1]["tool_calls"][0]["function"]["arguments"] == '{"a": 1}'


def test_what_needs_a_person_stays_and_is_named(tmp_path: Path) -> None:
    broken = '{"messages": [}'
    (tmp_path / "raw.jsonl").write_text("\n".join([*LINES[:5], broken, *LINES[5:]]))
    report = fix_file(tmp_path / "raw.jsonl", tmp_path / "train.jsonl")
    assert [(finding.rule, finding.line) for finding in report.after.errors] == [("not-json", 6)]
    assert (tmp_path / "train.jsonl").read_text().splitlines()[5] == broken


@pytest.mark.parametrize("record", [{"messages": "hi"}, {"input": {"messages": "hi"}, "preferred_output": 3}])
def test_what_is_no_list_of_turns_is_not_lost(tmp_path: Path, record: dict[str, object]) -> None:
    (tmp_path / "raw.json").write_text(json.dumps([record]))
    fix_file(tmp_path / "raw.json", tmp_path / "train.jsonl")
    assert json.loads((tmp_path / "train.jsonl").read_text()) == record


def test_a_file_without_faults_is_copied_to_the_byte(tmp_path: Path) -> None:
    (tmp_path / "raw.jsonl").write_text("\n".join(LINES) + "\n")
    report = fix_file(tmp_path / "raw.jsonl", tmp_path / "train.jsonl")
    assert report.fixed == {}
    assert (tmp_path / "train.jsonl").read_bytes() == (tmp_path / "raw.jsonl").read_bytes()


def test_the_file_itself_is_never_the_target(tmp_path: Path) -> None:
    path = tmp_path / "raw.jsonl"
    path.write_text(LINES[0])
    with pytest.raises(UsageError, match="another target"):
        fix_file(path, path)
    assert path.read_text() == LINES[0]
