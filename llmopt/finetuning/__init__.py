"""Fine-tuning: examples, checks, jobs."""

from .check import check_file
from .cost import CostEstimate, default_epochs
from .examples import example_record, iterate_examples, read_examples, write_examples
from .few_shot_distil import FewShotDistil
from .local_chat import LocalChat, merge_adapter
from .lora import LoRAFineTune
from .losses import LossPoint, draw_losses
from .openai import OpenAIFineTune
from .openai_api import JobEvent
from .preflight import Preflight
from .repair import FixReport, fix_file
from .report import AnswerShare, CheckReport, Finding, Lengths
from .rules import RULES, Rule
from .shapes import Shape, shape_of
from .split import Split, split_examples
from .traces import example_of_trace, examples_from_samples, examples_from_traces
from .with_shots import WithShots

__all__ = [
    "RULES",
    "AnswerShare",
    "CheckReport",
    "CostEstimate",
    "FewShotDistil",
    "Finding",
    "FixReport",
    "JobEvent",
    "Lengths",
    "LoRAFineTune",
    "LocalChat",
    "LossPoint",
    "OpenAIFineTune",
    "Preflight",
    "Rule",
    "Shape",
    "Split",
    "WithShots",
    "check_file",
    "default_epochs",
    "draw_losses",
    "example_of_trace",
    "example_record",
    "examples_from_samples",
    "examples_from_traces",
    "fix_file",
    "iterate_examples",
    "merge_adapter",
    "read_examples",
    "shape_of",
    "split_examples",
    "write_examples",
]
