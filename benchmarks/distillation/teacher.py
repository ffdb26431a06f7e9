"""`dynamaze distill teacher`: a large network that knows the way in mazes it has never seen."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import track

from dynamaze.common.validation import checked_number
from dynamaze.distill.data.source import FunctionSource
from dynamaze.distill.students.residual import Residual
from dynamaze.distill.training.callbacks import Checkpoints
from dynamaze.distill.training.distiller import Distiller
from dynamaze.envs.generation.planes import ShortestPathPolicy

from .checkpoints import checkpoint, store
from .judging import judge, kept_of
from .mazes import ENVIRONMENT, TRAINING, Held, Mazes, held_out_recipes

LEARNING_RATE = 1e-3
CELLS = 3000
"""Cells of the mazes of a batch, all of which are labelled."""

KEPT_EVERY = 250
"""Steps between two checkpoints."""


@dataclass(frozen=True)
class Teacher:
    """Train a large teacher for generated mazes from their exact best policies.

    A residual network of 1.1 million parameters sees walls and goal, and learns what is best in
    every cell of mazes of up to 15x15: perfect ones, ones with loops and ones with obstacles. Small
    mazes come first. About ten minutes on two cores; a GPU is used if there is one. A run that was
    stopped goes on where it was.
    """

    output: Path = Path("teacher.safetensors")
    """The file of the weights; a page about them is written beside it, and while it trains a
    checkpoint."""
    steps: int = 6000
    """Training steps."""
    channels: int = 64
    """Width of the network."""
    blocks: int = 15
    """Its depth, in blocks of two convolutions."""
    seed: int = 0
    """Settles every number."""
    mazes: int = 500
    """Held-out mazes of each kind on which it is judged, from every cell."""


def main(config: Teacher) -> None:
    """Train, judge and store a teacher.

    Raises:
        ValueError: for a number outside its range, or a checkpoint of other settings.
        OSError: if the output folder cannot be written.
    """
    checked_number("mazes", config.mazes, 2, whole=True)
    console = Console()
    config.output.parent.mkdir(parents=True, exist_ok=True)
    network = train(config, console)
    kept = None
    for name, recipe in held_out_recipes(11).items():
        verdict = judge(network, Held.of(recipe, config.mazes))
        kept = kept or kept_of(verdict)
        console.print(f"{name} mazes: {verdict.success:.2%} of all ways end at the goal")
    store(
        config.output,
        network,
        console,
        made=f"By `dynamaze distill teacher --steps {config.steps} --seed {config.seed}`, from the "
        "exact best policies of generated mazes.",
        environment=ENVIRONMENT,
        kept=kept,
    )


def train(config: Teacher, console: Console) -> Residual:
    """The network, trained to the end; from the checkpoint beside its file, if there is one."""
    network = Residual(config.channels, config.blocks, seed=config.seed)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # not in its stub
    distiller = Distiller(
        network,
        FunctionSource(ShortestPathPolicy(), Mazes(cells=CELLS, growing=True), (TRAINING,)),
        total_steps=config.steps,
        learning_rate=LEARNING_RATE,
        seed=config.seed,
    )
    path = checkpoint(config.output)
    if path.exists():
        distiller.resume(path)
        console.print(f"going on from step {distiller.step}, from {path}")
    keep = Checkpoints(path, every=KEPT_EVERY)
    left = config.steps - distiller.step
    for step in track(distiller.steps(), "training the teacher", total=left, console=console):
        keep(step)
    return network.cpu().eval()
