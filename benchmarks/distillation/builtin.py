"""Command `dynamaze distill builtin`: the files of the students that come with the package."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from dynamaze.benchmarks.distillation import learner, student
from dynamaze.benchmarks.distillation.frontier_students import measure_size
from dynamaze.benchmarks.distillation.mazes import (
    HeldOut,
    evaluate_policy,
    held_out_generators,
    percent_text,
    return_estimate,
)
from dynamaze.benchmarks.harness.command_line import run_script
from dynamaze.common.heartbeat import set_status
from dynamaze.common.options import Mazes, OutputFolder, check_numbers
from dynamaze.distill.core.distances import DistanceRange
from dynamaze.distill.export.certify import certify
from dynamaze.distill.files.builtin_students import BUILTIN
from dynamaze.distill.files.card import Card
from dynamaze.distill.files.students import load_card, load_student, save_student
from dynamaze.distill.students.hardened import LONGEST_PATH, hardened
from dynamaze.distill.students.map_value_iteration import MapValueIteration
from dynamaze.distill.students.quantise import quantised
from dynamaze.distill.students.value_iteration import ValueIterationNetwork
from dynamaze.envs.generation import MazeGenerator
from dynamaze.envs.generation.planes import split_queries

FIRST_SIZE = 11
"""Side of the mazes of the normalised return on a card."""

CARD_SIZES = {31: 500, 201: 50}
"""Side -> maximum number of mazes of the success rates by distance that a card keeps."""

SEES = (
    "it sees the walls and goals of the whole maze, and takes all steps to be equal and none to "
    "slip; with torch or ONNX the length of a path is limited by the number of iterations, half "
    "the cells and the longer side; proved right for paths of up to {steps:,} steps "
    "(`dynamaze distill certify`)"
)
LEARNS = (
    "it was trained in mazes of up to 9x9 with loops that change once in 400 steps; in larger ones "
    "and others its share may be smaller (docs/results.md); agents with tables are not told the "
    "geometry of the grid, which it knows"
)


@dataclass(frozen=True)
class BuiltinConfig:
    """Make the files of the students that come with the package, `builtin:NAME`.

    A value iteration network of `dynamaze distill student`, its form with ternary weights, and both
    students of `dynamaze distill learner`, all with the default options and seed 0. Their cards are
    shortened. `dynamaze distill card` shows them.
    """

    output: OutputFolder = Path("builtin")
    """Folder of the files. What is trained goes to a folder `training` in it."""
    student: Path | None = None
    """A file of `dynamaze distill student`, which is not trained again."""
    learner: Path | None = None
    """A file of `dynamaze distill learner`, which is not trained again; its small one is beside
    it."""
    mazes: Mazes = 500
    """Held-out mazes for the evaluation of the ternary student, and of all that are trained."""


def main(config: BuiltinConfig) -> None:
    """Train what is not given, and write the four files.

    Raises:
        ValueError: for a number outside its range, or a file of another student or of one that is
            not hardened.
        OSError: if a file cannot be written.
    """
    check_numbers(config)
    console = Console()
    network_file, learner_file = config.student, config.learner
    small_file = None if learner_file is None else small_form(learner_file)
    network = None
    if network_file is not None:
        network = read(network_file, ValueIterationNetwork)
        proved = certify(network).steps
        if proved < LONGEST_PATH:
            raise ValueError(
                f"{network_file} is proved right for paths of up to {proved:,} steps; expected a "
                f"hardened student, for {LONGEST_PATH:,}"
            )
    for given in (learner_file, small_file):
        if given is not None:
            read(given, MapValueIteration)
    training = config.output / "training"
    if network_file is None:
        network_file = training / "student.safetensors"
        student.main(student.StudentConfig(output=network_file, mazes=config.mazes))
    if learner_file is None:
        learner_file = training / "learner.safetensors"
        learner.main(learner.LearnerConfig(output=learner_file))
    network = load_student(network_file) if network is None else network
    card = load_card(network_file)
    ternary = hardened(quantised(network, "ternary", "tensor"))
    named = {
        "value_iteration": (network, shortened(card, network)),
        "value_iteration_ternary": (
            ternary,
            shortened(ternary_card(card, ternary, config.mazes, console), ternary),
        ),
    }
    for name, file in (
        ("map_value_iteration", learner_file),
        ("map_value_iteration_int8", small_form(learner_file)),
    ):
        named[name] = load_student(file), replace(load_card(file), limits=LEARNS)
    config.output.mkdir(parents=True, exist_ok=True)
    for name in BUILTIN:
        path = config.output / f"{name}.safetensors"
        each, about = named[name]
        save_student(path, each, card=about)
        console.print(f"{each.num_parameters} parameters, {path.stat().st_size:,} bytes in {path}")


def small_form(path: Path) -> Path:
    """Return the file of the small form that `dynamaze distill learner` writes beside another."""
    return path.with_stem(f"{path.stem}-small")


def read(path: Path, kind: type) -> Any:
    """Return the student of a file.

    Raises:
        ValueError: for another file than that of a student of this kind.
    """
    found = load_student(path)
    if not isinstance(found, kind):
        raise ValueError(
            f"{path} holds a student of type {type(found).__name__}; expected a {kind.__name__}"
        )
    return found


def shortened(card: Card, network: Any) -> Card:
    """Return a card with the network's limits, and success rates in mazes of `CARD_SIZES` alone."""
    kept = {
        mazes: ranges
        for mazes, ranges in card.by_distance.items()
        if mazes in {name_of(size) for size in CARD_SIZES}
    }
    limits = SEES.format(steps=certify(network).steps)
    return replace(card, by_distance=kept, limits=limits)


def name_of(size: int) -> str:
    """Return the name of the mazes of a size, whose results are on cards."""
    return f"{student.CARD_KIND} {size}x{size}"


def ternary_card(card: Card, ternary: Any, mazes: int, console: Console) -> Card:
    """Return the card of the ternary form of a network with its own results and size."""
    policy = student.without_torch(ternary)
    by_distance: dict[str, tuple[DistanceRange, ...]] = {}
    share = None
    for size in (FIRST_SIZE, *CARD_SIZES):
        set_status(f"evaluation of ternary weights: {size}x{size}")
        count = min(mazes, CARD_SIZES.get(size, mazes))
        generator = held_out_generators(size)[student.CARD_KIND]
        result = evaluate_policy(policy, HeldOut.generate(generator, count))
        console.print(f"ternary, {name_of(size)}: {percent_text(result.success_by_maze)}")
        share = return_estimate(result) if share is None else share
        by_distance[name_of(size)] = tuple(each.rounded() for each in result.by_distance)
    observation = split_queries(HeldOut.generate(MazeGenerator(FIRST_SIZE), 1).planes)[0]
    return replace(
        card,
        made=f"{card.made} Then its weights were rounded to three values each, and "
        "it was hardened again, by `dynamaze distill builtin`.",
        normalised_return=share,
        by_distance=by_distance,
        size=measure_size(ternary, observation),
    )


if __name__ == "__main__":
    run_script(__file__)
