"""Command `dynamaze distill teacher-transformer`: a transformer for unseen mazes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from dynamaze.benchmarks.distillation.mazes import (
    ENVIRONMENT,
    KINDS,
    TRAINING,
    HeldOut,
    MazeSampler,
    evaluate_policy,
    held_out_generators,
)
from dynamaze.benchmarks.distillation.training import (
    TrainingConfig,
    begin_training,
    distil_with_checkpoints,
    print_evaluation,
    save_network,
)
from dynamaze.benchmarks.harness.command_line import run_script
from dynamaze.common.options import OutputFile, Range, Steps
from dynamaze.distill.core.size import measure
from dynamaze.distill.data.source import FunctionSource
from dynamaze.distill.files.card import Card
from dynamaze.distill.files.students import load_card, load_student, save_student
from dynamaze.distill.students.transformer import Transformer
from dynamaze.distill.training.distiller import Distiller
from dynamaze.envs.generation import MazeGenerator
from dynamaze.envs.generation.planes import ShortestPathPolicy, split_queries

LEARNING_RATE = 3e-3

CHECKPOINT_INTERVAL = 250
"""Training steps between two checkpoints."""

EVALUATED_SIZES = (7, 9, 11, 15)
"""Sides of the mazes of the evaluation; by default none in training is longer than 11."""

Side = Literal[5, 7, 9, 11, 13, 15]
KindName = Literal["perfect", "loops", "obstacles"]


@dataclass(frozen=True)
class TransformerTeacherConfig(TrainingConfig):
    """Train a transformer for generated mazes from their exact optimal policies.

    Its tokens are the cells of a maze, and each batch has one size, so it accepts mazes of any
    size. Small mazes come first. It is evaluated in held-out mazes of 7x7, 9x9, 11x11 and 15x15,
    from every cell; no maze in training has the walls of a held-out one. Two minutes on one core; a
    stopped run continues from its checkpoint.
    """

    output: OutputFile = Path("teacher-transformer.safetensors")
    steps: Steps = 2000
    layers: Annotated[int, Range(1, limit=64)] = 4
    """Blocks of attention and MLP."""
    width: Annotated[int, Range(4, limit=1024)] = 64
    """Length of a token, a multiple of 4 times the heads."""
    heads: Annotated[int, Range(1, limit=64)] = 4
    """Attention heads of each block."""
    mlp_ratio: Annotated[int, Range(1, limit=16)] = 4
    """Hidden units of a block's MLP, in widths."""
    sizes: tuple[Side, ...] = (7, 9, 11)
    """Sides of the mazes in training."""
    kinds: tuple[KindName, ...] = ("perfect", "loops", "obstacles")
    """Kinds of mazes in training."""

    @property
    def made(self) -> str:
        """Sentence of the card that says how the network is made."""
        options = " ".join(
            f"--{name.replace('_', '-')} {getattr(self, name)}"
            for name in ("steps", "seed", "layers", "width", "heads", "mlp_ratio")
        )
        sides, kinds = " ".join(map(str, self.sizes)), " ".join(self.kinds)
        return (
            f"By `dynamaze distill teacher-transformer {options} --sizes {sides} --kinds {kinds}`, "
            "from the exact optimal policies of generated mazes."
        )


def main(config: TransformerTeacherConfig) -> None:
    """Train, evaluate and save a teacher.

    Raises:
        ValueError: for a number outside its range, or a checkpoint of other settings.
        OSError: if the output folder cannot be written.
    """
    network, console = initial_network(config), begin_training(config)
    distil_with_checkpoints(
        make_distiller(network, config),
        config,
        console,
        task="training the teacher",
        every=CHECKPOINT_INTERVAL,
    )
    network.cpu().eval()
    first = (config.sizes[0], config.kinds[0])
    places = [(side, kind) for side in {*EVALUATED_SIZES, *config.sizes} for kind in KINDS]
    results = {}
    for side, kind in sorted(places, key=lambda place: (place != first, place[0])):
        result = evaluate_policy(network, held_out(kind, side, config.mazes))
        print_evaluation(console, f"{kind} {side}x{side}", result)
        if kind == first[1]:
            results[f"{kind} {side}x{side}"] = result
    generator = generator_of(config.kinds[0], config.sizes[0], "test")
    save_network(
        config.output,
        network,
        console,
        made=config.made,
        environment=environment_of(generator),
        results=results,
        size=measure(network, split_queries(HeldOut.generate(generator, 1).planes)[0]),
    )


# -- mazes -----------------------------------------------------------------------------------------


def generator_of(kind: str, side: int, split: str) -> MazeGenerator:
    """Return the generator of one half of the mazes of a kind, "train" or "test"."""
    return replace(held_out_generators(side)[kind], split=split)


def held_out(kind: str, side: int, mazes: int) -> HeldOut:
    """Return held-out mazes; none has the walls of a maze in training, however few there are."""
    return HeldOut.generate(generator_of(kind, side, "test"), mazes)


def environment_of(generator: MazeGenerator) -> dict[str, Any]:
    """Return the arguments of `gymnasium.make` for the mazes of a generator."""
    options = {name: value for name, value in vars(generator).items() if value is not None}
    return {**ENVIRONMENT, **options}


# -- for experiments -------------------------------------------------------------------------------


def train_transformer(config: TransformerTeacherConfig) -> Transformer:
    """Return the trained network, without output and checkpoints."""
    network = initial_network(config)
    make_distiller(network, config).distil()
    return network.cpu().eval()


def stored_transformer(config: TransformerTeacherConfig) -> Transformer:
    """Return the network of a file; if there is none, train it and write the file.

    Args:
        config: of the network; `output` is the file.

    Raises:
        ValueError: for a file of other settings.
        OSError: if the file cannot be read or written.
    """
    if not config.output.exists():
        card = Card(made=config.made, training=(TRAINING,))
        save_student(config.output, train_transformer(config), card=card)
    found = load_card(config.output).made
    if found != config.made:
        raise ValueError(f"{config.output} was made {found!r}; expected {config.made!r}")
    network: Transformer = load_student(config.output).eval()
    return network


def initial_network(config: TransformerTeacherConfig) -> Transformer:
    """Return the untrained network.

    Raises:
        ValueError: for a width that is not a multiple of 4 times the heads.
    """
    return Transformer(
        config.layers, config.width, config.heads, mlp_ratio=config.mlp_ratio, seed=config.seed
    )


def make_distiller(network: Transformer, config: TransformerTeacherConfig) -> Distiller:
    """Return the distiller of the exact policies into a network."""
    mazes = MazeSampler(
        tuple(generator_of(kind, side, "train") for kind in config.kinds for side in config.sizes),
        growing=True,
    )
    return Distiller(
        network,
        FunctionSource(ShortestPathPolicy(), mazes, (TRAINING,)),
        total_steps=config.steps,
        learning_rate=LEARNING_RATE,
        seed=config.seed,
    )


if __name__ == "__main__":
    run_script(__file__)
