"""Prompt strategies: how a question is put to a model."""

from .answers import code_of, find_choice, find_number, find_yes_or_no, normalised, read_answer
from .bootstrap import Bootstrapped, abootstrap_shots, bootstrap_shots
from .chain_of_thought import ChainOfThought
from .decompose import Decompose
from .direct import Direct
from .few_shot import FewShot
from .grounded import Grounded
from .react import ReAct
from .repair import Repair
from .self_consistency import SelfConsistency
from .shot import Shot
from .steps import Steps
from .structured import Structured
from .template import Template
from .tool import Observation, Tool
from .wrapper import Wrapper

__all__ = [
    "Bootstrapped",
    "ChainOfThought",
    "Decompose",
    "Direct",
    "FewShot",
    "Grounded",
    "Observation",
    "ReAct",
    "Repair",
    "SelfConsistency",
    "Shot",
    "Steps",
    "Structured",
    "Template",
    "Tool",
    "Wrapper",
    "abootstrap_shots",
    "bootstrap_shots",
    "code_of",
    "find_choice",
    "find_number",
    "find_yes_or_no",
    "normalised",
    "read_answer",
]
