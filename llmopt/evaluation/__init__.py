"""Measuring answers: samples, judges, metrics, the evaluator and its report."""
