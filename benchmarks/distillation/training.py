"""Options, seeds, checkpoints and files of the commands that train teachers and students."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, TypeVar

import numpy as np
from rich.console import Console
from rich.progress import track

from dynamaze.benchmarks.distillation.mazes import (
    HELD_OUT,
    TRAINING,
    EvaluationResult,
    percent_text,
)
from dynamaze.common.heartbeat import set_status
from dynamaze.common.options import (
    Mazes,
    OutputFile,
    Range,
    Seed32,
    Steps,
    check_numbers,
)
from dynamaze.common.storage import CheckpointError
from dynamaze.distill.core.size import Size
from dynamaze.distill.files.card import Card, ReturnEstimate
from dynamaze.distill.files.students import save_student
from dynamaze.distill.training.callbacks import Checkpoints
from dynamaze.distill.training.distiller import Distiller

Step = TypeVar("Step")


@dataclass(frozen=True)
class TrainingConfig:
    """Options of every command that trains a network; each has its own defaults."""

    output: OutputFile = Path("network.safetensors")
    """The file of the weights. Beside it: a page about them; during training, a checkpoint."""
    steps: Steps = 1000
    """Training steps."""
    seed: Seed32 = 0
    """Seed of all random numbers."""
    mazes: Mazes = 500
    """Held-out mazes of each kind for the evaluation, from every cell."""


@dataclass(frozen=True)
class TeacherTrainingConfig(TrainingConfig):
    """Options of the commands that train a residual network as a teacher."""

    channels: Annotated[int, Range(1, limit=512)] = 64
    """Width of the network."""
    blocks: Annotated[int, Range(1, limit=64)] = 15
    """Depth of the network, in blocks of two convolutions."""


def begin_training(config: TrainingConfig) -> Console:
    """Check the numbers, make the folder of the output, and return a console.

    Raises:
        ValueError: for a number outside its range, such as fewer than 2 mazes, which give no
            interval.
        OSError: if the folder cannot be made.
    """
    check_numbers(config)
    config.output.parent.mkdir(parents=True, exist_ok=True)
    return Console()


def distil_with_checkpoints(
    distiller: Distiller, config: TrainingConfig, console: Console, *, task: str, every: int
) -> None:
    """Distil to the end, from the checkpoint beside the output if there is one.

    Args:
        distiller: the distiller, which has not begun.
        config: has the output.
        console: for the progress.
        task: name of the task in the progress bar.
        every: training steps between two checkpoints.

    Raises:
        ValueError: for a checkpoint of other settings.
    """
    path = checkpoint_path(config.output)
    settings = (TrainingOptions(config),)
    if path.exists():
        distiller.resume(path, settings)
        console.print(f"continuing from step {distiller.step}, from {path}")
    checkpoints = Checkpoints(path, every=every, callbacks=settings)
    left = config.steps - distiller.step
    for step in tracked(distiller.steps(), task, left, console):
        checkpoints(step)


class TrainingOptions:
    """Part of a checkpoint that refuses to be restored where an option of the training differs.

    Args:
        config: the options. Output, held-out mazes, the place of a teacher's file, and what happens
            after training may differ.
    """

    def __init__(self, config: TrainingConfig) -> None:
        free = ("output", "mazes", "teacher", "unhardened")
        self._options = {
            field.name: str(getattr(config, field.name))
            for field in fields(config)
            if field.name not in free
        }
        self._path = checkpoint_path(config.output)

    def get_state(self) -> dict[str, str]:
        """Return the options as text."""
        return dict(self._options)

    def set_state(self, state: dict[str, str]) -> None:
        """Compare the options with those of a checkpoint.

        Raises:
            CheckpointError: (a ValueError) for the first that differs.
        """
        for name, expected in self._options.items():
            if state.get(name) != expected:
                raise CheckpointError(
                    f"{self._path} is of a training with {name}={state.get(name)}; expected "
                    f"{name}={expected}, or another output"
                )


def tracked(steps: Iterable[Step], task: str, total: int, console: Console) -> Iterator[Step]:
    """Yield steps with a progress bar in a terminal, and lines from time to time elsewhere."""
    for number, step in enumerate(track(steps, task, total=total, console=console), 1):
        set_status(f"{task}: step {number} of {total}")
        yield step
    set_status("evaluation")


def evaluation_line(kind: str, side: int, result: EvaluationResult) -> str:
    """Return the line of a command's output for held-out mazes of one kind and size."""
    return (
        f"{kind} mazes, {side}x{side}: success rate {percent_text(result.success_by_maze)}, "
        f"normalised return {percent_text(result.by_maze)}"
    )


def checkpoint_path(output: Path) -> Path:
    """Return the path of the checkpoint from which a stopped run continues."""
    return output.with_suffix(".checkpoint.npz")


def seed_of(run: int, restart: int) -> int:
    """Return the seed of a student's initial weights; no two runs share one."""
    return int(np.random.SeedSequence([run, restart]).generate_state(1)[0] % 2**31)


def save_network(
    output: Path,
    network: Any,
    console: Console,
    *,
    made: str,
    method: dict[str, Any] | None = None,
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
        method=method or {},
        environment=environment,
        training=(TRAINING,),
        held_out=(HELD_OUT,),
        normalised_return=normalised_return,
        size=size,
    )
    save_student(output, network, card=card)
    checkpoint_path(output).unlink(missing_ok=True)
    console.print(f"{network.num_parameters} parameters in {output}")
