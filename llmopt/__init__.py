"""Make the answers of a language-model feature measurably better."""
