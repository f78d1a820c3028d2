"""The main job on an embedded corpus: compose, answer, evaluate."""
