"""Trains a real, tiny, randomly initialised model; needs the extra `local`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from llmopt.errors import StorageError, UsageError
from llmopt.models import SentenceTransformerEmbedder
from llmopt.models.local.sentence_transformer_training import Plan
from llmopt.retrieval import FineTuning
from llmopt.types import Document

TOPICS = ["tea", "rain", "cats", "trains", "bread", "stars", "boats", "songs"]
THINGS = ["leaf", "cloud", "paws", "rails", "flour", "light", "sails", "tunes"]
DOCUMENTS = [f"all about {thing}" for thing in THINGS]
QUERIES = [f"why {topic}" for topic in TOPICS]
SETTINGS: dict[str, Any] = {"epochs": 30, "batch_size": 4, "rate": 1e-2, "seed": 0, "progress": False}


@pytest.fixture
def base(tmp_path: Path) -> SentenceTransformerEmbedder:
    """A transformer of 2 layers and 16 dimensions that knows the words above."""
    reason = "needs sentence-transformers (the extra `local`)"
    library: Any = pytest.importorskip("sentence_transformers", reason=reason)
    transformers: Any = pytest.importorskip("transformers", reason=reason)
    tokenizers: Any = pytest.importorskip("tokenizers", reason=reason)
    torch: Any = pytest.importorskip("torch", reason=reason)
    torch.manual_seed(0)
    words = ["[PAD]", "[UNK]", "why", "when", "how", "all", "about", *TOPICS, *THINGS]
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel({word: n for n, word in enumerate(words)}, "[UNK]"))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    fast = transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]")
    config = transformers.BertConfig(
        vocab_size=len(words),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=16,
    )
    folder = tmp_path / "transformer"
    transformers.BertModel(config).save_pretrained(str(folder))
    fast.save_pretrained(str(folder))
    model = library.SentenceTransformer(str(folder), device="cpu")  # mean pooling is what it adds by itself
    model.save_pretrained(str(tmp_path / "base"), create_model_card=False)
    return SentenceTransformerEmbedder(tmp_path / "base", device="cpu")


def first_right(embedder: SentenceTransformerEmbedder) -> float:
    cosines = embedder.encode(QUERIES, kind="query") @ embedder.encode(DOCUMENTS, kind="document").T
    return float((cosines.argmax(axis=1) == np.arange(len(QUERIES))).mean())


def trained(base: SentenceTransformerEmbedder, folder: Path) -> SentenceTransformerEmbedder:
    positives, negatives = [[text] for text in DOCUMENTS], [[DOCUMENTS[n - 1]] for n in range(len(DOCUMENTS))]
    return base.trained(QUERIES, positives, negatives, folder, **SETTINGS)


def test_training_brings_questions_to_their_texts(base: SentenceTransformerEmbedder, tmp_path: Path) -> None:
    assert first_right(base) < 0.5
    assert first_right(trained(base, tmp_path / "tuned")) == 1.0
    assert first_right(base) < 0.5  # the model that it started from is left alone


def test_the_folder_is_a_plain_model_that_gives_the_same_vectors(
    base: SentenceTransformerEmbedder, tmp_path: Path
) -> None:
    tuned = trained(base, tmp_path / "tuned")
    again = SentenceTransformerEmbedder(tmp_path / "tuned", device="cpu")
    assert np.array_equal(tuned.encode(QUERIES, kind="query"), again.encode(QUERIES, kind="query"))
    assert tuned.fingerprint() != base.fingerprint()


def test_nothing_is_printed(
    base: SentenceTransformerEmbedder, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    capfd.readouterr()
    trained(base, tmp_path / "tuned").encode(QUERIES, kind="query")
    assert capfd.readouterr() == ("", "")


def test_the_same_seed_gives_the_same_model_and_replaces_the_older_one(
    base: SentenceTransformerEmbedder, tmp_path: Path
) -> None:
    first = trained(base, tmp_path / "tuned").encode(QUERIES, kind="query")
    second = trained(base, tmp_path / "tuned").encode(QUERIES, kind="query")
    assert np.allclose(first, second, atol=1e-5)


def test_another_positive_of_a_query_is_no_negative(base: SentenceTransformerEmbedder, tmp_path: Path) -> None:
    both = base.trained(["why tea"], [DOCUMENTS[:2]], [[DOCUMENTS[2]]], tmp_path / "tuned", **SETTINGS)
    cosines = both.encode(DOCUMENTS[:3], kind="document") @ both.encode(["why tea"], kind="query")[0]
    assert min(cosines[0], cosines[1]) > cosines[2]


def test_a_folder_with_something_else_in_it_is_left_alone(base: SentenceTransformerEmbedder, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("keep me", encoding="utf-8")
    with pytest.raises(StorageError, match="something else"):
        trained(base, tmp_path / "mine")
    assert (tmp_path / "mine" / "notes.txt").read_text("utf-8") == "keep me"


def test_prompts_go_before_texts_in_training_as_they_do_in_use(
    base: SentenceTransformerEmbedder, tmp_path: Path
) -> None:
    prompted = SentenceTransformerEmbedder(base.model, device="cpu", query_prompt="how ")
    tuned = trained(prompted, tmp_path / "tuned")
    assert tuned.query_prompt == "how "
    assert first_right(tuned) == 1.0


def test_tuning_judges_a_real_model_and_writes_it_only_when_it_wins(
    base: SentenceTransformerEmbedder, tmp_path: Path
) -> None:
    documents = [Document(topic, text) for topic, text in zip(TOPICS, DOCUMENTS, strict=True)]
    queries = [f"{word} {topic}" for topic in TOPICS for word in ("why", "when", "how")]
    tuning = FineTuning(base, tmp_path / "tuned", epochs=1, batch_size=4)
    tuning.fit(queries, [[query.split()[1]] for query in queries], documents, progress=False)
    assert tuning.report.queries == len(queries)
    assert tuning.report.unseen is not None
    assert tuning.report.kept is (tmp_path / "tuned" / "modules.json").is_file()
    assert tuning.tuned.encode(queries, kind="query").shape == (len(queries), 16)


@pytest.mark.parametrize("wrong", [{"epochs": 0}, {"batch_size": 1}, {"rate": 0.0}])
def test_numbers_that_make_no_training_are_named(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=next(iter(wrong))):
        Plan(**{**SETTINGS, **wrong})
