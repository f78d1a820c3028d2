"""What every component keeps to."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Generic, TypeVar

from ...interfaces import Component

__all__ = ["ODD_TEXTS", "ComponentContract"]

C = TypeVar("C", bound=Component)

ODD_TEXTS = (
    " ",
    "?",
    "\N{ROBOT FACE}",
    "\u4e2d\u6587\u95ee\u9898\uff1f",
    "{braces} {{more}} %s \\n <<<context 1>>>",
    "\x00\x1b[31m",
    "e\u0301\u200b\u202eabc",
    "word " * 2000,
)
"""Texts that components must survive."""


class ComponentContract(ABC, Generic[C]):
    """The checks that hold for every component; the suites of the kinds add their own."""

    @abstractmethod
    def make(self) -> C:
        """Return a fresh component, ready to use."""

    def test_parameters_rebuild_it(self) -> None:
        """`type(component)(**component.params())` is the same component again."""
        component = self.make()
        rebuild: Callable[..., Component] = type(component)
        assert rebuild(**component.params()).fingerprint() == component.fingerprint()

    def test_equal_components_have_equal_fingerprints(self) -> None:
        """Two components made alike have the same fingerprint."""
        assert self.make().fingerprint() == self.make().fingerprint()

    def test_it_reads_well(self) -> None:
        """Its repr names the class and masks secrets."""
        component = self.make()
        text = repr(component)
        assert text.startswith(type(component).__name__ + "(")
        for name in component.secrets:
            secret = component.params()[name]
            assert secret is None or str(secret) not in text

    def test_using_it_does_not_change_its_parameters(self) -> None:
        """Work leaves no trace in `params` (the constructor only stores)."""
        component = self.make()
        before = component.fingerprint()
        self.use(component)
        assert component.fingerprint() == before

    def use(self, component: C) -> None:
        """Use the component once; suites of the kinds override it."""
