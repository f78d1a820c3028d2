"""One change at a time: comparing pipelines."""
