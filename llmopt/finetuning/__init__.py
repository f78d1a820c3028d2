"""Fine-tuning: examples, checks, jobs."""

from .examples import example_record, iterate_examples, read_examples, write_examples
from .shapes import Shape, shape_of

__all__ = ["Shape", "example_record", "iterate_examples", "read_examples", "shape_of", "write_examples"]
