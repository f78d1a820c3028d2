"""Tokens per second and memory of `LoRAFineTune` beside a plain loop of transformers and peft.

    python benchmarks/finetune_throughput.py [--base MODEL] [--examples 256] [--tokens 256] [--batch 8] [--repeats 3]

Both train the same LoRA on the same examples for one epoch, from the loading of the model to the saved adapter, in
processes of their own, one after the other, alternating. Printed is the median of the runs for each, and the median of
the ratios of neighbouring runs. Without --base the model is a Llama of random parameters (4 layers, 256 wide on a CPU;
16 layers, 2,048 wide on a GPU). Needs the extra `finetune`; on a GPU both train in bf16 by autocast. On a CPU the time
is that of the processor, on one thread unless OMP_NUM_THREADS says otherwise: a busy machine changes little.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from llmopt.finetuning import LoRAFineTune
from llmopt.types import Example, Message

WORDS = [
    "the",
    "order",
    "of",
    "a",
    "customer",
    "came",
    "late",
    "and",
    "was",
    "never",
    "paid",
    "back",
    "so",
    "we",
    "look",
    "it",
    "up",
    "and",
    "answer",
    "in",
    "short",
]


def load(name: str) -> Any:
    return importlib.import_module(name)


def chats(count: int, tokens: int) -> list[tuple[str, str]]:
    """Return questions and answers of together about that many words."""
    chance = random.Random(0)
    half = max(4, tokens // 2)
    return [
        (" ".join(chance.choices(WORDS, k=half)), " ".join(chance.choices(WORDS, k=half - 8))) for _ in range(count)
    ]


def write_base(folder: Path, device: str) -> None:
    """Write a Llama with random parameters and a tokenizer of whole words."""
    tokenizers, torch, transformers = map(load, ("tokenizers", "torch", "transformers"))
    specials = ["<unk>", "</s>", "<|user|>", "<|assistant|>"]
    vocabulary = {word: number for number, word in enumerate([*specials, *dict.fromkeys(WORDS)])}
    words: Any = tokenizers.Tokenizer(tokenizers.models.WordLevel(vocabulary, unk_token="<unk>"))
    words.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    fast: Any = transformers.PreTrainedTokenizerFast(tokenizer_object=words, eos_token="</s>", unk_token="<unk>")
    width, layers, size = (256, 4, 8_000) if device == "cpu" else (2_048, 16, 32_000)
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=size, hidden_size=width, intermediate_size=4 * width, num_hidden_layers=layers,
        num_attention_heads=8, max_position_embeddings=4_096, eos_token_id=1, bos_token_id=None,
    )  # fmt: skip
    transformers.LlamaForCausalLM(config).save_pretrained(str(folder))
    fast.save_pretrained(str(folder))


def run_llmopt(arguments: argparse.Namespace, device: str, folder: Path) -> int:
    examples = [
        Example((Message("user", asked), Message("assistant", said)))
        for asked, said in chats(arguments.examples, arguments.tokens)
    ]
    job = LoRAFineTune(
        arguments.base, folder=str(folder), rank=16, epochs=1, batch_size=arguments.batch, max_tokens=4_096,
        device=device, progress=False,
    )  # fmt: skip
    job.submit(examples, ())
    return 0


def run_plain(arguments: argparse.Namespace, device: str, folder: Path) -> int:
    """Train as a script written for the purpose does, and return the tokens of all chats."""
    peft, torch, transformers = map(load, ("peft", "torch", "transformers"))
    tokenizer: Any = transformers.AutoTokenizer.from_pretrained(arguments.base)
    model: Any = transformers.AutoModelForCausalLM.from_pretrained(arguments.base).to(device)
    settings = peft.LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM")
    model = peft.get_peft_model(model, settings)
    optimizer = torch.optim.AdamW([value for value in model.parameters() if value.requires_grad], lr=2e-4)
    data: list[tuple[list[int], list[int]]] = []
    for asked, said in chats(arguments.examples, arguments.tokens):
        if tokenizer.chat_template:
            turn: Any = tokenizer.apply_chat_template(
                [{"role": "user", "content": asked}], tokenize=False, add_generation_prompt=True
            )
        else:
            turn = f"<|user|> {asked} \n<|assistant|> "
        before = tokenizer.encode(turn, add_special_tokens=False)
        after = [*tokenizer.encode(said, add_special_tokens=False), tokenizer.eos_token_id]
        data.append((before + after, [-100] * len(before) + after))
    order: list[int] = torch.randperm(len(data), generator=torch.Generator().manual_seed(0)).tolist()
    steps = -(-len(data) // arguments.batch)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    model.train()
    for at in range(0, len(order), arguments.batch):
        batch = [data[place] for place in order[at : at + arguments.batch]]
        width = max(len(ids) for ids, _ in batch)
        ids = torch.tensor([row + [0] * (width - len(row)) for row, _ in batch]).to(device)
        labels = torch.tensor([row + [-100] * (width - len(row)) for _, row in batch]).to(device)
        mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row, _ in batch]).to(device)
        with torch.autocast(device, dtype=torch.bfloat16, enabled=device == "cuda"):
            loss = model(input_ids=ids, attention_mask=mask, labels=labels, use_cache=False).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad(set_to_none=True)
    model.save_pretrained(str(folder / "adapter"))
    return sum(len(ids) for ids, _ in data)


def run_one(arguments: argparse.Namespace, device: str) -> None:
    """Run one of the two and print its figures as JSON."""
    torch, transformers = load("torch"), load("transformers")
    transformers.utils.logging.disable_progress_bar()
    run = {"llmopt": run_llmopt, "plain": run_plain}[arguments.one]
    with tempfile.TemporaryDirectory() as folder:
        clock = time.perf_counter if device == "cuda" else time.process_time
        started = clock()
        tokens = run(arguments, device, Path(folder))
        seconds = clock() - started
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    if device == "cuda":
        memory = torch.cuda.max_memory_allocated() / 2**20
    print(json.dumps({"seconds": seconds, "mebibytes": memory, "tokens": tokens}))


def measured(arguments: argparse.Namespace, which: str) -> dict[str, float]:
    options = [f"--{name}={getattr(arguments, name)}" for name in ("base", "examples", "tokens", "batch")]
    command = [sys.executable, __file__, f"--one={which}", *options]
    environment = {**os.environ, "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1")}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def compare(arguments: argparse.Namespace, device: str) -> None:
    """Run both, alternating, and print the medians."""
    pairs = [{which: measured(arguments, which) for which in ("plain", "llmopt")} for _ in range(arguments.repeats)]
    tokens = pairs[0]["plain"]["tokens"]
    print(f"{device}, {arguments.examples} examples of about {arguments.tokens} tokens, batches of {arguments.batch}")
    for which in ("plain", "llmopt"):
        seconds = median(pair[which]["seconds"] for pair in pairs)
        memory = median(pair[which]["mebibytes"] for pair in pairs)
        print(f"{which:8} {tokens / seconds:10,.0f} tokens/s  {seconds:7.2f} s  {memory:8,.0f} MiB at most")
    ratio = median(pair["plain"]["seconds"] / pair["llmopt"]["seconds"] for pair in pairs)
    print(f"llmopt at {ratio:.2f} of the plain loop's speed (the target is 0.95)")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--base", default="")
    parser.add_argument("--one", choices=["llmopt", "plain"])
    for name, value in (("examples", 256), ("tokens", 256), ("batch", 8), ("repeats", 3)):
        parser.add_argument(f"--{name}", type=int, default=value)
    arguments = parser.parse_args()
    try:
        torch = load("torch")
    except ImportError:
        print("skipped: the extra `finetune` is not installed")
        return
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if arguments.one:
        run_one(arguments, device)
        return
    with tempfile.TemporaryDirectory() as folder:
        if not arguments.base:
            write_base(Path(folder), device)
            arguments.base = folder
        compare(arguments, device)


if __name__ == "__main__":
    main()
