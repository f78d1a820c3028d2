from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from llmopt.errors import MissingExtraError, UnknownModelError, UsageError
from llmopt.evaluation.faithfulness import Faithfulness
from llmopt.evaluation.nli_judge import NLIJudge
from llmopt.testing import FakeJudge
from llmopt.types import Sample

INSTALLED = all(importlib.util.find_spec(name) is not None for name in ("transformers", "torch"))
needs_transformers = pytest.mark.skipif(not INSTALLED, reason="transformers and torch are not installed")

WORDS = ["cats", "dogs", "sleep", "bark", "a", "lot", "at", "night", "the", "seine", "is", "long", ".", "not"]
CONTEXTS = ["Cats sleep a lot. Dogs bark at night.", "The Seine is long."]


@pytest.fixture(scope="module")
def packages() -> Any:
    return importlib.import_module("transformers"), importlib.import_module("torch")


def build(folder: Path, labels: list[str], packages: Any) -> Path:
    """Write a tiny classifier with random weights."""
    transformers, torch = packages
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    (folder / "vocab.txt").write_text("\n".join(vocabulary), encoding="utf-8")
    transformers.BertTokenizerFast(vocab_file=str(folder / "vocab.txt"), model_max_length=64).save_pretrained(folder)
    config = transformers.BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=64,
        id2label=dict(enumerate(labels)),
        label2id={label: number for number, label in enumerate(labels)},
        initializer_range=0.5,
    )
    torch.manual_seed(0)
    transformers.BertForSequenceClassification(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, packages: Any) -> Path:
    return build(tmp_path_factory.mktemp("nli"), ["CONTRADICTION", "NEUTRAL", "ENTAILMENT"], packages)


def chances(folder: Path, pairs: list[tuple[str, str]], packages: Any) -> Any:
    """Return the softmax of the model itself, a pair at a time."""
    transformers, torch = packages
    tokenizer = transformers.AutoTokenizer.from_pretrained(str(folder))
    classifier = transformers.AutoModelForSequenceClassification.from_pretrained(str(folder)).eval()
    with torch.inference_mode():
        rows = [classifier(**tokenizer(a, b, return_tensors="pt")).logits[0] for a, b in pairs]
        return np.array([torch.softmax(row, -1).tolist() for row in rows])


@needs_transformers
def test_the_probability_is_the_models_and_the_best_window_counts(model: Path, packages: Any) -> None:
    judge = NLIJudge(model, batch_size=2)
    claims = ["Cats sleep.", "Dogs bark a lot.", "The Seine is not long."]
    found = judge.verify(claims, CONTEXTS)
    for claim, verdict in zip(claims, found, strict=True):
        expected = chances(model, [(context, claim) for context in CONTEXTS], packages)[:, 2]
        assert verdict.probability == pytest.approx(float(expected.max()), abs=1e-4)
        assert verdict.holds == (expected.max() >= 0.5)
        assert f"from context {int(expected.argmax()) + 1}" in verdict.reason


@needs_transformers
def test_a_long_context_is_judged_in_windows(model: Path, packages: Any) -> None:
    long = " ".join(["Cats sleep a lot.", "Dogs bark at night.", "The Seine is long."] * 6)
    verdict = NLIJudge(model, window=12).verify(["Dogs bark."], [long])[0]
    windows = ["Cats sleep a lot. Dogs bark at night.", "Dogs bark at night. The Seine is long."]
    windows.append("The Seine is long. Cats sleep a lot.")
    expected = chances(model, [(window, "Dogs bark.") for window in windows], packages)[:, 2]
    assert verdict.probability == pytest.approx(float(expected.max()), abs=1e-4)


@needs_transformers
def test_the_threshold_and_the_label_can_be_chosen(model: Path, packages: Any) -> None:
    strict, lenient = (NLIJudge(model, threshold=t).verify(["Cats sleep."], CONTEXTS)[0] for t in (0.9999, 0.0))
    assert (strict.holds, lenient.holds) == (False, True)
    neutral = NLIJudge(model, entailment="neutral").verify(["Cats sleep."], CONTEXTS[:1])[0]
    expected = chances(model, [(CONTEXTS[0], "Cats sleep.")], packages)[0, 1]
    assert neutral.probability == pytest.approx(float(expected), abs=1e-4)


@needs_transformers
def test_a_single_output_is_taken_for_entailment(tmp_path: Path, packages: Any) -> None:
    folder = build(tmp_path, ["score"], packages)
    verdict = NLIJudge(folder).verify(["Cats sleep."], CONTEXTS)[0]
    assert verdict.probability is not None
    assert 0.0 < verdict.probability < 1.0


@needs_transformers
def test_labels_that_do_not_say_entailment_are_refused(tmp_path: Path, packages: Any) -> None:
    folder = build(tmp_path, ["LABEL_0", "LABEL_1"], packages)
    with pytest.raises(UsageError, match="LABEL_0"):
        NLIJudge(folder).verify(["Cats sleep."], CONTEXTS)
    assert NLIJudge(folder, entailment="LABEL_1").verify(["Cats sleep."], CONTEXTS)[0].holds is not None


@needs_transformers
def test_the_splitter_splits_and_the_model_verifies(model: Path) -> None:
    splitter = FakeJudge(splits={"all": ["Cats sleep.", "Dogs bark."]})
    score = Faithfulness(NLIJudge(model, splitter)).score(Sample(question="?", answer="all", contexts=CONTEXTS))
    assert score.status == "scored"
    assert [verdict.statement for verdict in score.verdicts] == ["Cats sleep.", "Dogs bark."]
    attributed = NLIJudge(model, splitter).attribute("?", "all", CONTEXTS)
    assert [verdict.statement for verdict in attributed] == ["Cats sleep.", "Dogs bark."]
    assert len(NLIJudge(model).rate("Who sleeps?", "Cats", CONTEXTS)) == 2


@needs_transformers
def test_a_model_that_is_not_there_is_an_error_of_ours(tmp_path: Path) -> None:
    with pytest.raises(UnknownModelError, match="local folder"):
        NLIJudge(tmp_path / "nothing").verify(["a"], ["b"])


@pytest.mark.skipif(INSTALLED, reason="transformers and torch are installed")
def test_without_the_packages_the_error_names_the_extra() -> None:
    with pytest.raises(MissingExtraError, match=r"llmopt\[local\]"):
        NLIJudge("any").verify(["a"], ["b"])


def test_no_contexts_need_no_model() -> None:
    verdicts = NLIJudge("never loaded").verify(["a"], [" "])
    assert [verdict.holds for verdict in verdicts] == [False]
    assert NLIJudge("never loaded").attribute("?", "", ["x"]) == []
