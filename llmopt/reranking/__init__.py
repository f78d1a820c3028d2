"""Rerankers: hits into a better order."""
