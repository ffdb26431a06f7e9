"""Checkpoints and files of the commands that train teachers and students."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console

from dynamaze.benchmarks.distillation.mazes import HELD_OUT, TRAINING
from dynamaze.distill.core.size import Size
from dynamaze.distill.files.card import Card, ReturnEstimate
from dynamaze.distill.files.students import save_student


def checkpoint_path(output: Path) -> Path:
    """Return the path of the checkpoint from which a stopped run continues."""
    return output.with_suffix(".checkpoint.npz")


def save_network(
    output: Path,
    network: Any,
    console: Console,
    *,
    made: str,
    environment: dict[str, Any],
    normalised_return: ReturnEstimate | None,
    size: Size | None = None,
) -> None:
    """Save a trained network with its card, remove the checkpoint, and print the path.

    Raises:
        OSError: if a file cannot be written.
    """
    card = Card(
        made=made,
        environment=environment,
        training=(TRAINING,),
        held_out=(HELD_OUT,),
        normalised_return=normalised_return,
        size=size,
    )
    save_student(output, network, card=card)
    checkpoint_path(output).unlink(missing_ok=True)
    console.print(f"{network.num_parameters} parameters in {output}")
