"""What should not leave the house: keys, passwords, private keys, e-mail addresses."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .rules import Fault

__all__ = ["sensitive_faults"]

# Each pattern with a literal that its match must hold: looking for the literal first costs next to nothing.
_SECRETS = tuple(
    (literal, name, re.compile(pattern))
    for literal, name, pattern in (
        ("sk-", "an API key", r"(?<![A-Za-z0-9])sk-(?:proj-|ant-|svcacct-)?[A-Za-z0-9_-]{20,}"),
        ("AKIA", "an AWS key", r"(?<![A-Za-z0-9])AKIA[0-9A-Z]{16}(?![0-9A-Za-z])"),
        ("gh", "a GitHub token", r"(?<![A-Za-z0-9])gh[pousr]_[A-Za-z0-9]{36,}"),
        ("github_pat_", "a GitHub token", r"github_pat_[A-Za-z0-9_]{60,}"),
        ("xox", "a Slack token", r"(?<![A-Za-z0-9])xox[abprs]-[A-Za-z0-9-]{10,}"),
        ("AIza", "a Google key", r"(?<![A-Za-z0-9])AIza[0-9A-Za-z_-]{35}"),
        ("hf_", "a Hugging Face token", r"(?<![A-Za-z0-9])hf_[A-Za-z0-9]{30,}"),
        ("PRIVATE KEY-----", "a private key", r"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
        ("eyJ", "a JSON web token", r"eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}"),
        ("://", "a password in an address", r"[a-z][a-z0-9+.-]*://[^/\s:@\"]{1,64}:[^/\s:@\"]{3,64}@[A-Za-z0-9.-]+"),
    )
)
_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.)+[A-Za-z]{2,24}")
_EXAMPLE = re.compile(r"@(?:[\w-]+\.)*(?:example|test|invalid|localhost)(?:\.\w+)?$", re.IGNORECASE)


def sensitive_faults(text: str) -> Iterator[Fault]:
    """Yield what a text holds that should not be trained on; the finding shows no more than its beginning."""
    for literal, name, pattern in _SECRETS:
        if literal in text and (match := pattern.search(text)):
            yield Fault("secret", f"there seems to be {name} in it, it begins {match.group()[:8]!r}")
    if "@" in text:
        for match in _EMAIL.finditer(text):
            if not _EXAMPLE.search(match.group()):
                name, _, domain = match.group().partition("@")
                yield Fault("email", f"there is an e-mail address in it, {name[:1]}...@{domain}")
                return
