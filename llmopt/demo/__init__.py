"""The main job on an embedded corpus: compose, answer, evaluate."""

from .corpus import demo_samples, python_reference
from .evidence import EvidenceRecall
from .job import Demo, DemoOptions, run_demo
from .setting import Setting, make_first_try, make_retrievers, make_setting

__all__ = [
    "Demo",
    "DemoOptions",
    "EvidenceRecall",
    "Setting",
    "demo_samples",
    "make_first_try",
    "make_retrievers",
    "make_setting",
    "python_reference",
    "run_demo",
]
