"""Options, seeds, checkpoints and files of the commands that train teachers and students."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, TypeVar

import numpy as np
from rich.console import Console

from dynamaze.benchmarks.distillation.mazes import (
    HELD_OUT,
    TRAINING,
    EvaluationResult,
    percent_text,
    return_estimate,
)
from dynamaze.benchmarks.harness.analysis.summary_grid import SummaryGrid
from dynamaze.common.heartbeat import set_status
from dynamaze.common.options import (
    Mazes,
    OutputFile,
    Range,
    Seed32,
    Steps,
    check_numbers,
)
from dynamaze.common.progress import track
from dynamaze.common.storage import CheckpointError
from dynamaze.distill.core.distances import distance_lines, rate_texts
from dynamaze.distill.core.size import Size
from dynamaze.distill.files.card import Card
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
    """Yield steps and show their progress; what follows them is the evaluation."""
    yield from track(steps, task, total, console)
    set_status("evaluation")


def print_evaluation(console: Console, mazes: str, result: EvaluationResult) -> None:
    """Print the evaluation of a network in held-out mazes: two means, and by distance to the goal.

    Args:
        console: the console.
        mazes: kind and size of the mazes, such as "perfect 11x11".
        result: the evaluation.
    """
    console.print(
        f"{mazes}: success rate {percent_text(result.success_by_maze)}, "
        f"normalised return {percent_text(result.by_maze)}"
    )
    lines = distance_lines(result.by_distance, {"success rate": rate_texts(result.by_distance)})
    console.print(SummaryGrid(f"Success rate by distance to the goal, {mazes}", lines))


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
    results: Mapping[str, EvaluationResult],
    size: Size | None = None,
) -> None:
    """Save a trained network with its card, remove the checkpoint, and print the path.

    Args:
        output: the file.
        network: the network.
        console: for the path.
        made: see `Card`, as `method`, `environment` and `size`.
        method: the method of distillation and its settings.
        environment: arguments of `gymnasium.make`.
        results: evaluations in held-out mazes, by kind and size. The card has the normalised return
            of the first, and the success rates by distance of all.
        size: of the network.

    Raises:
        OSError: if a file cannot be written.
    """
    first = next(iter(results.values()))
    card = Card(
        made=made,
        method=method or {},
        privileged=network.privileged,
        environment=environment,
        training=(TRAINING,),
        held_out=(HELD_OUT,),
        normalised_return=return_estimate(first),
        by_distance={
            mazes: tuple(each.rounded() for each in result.by_distance)
            for mazes, result in results.items()
        },
        size=size,
    )
    save_student(output, network, card=card)
    checkpoint_path(output).unlink(missing_ok=True)
    console.print(f"{network.num_parameters} parameters in {output}")
    if network.privileged:
        console.print(f"privileged information: {network.privileged}")
