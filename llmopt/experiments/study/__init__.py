"""What was tried and found, as one value: a page for people, JSON to keep, JUnit for CI."""

from .study import Study
from .variant import Variant

__all__ = ["Study", "Variant"]
