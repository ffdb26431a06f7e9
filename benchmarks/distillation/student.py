"""`dynamaze distill student`: a planner of a hundred parameters, taught by a large network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import track

from dynamaze.common.validation import checked_number
from dynamaze.distill.core.packing import MAX_INTEGER
from dynamaze.distill.core.size import measure
from dynamaze.distill.data.source import FunctionSource
from dynamaze.distill.export.compiled import build_policy
from dynamaze.distill.files.students import load_student, to_stored
from dynamaze.distill.students.quantise import quantised
from dynamaze.distill.students.value_iteration import ValueIterationNetwork
from dynamaze.distill.teachers import as_teacher
from dynamaze.distill.training.callbacks import Checkpoints
from dynamaze.distill.training.distiller import Distiller
from dynamaze.distill.training.restarts import best_restart
from dynamaze.envs.generation import MazeGenerator
from dynamaze.envs.generation.planes import ShortestPathPolicy, split_queries

from .checkpoints import checkpoint, store
from .judging import judge, kept_of
from .mazes import ENVIRONMENT, TRAINING, Held, Mazes, held_out_recipes

LEARNING_RATE = 0.05
TRIED = 0.15
"""The share of the training for which each beginning is tried."""

SIZES = (11, 21, 31)
"""Sides of the mazes on which students are judged; none was trained on beyond 15."""


@dataclass(frozen=True)
class StudentConfig:
    """Distil a teacher into a planner of 113 parameters (or 261 with 8 maps).

    It learns in mazes of up to 15x15, from several beginnings of which the best goes on, and is
    judged in unseen ones of 11x11, 21x21 and 31x31, from every cell, also with its weights rounded
    to eight bits, four, or three values. Some minutes on one core; a run that was stopped goes on
    where it was.
    """

    teacher: Path | None = None
    """A file of `dynamaze distill teacher`. Without one the exact best policy teaches."""
    output: Path = Path("student.safetensors")
    """The file of the weights; a page about them is written beside it."""
    maps: int = 4
    """Maps of the planner: 28 parameters each."""
    steps: int = 3000
    """Training steps."""
    beginnings: int = 4
    """First weights that are tried for a while."""
    seed: int = 0
    """Settles every number."""
    mazes: int = 500
    """Held-out mazes of each kind and size on which it is judged."""


def main(config: StudentConfig) -> None:
    """Train, judge and store a student.

    Raises:
        ValueError: for a number outside its range, a file that is no teacher, or a checkpoint of
            other settings.
        OSError: if the output folder cannot be written.
    """
    checked_number("mazes", config.mazes, 2, whole=True)
    checked_number("beginnings", config.beginnings, 1, whole=True)
    console = Console()
    config.output.parent.mkdir(parents=True, exist_ok=True)
    source = FunctionSource(read_teacher(config.teacher), Mazes(), (TRAINING,))
    student = train(config, source, console)
    rounded = {bits: quantised(student, bits, "tensor") for bits in MAX_INTEGER}
    kept = None
    for size in SIZES:
        for name, recipe in held_out_recipes(size).items():
            held = Held.of(recipe, config.mazes)
            verdict = judge(student, held)
            kept = kept or kept_of(verdict)
            console.print(
                f"{name} mazes, {size}x{size}: {verdict.success:.2%} of all ways end at the goal, "
                f"{verdict.kept:.2%} of the best return is kept"
            )
            for bits, smaller in rounded.items():
                console.print(
                    f"  rounded ({bits}, {smaller.num_bytes} bytes): "
                    f"{judge(smaller, held).success:.2%}"
                )
    taught = "the exact best policies" if config.teacher is None else config.teacher.name
    store(
        config.output,
        student,
        console,
        made=f"By `dynamaze distill student --maps {config.maps} --steps {config.steps} --seed "
        f"{config.seed}`, from {taught}.",
        environment=ENVIRONMENT,
        kept=kept,
        size=measure(
            student,
            split_queries(Held.of(MazeGenerator(11), 1).planes)[0],
            runs_as=build_policy(to_stored(student)),
        ),
    )


def read_teacher(path: Path | None) -> Any:
    """The policy of a file, or the exact one."""
    if path is None:
        return as_teacher(ShortestPathPolicy())
    return as_teacher(load_student(path).to(memory_format=torch.channels_last).eval())


def train(config: StudentConfig, source: FunctionSource, console: Console) -> ValueIterationNetwork:
    """A student, trained to the end; from the checkpoint beside its file, if there is one."""
    path = checkpoint(config.output)
    begin = _beginnings(config.maps, config.seed)
    number = 0
    settings: dict[str, Any] = {
        "total_steps": config.steps,
        "learning_rate": LEARNING_RATE,
        "seed": config.seed,
    }
    if config.beginnings > 1 and not path.exists():
        with console.status(f"trying {config.beginnings} beginnings"):
            number, losses = best_restart(
                [begin(each) for each in range(config.beginnings)],
                source,
                steps=max(1, round(TRIED * config.steps)),
                **settings,
            )
        tried = ", ".join(f"{loss:.3f}" for loss in losses)
        console.print(f"losses of the beginnings: {tried}; number {number + 1} goes on")
    student = begin(number)
    distiller = Distiller(student, source, **settings)
    if path.exists():
        distiller.resume(path)
        console.print(f"going on from step {distiller.step}, from {path}")
    keep = Checkpoints(path, every=max(1, config.steps // 10))
    left = config.steps - distiller.step
    for step in track(distiller.steps(), "distilling", total=left, console=console):
        keep(step)
    return student


def _beginnings(maps: int, seed: int) -> Callable[[int], ValueIterationNetwork]:
    return lambda number: ValueIterationNetwork(maps, seed=100 * seed + number)
