"""Command `dynamaze distill student`: a student of mazes of any size, distilled from a teacher."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from rich.console import Console

from dynamaze.benchmarks.distillation.frontier_students import measure_size
from dynamaze.benchmarks.distillation.mazes import (
    ENVIRONMENT,
    TRAINING,
    EvaluationResult,
    HeldOut,
    MazeSampler,
    evaluate_on_kinds,
    evaluate_policy,
    percent_text,
)
from dynamaze.benchmarks.distillation.method_options import MethodConfig
from dynamaze.benchmarks.distillation.training import (
    TrainingConfig,
    begin_training,
    checkpoint_path,
    distil_with_checkpoints,
    print_evaluation,
    save_network,
)
from dynamaze.benchmarks.harness.agent_runs.resolver import (
    check_arguments,
    import_name,
    read_call,
)
from dynamaze.benchmarks.harness.analysis.summary_grid import SummaryGrid
from dynamaze.benchmarks.harness.analysis.table import Lines
from dynamaze.benchmarks.harness.command_line import run_script
from dynamaze.common.heartbeat import set_status
from dynamaze.common.options import Mazes, OutputFile, Range, Steps
from dynamaze.common.validation import checked_choice
from dynamaze.distill.core.packing import MAX_INTEGER
from dynamaze.distill.core.size import ObjectCode, num_bytes
from dynamaze.distill.data.path_lengths import teacher_path_lengths
from dynamaze.distill.data.source import FunctionSource
from dynamaze.distill.export.c_source.object_code import object_code
from dynamaze.distill.export.common.students import operations_of
from dynamaze.distill.export.compiled import CompiledPolicy
from dynamaze.distill.files.students import file_bytes, load_student
from dynamaze.distill.students.base import Student
from dynamaze.distill.students.hardened import LONGEST_PATH, hardened
from dynamaze.distill.students.quantise import quantised
from dynamaze.distill.students.registry import STUDENTS, make_student
from dynamaze.distill.students.value_iteration import PathLengths, ValueIterationNetwork
from dynamaze.distill.teachers import as_teacher
from dynamaze.distill.training.distiller import Distiller
from dynamaze.distill.training.restarts import best_restart
from dynamaze.envs.generation import MazeGenerator
from dynamaze.envs.generation.planes import ShortestPathPolicy, split_queries

LEARNING_RATES = {"residual": 2e-3, "transformer": 3e-3, "value_iteration": 0.05}
"""Kind of a student of mazes of any size -> Adam's step size."""

RESTART_FRACTION = 0.15
"""Fraction of the training for which each random initialisation is trained."""

SIZES = (11, 21, 31)
"""Sides of the mazes of the evaluation; none in training is longer than 15."""

CARD_KIND = "perfect"
"""Kind of the mazes whose evaluation the card has: the one with the longest paths."""

LARGE_MAZES = {101: 200, 201: 50, 1001: 2}
"""Side -> maximum number of mazes of each kind in which hardened students are evaluated, too."""


@dataclass(frozen=True)
class StudentConfig(MethodConfig, TrainingConfig):
    """Distil a teacher into a value iteration network of 113 parameters, or another student.

    It is trained in mazes of up to 15x15, from several random initialisations of which the best
    continues. Beside the teacher's labels, training uses exact shortest path lengths in the mazes
    of each batch, unless --curriculum says otherwise. The student is evaluated in held-out mazes of
    11x11, 21x21 and 31x31, from every cell, also with its weights rounded to eight bits, four, or
    three values. A value iteration network is hardened for long paths, and also evaluated in some
    mazes of up to 1001x1001. Some minutes on one core; a stopped run continues from its checkpoint.
    """

    output: OutputFile = Path("student.safetensors")
    steps: Steps = 3000
    mazes: Mazes = 500
    """Held-out mazes of each kind and size for the evaluation."""
    teacher: Path | None = None
    """A file of `dynamaze distill teacher`; or module:name or path/file.py:name of your own: a
    function from planes (mazes, 3, rows, cols) to logits (queried cells, 4), or any other teacher.
    Without it the exact optimal policy is the teacher."""
    student: str = "value_iteration"
    """The student: value_iteration, residual or transformer, with arguments of `make_student` in
    parentheses: "transformer(layers=2, width=32)"."""
    maps: Annotated[int, Range(1, limit=256)] = 4
    """Feature maps of a value iteration network: 28 parameters each (261 with 8)."""
    restarts: Annotated[int, Range(1, limit=1000)] = 4
    """Random initialisations, of which the best continues."""
    curriculum: Literal["exact", "teacher", "none"] = "exact"
    """Path lengths by which a value iteration network learns near cells first: exact ones by a
    breadth-first search in each batch (privileged information beyond the labels), those of the
    teacher's own paths, or none."""
    students: Annotated[int, Range(1, limit=100)] = 1
    """Students that are trained together, of which the best is saved; methods of peers need two."""
    unhardened: bool = False
    """Leave a value iteration network as it is after training. Otherwise its weights are scaled, so
    that a wall costs more than a detour of 2**20 steps (see `dynamaze.distill.hardened`)."""


def main(config: StudentConfig) -> None:
    """Train, evaluate and save a student.

    Raises:
        ValueError: for a number outside its range, an unknown student or argument of it, a file
            that is not a teacher, or a checkpoint of other settings.
        OSError: if the output folder cannot be written.
    """
    initial_student(config, 0)  # refused before anything is written
    console = begin_training(config)
    source = FunctionSource(read_teacher(config.teacher), MazeSampler(), (TRAINING,))
    student, longest_path = train(config, source, console), 0
    if isinstance(student, ValueIterationNetwork) and not config.unhardened:
        try:
            student, longest_path = hardened(student), LONGEST_PATH
            console.print(f"hardened for shortest paths of up to {longest_path:,} steps")
        except ValueError as error:  # after too short a training
            console.print(f"not hardened: {error}")
    sizes = dict.fromkeys(SIZES, config.mazes)
    if longest_path:
        sizes |= {size: min(config.mazes, most) for size, most in LARGE_MAZES.items()}
    rounded: dict[int, Student] = {bits: quantised(student, bits, "tensor") for bits in MAX_INTEGER}
    if isinstance(student, ValueIterationNetwork) and longest_path:  # the costs have changed
        rounded = {bits: hardened(quantised(student, bits, "tensor")) for bits in MAX_INTEGER}
    results = print_evaluations(student, rounded, sizes, console)
    observation = split_queries(HeldOut.generate(MazeGenerator(11), 1).planes)[0]
    forms = {"float32": student, **{str(bits): each for bits, each in rounded.items()}}
    console.print(SummaryGrid("Bytes", byte_lines(forms, observation)))
    teacher = "the exact optimal policies" if config.teacher is None else config.teacher.name
    save_network(
        config.output,
        student,
        console,
        made=f"By `dynamaze distill student {_options(config)} --steps {config.steps} --seed "
        f"{config.seed} --method {config.method}`, from {teacher}.{_hardening(longest_path)}",
        method={"name": config.method.name, **config.method.make().config},
        environment=ENVIRONMENT,
        results=results,
        size=measure_size(student, observation),
    )


def byte_lines(forms: Mapping[str, Student], observation: Any) -> Lines:
    """Return the table of bytes of weights, of a file, and of object code, by form of a student.

    Args:
        forms: the student and rounded ones, by name.
        observation: a single one, whose size the object code is for.
    """
    codes = {name: object_code(student, observation) for name, student in forms.items()}
    small = small_code(forms["ternary"], observation)
    compilers = {code.compiler for code in codes.values() if code is not None}
    compiled_by = f" ({compilers.pop()})" if compilers else ""
    lines: Lines = [("weights", "weights alone", "file, no card", f"object code{compiled_by}")]
    for name, student in forms.items():
        code = codes[name]
        sizes = num_bytes(student), file_bytes(student), None if code is None else code.bytes
        lines.append((name, *("-" if each is None else f"{each:,}" for each in sizes)))
    if small is not None:
        lines.append(("ternary, small", "-", "-", f"{small.bytes:,}"))
    return lines


def small_code(student: Student, observation: Any) -> ObjectCode | None:
    """Return the size of a decision that is written for size; None of a student that cannot be."""
    try:
        return object_code(student, observation, small=True)
    except ValueError:  # not hardened
        return None


def read_teacher(path: Path | None) -> Any:
    """Return the policy of a file or of `module:name`, or the exact one.

    Raises:
        ValueError: for a file that is not a student, or an unknown module or name.
        TypeError: if the name is not that of a teacher.
    """
    if path is None:
        return as_teacher(ShortestPathPolicy())
    if ":" in path.name and not path.exists():
        return as_teacher(import_name("teacher", str(path)))
    if path.is_dir():
        raise ValueError(f"teacher={str(path)!r}: a folder; expected a file or module:name")
    return as_teacher(load_student(path).to(memory_format=torch.channels_last).eval())


def path_lengths_of(config: StudentConfig, teacher: Any) -> bool | PathLengths:
    """Return the argument `curriculum` of a value iteration network."""
    if config.curriculum == "teacher":
        return teacher_path_lengths(teacher)
    return config.curriculum == "exact"


def initial_student(
    config: StudentConfig, number: int, curriculum: bool | PathLengths = True
) -> Student:
    """Return the untrained student of a restart.

    Args:
        config: the settings.
        number: of the restart.
        curriculum: of a value iteration network; see `path_lengths_of`.

    Raises:
        ValueError: for an unknown kind or argument, a number outside its range, or a curriculum of
            another student.
    """
    kind, arguments = read_call("student", config.student)
    checked_choice("student", kind, sorted(LEARNING_RATES))
    check_arguments("student", config.student, STUDENTS[kind], arguments)
    if kind == "value_iteration":
        arguments = {"maps": config.maps, "curriculum": curriculum, **arguments}
    elif config.curriculum != "exact":
        raise ValueError(
            f"curriculum={config.curriculum!r} of student={config.student!r}; expected a "
            "value_iteration student, which alone has one"
        )
    student: Student = make_student(kind, seed=100 * config.seed + number, **arguments)
    return student


def _options(config: StudentConfig) -> str:
    """Return the options of a command that makes the student."""
    default = type(config).student
    named = "" if config.student == default else f'--student "{config.student}" '
    ordered = "" if config.curriculum == "exact" else f" --curriculum {config.curriculum}"
    scaled = " --unhardened" if config.unhardened else ""
    return f"{named}--maps {config.maps}{ordered}{scaled}"


def print_evaluations(
    student: Student,
    rounded: Mapping[int, Student],
    sizes: Mapping[int, int],
    console: Console,
) -> dict[str, EvaluationResult]:
    """Evaluate a student and its rounded forms; return the results for the card.

    Args:
        student: the student.
        rounded: its forms by bits.
        sizes: side of a maze -> number of held-out mazes of each kind.
        console: for a line for each.
    """
    results = {}
    for size, mazes in sizes.items():
        for kind, held_out, result in evaluate_on_kinds(without_torch(student), size, mazes):
            name = f"{kind} {size}x{size}"
            print_evaluation(console, name, result)
            for bits, smaller in rounded.items():
                found = evaluate_policy(without_torch(smaller), held_out).success_by_maze
                console.print(
                    f"  rounded ({bits}, {smaller.num_bytes} bytes of weights): "
                    f"{percent_text(found)}"
                )
            if kind == CARD_KIND:
                results[name] = result
    return results


def _hardening(longest_path: int) -> str:
    """Return the sentence of the card of a hardened student; empty for another."""
    if not longest_path:
        return ""
    return f" Hardened after training, for shortest paths of up to {longest_path:,} steps."


def without_torch(student: Student) -> Any:
    """Return a student as a compiled policy, which takes less time, or unchanged if it has none."""
    operations = operations_of(student)
    return student if operations is None else CompiledPolicy(operations)


def train(config: StudentConfig, source: FunctionSource, console: Console) -> Student:
    """Return a trained student, continued from the checkpoint beside its file if there is one.

    Of several students the one with the smallest loss on new batches is returned.

    Raises:
        ValueError, TypeError: for a method that the teacher or the students cannot serve.
    """
    count = max(config.students, config.method.make().least_students)
    settings: dict[str, Any] = {
        "total_steps": config.steps,
        "learning_rate": LEARNING_RATES[read_call("student", config.student).name],
        "seed": config.seed,
    }

    curriculum = path_lengths_of(config, source.teacher)

    def make(numbers: Sequence[int]) -> Distiller:
        students = {
            f"student {place}": initial_student(config, number, curriculum)
            for place, number in enumerate(numbers, 1)
        }
        given = students if count > 1 else next(iter(students.values()))
        return Distiller(given, source, config.method.make(), **settings)

    make(range(count))  # refuses what does not fit before anything takes long
    first = best_initial(config, source, settings, console)
    distiller = make([first, *(number for number in range(count) if number != first)][:count])
    every = max(1, config.steps // 10)
    distil_with_checkpoints(distiller, config, console, task="distilling", every=every)
    if count == 1:
        return distiller.student
    losses = losses_on_new_batches(distiller)
    best = min(losses, key=losses.__getitem__)
    each = ", ".join(f"{name}: {loss:.4f}" for name, loss in losses.items())
    console.print(f"losses on new batches: {each}; {best} is saved")
    return distiller.students[best]


def best_initial(
    config: StudentConfig, source: FunctionSource, settings: dict[str, Any], console: Console
) -> int:
    """Return the number of the random initialisation with the smallest loss after a short trial.

    It is 0 for a training that goes on from a checkpoint, which has the weights.
    """
    if config.restarts == 1 or checkpoint_path(config.output).exists():
        return 0
    task = f"trying {config.restarts} restarts"
    set_status(task)
    curriculum = path_lengths_of(config, source.teacher)
    with console.status(task):
        number, losses = best_restart(
            [initial_student(config, each, curriculum) for each in range(config.restarts)],
            source,
            steps=max(1, round(RESTART_FRACTION * config.steps)),
            **settings,
        )
    tried = ", ".join(f"{loss:.3f}" for loss in losses)
    console.print(f"losses of the restarts: {tried}; number {number + 1} continues")
    return number


def losses_on_new_batches(distiller: Distiller, batches: int = 8) -> dict[str, float]:
    """Return each student's mean loss against the teacher on new batches of training mazes."""
    sums = dict.fromkeys(distiller.students, 0.0)
    with torch.no_grad():
        for _ in range(batches):
            batch = distiller.draw()
            for name in sums:
                outputs = distiller.answers(name, batch.observations)
                sums[name] += float(distiller.supervised(name, outputs, batch)) / batches
    return sums


if __name__ == "__main__":
    run_script(__file__)
