"""`llmopt finetune check`: is a fine-tuning file ready, and if not, which line is wrong?"""

from __future__ import annotations

import argparse
from pathlib import Path

from ..evaluation import load_samples
from ..finetuning import check_file
from ..finetuning.repair import repairs_text, write_repaired
from .demo import Commands

__all__ = ["add_to"]


def add_to(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("finetune", help="check and repair fine-tuning files")
    actions = parser.add_subparsers(title="actions", required=True, metavar="ACTION")
    check = actions.add_parser(
        "check", help="name every fault of a file with its line; exit code 0: ready, 1: faults, 2: it cannot be checked"
    )
    check.add_argument("file", type=Path, help="JSONL with chats (`messages`) or preference pairs")
    check.add_argument(
        "--validation", type=Path, help="the validation file: it is checked, too, and looked at for leaks"
    )
    check.add_argument("--evaluation", type=Path, help="the samples that will be measured, to find leaks")
    check.add_argument("--fix", type=Path, metavar="OUT", help="write a repaired copy and check that")
    check.add_argument("--method", choices=["supervised", "dpo"], help="default: what the first record is")
    check.add_argument("--model", help="the model to be trained, for token counts")
    check.add_argument("--price", type=float, help="US dollars per million trained tokens, for the estimate")
    check.add_argument("--epochs", type=int, help="for the estimate (default: what the provider is likely to choose)")
    check.add_argument("--context-limit", type=int, default=65_536, help="tokens of the longest example")
    check.add_argument("--least-examples", type=int, default=10, help="fewest examples that the provider takes")
    check.add_argument("--most-megabytes", type=int, default=512, help="largest file that the provider takes")
    check.add_argument("--structure-only", action="store_true", help="only the rules of the format: faster")
    check.set_defaults(run=_check)


def _check(arguments: argparse.Namespace) -> int:
    samples = () if arguments.evaluation is None else load_samples(arguments.evaluation)
    checked: Path = arguments.file
    if arguments.fix is not None:
        print(repairs_text(write_repaired(arguments.file, arguments.fix)))
        checked = arguments.fix
    report = check_file(
        checked,
        method=arguments.method,
        model=arguments.model,
        validation=arguments.validation,
        evaluation=samples,
        contents=not arguments.structure_only,
        context_limit=arguments.context_limit,
        least_examples=arguments.least_examples,
        most_megabytes=arguments.most_megabytes,
        epochs=arguments.epochs,
        price=arguments.price,
    )
    print(report)
    if arguments.validation is None:
        return report.exit_code
    held = check_file(
        arguments.validation,
        method=arguments.method or report.method,
        model=arguments.model,
        evaluation=samples,
        contents=not arguments.structure_only,
        context_limit=arguments.context_limit,
        least_examples=1,
        most_megabytes=arguments.most_megabytes,
    )
    print(held)
    return max(report.exit_code, held.exit_code)
