"""Fine-tuning: examples, checks, jobs."""

from .check import check_file, run_check
from .cost import CostEstimate, default_epochs
from .examples import example_record, iterate_examples, read_examples, write_examples
from .repair import FixReport, fix_file
from .report import AnswerShare, CheckReport, Finding, Lengths
from .rules import RULES, Rule
from .shapes import Shape, shape_of

__all__ = [
    "RULES",
    "AnswerShare",
    "CheckReport",
    "CostEstimate",
    "Finding",
    "FixReport",
    "Lengths",
    "Rule",
    "Shape",
    "check_file",
    "default_epochs",
    "example_record",
    "fix_file",
    "iterate_examples",
    "read_examples",
    "run_check",
    "shape_of",
    "write_examples",
]
