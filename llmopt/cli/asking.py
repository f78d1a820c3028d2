"""Asking the user before money is spent."""

from __future__ import annotations

import sys

__all__ = ["agreed"]


def agreed(plan: str, *, yes: bool) -> bool:
    """Show a plan and return whether to go on: `yes` says so beforehand, else whoever sits at the terminal does."""
    print(f"The plan, at most:\n{plan}\n")
    if yes:
        return True
    if not sys.stdin.isatty():
        print("Nobody is there to agree to it: run again with --yes.", file=sys.stderr)
        return False
    return input("Go on? [y/N] ").strip().lower() in {"y", "yes"}
