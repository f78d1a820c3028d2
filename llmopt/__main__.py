"""`python -m llmopt` is the command `llmopt`."""

import sys

from .cli import main

__all__ = ()

sys.exit(main())
