"""What a training makes small: the loss of the answers, or of preferring one answer to the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from .encoding import Encoded, EncodedPair
from .extras import load_extra

__all__ = ["Imitation", "Objective", "Preference"]

E_contra = TypeVar("E_contra", contravariant=True)


class Objective(Protocol[E_contra]):
    """A loss over examples of one kind."""

    def weight(self, example: E_contra) -> int:
        """Return what the example counts for in a mean."""
        ...

    def loss(self, model: Any, batch: Sequence[E_contra], device: str, *, bf16: bool) -> Any:
        """Return the summed loss of a batch, as a tensor."""
        ...


class Imitation(Objective[Encoded]):
    """The cross-entropy of the tokens that are learnt, those of the assistant, each counted once."""

    def weight(self, example: Encoded) -> int:
        """Return the tokens that are learnt; the first one of a chat cannot be."""
        return sum(example.learnt[1:])

    def loss(self, model: Any, batch: Sequence[Encoded], device: str, *, bf16: bool) -> Any:
        """Return the summed cross-entropy."""
        return _token_losses(model, batch, device, bf16=bf16)[0].sum()


@dataclass(frozen=True, slots=True)
class Preference(Objective[EncodedPair]):
    """Direct preference optimisation: make the preferred answer likelier than the other, near the reference.

    The reference is the model itself without its adapter, so that only one model is in memory. Source: Rafailov
    et al. 2023, "Direct Preference Optimization: Your Language Model is Secretly a Reward Model", equation 7.

    Args:
        beta: How dear it is to leave the reference, above 0.
    """

    beta: float

    def weight(self, example: EncodedPair) -> int:
        """Return 1: each pair counts the same, however long."""
        return 1

    def loss(self, model: Any, batch: Sequence[EncodedPair], device: str, *, bf16: bool) -> Any:
        """Return the summed loss, log 2 for each pair as long as the adapter changes nothing."""
        torch: Any = load_extra("torch", "LoRAFineTune")
        chats = [pair.preferred for pair in batch] + [pair.rejected for pair in batch]
        with torch.no_grad(), model.disable_adapter():
            reference = _answer_scores(model, chats, device, bf16=bf16)
        gained = _answer_scores(model, chats, device, bf16=bf16) - reference
        preferred, rejected = gained[: len(batch)], gained[len(batch) :]
        return -torch.nn.functional.logsigmoid(self.beta * (preferred - rejected)).sum()


def _answer_scores(model: Any, chats: Sequence[Encoded], device: str, *, bf16: bool) -> Any:
    """Return the log-probability of each chat's learnt tokens together, a tensor with a number per chat."""
    losses, rows = _token_losses(model, chats, device, bf16=bf16)
    return losses.new_zeros(len(chats)).index_add(0, rows, -losses)


def _token_losses(model: Any, batch: Sequence[Encoded], device: str, *, bf16: bool) -> tuple[Any, Any]:
    """Return the loss of each learnt token, and the row of the batch that it is in."""
    torch: Any = load_extra("torch", "LoRAFineTune")
    width = max(len(example.ids) for example in batch)
    ids = torch.zeros((len(batch), width), dtype=torch.long)
    mask, labels = torch.zeros_like(ids), torch.full_like(ids, -100)
    for row, example in enumerate(batch):
        size = len(example.ids)
        ids[row, :size] = torch.tensor(example.ids)
        mask[row, :size] = 1
        labels[row, :size] = torch.where(torch.tensor(example.learnt), ids[row, :size], -100)
    labels = labels[:, 1:].to(device)
    with torch.autocast(device.partition(":")[0], dtype=torch.bfloat16, enabled=bf16):
        logits = model(input_ids=ids.to(device), attention_mask=mask.to(device), use_cache=False).logits[:, :-1]
    wanted = labels != -100  # the loss of what is learnt only: no float copy of the other logits
    losses = torch.nn.functional.cross_entropy(logits[wanted].float(), labels[wanted], reduction="none")
    return losses, wanted.nonzero()[:, 0]
