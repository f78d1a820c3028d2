"""Training on this machine, by transformers and peft."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import KW_ONLY, asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeVar, cast

from .._files import write_text
from .._progress import progress_bar
from ..errors import StorageError, TuningError, UsageError
from ..interfaces import ChatModel, FineTuneJob
from ..types import Example, JobState, JobStatus
from .encoding import Tokenizer, encode_chat, encode_pair
from .examples import example_record
from .extras import load_extra, quiet_transformers
from .local_chat import LocalChat, best_device, load_causal_model, load_tokenizer
from .losses import LossPoint
from .objectives import Imitation, Objective, Preference
from .raw import Record, as_list, as_record, as_text
from .training import Plan, Trainer

__all__ = ["LoRAFineTune"]

T = TypeVar("T")


@dataclass(repr=False, eq=False)
class LoRAFineTune(FineTuneJob):
    """Trains a local model: small matrices beside its own (LoRA, Hu et al. 2021), or all of it.

    Of chats only the assistant's turns count in the loss. Of preference pairs (examples with `rejected`) the
    last turn does, by direct preference optimisation (DPO) with the base model as the reference.

    `submit` returns when the training is over; its state, the losses and a checkpoint per epoch lie in a
    folder per job, and the same job with the same examples goes on from there after a crash. With validation
    examples the parameters of the best epoch are kept and the training stops after `patience` epochs without
    a better one. The extra `finetune` is needed.

    Args:
        base: Folder or name of the model to train.
        folder: Where jobs are kept.
        rank: Of the small matrices; None trains all parameters.
        alpha: Their weight; None: twice the rank.
        dropout: On the way into them, 0 to 1.
        targets: Names of the layers to train beside; empty: all linear ones.
        epochs: Times that the examples are seen at most.
        batch_size: Examples at a time.
        accumulation: Batches per step of the optimizer, for batches larger than the memory.
        learning_rate: At its highest, after the warm-up; then it falls along a cosine.
        warmup: Part of the steps, 0 to 1.
        weight_decay: Of AdamW.
        beta: Of DPO: how dear it is to leave the base model, above 0.
        patience: Epochs without a lower validation loss before the training stops.
        max_tokens: Longest example; a longer one is an error.
        seed: Of the order of the examples, of the new matrices and of the dropout.
        device: None: a GPU where there is one; it trains in bf16 where it can.
        progress: Whether to show a bar; None: where a person is looking.
    """

    incidental: ClassVar[frozenset[str]] = frozenset({"folder", "progress"})

    base: str
    _: KW_ONLY
    folder: str = "llmopt-jobs"
    rank: int | None = 16
    alpha: float | None = None
    dropout: float = 0.0
    targets: Sequence[str] = ()
    epochs: int = 3
    batch_size: int = 8
    accumulation: int = 1
    learning_rate: float = 2e-4
    warmup: float = 0.05
    weight_decay: float = 0.0
    beta: float = 0.1
    patience: int = 2
    max_tokens: int = 2_048
    seed: int = 0
    device: str | None = None
    progress: bool | None = None

    def submit(self, training: Sequence[Example], validation: Sequence[Example]) -> str:
        """Train, or go on where an interrupted run of the same job stopped, and return the job's id.

        Raises:
            UsageError: When there is no example, one is too long, chats and pairs are mixed, or a setting makes no
                sense.
            TuningError: When the job was cancelled, or the loss is not finite.
            MissingExtraError: When the packages are not installed.
            StorageError: When the base model is not there, or the disk is full.
        """
        self._check_settings()
        self._check(training, validation)
        job_id = self._id(training, validation)
        home = self._home(job_id)
        if self._state(job_id).get("state") == "succeeded" and (home / "model").is_dir():
            return job_id
        try:
            home.mkdir(parents=True, exist_ok=True)
            (home / "cancel").unlink(missing_ok=True)
            self._note(job_id, "running")
            points = self._train(home, training, validation)
        except BaseException as error:
            with suppress(StorageError):
                cancelled = isinstance(error, TuningError) and (home / "cancel").exists()
                self._note(job_id, "cancelled" if cancelled else "failed", f"{type(error).__name__}: {error}")
            if isinstance(error, OSError) and not isinstance(error, StorageError):
                raise StorageError(f"job {job_id} cannot write to {home}: {error}; run it again to go on") from error
            raise
        self._note(job_id, "succeeded", points=points)
        return job_id

    def poll(self, job_id: str) -> JobStatus:
        """Return how far the job has come; one whose process is gone has failed, and says how to go on."""
        state = self._state(job_id)
        if not state:
            return JobStatus(job_id, "failed", message=f"there is no such job in {self.folder}")
        known = cast(JobState, as_text(state.get("state")))
        if known == "running" and not _is_alive(state.get("process")):
            return JobStatus(job_id, "failed", message="its process is gone: run it again and it goes on")
        tuned = str(self._home(job_id) / "model") if known == "succeeded" else None
        return JobStatus(job_id, known, tuned, as_text(state.get("message")), known)

    def model(self, status: JobStatus) -> ChatModel:
        """Return the trained model, which runs in this process."""
        return LocalChat(status.tuned_model or str(self._home(status.job_id) / "model"), device=self.device)

    def cancel(self, job_id: str) -> None:
        """Stop a job that runs in another thread or process, before its next step.

        Raises:
            TuningError: When there is no such job.
        """
        if not self._home(job_id).is_dir():
            raise TuningError(f"there is no job {job_id} in {self.folder}")
        (self._home(job_id) / "cancel").touch()

    def submitted(self) -> list[str]:
        """Return the ids of the jobs in `folder`, the one that last changed its state last, for `attach`."""
        states = sorted(
            Path(self.folder).glob("*/state.json"), key=lambda path: (path.stat().st_mtime, path.parent.name)
        )
        return [path.parent.name for path in states]

    def losses(self, job_id: str) -> list[LossPoint]:
        """Return the losses of a job that is over, a point per epoch."""
        points = (as_record(point) for point in as_list(self._state(job_id).get("points")))
        return [LossPoint(**point) for point in points]  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

    def _check(self, training: Sequence[Example], validation: Sequence[Example]) -> None:
        examples = [*training, *validation]
        others = sorted({type(example).__name__ for example in examples} - {"Example"})
        if others or not training:
            what = f"some are {', '.join(others)}" if others else "there are none"
            raise UsageError(f"LoRAFineTune trains on examples, and {what}: `read_examples` gives those of a file")
        pairs = sum(example.rejected is not None for example in examples)
        if pairs not in {0, len(examples)}:
            raise UsageError(f"{pairs} of {len(examples)} examples are preference pairs: train on chats, then on pairs")
        if pairs and (self.rank is None or not self.beta > 0):
            raise UsageError(
                "preference pairs need a `rank` (the model without its adapter is the reference) and a `beta` above "
                f"0, got {self.rank} and {self.beta}"
            )

    def _check_settings(self) -> None:
        counts = (self.epochs, self.batch_size, self.accumulation, self.patience, 1 if self.rank is None else self.rank)
        if min(counts) < 1 or not self.learning_rate > 0:
            raise UsageError(
                "LoRAFineTune: epochs, batch_size, accumulation, patience and rank must be at least 1 and the "
                f"learning rate above 0, got {counts} and {self.learning_rate}"
            )
        if not (0 <= self.dropout < 1 and 0 <= self.warmup <= 1 and self.weight_decay >= 0):
            raise UsageError(
                "LoRAFineTune: dropout and warmup are parts between 0 and 1, weight_decay is not below 0, got "
                f"{self.dropout}, {self.warmup} and {self.weight_decay}"
            )

    def _train(self, home: Path, training: Sequence[Example], validation: Sequence[Example]) -> list[LossPoint]:
        tokenizer = load_tokenizer(self.base)
        if training[0].rejected is None:
            return self._fit(home, tokenizer, Imitation(), encode_chat, training, validation)
        return self._fit(home, tokenizer, Preference(self.beta), encode_pair, training, validation)

    def _fit(
        self,
        home: Path,
        tokenizer: Tokenizer,
        objective: Objective[T],
        encode: Callable[[Tokenizer, Example, int], T],
        training: Sequence[Example],
        validation: Sequence[Example],
    ) -> list[LossPoint]:
        encoded = [encode(tokenizer, example, self.max_tokens) for example in training]
        held = [encode(tokenizer, example, self.max_tokens) for example in validation]
        model = self._prepared(load_causal_model(self.base))
        checkpoint = home / "checkpoint.pt"
        trainer = Trainer(model, objective, self._plan(), checkpoint, (home / "cancel").exists)
        with progress_bar(trainer.steps(len(encoded)), "tune", self.progress) as bar:
            trainer.run(encoded, held, bar)
        with quiet_transformers():
            model.save_pretrained(str(home / "model"))
        cast(Any, tokenizer).save_pretrained(str(home / "model"))
        checkpoint.unlink(missing_ok=True)
        return trainer.points

    def _prepared(self, model: Any) -> Any:
        if hasattr(model, "peft_config"):
            raise UsageError(f"{self.base} is an adapter: `merge_adapter` makes a model of it that can be trained on")
        if self.rank is None:
            return model.float()  # a base that is stored in bf16 would round small steps away
        load_extra("torch", "LoRAFineTune").manual_seed(self.seed)
        peft: Any = load_extra("peft", "LoRAFineTune")
        settings = peft.LoraConfig(
            r=self.rank,
            lora_alpha=2 * self.rank if self.alpha is None else self.alpha,
            lora_dropout=self.dropout,
            target_modules=list(self.targets) or "all-linear",
            task_type="CAUSAL_LM",
        )
        try:
            return peft.get_peft_model(model, settings)
        except ValueError as error:  # no such layers
            raise UsageError(f"LoRAFineTune: {self.base} takes no such adapter: {error}") from error

    def _plan(self) -> Plan:
        device = best_device(self.device)
        bf16 = device.startswith("cuda") and bool(load_extra("torch", "LoRAFineTune").cuda.is_bf16_supported())
        return Plan(
            self.epochs, self.batch_size, self.accumulation, self.learning_rate, self.warmup, self.weight_decay,
            self.patience, self.seed, device, bf16,
        )  # fmt: skip

    def _id(self, training: Sequence[Example], validation: Sequence[Example]) -> str:
        digest = hashlib.sha256(self.fingerprint().encode())
        digest.update(json.dumps(_files_of(self.base)).encode())
        for example in (*training, None, *validation):
            digest.update(json.dumps(None if example is None else example_record(example)).encode())
        return f"local-{digest.hexdigest()[:12]}"

    def _home(self, job_id: str) -> Path:
        return Path(self.folder) / Path(job_id).name

    def _note(self, job_id: str, state: JobState, message: str = "", points: Sequence[LossPoint] = ()) -> None:
        known = {"state": state, "message": message, "base": self.base, "process": os.getpid()}
        text = json.dumps({**known, "points": [asdict(point) for point in points]}, indent=1)
        write_text(self._home(job_id) / "state.json", text)

    def _state(self, job_id: str) -> Record:
        try:
            return as_record(json.loads((self._home(job_id) / "state.json").read_text("utf-8")))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            path = self._home(job_id)
            raise StorageError(
                f"the state of job {job_id} cannot be read ({error}): remove {path} and run it again"
            ) from error


def _files_of(base: str) -> list[tuple[str, int, int]]:
    """Return the files of a base in a folder: one that is written anew is another base, and its job another job."""
    found = ((path.name, path.stat()) for path in sorted(Path(base).glob("*")) if path.is_file())
    return [(name, stat.st_size, stat.st_mtime_ns) for name, stat in found]


def _is_alive(process: object) -> bool:
    if not isinstance(process, int) or os.name == "nt":  # on Windows the signal 0 is no question
        return os.name == "nt"
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
