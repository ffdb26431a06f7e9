"""Command `dynamaze distill learner`: a student that adapts to unseen mazes with frozen weights."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import gymnasium as gym
import numpy as np
from rich.console import Console

from dynamaze.benchmarks.distillation.learner_maps import LearnerMaps
from dynamaze.benchmarks.distillation.learner_runs import (
    ENVIRONMENT,
    RUN_STEPS,
    TRAINING,
    MapExpert,
    MapTeacher,
    Runs,
    RunStepper,
    adaptation_envs,
    play,
    run_generator,
)
from dynamaze.benchmarks.distillation.learner_sequences import LearnerSequences
from dynamaze.benchmarks.distillation.learner_tables import TableTeacher
from dynamaze.benchmarks.distillation.training import (
    TrainingConfig,
    begin_training,
    checkpoint_path,
    distil_with_checkpoints,
)
from dynamaze.benchmarks.harness.analysis.intervals import IntervalEstimate
from dynamaze.benchmarks.harness.analysis.statistics import ratio_of_means
from dynamaze.benchmarks.harness.command_line import run_script
from dynamaze.common.heartbeat import set_status
from dynamaze.common.options import Mazes, OutputFile, Range, Steps
from dynamaze.distill.core.levels import LevelRange
from dynamaze.distill.core.size import Size
from dynamaze.distill.export.compiled.policy import build_policy
from dynamaze.distill.files.card import Card, ReturnEstimate
from dynamaze.distill.files.students import save_student, to_stored
from dynamaze.distill.students.base import Student
from dynamaze.distill.students.experience_gru import ExperienceGRU
from dynamaze.distill.students.map_value_iteration import MapValueIteration, with_exact_moves
from dynamaze.distill.students.quantise import quantised, size_in_bytes
from dynamaze.distill.training.distiller import Distiller
from dynamaze.envs.generation import MazeGenerator

TEACHERS: dict[str, Callable[[], MapTeacher]] = {"expert": MapExpert, "learner": TableTeacher}
"""Teachers of a batch of runs, by name."""

LEARNING_RATE = 0.05

GRU_LEARNING_RATE = 0.01
"""From 0.001, 0.003, 0.01 and 0.03: the loss of width 64 on training levels in the last 50 of 300
steps, with 4 rounds of DAgger, is 1.24, 1.03, 0.62 and 0.59. The largest was not chosen, as steps
that are good for a short training are too large for a long one."""

EVALUATION = LevelRange(4 * 10**6, 10**6)
"""Levels of the evaluation; the training and its settings were chosen without them."""

SIZES, LARGER_SIZES = (9, 11), (13, 17, 21)
"""Sides of the mazes of the evaluation; none in training is longer than 9."""

OTHER_MAZES = {
    "backtracking": MazeGenerator(9, "backtracking", loops=0.15),
    "Prim": MazeGenerator(9, "prim", loops=0.15),
    "division": MazeGenerator(9, "division", loops=0.15),
    "obstacles": MazeGenerator(9, "obstacles"),
}
"""Name -> generator of mazes that training does not have."""

BOOK_MAZES = {"DynaMazeBlocking-v0": 3000, "DynaMazeShortcut-v0": 6000}
"""Id -> steps of a run in the changing mazes of Sutton & Barto 2018, figures 8.4 and 8.5."""

BOOK_RUNS = 20


@dataclass(frozen=True)
class LearnerConfig(TrainingConfig):
    """Distil a teacher that learns mazes into a student that learns them too, with frozen weights.

    The student observes its cell, its last action and last reward, never the maze. It keeps a map
    and plans on it with 43 trained numbers; a second file has its form of 24 integers in 28 bytes.
    It is evaluated in runs of 400 steps in held-out mazes, each of which changes once, beside the
    expert in the same runs. Both know the geometry of the grid, which agents with tables do not.

    With `--student gru` a recurrent network takes its place, with the same teacher, levels and
    steps. It observes the same, but has no map.

    With `--teacher learner` the labels are those of an optimistic Dyna-Q with a table, which learns
    along the student's own runs: there is no expert.
    """

    output: OutputFile = Path("learner.safetensors")
    steps: Steps = 4000
    mazes: Mazes = 300
    """Held-out runs of each kind for the evaluation, each in a maze of its own."""
    teacher: Literal["expert", "learner"] = "expert"
    """The teacher: the expert, which explores optimistically on its own map; or learners, with a
    table of each maze."""
    student: Literal["map_value_iteration", "gru"] = "map_value_iteration"
    """The student: one that plans on a map, or a recurrent network as a reference."""
    width: Annotated[int, Range(1, limit=1024)] = 64
    """Width of the recurrent network."""
    transfer: bool = False
    """Also evaluate in larger mazes, of other generators, and in the changing mazes of the book."""


class Setting(NamedTuple):
    """Runs of an evaluation."""

    name: str
    grid: tuple[int, int]
    steps: int
    envs: gym.vector.VectorEnv[Any, Any, Any]


def main(config: LearnerConfig) -> None:
    """Train, evaluate and save a student.

    Raises:
        ValueError: for a number outside its range, or a checkpoint of other settings.
        OSError: if the output folder cannot be written.
    """
    if config.student == "gru" and config.teacher == "learner":
        raise ValueError("--student gru with --teacher learner; expected the expert for a network")
    console = begin_training(config)
    began = time.process_time()
    student = train(config, console)
    console.print(f"trained in {time.process_time() - began:.0f} CPU seconds")
    students: dict[str, Any] = {"student": student}
    if isinstance(student, MapValueIteration):
        students["small"] = quantised(with_exact_moves(student))
    shares: dict[str, IntervalEstimate] = {}  # in the first setting
    for setting in settings(config):
        runs = play_all(config, students, setting)
        expert = runs.pop("expert")
        console.print(f"{setting.name}: the expert's reward {expert.reward.mean():.2f} a run")
        for name, found in runs.items():
            console.print(f"  {name}: {shares_text(found, expert)}", soft_wrap=True)
            shares.setdefault(name, ratio_of_means(found.reward, expert.reward))
            if "learner" in runs and name != "learner":
                text = ratios_text(found, runs["learner"])
                console.print(f"  {name}: times the learner's reward {text}", soft_wrap=True)
    for name, each in students.items():
        stem = config.output.stem if each is student else f"{config.output.stem}-{name}"
        save(config, each, shares.get(name), config.output.with_stem(stem), console)
    checkpoint_path(config.output).unlink(missing_ok=True)


def train(config: LearnerConfig, console: Console) -> Student:
    """Return a trained student, continued from the checkpoint beside its file if there is one.

    Raises:
        ValueError: for a checkpoint of other settings.
    """
    student: Student
    source: LearnerMaps | LearnerSequences
    if config.student == "gru":
        student, rate = ExperienceGRU(config.width, seed=config.seed), GRU_LEARNING_RATE
        source = LearnerSequences(student)
    else:
        student, rate = MapValueIteration(seed=config.seed), LEARNING_RATE
        source = LearnerMaps(student, TEACHERS[config.teacher])
    distiller = Distiller(
        student,
        source,
        total_steps=config.steps,
        loss="set_nll",
        learning_rate=rate,
        seed=config.seed,
    )
    every = max(1, config.steps // 10)
    distil_with_checkpoints(distiller, config, console, task="distilling", every=every)
    return student


def settings(config: LearnerConfig) -> Iterator[Setting]:
    """Generate the settings of the evaluation."""
    generators = {f"{size}x{size}": run_generator(size) for size in SIZES}
    if config.transfer:
        generators |= {f"{size}x{size}": run_generator(size) for size in LARGER_SIZES}
        generators |= {f"9x9, {name}": each for name, each in OTHER_MAZES.items()}
    for name, generator in generators.items():
        envs = adaptation_envs(generator, config.mazes, EVALUATION)
        yield Setting(name, generator.shape, RUN_STEPS, envs)
    for env_id, steps in BOOK_MAZES.items() if config.transfer else ():
        envs = gym.make_vec(
            env_id, num_envs=BOOK_RUNS, vectorization_mode="vector_entry_point", observation="index"
        )
        maze: Any = gym.make(env_id).unwrapped
        layout = maze.layout
        yield Setting(env_id, (layout.rows, layout.cols), steps, envs)


def play_all(config: LearnerConfig, students: dict[str, Any], setting: Setting) -> dict[str, Runs]:
    """Play the runs of a setting with the expert, the teacher and each student."""
    teachers = sorted({"expert", config.teacher})
    policies: dict[str, Any] = {name: TEACHERS[name]() for name in teachers}
    for name, each in students.items():
        is_gru = isinstance(each, ExperienceGRU)
        policies[name] = each if is_gru else build_policy(to_stored(each))
    found = {}
    for name, policy in policies.items():
        set_status(f"evaluation: {setting.name}, {name}")
        policy.grid = setting.grid
        # ties of teachers are broken at random
        rng = np.random.default_rng(config.seed) if name in teachers else None
        found[name] = play(policy, RunStepper(setting.envs, setting.steps, seed=config.seed), rng)
    setting.envs.close()
    return found


def shares_text(runs: Runs, expert: Runs) -> str:
    """Return the share of the expert's reward as text, in all steps and after the change."""
    return f"share of the expert's reward {ratios_text(runs, expert)}"


def ratios_text(runs: Runs, others: Runs) -> str:
    """Return the ratio of the rewards of two agents, in all steps and after the change."""
    whole, after = (
        "{:.3f} [{:.3f}, {:.3f}]".format(*ratio_of_means(own, other))
        for own, other in zip(runs, others, strict=True)
    )
    return f"{whole}, after the change {after}"


def save(
    config: LearnerConfig,
    student: Student,
    share: IntervalEstimate | None,
    output: Path,
    console: Console,
) -> None:
    """Write a student and its card.

    Raises:
        OSError: if a file cannot be written.
    """
    estimate = None
    if share is not None:
        mean, low, high = (float(each) for each in share)
        estimate = ReturnEstimate(mean, low, high, config.mazes)
    size = Size(
        student.num_parameters, size_in_bytes(student).total, student.multiply_adds((3, 9, 9))
    )
    options = f"--student gru --width {config.width} " if config.student == "gru" else ""
    teacher = "an expert that explores optimistically on its own map"
    if config.teacher == "learner":
        options, teacher = "--teacher learner ", "learners with a table, along the student's runs"
    card = Card(
        made=f"By `dynamaze distill learner {options}--steps {config.steps} --seed {config.seed}`, "
        f"from {teacher}. The normalised return is the share of the expert's reward. Student and "
        "expert know the geometry of the grid.",
        environment={"id": ENVIRONMENT, "observation": "index"},
        training=(TRAINING,),
        held_out=(EVALUATION,),
        normalised_return=estimate,
        size=size,
    )
    save_student(output, student, card=card)
    console.print(f"{student.num_parameters} parameters in {output}")


if __name__ == "__main__":
    run_script(__file__)
