"""Classifiers: which kind of question, which route."""
