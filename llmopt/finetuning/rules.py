"""The rules of a fine-tuning file: what each is called, how bad a breach is, and what to do about it.

Source: OpenAI's fine-tuning guide and API reference, the checks of its cookbook (chat_finetuning_data_prep),
and what ruins training runs in practice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

__all__ = ["RULES", "Fault", "Rule", "Severity"]

Severity: TypeAlias = Literal["error", "warning", "note"]


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule.

    Attributes:
        id: Its name, for people and for scripts.
        severity: `error`: the provider refuses the file or the training is spoilt; `warning`: look at it;
            `note`: good to know.
        remedy: What to do.
        fixable: Whether `fix_file` repairs it without changing what is taught.
    """

    id: str
    severity: Severity
    remedy: str
    fixable: bool = False


@dataclass(frozen=True, slots=True)
class Fault:
    """A breach of a rule as one check sees it: which rule, and what is wrong."""

    rule: str
    what: str


_FIX = "`fix_file` (`--fix OUT`) does it"
_ALL = (
    # The file
    Rule("empty-file", "error", "write one JSON object per line"),
    Rule("not-utf8", "error", "save the file as UTF-8", fixable=False),
    Rule("utf-16", "error", f"save the file as UTF-8; {_FIX}", fixable=True),
    Rule("bom", "error", f"save the file as UTF-8 without a byte order mark; {_FIX}", fixable=True),
    Rule("crlf", "warning", f"end lines with a line feed only; {_FIX}", fixable=True),
    Rule("blank-line", "error", f"remove the line; {_FIX}", fixable=True),
    Rule("line-too-long", "error", "no example can be that long: cut it into several"),
    Rule("json-array", "error", f"write one JSON object per line and no list around them; {_FIX}", fixable=True),
    Rule("multi-line", "error", f"write each object on one line; {_FIX}", fixable=True),
    Rule("not-json", "error", "correct the line or remove it"),
    Rule("not-object", "error", 'write a JSON object, {"messages": [...]}'),
    Rule("lone-surrogate", "error", "replace the broken character: half of a pair is no text"),
    Rule("too-few-examples", "error", "add examples; 50 good ones are a start"),
    Rule("few-examples", "note", "start with 50 to 100 clean examples before you judge the method"),
    Rule("file-too-large", "error", "split the file or take the best part of it"),
    # The record
    Rule("other-shape", "error", f"convert it to chats; {_FIX}", fixable=True),
    Rule("missing-messages", "error", 'write {"messages": [...]} with the turns of one chat'),
    Rule("unknown-key", "warning", f"remove it: the provider may refuse or ignore it; {_FIX}", fixable=True),
    Rule("system-key", "warning", f"make it the first message, else it is lost; {_FIX}", fixable=True),
    Rule("mixed-methods", "error", "put chats and preference pairs into two files"),
    # Turns
    Rule("message-not-object", "error", 'write {"role": ..., "content": ...}'),
    Rule("unknown-role", "error", "use system, developer, user, assistant or tool"),
    Rule("role-alias", "error", f"use OpenAI's name of the role; {_FIX}", fixable=True),
    Rule("message-unknown-key", "error", f"remove it from the message; {_FIX}", fixable=True),
    Rule("missing-content", "error", "write the text, or remove the example"),
    Rule("blank-content", "warning", "write the text, or remove the example: white space teaches nothing"),
    Rule("content-not-text", "error", "write the content as a string or as a list of parts"),
    Rule("content-part", "error", 'write {"type": "text", "text": "..."}; images only in user turns'),
    Rule("no-assistant", "error", "add the answer that the model shall learn"),
    Rule("last-not-assistant", "error", "end the chat with the assistant's turn, or remove what follows it"),
    Rule("no-user", "warning", "add the user's turn: at work the model is always asked something"),
    Rule("system-not-first", "warning", "put the system message first, as at work"),
    Rule("several-systems", "warning", "join them into one"),
    Rule("weight-place", "error", "`weight` belongs on assistant messages only"),
    Rule("weight-value", "error", "`weight` is 0 (ignore this answer) or 1 (learn it)"),
    Rule("weights-all-zero", "error", "leave at least one assistant message with weight 1"),
    Rule("name-value", "error", "`name` is a string of letters, digits, _ and -"),
    Rule("deprecated-function", "warning", "use `tools` and `tool_calls`: functions are deprecated"),
    # Tools
    Rule("tools-shape", "error", 'write {"type": "function", "function": {"name", "description", "parameters"}}'),
    Rule("too-many-tools", "error", "leave at most 128 tools"),
    Rule("duplicate-tool", "error", "name each tool once"),
    Rule("parallel-tool-calls", "error", "`parallel_tool_calls` is true or false"),
    Rule("tool-call-shape", "error", 'write {"id", "type": "function", "function": {"name", "arguments"}}'),
    Rule("tool-call-place", "error", "`tool_calls` belong on assistant messages only"),
    Rule("arguments-object", "error", f"write the arguments as a JSON string; {_FIX}", fixable=True),
    Rule("arguments-not-json", "error", "the arguments must be a JSON object in a string"),
    Rule("unknown-tool", "error", "declare the tool in `tools`, or correct the name"),
    Rule("duplicate-call-id", "error", "give each call an id of its own"),
    Rule("unanswered-call", "error", "add the tool's message after the call"),
    Rule("missing-call-id", "error", "give the tool message the `tool_call_id` of its call"),
    Rule("unknown-call-id", "error", "the id must be that of an earlier call in the same chat"),
    # Preference pairs
    Rule("preference-input", "error", 'write "input": {"messages": [...]}'),
    Rule("preference-output", "error", "write a list of one assistant message on each side"),
    Rule("preference-same", "error", "the two answers must differ, else there is nothing to prefer"),
    Rule("input-ends-with-assistant", "warning", "end the input with the turn that is to be answered"),
    # What is said
    Rule("over-context", "error", "shorten or split it: it is cut at the end, and the end is the answer"),
    Rule("duplicate", "warning", f"keep one; {_FIX}", fixable=True),
    Rule("near-duplicate", "warning", "keep one, unless the difference is what is to be learnt"),
    Rule("conflict", "warning", "decide which answer is right: the model learns a coin toss"),
    Rule("leak", "error", "remove it from one of the two sets: the score would be for remembering"),
    Rule("near-leak", "warning", "remove it from one of the two sets, or keep its group on one side"),
    Rule("one-answer", "warning", "balance the answers, else the model learns to say this one always"),
    Rule("secret", "error", "remove it: what is trained on can be said by the model, and it leaves your house"),
    Rule("email", "warning", "mask the address unless it is meant to be public"),
)
RULES: Mapping[str, Rule] = {rule.id: rule for rule in _ALL}
"""All rules by id."""
