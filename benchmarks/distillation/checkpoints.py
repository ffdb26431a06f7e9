"""What the commands that train teachers and students share: their checkpoint, and their file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console

from dynamaze.distill.core.size import Size
from dynamaze.distill.files.card import Card, ReturnEstimate
from dynamaze.distill.files.students import save_student

from .mazes import HELD_OUT, TRAINING


def checkpoint(output: Path) -> Path:
    """Where a run that was stopped goes on from."""
    return output.with_suffix(".checkpoint.npz")


def store(
    output: Path,
    network: Any,
    console: Console,
    *,
    made: str,
    environment: dict[str, Any],
    kept: ReturnEstimate | None,
    size: Size | None = None,
) -> None:
    """Write what was trained with its card, remove the checkpoint, and say where it is.

    Raises:
        OSError: if a file cannot be written.
    """
    card = Card(
        made=made,
        environment=environment,
        training=(TRAINING,),
        held_out=(HELD_OUT,),
        normalised_return=kept,
        size=size,
    )
    save_student(output, network, card=card)
    checkpoint(output).unlink(missing_ok=True)
    console.print(f"{network.num_parameters} parameters in {output}")
