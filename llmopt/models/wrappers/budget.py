"""A limit on calls, tokens and money that many models can share."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, NoReturn

from ...errors import BudgetError, UsageError
from ...interfaces import Component
from .turnstile import Turnstile
from .wrapping import PerProcess

__all__ = ["Budget", "Remaining", "Reservation", "Spent"]

_PICO = 10**12  # money is counted in whole trillionths of a dollar, so that sums are exact


@dataclass(frozen=True, slots=True)
class Spent:
    """What has been used up.

    Attributes:
        calls: Calls to models.
        tokens: Tokens read and written.
        dollars: US dollars.
    """

    calls: int = 0
    tokens: int = 0
    dollars: float = 0.0


@dataclass(frozen=True, slots=True)
class Remaining:
    """What is left, calls in flight counted at what is reserved for them; None where there is no limit.

    Attributes:
        calls: Calls to models.
        tokens: Tokens read and written.
        dollars: US dollars.
    """

    calls: int | None
    tokens: int | None
    dollars: float | None


class Budget(Component):
    """A hard limit on calls, tokens and money; share one object between all models that it is for.

    What a call may take at most is reserved before it is sent and settled by what it really took. The sum
    of what is spent and reserved never exceeds a limit, whatever number of loops and threads draw on it.
    When a provider reports more than was reserved, that is booked all the same: `spent` then tells the
    truth, beyond the limit if need be, and every further call is refused.

    It counts in this process only: a copy, a loaded one and a forked child begin with nothing spent.

    Args:
        calls: Most calls; None for no limit. Retries of one call count as one.
        tokens: Most tokens, read and written together; None for no limit.
        dollars: Most US dollars; None for no limit.

    Raises:
        UsageError: At the first use, when a limit is negative.

    Example:
        >>> budget = Budget(calls=2)
        >>> budget.reserve().settle()
        >>> budget.remaining.calls
        1
    """

    def __init__(self, calls: int | None = None, tokens: int | None = None, dollars: float | None = None) -> None:
        self.calls = calls
        self.tokens = tokens
        self.dollars = dollars
        self._state: PerProcess[_Ledger] = PerProcess()

    def reserve(self, *, calls: int = 1, tokens: int = 0, dollars: float = 0.0) -> Reservation:
        """Set aside what a call may take at most; settle or release it.

        Raises:
            BudgetError: When that much is not left.
        """
        ledger = self._ledger()
        want = _Want(_Amounts(calls, tokens, _pico(dollars)), patient=False, lasting=False)
        with ledger.turnstile.lock:
            return ledger.admit(want) or ledger.refuse(want.amounts)

    async def areserve(
        self, *, calls: int = 1, tokens: int = 0, dollars: float = 0.0, patient: bool = True, lasting: bool = False
    ) -> Reservation:
        """Set aside what a call may take at most, waiting for calls in flight that may leave enough.

        Args:
            calls: Calls.
            tokens: Tokens.
            dollars: US dollars.
            patient: Whether to wait at all.
            lasting: Whether this one may be held for long (an open stream), so that nobody waits for it.

        Raises:
            BudgetError: When that much is not left and will not be.
        """
        want = _Want(_Amounts(calls, tokens, _pico(dollars)), patient, lasting)
        return await self._ledger().turnstile.enter(want)

    @property
    def spent(self) -> Spent:
        """What has been used up so far, calls in flight not counted."""
        ledger = self._ledger()
        with ledger.turnstile.lock:
            spent = ledger.spent
        return Spent(spent.calls, spent.tokens, spent.pico / _PICO)

    @property
    def remaining(self) -> Remaining:
        """What is left, never below 0."""
        ledger = self._ledger()
        with ledger.turnstile.lock:
            used = ledger.spent + ledger.reserved
        return Remaining(
            None if self.calls is None else max(0, self.calls - used.calls),
            None if self.tokens is None else max(0, self.tokens - used.tokens),
            None if self.dollars is None else max(0, _pico(self.dollars) - used.pico) / _PICO,
        )

    def _ledger(self) -> _Ledger:
        return self._state.get(lambda: _Ledger(self.calls, self.tokens, self.dollars))


class Reservation:
    """What is set aside for one call."""

    def __init__(self, ledger: _Ledger, amounts: _Amounts, lasting: bool) -> None:
        self._ledger = ledger
        self._amounts = amounts
        self._lasting = lasting
        self._open = True

    def settle(self, *, tokens: int | None = None, dollars: float | None = None, calls: int | None = None) -> None:
        """Book what the call really took and free the rest; None books what was reserved."""
        reserved = self._amounts
        self._close(
            _Amounts(
                reserved.calls if calls is None else calls,
                reserved.tokens if tokens is None else tokens,
                reserved.pico if dollars is None else _pico(dollars),
            )
        )

    def release(self, *, sent: bool) -> None:
        """Free tokens and money of a call that failed; it counts as a call if it was sent."""
        self._close(_Amounts(self._amounts.calls if sent else 0, 0, 0))

    def _close(self, booked: _Amounts) -> None:
        with self._ledger.turnstile.lock:
            if self._open:
                self._open = False
                self._ledger.close(self._amounts, booked, self._lasting)


@dataclass(frozen=True, slots=True)
class _Amounts:
    calls: int = 0
    tokens: int = 0
    pico: int = 0

    def __add__(self, other: _Amounts) -> _Amounts:
        return _Amounts(self.calls + other.calls, self.tokens + other.tokens, self.pico + other.pico)

    def __sub__(self, other: _Amounts) -> _Amounts:
        return _Amounts(self.calls - other.calls, self.tokens - other.tokens, self.pico - other.pico)


@dataclass(frozen=True, slots=True)
class _Want:
    amounts: _Amounts
    patient: bool
    lasting: bool


class _Ledger:
    """What is spent and what is set aside; everything here happens under the turnstile's lock."""

    def __init__(self, calls: int | None, tokens: int | None, dollars: float | None) -> None:
        for name, limit in (("calls", calls), ("tokens", tokens), ("dollars", dollars)):
            if limit is not None and not (limit >= 0 and math.isfinite(limit)):
                raise UsageError(f"the limit `{name}` of a Budget must be 0 or more, or None for none, got {limit}")
        self._limits = (calls, tokens, None if dollars is None else _pico(dollars))
        self.spent = _Amounts()
        self.reserved = _Amounts()
        self._lasting = _Amounts()
        self.turnstile: Turnstile[_Want, Reservation] = Turnstile(self.admit, self._take_back)

    def admit(self, want: _Want) -> Reservation | None:
        if self._lacking(self.spent + self.reserved + want.amounts) is None:
            self.reserved += want.amounts
            if want.lasting:
                self._lasting += want.amounts
            return Reservation(self, want.amounts, want.lasting)
        # Calls in flight count as calls whatever becomes of them; tokens and money they may leave over.
        certain = self.spent + self._lasting + _Amounts(calls=self.reserved.calls - self._lasting.calls)
        if not want.patient or self._lacking(certain + want.amounts) is not None:
            self.refuse(want.amounts)
        return None

    def close(self, reserved: _Amounts, booked: _Amounts, lasting: bool) -> None:
        self.reserved -= reserved
        if lasting:
            self._lasting -= reserved
        self.spent += booked
        self.turnstile.advance()

    def refuse(self, amounts: _Amounts) -> NoReturn:
        unit = self._lacking(self.spent + self.reserved + amounts) or "calls"
        limit = _shown(_Amounts(*(figure or 0 for figure in self._limits)), unit)
        held = f" and {_shown(self.reserved, unit)} reserved for calls in flight" if self.reserved.calls else ""
        raise BudgetError(
            f"the budget of {limit} does not allow this call, which may take up to {_shown(amounts, unit)}: "
            f"{_shown(self.spent, unit)} spent{held}. It was not sent. Raise the limit, or lower `Options.max_tokens`"
        )

    def _take_back(self, reservation: Reservation) -> None:
        reservation.release(sent=False)

    def _lacking(self, total: _Amounts) -> Literal["calls", "tokens", "dollars"] | None:
        calls, tokens, pico = self._limits
        if calls is not None and total.calls > calls:
            return "calls"
        if tokens is not None and total.tokens > tokens:
            return "tokens"
        return "dollars" if pico is not None and total.pico > pico else None


def _shown(amounts: _Amounts, unit: Literal["calls", "tokens", "dollars"]) -> str:
    if unit == "dollars":
        return f"{amounts.pico / _PICO:.6g} US dollars"
    return f"{amounts.calls if unit == 'calls' else amounts.tokens} {unit}"


def _pico(dollars: float) -> int:
    return round(dollars * _PICO)
