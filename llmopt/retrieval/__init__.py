"""Retrievers: from a query to the documents that answer it."""
