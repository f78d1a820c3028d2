"""Training on this machine: a format is really learnt, runs resume, adapters are saved and loaded."""

import importlib
import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from llmopt.errors import StorageError, TuningError, UsageError
from llmopt.finetuning import LocalChat, LoRAFineTune
from llmopt.finetuning.encoding import Tokenizer, encode_chat
from llmopt.finetuning.local_chat import load_tokenizer
from llmopt.testing.contracts import ChatModelContract, ComponentContract
from llmopt.types import Example, Message, Options, ToolCall

for name in ("torch", "transformers", "peft", "tokenizers"):
    pytest.importorskip(name, reason="the extra `finetune` is not installed")
pytestmark = pytest.mark.filterwarnings("ignore")

DAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
DISHES = ["pizza", "soup", "salad", "pasta", "cake", "rice", "fish", "bread"]
OPENINGS = ["please book", "i want to order", "could we have", "we need", "get us", "can you reserve"]
ENDINGS = ["thank you", "please", "as soon as you can", "if you can", ""]


def request(chance: random.Random) -> Example:
    """A request in free text, and the record that it is to become."""
    count, dish, day = chance.randrange(1, 10), chance.choice(DISHES), chance.choice(DAYS)
    said = [f"{count} {dish}", f"on {day}"]
    chance.shuffle(said)
    text = f"{chance.choice(OPENINGS)} {said[0]} {said[1]} {chance.choice(ENDINGS)}".strip()
    record = json.dumps({"dish": dish, "count": count, "day": day})
    return Example((Message("user", text), Message("assistant", record)))


def examples(count: int, seed: int) -> list[Example]:
    """Requests that are all different."""
    chance, found = random.Random(seed), dict[str, Example]()
    while len(found) < count:
        made = request(chance)
        found.setdefault(made.messages[0].content, made)
    return list(found.values())


ALL = examples(900, 1)
UNSEEN, VALIDATION, TRAINING = ALL[:60], ALL[60:100], ALL[100:]


def make_base(folder: Path, texts: Sequence[str]) -> str:
    """Write a tiny model with random parameters, and a tokenizer of the characters' words."""
    tokenizers: Any = importlib.import_module("tokenizers")
    transformers: Any = importlib.import_module("transformers")
    torch: Any = importlib.import_module("torch")
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    special = ["<unk>", "</s>", "<|user|>", "<|assistant|>", "<|system|>"]
    trainer = tokenizers.trainers.BpeTrainer(vocab_size=400, special_tokens=special, show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    fast = transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="</s>", unk_token="<unk>")
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=len(fast), hidden_size=96, intermediate_size=192, num_hidden_layers=2, num_attention_heads=4,
        max_position_embeddings=16_384, eos_token_id=fast.eos_token_id, bos_token_id=None,
    )  # fmt: skip
    transformers.LlamaForCausalLM(config).save_pretrained(str(folder))
    fast.save_pretrained(str(folder))
    return str(folder)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> str:
    texts = [message.content for example in TRAINING for message in example.messages]
    return make_base(tmp_path_factory.mktemp("base"), texts)


def is_valid(text: str) -> bool:
    """Whether a reply is a record of the right form."""
    try:
        record = json.loads(text)
    except ValueError:
        return False
    return (
        isinstance(record, dict)
        and list(record) == ["dish", "count", "day"]  # pyright: ignore[reportUnknownArgumentType]
        and isinstance(record["count"], int)
        and record["day"] in DAYS
    )


def rate(model: LocalChat) -> float:
    replies = [model.complete(example.messages[:-1], Options(max_tokens=40)).text for example in UNSEEN]
    return sum(map(is_valid, replies)) / len(replies)


def job(base: str, folder: Path, **more: Any) -> LoRAFineTune:
    settings: dict[str, Any] = {"folder": str(folder), "device": "cpu", "progress": False, "batch_size": 16}
    return LoRAFineTune(base, **{**settings, **more})


def test_a_format_is_learnt_that_the_base_does_not_have(base: str, tmp_path: Path) -> None:
    assert rate(LocalChat(base, device="cpu")) < 0.05
    made = job(base, tmp_path, rank=None, epochs=4, learning_rate=3e-3)
    tuned = made.run(TRAINING, VALIDATION)
    assert isinstance(tuned, LocalChat)
    assert rate(tuned) > 0.95
    (job_id,) = (path.name for path in tmp_path.iterdir())
    losses = made.losses(job_id)
    assert losses[-1].training < losses[0].training / 2
    reply = tuned.complete(UNSEEN[0].messages[:-1])
    assert reply.finish == "stop"
    assert reply.usage.input_tokens > 0
    assert reply.cost == 0
    # The form is learnt, a fact that is not in the data is not: it answers in the form, and wrong.
    assert "shakespeare" not in tuned.complete("who wrote hamlet", Options(max_tokens=40)).text.lower()


def weights(folder: Path) -> dict[str, list[float]]:
    safetensors: Any = importlib.import_module("safetensors.torch")
    (file,) = folder.rglob("adapter_model.safetensors")
    return {name: value.flatten().tolist() for name, value in safetensors.load_file(str(file)).items()}


def test_an_adapter_is_saved_and_loaded_beside_its_base(base: str, tmp_path: Path) -> None:
    made = job(base, tmp_path, rank=4, epochs=2, learning_rate=5e-3)
    tuned = made.run(TRAINING[:64], VALIDATION[:16])
    (job_id,) = (path.name for path in tmp_path.iterdir())
    assert (tmp_path / job_id / "model" / "adapter_config.json").is_file()
    asked = UNSEEN[0].messages[:-1]
    options = Options(max_tokens=12)
    assert tuned.complete(asked, options).text != LocalChat(base, device="cpu").complete(asked, options).text
    again = job(base, tmp_path, rank=4, epochs=2, learning_rate=5e-3).attach(job_id)
    assert again.complete(asked, options).text == tuned.complete(asked, options).text


def test_a_base_and_several_adapters_share_one_model(base: str, tmp_path: Path) -> None:
    folders: list[str] = []
    for number in range(2):
        made = job(base, tmp_path, rank=4, epochs=1, learning_rate=5e-3, seed=number)
        folders.append(str(tmp_path / made.submit(TRAINING[:32], ()) / "model"))
    asked, options = UNSEEN[0].messages[:-1], Options(max_tokens=12)
    root = LocalChat(base, device="cpu")
    before = root.complete(asked, options).text
    for folder in (*folders, folders[0]):
        alone = LocalChat(folder, device="cpu").complete(asked, options).text
        assert LocalChat(folder, base=root).complete(asked, options).text == alone
    assert root.complete(asked, options).text == before
    with pytest.raises(UsageError, match="holds no adapter"):
        LocalChat(base, base=root).complete(asked, options)


class TestLocalChat(ChatModelContract[LocalChat]):
    @pytest.fixture(autouse=True)
    def remember(self, base: str) -> None:
        self.path = base

    def make(self) -> LocalChat:
        return LocalChat(self.path, max_tokens=8, device="cpu")


class TestLoRAFineTune(ComponentContract[LoRAFineTune]):
    @pytest.fixture(autouse=True)
    def remember(self, base: str, tmp_path: Path) -> None:
        self.path, self.folder = base, tmp_path

    def make(self) -> LoRAFineTune:
        return job(self.path, self.folder, rank=2, epochs=1)

    def use(self, component: LoRAFineTune) -> None:
        component.run(TRAINING[:8])


def test_a_disk_that_fills_is_an_error_of_storage_and_leaves_no_half(base: str, tmp_path: Path) -> None:
    torch: Any = importlib.import_module("torch")
    made = job(base, tmp_path, rank=2, epochs=1)

    def full(content: object, path: Path) -> None:
        path.write_bytes(b"half")
        raise RuntimeError("PytorchStreamWriter failed writing file: No space left on device")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch, "save", full)
        with pytest.raises(StorageError, match="No space left"):
            made.submit(TRAINING[:8], ())
    (home,) = tmp_path.iterdir()
    assert [path.name for path in home.iterdir()] == ["state.json"]
    assert made.poll(home.name).state == "failed"


def test_an_interrupted_run_goes_on_to_the_same_weights(base: str, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"rank": 4, "epochs": 3, "learning_rate": 5e-3, "dropout": 0.1}
    job(base, tmp_path / "whole", **settings).run(TRAINING[:48])
    made = job(base, tmp_path / "broken", **settings)
    training = importlib.import_module("llmopt.finetuning.training")
    steps: list[int] = []

    with pytest.MonkeyPatch.context() as patch:
        real = training.Trainer._save

        def crash(self: Any) -> None:
            real(self)
            steps.append(self._state.step)
            if len(steps) == 2:
                raise KeyboardInterrupt

        patch.setattr(training.Trainer, "_save", crash)
        with pytest.raises(KeyboardInterrupt):
            made.submit(TRAINING[:48], ())
    (job_id,) = (path.name for path in (tmp_path / "broken").iterdir())
    assert made.poll(job_id).state == "failed"
    made.run(TRAINING[:48])
    assert steps == [3, 6]
    assert weights(tmp_path / "broken") == weights(tmp_path / "whole")


def test_accumulated_batches_are_one_large_batch(base: str, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"rank": 4, "epochs": 1, "learning_rate": 5e-3}
    job(base, tmp_path / "large", batch_size=16, **settings).run(TRAINING[:32])
    job(base, tmp_path / "small", batch_size=4, accumulation=4, **settings).run(TRAINING[:32])
    large, small = weights(tmp_path / "large"), weights(tmp_path / "small")
    for name in large:
        assert small[name] == pytest.approx(large[name], abs=2e-3)


def test_training_stops_when_the_validation_loss_rises(base: str, tmp_path: Path) -> None:
    wrong = [Example((e.messages[0], Message("assistant", "no record " * 3))) for e in VALIDATION[:8]]
    made = job(base, tmp_path, rank=None, epochs=30, patience=2, learning_rate=5e-3)
    job_id = made.submit(TRAINING[:32], wrong)
    assert len(made.losses(job_id)) < 15


def test_a_cancelled_job_says_so(base: str, tmp_path: Path) -> None:
    made = job(base, tmp_path, rank=4, epochs=1)
    job_id = made._id(TRAINING[:16], ())  # pyright: ignore[reportPrivateUsage]
    training = importlib.import_module("llmopt.finetuning.training")

    def cancel(self: object) -> None:
        made.cancel(job_id)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training.Trainer, "_resume", cancel)
        with pytest.raises(TuningError, match="cancelled"):
            made.submit(TRAINING[:16], ())
    assert made.poll(job_id).state == "cancelled"


def test_only_the_answers_are_learnt(base: str) -> None:
    tokenizer: Tokenizer = load_tokenizer(base)
    turns = (Message("user", "we need"), Message("assistant", "pizza"), Message("user", "on friday"))
    encoded = encode_chat(tokenizer, Example((*turns, Message("assistant", "soup"))), 100)
    learnt = [id for id, is_learnt in zip(encoded.ids, encoded.learnt, strict=True) if is_learnt]
    asked = [id for id, is_learnt in zip(encoded.ids, encoded.learnt, strict=True) if not is_learnt]
    assert tokenizer.decode(learnt, skip_special_tokens=True).split() == ["pizza", "soup"]
    assert learnt.count(tokenizer.eos_token_id or 0) == 2
    assert "pizza" not in tokenizer.decode(asked, skip_special_tokens=True)


def test_an_example_that_would_be_cut_is_refused(base: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cut at the end"):
        job(base, tmp_path, max_tokens=5).run(TRAINING[:4])


def test_what_cannot_be_trained_is_said(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="no tokenizer"):
        job(str(tmp_path / "absent"), tmp_path).run(TRAINING[:4])
    pair = Example(TRAINING[0].messages, rejected=Message("assistant", "no"))
    with pytest.raises(UsageError, match="preference"):
        job("any", tmp_path).run([pair])
    with pytest.raises(UsageError, match="at least 1"):
        job("any", tmp_path, epochs=0).run(TRAINING[:4])
    with pytest.raises(TuningError, match="no such job"):
        job("any", tmp_path).attach("local-unknown")


def test_tool_calls_do_not_break_the_plain_template(base: str) -> None:
    call = Message("assistant", "", (ToolCall("c", "add", "{}"),))
    turns = (Message("user", "we need"), call, Message("tool", "4", (), "c"), Message("assistant", "soup"))
    assert any(encode_chat(load_tokenizer(base), Example(turns), 100).learnt)
