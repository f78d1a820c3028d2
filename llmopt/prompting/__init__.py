"""Prompt strategies: how a question is put to a model."""
