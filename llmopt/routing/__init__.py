"""Classifiers: which kind of question, which route."""

from .keyword import Keyword
from .linear import Linear
from .model_classifier import ModelClassifier
from .nearest import Nearest

__all__ = ["Keyword", "Linear", "ModelClassifier", "Nearest"]
