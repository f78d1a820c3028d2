"""Measuring answers: samples, judges, metrics, the evaluator and its report."""

from .agreement import Confusion, roc_auc
from .annotation import Annotation, AnnotationItem, AnnotationSet, majority
from .annotation_files import read_annotations, write_annotation_page, write_annotation_sheet
from .annotators import AnnotatorAgreement, annotator_agreement, krippendorff_alpha
from .application import Application
from .assertions import Check, Requirement, assert_evaluation, check_evaluation
from .beir import beir_corpus
from .calibration import Calibration, human_labels
from .classifier_report import ClassifierReport, LabelFigures, evaluate_classifier
from .comparison import Comparison, comparison_table, with_holm
from .context import ContextPrecision, ContextRecall
from .correctness import AnswerCorrectness, SemanticSimilarity
from .evaluator import Evaluator
from .faithfulness import Faithfulness
from .format_validity import FormatValidity
from .formulas import average_precision, claim_f, mean_relevancy, share_held
from .function_metric import FunctionMetric, metric
from .generated import Dropped, GeneratedSamples
from .generation import SampleGenerator
from .generation_prompts import QuestionKind
from .heuristic_judge import HeuristicJudge
from .inquiry import Inquiry, Planning
from .judged import Judged, read_judged, scores_of, summarise_judged
from .lexical import ExactMatch, TokenF1
from .measuring import Answering
from .model_judge import ModelJudge
from .nli_judge import NLIJudge
from .overlap import Overlap, find_duplicates, find_leaks
from .pairwise_judge import Better, PairJudgement, PairwiseJudge, PairwiseJudgements
from .panel import Panel
from .plan import Plan
from .preference import Preference, Ranking, preferences_of, rank_systems
from .ragas_judge import RagasJudge
from .ranking_metrics import NDCG, AveragePrecision, HitRate, Precision, Recall, ReciprocalRank
from .relevancy import Abstention, AnswerRelevancy
from .repeats import Noise
from .report import Report
from .retrieval_evaluator import RetrievalEvaluator
from .row import ModelCall, Row, Run, Spent
from .running import RunningSummary, summarise_rows
from .samples import SampleFile, load_samples, read_samples, save_samples
from .splitting import split_samples
from .standard import standard_metrics
from .summary import Summary
from .table import Table, shortened
from .utilisation import ContextUtilisation

__all__ = [  # noqa: RUF022 - in the order of sorted()
    "Abstention",
    "Annotation",
    "AnnotationItem",
    "AnnotationSet",
    "AnnotatorAgreement",
    "AnswerCorrectness",
    "AnswerRelevancy",
    "Answering",
    "Application",
    "AveragePrecision",
    "Better",
    "Calibration",
    "Check",
    "ClassifierReport",
    "Comparison",
    "Confusion",
    "ContextPrecision",
    "ContextRecall",
    "ContextUtilisation",
    "Dropped",
    "Evaluator",
    "ExactMatch",
    "Faithfulness",
    "FormatValidity",
    "FunctionMetric",
    "GeneratedSamples",
    "HeuristicJudge",
    "HitRate",
    "Inquiry",
    "Judged",
    "LabelFigures",
    "ModelCall",
    "ModelJudge",
    "NDCG",
    "NLIJudge",
    "Noise",
    "Overlap",
    "PairJudgement",
    "PairwiseJudge",
    "PairwiseJudgements",
    "Panel",
    "Plan",
    "Planning",
    "Precision",
    "Preference",
    "QuestionKind",
    "RagasJudge",
    "Ranking",
    "Recall",
    "ReciprocalRank",
    "Report",
    "Requirement",
    "RetrievalEvaluator",
    "Row",
    "Run",
    "RunningSummary",
    "SampleFile",
    "SampleGenerator",
    "SemanticSimilarity",
    "Spent",
    "Summary",
    "Table",
    "TokenF1",
    "annotator_agreement",
    "assert_evaluation",
    "average_precision",
    "beir_corpus",
    "check_evaluation",
    "claim_f",
    "comparison_table",
    "evaluate_classifier",
    "find_duplicates",
    "find_leaks",
    "human_labels",
    "krippendorff_alpha",
    "load_samples",
    "majority",
    "mean_relevancy",
    "metric",
    "preferences_of",
    "rank_systems",
    "read_annotations",
    "read_judged",
    "read_samples",
    "roc_auc",
    "save_samples",
    "scores_of",
    "share_held",
    "shortened",
    "split_samples",
    "standard_metrics",
    "summarise_judged",
    "summarise_rows",
    "with_holm",
    "write_annotation_page",
    "write_annotation_sheet",
]
