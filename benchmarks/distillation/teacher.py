"""Command `dynamaze distill teacher`: a large network for unseen mazes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from rich.console import Console

from dynamaze.benchmarks.distillation.mazes import (
    ENVIRONMENT,
    TRAINING,
    MazeSampler,
    evaluate_on_kinds,
)
from dynamaze.benchmarks.distillation.training import (
    TeacherTrainingConfig,
    begin_training,
    distil_with_checkpoints,
    print_evaluation,
    save_network,
)
from dynamaze.benchmarks.harness.command_line import run_script
from dynamaze.common.options import OutputFile, Steps
from dynamaze.distill.data.source import FunctionSource
from dynamaze.distill.students.residual import Residual
from dynamaze.distill.training.distiller import Distiller
from dynamaze.envs.generation.planes import ShortestPathPolicy

LEARNING_RATE = 1e-3
CELLS = 3000
"""Cells of a batch's mazes, all of which are labelled."""

SIZES = (11, 31)
"""Sides of the mazes of the evaluation: as in training, and larger ones with longer paths."""

CHECKPOINT_INTERVAL = 250
"""Training steps between two checkpoints."""


@dataclass(frozen=True)
class TeacherConfig(TeacherTrainingConfig):
    """Train a large teacher for generated mazes from their exact optimal policies.

    A residual network of 1.1 million parameters sees walls and goal, and learns the best action in
    every cell of mazes of up to 15x15: perfect ones, ones with loops and ones with obstacles. Small
    mazes come first. About ten minutes on two cores; a GPU is used if there is one. A stopped run
    continues from its checkpoint.
    """

    output: OutputFile = Path("teacher.safetensors")
    steps: Steps = 6000


def main(config: TeacherConfig) -> None:
    """Train, evaluate and save a teacher.

    Raises:
        ValueError: for a number outside its range, or a checkpoint of other settings.
        OSError: if the output folder cannot be written.
    """
    console = begin_training(config)
    network = train(config, console)
    results = {}
    for side in SIZES:
        for kind, _, result in evaluate_on_kinds(network, side, config.mazes):
            results[f"{kind} {side}x{side}"] = result
            print_evaluation(console, f"{kind} {side}x{side}", result)
    save_network(
        config.output,
        network,
        console,
        made=f"By `dynamaze distill teacher --steps {config.steps} --seed {config.seed}`, from the "
        "exact optimal policies of generated mazes.",
        environment=ENVIRONMENT,
        results=results,
    )


def train(config: TeacherConfig, console: Console) -> Residual:
    """Return the trained network, continued from the checkpoint beside its file if there is one."""
    network = Residual(config.channels, config.blocks, seed=config.seed)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # not in its stub
    distiller = Distiller(
        network,
        FunctionSource(ShortestPathPolicy(), MazeSampler(cells=CELLS, growing=True), (TRAINING,)),
        total_steps=config.steps,
        learning_rate=LEARNING_RATE,
        seed=config.seed,
    )
    distil_with_checkpoints(
        distiller, config, console, task="training the teacher", every=CHECKPOINT_INTERVAL
    )
    return network.cpu().eval()


if __name__ == "__main__":
    run_script(__file__)
