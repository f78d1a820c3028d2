"""Chunkers: documents into passages."""
