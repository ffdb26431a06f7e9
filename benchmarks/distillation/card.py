"""Command `dynamaze distill card`: the card of a student, and the students of the package."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from dynamaze.benchmarks.harness.command_line import run_script
from dynamaze.distill.files.builtin_students import BUILTIN, PREFIX, student_path
from dynamaze.distill.files.card import stored_card
from dynamaze.distill.files.weights import read_weights


@dataclass(frozen=True)
class CardConfig:
    """Show the card of a student: how it was made, its results with intervals, and its limits.

    Without a file, list the students that come with the package.
    """

    student: Annotated[str | None, tyro.conf.Positional, tyro.conf.arg(metavar="[FILE]")] = None
    """A file in .safetensors, or builtin:NAME."""


def main(config: CardConfig) -> None:
    """Print a card or the list.

    Raises:
        ValueError: for an unknown built-in student, or a file that is not a student.
    """
    if config.student is None:
        print("students that come with the package, for --agent and load_policy:")
        width = max(map(len, BUILTIN)) + len(PREFIX)
        for name, about in BUILTIN.items():
            print(f"  {PREFIX + name:<{width}}  {about}")
        return
    stored = read_weights(config.student)
    size = os.path.getsize(student_path(config.student))
    card = stored_card(config.student, stored.card)
    print(card.page(Path(config.student).name, stored.config, size), end="")


if __name__ == "__main__":
    run_script(__file__)
