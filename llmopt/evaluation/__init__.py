"""Measuring answers: samples, judges, metrics, the evaluator and its report."""

from .comparison import Comparison, comparison_table, with_holm
from .context import ContextPrecision, ContextRecall
from .correctness import AnswerCorrectness, SemanticSimilarity
from .evaluator import Evaluator
from .faithfulness import Faithfulness
from .format_validity import FormatValidity
from .formulas import average_precision, claim_f, mean_relevancy, share_held
from .function_metric import FunctionMetric, metric
from .inquiry import Inquiry, Planning
from .lexical import ExactMatch, TokenF1
from .measuring import Answering
from .model_judge import ModelJudge
from .ranking_metrics import NDCG, AveragePrecision, HitRate, Precision, Recall, ReciprocalRank
from .relevancy import Abstention, AnswerRelevancy
from .report import Report
from .row import ModelCall, Row, Run, Spent
from .summary import Summary
from .utilisation import ContextUtilisation

__all__ = [
    "NDCG",
    "Abstention",
    "AnswerCorrectness",
    "AnswerRelevancy",
    "Answering",
    "AveragePrecision",
    "Comparison",
    "ContextPrecision",
    "ContextRecall",
    "ContextUtilisation",
    "Evaluator",
    "ExactMatch",
    "Faithfulness",
    "FormatValidity",
    "FunctionMetric",
    "HitRate",
    "Inquiry",
    "ModelCall",
    "ModelJudge",
    "Planning",
    "Precision",
    "Recall",
    "ReciprocalRank",
    "Report",
    "Row",
    "Run",
    "SemanticSimilarity",
    "Spent",
    "Summary",
    "TokenF1",
    "average_precision",
    "claim_f",
    "comparison_table",
    "mean_relevancy",
    "metric",
    "share_held",
    "with_holm",
]
