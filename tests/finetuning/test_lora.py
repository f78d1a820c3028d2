"""Training on this machine: runs resume, stop and are cancelled, adapters are saved and loaded."""

import importlib
import json
import math
import random
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from llmopt.errors import StorageError, TuningError, UsageError
from llmopt.finetuning import LocalChat, LoRAFineTune, merge_adapter
from llmopt.finetuning.encoding import Encoded, Tokenizer, encode_chat, encode_pair
from llmopt.finetuning.local_chat import load_causal_model, load_tokenizer
from llmopt.finetuning.objectives import Imitation, Preference
from llmopt.testing.contracts import ChatModelContract, FineTuneJobContract
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


ALL = examples(300, 1)
UNSEEN, VALIDATION, TRAINING = ALL[:60], ALL[60:100], ALL[100:]


@pytest.fixture(scope="module")
def base(make_base: Callable[[Path, Sequence[str]], str], tmp_path_factory: pytest.TempPathFactory) -> str:
    texts = [message.content for example in TRAINING for message in example.messages]
    return make_base(tmp_path_factory.mktemp("base"), texts)


def job(base: str, folder: Path, **more: Any) -> LoRAFineTune:
    settings: dict[str, Any] = {"folder": str(folder), "device": "cpu", "progress": False, "batch_size": 16}
    return LoRAFineTune(base, **{**settings, **more})


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


def test_pairs_make_the_preferred_answer_likelier_than_the_other(base: str, tmp_path: Path) -> None:
    pairs = [Example((e.messages[0], Message("assistant", "soup")), Message("assistant", "pizza")) for e in TRAINING]
    made = job(base, tmp_path, rank=4, epochs=3, learning_rate=5e-3)
    job_id = made.submit(pairs[:96], pairs[96:128])
    assert made.submitted() == [job_id]
    first, *_, last = made.losses(job_id)
    assert first.training < math.log(2)  # the loss as long as nothing is learnt
    assert last.validation is not None
    assert last.validation < 0.5
    tokenizer = load_tokenizer(base)
    pair = encode_pair(tokenizer, Example((UNSEEN[0].messages[0], pairs[0].messages[1]), pairs[0].rejected), 100)
    adapted: Any = load_causal_model(str(tmp_path / job_id / "model")).eval()
    margin = 2 * (math.log(2) - float(Preference(2.0).loss(adapted, [pair], "cpu", bf16=False)))
    assert margin > 0


def test_the_loss_of_a_pair_is_the_papers(base: str) -> None:
    tokenizer = load_tokenizer(base)
    pair = encode_pair(tokenizer, Example(TRAINING[0].messages, Message("assistant", "no")), 100)
    peft: Any = importlib.import_module("peft")
    model = peft.get_peft_model(load_causal_model(base), peft.LoraConfig(r=2, target_modules="all-linear"))
    assert float(Preference(0.3).loss(model, [pair, pair], "cpu", bf16=False)) == pytest.approx(2 * math.log(2))
    for name, value in model.named_parameters():
        if "lora_B" in name:
            value.data.fill_(0.05)

    def score(chat: Encoded) -> float:
        return -float(Imitation().loss(model, [chat], "cpu", bf16=False))

    with model.disable_adapter():
        before = score(pair.preferred) - score(pair.rejected)
    after = score(pair.preferred) - score(pair.rejected)
    expected = -math.log(1 / (1 + math.exp(-0.3 * (after - before))))
    assert float(Preference(0.3).loss(model, [pair], "cpu", bf16=False)) == pytest.approx(expected, abs=1e-4)
    assert abs(after - before) > 0.01


def test_only_the_last_turn_of_a_pair_is_learnt(base: str) -> None:
    tokenizer = load_tokenizer(base)
    turns = (Message("user", "we need"), Message("assistant", "pizza"), Message("user", "on friday"))
    pair = encode_pair(tokenizer, Example((*turns, Message("assistant", "soup")), Message("assistant", "fish")), 100)
    for chat, answer in ((pair.preferred, "soup"), (pair.rejected, "fish")):
        learnt = [id for id, is_learnt in zip(chat.ids, chat.learnt, strict=True) if is_learnt]
        assert tokenizer.decode(learnt, skip_special_tokens=True).strip() == answer
    with pytest.raises(UsageError, match="needs `rejected`"):
        encode_pair(tokenizer, TRAINING[0], 100)


def test_a_merged_adapter_says_what_the_adapter_says_and_can_be_trained_on(base: str, tmp_path: Path) -> None:
    made = job(base, tmp_path, rank=4, epochs=2, learning_rate=5e-3)
    adapter = str(tmp_path / made.submit(TRAINING[:64], ()) / "model")
    with pytest.raises(UsageError, match="merge_adapter"):
        job(adapter, tmp_path).submit(TRAINING[:8], ())
    merged = merge_adapter(adapter, str(tmp_path / "merged"))
    asked, options = UNSEEN[0].messages[:-1], Options(max_tokens=12)
    with_adapter = LocalChat(adapter, device="cpu").complete(asked, options).text
    assert LocalChat(merged, device="cpu").complete(asked, options).text == with_adapter
    pair = Example(TRAINING[0].messages, Message("assistant", "no"))
    assert isinstance(job(merged, tmp_path, rank=2, epochs=1).run([pair]), LocalChat)
    with pytest.raises(UsageError, match="nothing to merge"):
        merge_adapter(base, str(tmp_path / "again"))


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


def test_a_reply_ends_with_any_of_the_tokens_that_the_model_names(base: str, tmp_path: Path) -> None:
    model: Any = load_causal_model(base)
    tokenizer: Any = load_tokenizer(base)
    asked = UNSEEN[0].messages[:-1]
    whole = LocalChat(base, device="cpu").complete(asked, Options(max_tokens=6))
    assert (whole.finish, whole.usage.output_tokens) == ("length", 6)
    text = encode_chat(tokenizer, UNSEEN[0], 100)
    inputs: Any = importlib.import_module("torch").tensor(
        [[id for id, is_learnt in zip(text.ids, text.learnt, strict=True) if not is_learnt]]
    )
    first = int(model(input_ids=inputs).logits[0, -1].argmax())
    model.generation_config.eos_token_id = [tokenizer.eos_token_id, first]
    model.save_pretrained(str(tmp_path))
    tokenizer.save_pretrained(str(tmp_path))
    ended = LocalChat(str(tmp_path), device="cpu").complete(asked, Options(max_tokens=6))
    assert (ended.finish, ended.usage.output_tokens) == ("stop", 1)


def test_a_base_in_half_precision_is_trained_whole_in_full_precision(base: str, tmp_path: Path) -> None:
    torch: Any = importlib.import_module("torch")
    tokenizer: Any = load_tokenizer(base)
    load_causal_model(base).to(torch.bfloat16).save_pretrained(str(tmp_path / "half"))
    tokenizer.save_pretrained(str(tmp_path / "half"))
    made = job(str(tmp_path / "half"), tmp_path, rank=None, epochs=1)
    job_id = made.submit(TRAINING[:8], ())
    assert load_causal_model(str(tmp_path / "half")).dtype == torch.bfloat16
    assert load_causal_model(str(tmp_path / job_id / "model")).dtype == torch.float32


def test_a_base_that_was_written_anew_is_trained_anew(base: str, tmp_path: Path) -> None:
    again = tmp_path / "again"
    shutil.copytree(base, again)
    made = job(str(again), tmp_path / "jobs", rank=2, epochs=1)
    first = made.submit(TRAINING[:4], ())
    assert made.submit(TRAINING[:4], ()) == first
    shutil.rmtree(tmp_path / "jobs" / first / "model")
    assert made.submit(TRAINING[:4], ()) == first
    assert (tmp_path / "jobs" / first / "model").is_dir()
    (again / "config.json").touch()
    assert made.submit(TRAINING[:4], ()) != first


class TestLocalChat(ChatModelContract[LocalChat]):
    @pytest.fixture(autouse=True)
    def remember(self, base: str) -> None:
        self.path = base

    def make(self) -> LocalChat:
        return LocalChat(self.path, max_tokens=8, device="cpu")


class TestLoRAFineTune(FineTuneJobContract[LoRAFineTune]):
    @pytest.fixture(autouse=True)
    def remember(self, base: str, tmp_path: Path) -> None:
        self.path, self.folder = base, tmp_path

    def make(self) -> LoRAFineTune:
        return job(self.path, self.folder, rank=2, epochs=1)


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
    with pytest.raises(UsageError, match="1 of 2 examples are preference pairs"):
        job("any", tmp_path).run([pair, TRAINING[1]])
    with pytest.raises(UsageError, match="need a `rank`"):
        job("any", tmp_path, rank=None).run([pair])
    with pytest.raises(UsageError, match="preference pairs need"):
        job("any", tmp_path, beta=0).run([pair])
    with pytest.raises(UsageError, match="at least 1"):
        job("any", tmp_path, epochs=0).run(TRAINING[:4])
    with pytest.raises(UsageError, match="between 0 and 1"):
        job("any", tmp_path, dropout=2.0).run(TRAINING[:4])
    with pytest.raises(UsageError, match=r"got a text: `read_examples`"):
        job("any", tmp_path).run("train.jsonl")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    with pytest.raises(UsageError, match="there are none"):
        job("any", tmp_path).submit([], ())
    with pytest.raises(TuningError, match="no such job"):
        job("any", tmp_path).attach("local-unknown")
    with pytest.raises(TuningError, match="no job local-unknown"):
        job("any", tmp_path).cancel("local-unknown")


def test_what_a_base_cannot_take_is_said(base: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Target modules"):
        job(base, tmp_path, targets=["absent"]).submit(TRAINING[:4], ())
    with pytest.raises(UsageError, match="device 'gpu' cannot be used"):
        job(base, tmp_path, device="gpu").submit(TRAINING[:4], ())


def test_broken_files_of_a_job_say_what_to_remove(base: str, tmp_path: Path) -> None:
    made = job(base, tmp_path, rank=2, epochs=1)
    home = tmp_path / made._id(TRAINING[:4], ())  # pyright: ignore[reportPrivateUsage]
    home.mkdir()
    (home / "checkpoint.pt").write_bytes(b"half")
    with pytest.raises(StorageError, match="remove it, and the job begins anew"):
        made.submit(TRAINING[:4], ())
    (home / "state.json").write_text("{half")
    with pytest.raises(StorageError, match="run it again"):
        made.poll(home.name)


def test_tool_calls_do_not_break_the_plain_template(base: str) -> None:
    call = Message("assistant", "", (ToolCall("c", "add", "{}"),))
    turns = (Message("user", "we need"), call, Message("tool", "4", (), "c"), Message("assistant", "soup"))
    assert any(encode_chat(load_tokenizer(base), Example(turns), 100).learnt)
