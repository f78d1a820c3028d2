"""The check of a file: every rule is found on its line, and only where it is broken."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmopt.errors import StorageError, UsageError
from llmopt.finetuning import RULES, check_file
from llmopt.finetuning.plain import plain_run
from llmopt.finetuning.plain_tools import PlainTools
from llmopt.finetuning.structure import is_plain, record_faults
from llmopt.types import Sample

Turn = dict[str, object]
USER: Turn = {"role": "user", "content": "hi"}
ANSWER: Turn = {"role": "assistant", "content": "hello"}
TOOL = {"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}


def call(id: str = "c1", name: str = "add", arguments: object = "{}") -> Turn:
    made = {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}
    return {"role": "assistant", "content": None, "tool_calls": [made]}


def result(id: object = "c1") -> Turn:
    return {"role": "tool", "tool_call_id": id, "content": "4"}


def chat(*turns: object, **more: object) -> dict[str, object]:
    return {"messages": list(turns), **more}


def pair(preferred: object = ANSWER, other: object = None, **more: object) -> dict[str, object]:
    other = {"role": "assistant", "content": "go away"} if other is None else other
    given = {"messages": [USER]}
    return {"input": given, "preferred_output": [preferred], "non_preferred_output": [other], **more}


def good(number: int) -> str:
    return json.dumps(
        chat({"role": "user", "content": f"question {number}"}, {"role": "assistant", "content": f"{number}"})
    )


def write(path: Path, *lines: str, count: int = 12, at: int = 5) -> Path:
    """Write a file of good lines with the given ones from line `at` on."""
    before = [good(number) for number in range(at - 1)]
    after = [good(number) for number in range(at - 1, count)]
    path.write_text("\n".join([*before, *lines, *after]) + "\n", "utf-8")
    return path


BROKEN_CHATS: list[tuple[str, dict[str, object]]] = [
    ("no-assistant", chat(USER)),
    ("last-not-assistant", chat(USER, ANSWER, USER)),
    ("missing-messages", {"messages": []}),
    ("missing-messages", {"messages": "hi"}),
    ("missing-messages", {"text": "only text"}),
    ("other-shape", {"prompt": "hi", "completion": "hello"}),
    ("other-shape", {"instruction": "hi", "output": "hello"}),
    ("other-shape", {"conversations": [{"from": "human", "value": "hi"}]}),
    ("mixed-methods", pair()),
    ("unknown-key", chat(USER, ANSWER, id=3)),
    ("system-key", chat(USER, ANSWER, system="be kind")),
    ("message-not-object", chat("hi", ANSWER)),
    ("unknown-role", chat({"role": "teacher", "content": "hi"}, USER, ANSWER)),
    ("unknown-role", chat({"content": "hi"}, USER, ANSWER)),
    ("role-alias", chat({"role": "human", "content": "hi"}, ANSWER)),
    ("message-unknown-key", chat({**USER, "mood": "good"}, ANSWER)),
    ("missing-content", chat(USER, {"role": "assistant", "content": None})),
    ("missing-content", chat(USER, {"role": "assistant"})),
    ("missing-content", chat({"role": "user", "content": ""}, ANSWER)),
    ("blank-content", chat(USER, {"role": "assistant", "content": " \n"})),
    ("content-not-text", chat({"role": "user", "content": 3}, ANSWER)),
    ("content-part", chat({"role": "user", "content": [{"type": "text", "value": "hi"}]}, ANSWER)),
    ("content-part", chat(USER, {"role": "assistant", "content": [{"type": "image_url", "image_url": {"url": "x"}}]})),
    ("no-user", chat({"role": "system", "content": "hi"}, ANSWER)),
    ("system-not-first", chat(USER, {"role": "system", "content": "hi"}, ANSWER)),
    ("several-systems", chat({"role": "system", "content": "a"}, {"role": "developer", "content": "b"}, USER, ANSWER)),
    ("weight-place", chat({**USER, "weight": 1}, ANSWER)),
    ("weight-value", chat(USER, {**ANSWER, "weight": 0.5})),
    ("weight-value", chat(USER, {**ANSWER, "weight": True})),
    ("weights-all-zero", chat(USER, {**ANSWER, "weight": 0})),
    ("name-value", chat({**USER, "name": "a b"}, ANSWER)),
    ("deprecated-function", chat(USER, ANSWER, functions=[])),
    ("tools-shape", chat(USER, ANSWER, tools={"a": 1})),
    ("tools-shape", chat(USER, ANSWER, tools=[{"type": "function"}])),
    ("too-many-tools", chat(USER, ANSWER, tools=[{**TOOL, "function": {"name": f"t{n}"}} for n in range(129)])),
    ("duplicate-tool", chat(USER, ANSWER, tools=[TOOL, TOOL])),
    ("parallel-tool-calls", chat(USER, ANSWER, tools=[TOOL], parallel_tool_calls="no")),
    ("tool-call-shape", chat(USER, call(id=""), tools=[TOOL])),
    ("tool-call-shape", chat(USER, {**ANSWER, "tool_calls": "none"}, tools=[TOOL])),
    ("tool-call-place", chat({**USER, "tool_calls": call()["tool_calls"]}, ANSWER, tools=[TOOL])),
    ("arguments-object", chat(USER, call(arguments={"a": 1}), tools=[TOOL])),
    ("arguments-not-json", chat(USER, call(arguments="{a: 1}"), tools=[TOOL])),
    ("unknown-tool", chat(USER, call(name="divide"), tools=[TOOL])),
    ("unknown-tool", chat(USER, call())),
    ("duplicate-call-id", chat(USER, call(), result(), call(), result(), ANSWER, tools=[TOOL])),
    ("unanswered-call", chat(USER, call(), USER, ANSWER, tools=[TOOL])),
    ("missing-call-id", chat(USER, call(), result(None), ANSWER, tools=[TOOL])),
    ("unknown-call-id", chat(USER, call(), result(), result("c9"), ANSWER, tools=[TOOL])),
    ("secret", chat(USER, {"role": "assistant", "content": "AKIA" + "ABCDEFGHIJKLMNOP"})),
    ("email", chat(USER, {"role": "assistant", "content": "write to jane.doe@acme-shop.com"})),
]
BROKEN_PAIRS: list[tuple[str, dict[str, object]]] = [
    ("preference-same", pair(ANSWER, ANSWER)),
    ("preference-output", {**pair(), "preferred_output": []}),
    ("preference-output", pair(USER)),
    ("preference-input", {**pair(), "input": {}}),
    ("missing-content", pair({"role": "assistant", "content": ""})),
    ("mixed-methods", chat(USER, ANSWER)),
    ("other-shape", {"prompt": "hi", "chosen": "hello", "rejected": "go away"}),
    ("unknown-key", pair(score=3)),
]


@pytest.mark.parametrize(("rule", "record"), BROKEN_CHATS, ids=lambda value: value if isinstance(value, str) else "")
def test_a_broken_chat_is_found_on_its_line(tmp_path: Path, rule: str, record: dict[str, object]) -> None:
    report = check_file(write(tmp_path / "train.jsonl", json.dumps(record)))
    assert (rule, 5) in [(finding.rule, finding.line) for finding in report.findings]
    assert {finding.line for finding in report.findings} <= {5, None}
    assert report.ok == (all(finding.severity != "error" for finding in report.findings))


@pytest.mark.parametrize(("rule", "record"), BROKEN_PAIRS, ids=lambda value: value if isinstance(value, str) else "")
def test_a_broken_preference_pair_is_found(rule: str, record: dict[str, object]) -> None:
    assert rule in {fault.rule for fault in record_faults(record, "dpo")}


@pytest.mark.parametrize(
    "record",
    [
        chat(USER, ANSWER),
        chat(USER, call(), result(), ANSWER, tools=[TOOL]),
        chat(USER, call(), tools=[TOOL], parallel_tool_calls=False),
        chat(USER, {**ANSWER, "weight": 0}, USER, {**ANSWER, "weight": 1}),
        chat({"role": "developer", "content": "be kind"}, {**USER, "name": "Jane"}, ANSWER),
        chat(
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://x.example/a.png"}}]},
            ANSWER,
        ),
        chat(USER, {"role": "assistant", "content": None, "refusal": "no"}),
    ],
)
def test_a_right_chat_has_no_finding(record: dict[str, object]) -> None:
    assert list(record_faults(record, "supervised")) == []


def test_a_right_preference_pair_has_no_finding() -> None:
    assert list(record_faults(pair(), "dpo")) == []


def test_broken_json_is_named_by_its_line_and_the_rest_is_checked(tmp_path: Path) -> None:
    path = write(tmp_path / "train.jsonl", '{"messages": [}', json.dumps(chat(USER)), count=50, at=37)
    found = [(finding.rule, finding.line) for finding in check_file(path).errors]
    assert found == [("not-json", 37), ("no-assistant", 38)]


@pytest.mark.parametrize(
    ("rule", "content", "line"),
    [
        ("bom", "\ufeff" + good(1), 1),
        ("crlf", f"{good(1)}\n{good(2)}\r\n", 2),
        ("blank-line", f"{good(1)}\n\n{good(2)}\n", 2),
        ("json-array", f"[{good(1)},\n{good(2)}]", 1),
        ("multi-line", json.dumps(json.loads(good(1)), indent=1), 1),
        ("not-utf8", good(1).encode() + b'\n{"messages": "\xff"}\n', 2),
        ("utf-16", good(1).encode("utf-16"), 1),
        ("not-object", "[1]\n".replace("[1]", "3"), 1),
        ("not-json", '{"messages": NaN}', 1),
        ("lone-surrogate", r'{"messages": [{"role": "user", "content": "\ud800"}]}', 1),
        ("empty-file", "", 1),
    ],
)
def test_a_fault_of_the_file_is_found(tmp_path: Path, rule: str, content: str | bytes, line: int) -> None:
    path = tmp_path / "train.jsonl"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    report = check_file(path)
    assert (rule, line) in [(finding.rule, finding.line) for finding in report.findings]


def test_a_line_that_is_too_long_is_skipped_in_bounded_memory(tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    path.write_bytes(good(1).encode() + b"\n" + b"x" * (65 << 20) + b"\n" + good(2).encode() + b"\n{")
    found = [(finding.rule, finding.line) for finding in check_file(path, contents=False).errors]
    assert found[:2] == [("line-too-long", 2), ("not-json", 4)]


def test_ten_examples_are_enough_and_nine_are_not(tmp_path: Path) -> None:
    assert check_file(write(tmp_path / "a.jsonl", count=10)).ok
    report = check_file(write(tmp_path / "b.jsonl", count=9))
    assert [(finding.rule, finding.line) for finding in report.errors] == [("too-few-examples", 9)]
    assert check_file(write(tmp_path / "b.jsonl", count=9), least_examples=3).ok


def test_an_example_over_the_context_limit_is_an_error(tmp_path: Path) -> None:
    long = json.dumps(chat({"role": "user", "content": "word " * 300}, ANSWER))
    path = write(tmp_path / "train.jsonl", long)
    for contents in (True, False):
        report = check_file(path, context_limit=200, contents=contents)
        assert [(finding.rule, finding.line) for finding in report.errors] == [("over-context", 5)]


def test_a_file_over_the_size_limit_is_an_error(tmp_path: Path) -> None:
    path = write(tmp_path / "train.jsonl", json.dumps(chat({"role": "user", "content": "x" * 1_100_000}, ANSWER)))
    report = check_file(path, most_megabytes=1, context_limit=10_000_000)
    assert [finding.rule for finding in report.errors] == ["file-too-large"]


SENTENCE = "the parcel of the customer in the northern town came nine days after the promised date and was wet"


def test_duplicates_near_duplicates_and_conflicts_are_found(tmp_path: Path) -> None:
    same = json.dumps(chat({"role": "user", "content": SENTENCE}, ANSWER))
    near = json.dumps(chat({"role": "user", "content": SENTENCE.replace("nine", "ten")}, ANSWER))
    other = json.dumps(chat({"role": "user", "content": SENTENCE}, {"role": "assistant", "content": "never"}))
    path = write(tmp_path / "train.jsonl", same, same, near, other)
    report = check_file(path)
    found = {(finding.rule, finding.line) for finding in report.warnings}
    assert {("duplicate", 6), ("near-duplicate", 7), ("conflict", 8)} <= found
    beside = check_file(path, evaluation=[Sample(question="what does it cost?")])
    assert beside.counts == report.counts


def test_a_shared_template_does_not_make_examples_near(tmp_path: Path) -> None:
    lines = [
        json.dumps(
            chat({"role": "user", "content": f"{SENTENCE}. Order {n}?"}, {"role": "assistant", "content": f"{n}"})
        )
        for n in range(40)
    ]
    assert "near-duplicate" not in check_file(write(tmp_path / "train.jsonl", *lines)).counts


def test_leaks_to_the_validation_and_the_evaluation_set_are_found(tmp_path: Path) -> None:
    asked = json.dumps(chat({"role": "user", "content": SENTENCE}, ANSWER))
    near = json.dumps(chat({"role": "user", "content": f"{SENTENCE} again"}, ANSWER))
    path = write(tmp_path / "train.jsonl", asked, near)
    (tmp_path / "valid.jsonl").write_text(asked + "\n")
    report = check_file(path, validation=tmp_path / "valid.jsonl", evaluation=[Sample(question="Question 7!")])
    found = {(finding.rule, finding.line) for finding in report.findings}
    assert {("leak", 5), ("near-leak", 6)} <= found
    assert sum(finding.rule == "leak" for finding in report.findings) == 2  # question 7 is another


def test_train_equal_to_validation_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "train.jsonl")
    assert check_file(path, validation=path).counts["leak"] == 12


def test_one_answer_for_nearly_all_questions_is_said(tmp_path: Path) -> None:
    lines = [json.dumps(chat({"role": "user", "content": f"is {n} odd?"}, ANSWER)) for n in range(40)]
    report = check_file(write(tmp_path / "train.jsonl", *lines))
    assert report.answers[0].count == 40
    assert "one-answer" in report.counts


def test_the_report_says_what_is_wrong_and_what_to_do(tmp_path: Path) -> None:
    report = check_file(write(tmp_path / "train.jsonl", json.dumps(chat(USER))), model="gpt-4.1-mini", price=5.0)
    text = str(report)
    assert report.exit_code == 1
    assert report.first_fault == 5
    assert "not ready" in text
    assert "line 5" in text
    assert RULES["no-assistant"].remedy[1:] in text
    assert "estimate:" in text
    assert report.cost is not None
    assert report.cost.dollars is not None


def test_a_valid_file_has_exit_code_zero(tmp_path: Path) -> None:
    assert check_file(write(tmp_path / "train.jsonl")).exit_code == 0


def test_only_the_first_findings_of_a_rule_are_kept_and_all_are_counted(tmp_path: Path) -> None:
    report = check_file(write(tmp_path / "train.jsonl", *["{"] * 300))
    assert report.counts["not-json"] == 300
    assert sum(finding.rule == "not-json" for finding in report.findings) == 50


def test_wrong_limits_and_missing_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="at least 1"):
        check_file(tmp_path / "absent.jsonl", least_examples=0)
    with pytest.raises(StorageError, match="cannot read"):
        check_file(tmp_path / "absent.jsonl")


roles = st.sampled_from(["system", "user", "assistant", "tool", "developer"])
contents = st.text(st.sampled_from(' \n\t\u3000\u2003\u00a0a"\\é中😀\x7f'), max_size=5)
turns = st.fixed_dictionaries({"role": roles, "content": contents})
chats = st.lists(turns, max_size=4).map(lambda found: {"messages": found})
spacings = st.sampled_from([(", ", ": "), (",", ":"), (" , ", " : ")])


@given(chats, spacings, st.booleans())
def test_a_chat_that_is_waved_through_breaks_no_rule(
    record: dict[str, object], separators: tuple[str, str], ascii_only: bool
) -> None:
    clean = not list(record_faults(record, "supervised"))
    line = json.dumps(record, separators=separators, ensure_ascii=ascii_only).encode() + b"\n"
    assert clean or not is_plain(record)
    assert clean or plain_run(line, 0, 1000, "supervised") == 0


@given(st.binary(max_size=30))
def test_bytes_that_are_no_json_are_never_waved_through(noise: bytes) -> None:
    line = good(1).replace("question 1", "X").encode().replace(b"X", noise) + b"\n"
    if plain_run(line, 0, 1000, "supervised") == len(line):
        json.loads(line)


def test_a_plain_chat_is_waved_through() -> None:
    line = (good(1) + "\n").encode()
    assert plain_run(line * 3, 0, 1000, "supervised") == 3 * len(line)
    assert plain_run(line * 3, 0, 10, "supervised") == 0


@given(turns, turns, st.lists(turns, max_size=3), spacings)
def test_a_pair_that_is_waved_through_breaks_no_rule(
    preferred: Turn, other: Turn, asked: list[Turn], separators: tuple[str, str]
) -> None:
    record = {"input": {"messages": asked}, "preferred_output": [preferred], "non_preferred_output": [other]}
    line = json.dumps(record, separators=separators).encode() + b"\n"
    assert not list(record_faults(record, "dpo")) or plain_run(line, 0, 1000, "dpo") == 0


def test_a_plain_pair_is_waved_through_and_one_without_a_difference_is_not() -> None:
    line = (json.dumps(pair()) + "\n").encode()
    assert plain_run(line * 2, 0, 1000, "dpo") == 2 * len(line)
    assert plain_run((json.dumps(pair(ANSWER, ANSWER)) + "\n").encode(), 0, 1000, "dpo") == 0


def test_a_chat_among_pairs_is_found_by_the_quick_check(tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    path.write_text("".join(f"{json.dumps(pair())}\n" for _ in range(11)) + good(1) + "\n")
    report = check_file(path, contents=False)
    assert [(finding.rule, finding.line) for finding in report.errors] == [("mixed-methods", 12)]


def test_the_quick_check_and_the_full_one_agree_on_the_structure(tmp_path: Path) -> None:
    path = write(tmp_path / "train.jsonl", *[json.dumps(record) for _, record in BROKEN_CHATS], count=30)
    structural = {"secret", "email", "duplicate", "near-duplicate", "conflict", "one-answer"}
    full = {(finding.rule, finding.line) for finding in check_file(path).findings if finding.rule not in structural}
    quick = {(finding.rule, finding.line) for finding in check_file(path, contents=False).findings}
    assert quick == full


names = st.sampled_from(["add", "divide", "", 3])
ids = st.sampled_from(["c1", "c2", "", None])
tool_turns = st.one_of(
    st.sampled_from([USER, ANSWER, call(), call("c2"), result(), result("c2"), {"role": "system", "content": "s"}]),
    st.builds(result, ids),
    st.builds(call, ids, names, st.sampled_from(["{}", "[]", "{", {}])),
    turns,
)
tool_lists: list[object] = [[TOOL], [TOOL, TOOL], [], {}, [{"type": "function"}]]
tool_chats = st.fixed_dictionaries({"messages": st.lists(tool_turns, max_size=7), "tools": st.sampled_from(tool_lists)})


@given(st.lists(tool_chats, min_size=1, max_size=3))
def test_a_chat_with_tools_that_is_waved_through_breaks_no_rule(records: list[dict[str, object]]) -> None:
    plain = PlainTools()
    for record in records:
        assert not plain.is_plain(record) or not list(record_faults(record, "supervised"))


@pytest.mark.parametrize(
    "record",
    [
        chat(USER, call(), result(), ANSWER, tools=[TOOL]),
        chat(USER, ANSWER, tools=[TOOL]),
        chat(USER, call("a"), result("a"), call("b"), result("b"), USER, call("c"), tools=[TOOL]),
    ],
)
def test_usual_chats_with_tools_are_waved_through(record: dict[str, object]) -> None:
    assert PlainTools().is_plain(record)
