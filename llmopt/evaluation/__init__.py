"""Measuring answers: samples, judges, metrics, the evaluator and its report."""

from .context import ContextPrecision, ContextRecall
from .correctness import AnswerCorrectness, SemanticSimilarity
from .faithfulness import Faithfulness
from .formulas import average_precision, claim_f, mean_relevancy, share_held
from .inquiry import Inquiry, Planning
from .model_judge import ModelJudge
from .relevancy import Abstention, AnswerRelevancy
from .utilisation import ContextUtilisation

__all__ = [
    "Abstention",
    "AnswerCorrectness",
    "AnswerRelevancy",
    "ContextPrecision",
    "ContextRecall",
    "ContextUtilisation",
    "Faithfulness",
    "Inquiry",
    "ModelJudge",
    "Planning",
    "SemanticSimilarity",
    "average_precision",
    "claim_f",
    "mean_relevancy",
    "share_held",
]
