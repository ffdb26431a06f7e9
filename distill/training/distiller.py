"""The loop of distillation: batches of a teacher's answers, and students that follow them."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
import torch
from rich.progress import track

from dynamaze.common.storage import CheckpointError, read_checkpoint, write_checkpoint
from dynamaze.common.validation import checked_number

from ..core.dataset import Batch
from ..core.distributions import distribution_of
from ..core.losses import Loss, Targets, make_loss, value_mse
from ..data.source import Source
from ..students.base import Answers, Student
from .tensors import pack, restore_tensors, unpack

ONLY = "student"
"""The name of a student that is alone."""


class Step(NamedTuple):
    """What a callback is told after each training step."""

    step: int  # steps taken, from 1
    total: int  # steps that training takes
    losses: dict[str, float]  # of each student, with what its values cost, without its penalty
    distiller: Distiller


Callback = Callable[[Step], bool | None]
"""Called after each step; False ends training. One that remembers has `get_state`, `set_state`."""


class Distiller:
    """Teaches one student, or several of different sizes at once, what a teacher would do.

    At each step the source gives a batch, which the teacher has labelled once; each student pays
    the loss for its answers and takes a step of Adam. All randomness comes from one generator, and
    each student sees the same bits as if it were alone but for what it draws itself, so that `save`
    and `resume` go on to the same bits as a run that was never stopped.

    Args:
        students: one, or several by name.
        source: where batches come from (`Dataset`, `Asked`, `Rollouts` or your own).
        total_steps: how many training steps there are; the schedules depend on it.
        loss: a name ("kl", "nll", "mse", "reverse_kl"; "gaussian_kl" for continuous actions) or a
            function of logits and targets.
        value_coef: weight of `value_mse`, of students that know values (`ActorCritic`).
        learning_rate: Adam's step size at first, of all students or of each by name; it falls along
            a line to a thousandth.
        clip: the largest norm of a gradient.
        progress_from: how much of what students and source do in the course of a training is over
            at the start; 1 to train on what is trained already. The step size falls all the same.
        device: where the students are trained; None for a GPU if there is one and a student is
            large, else the CPU.
        seed: settles every random number.

    Attributes:
        step: training steps taken.

    Raises:
        ValueError: for a number outside its range, no students, or an unknown loss.
        TypeError: for a student of other actions than the source's teacher, where its kind is
            known; and, at the first step, for a loss of other actions than the student's.

    Warns:
        UserWarning: of a student that is larger than its teacher.
    """

    def __init__(
        self,
        students: Student | Mapping[str, Student],
        source: Source,
        *,
        total_steps: int,
        loss: str | Loss = "kl",
        value_coef: float = 0.5,
        learning_rate: float | Mapping[str, float] = 1e-3,
        clip: float = 1.0,
        progress_from: float = 0.0,
        device: str | None = None,
        seed: int = 0,
    ) -> None:
        self.students = dict(students) if isinstance(students, Mapping) else {ONLY: students}
        if not self.students:
            raise ValueError("no students; expected at least one")
        self.source = source
        self.total_steps = int(checked_number("total_steps", total_steps, 1, whole=True))
        _check_distributions(self.students, source)
        self.loss = make_loss(loss)
        self.value_coef = checked_number("value_coef", value_coef, 0)
        self.learning_rates = {
            name: checked_number("learning_rate", _of(learning_rate, name), 0, above=True)
            for name in self.students
        }
        self.clip = checked_number("clip", clip, 0, above=True)
        self.progress_from = checked_number("progress_from", progress_from, 0, 1)
        self.device = torch.device(device or _best_device(self.students))
        sequence = np.random.SeedSequence(seed)
        self.rng = np.random.default_rng(sequence.spawn(1)[0])
        self.own_rngs = {
            name: np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(1, number)))
            for number, name in enumerate(self.students)
        }
        self.optimizers = {
            name: torch.optim.Adam(student.to(self.device).parameters(), self.learning_rates[name])
            for name, student in self.students.items()
        }
        self.step = 0
        _warn_of_large(self.students, getattr(source, "teacher", None))

    @property
    def student(self) -> Student:
        """The only student.

        Raises:
            ValueError: if there are several.
        """
        if len(self.students) > 1:
            raise ValueError(f"{len(self.students)} students; expected `students[name]`")
        return next(iter(self.students.values()))

    @property
    def progress(self) -> float:
        """How much of the training is over, in [0, 1], and of that before it."""
        return self.progress_from + (1 - self.progress_from) * self.step / self.total_steps

    # -- training ------------------------------------------------------------------------------

    def distil(
        self,
        steps: int | None = None,
        callback: Callback | Sequence[Callback] = (),
        *,
        progress_bar: bool = False,
    ) -> Distiller:
        """Train, going on where the last call or a checkpoint ended.

        Args:
            steps: how many training steps; None for all that are left.
            callback: one or several, called after each step; False ends training.
            progress_bar: show one in the terminal.

        Returns:
            The distiller itself.

        Raises:
            ValueError: for a negative number of steps, or if a teacher gives what is no number.
        """
        left = self.total_steps - self.step
        count = left if steps is None else int(checked_number("steps", steps, 0, whole=True))
        callbacks = [callback] if callable(callback) else list(callback)
        told: Any = islice(self.steps(), min(count, left))
        if progress_bar:
            told = track(told, description="distilling", total=min(count, left))
        for step in told:
            answers = [each(step) for each in callbacks]  # all are told, whoever says stop
            if False in answers:
                break
        return self

    def steps(self) -> Iterator[Step]:
        """Train to the end, a step at a time; at each yield all is whole and may be saved."""
        while self.step < self.total_steps:
            batch = self.source.batch(self.rng, self.progress)
            observations, targets = self._as_tensors(batch)
            losses = {name: self._teach(name, observations, targets) for name in self.students}
            self.step += 1
            yield Step(self.step, self.total_steps, losses, self)

    def _teach(self, name: str, observations: torch.Tensor, targets: Targets) -> float:
        """One step of one student."""
        student, optimizer = self.students[name], self.optimizers[name]
        for group in optimizer.param_groups:
            group["lr"] = self.learning_rates[name] * max(1e-3, 1 - self.step / self.total_steps)
        targets = targets._replace(distribution=distribution_of(student))
        answers = student.training_answers(observations, self.progress, self.own_rngs[name])
        loss = torch.stack([self._paid(name, each, targets) for each in answers]).mean()
        optimizer.zero_grad()
        (loss + student.penalty(self.progress)).backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(student.parameters(), self.clip)
        optimizer.step()
        return float(loss.detach())

    def _paid(self, name: str, answers: Answers, targets: Targets) -> torch.Tensor:
        """What a student pays for its answers."""
        logits, weights, values = answers
        if logits.shape != targets.logits.shape:
            raise ValueError(
                f"student {name!r} gives logits of shape {tuple(logits.shape)} and the teacher "
                f"of {tuple(targets.logits.shape)}; expected the same answers and actions"
            )
        if weights is not None:
            targets = targets._replace(weights=targets.weights * weights)
        paid = self.loss(logits, targets)
        if values is None or self.value_coef == 0:
            return paid
        return paid + self.value_coef * value_mse(values, targets)

    def _as_tensors(self, batch: Batch) -> tuple[torch.Tensor, Targets]:
        columns = [
            None if column is None else torch.from_numpy(np.asarray(column)).to(self.device)
            for column in batch
        ]
        observations, logits, weights, values = columns
        assert observations is not None
        assert logits is not None
        assert weights is not None
        return observations, Targets(logits, weights, values)

    # -- files ---------------------------------------------------------------------------------

    def save(self, path: str | os.PathLike[str], callbacks: Sequence[Any] = ()) -> None:
        """Write a checkpoint, atomically and without pickle, from which `resume` goes on.

        Args:
            path: the file.
            callbacks: those that remember something.

        Raises:
            OSError: if the file cannot be written; an older one stays as it was.
        """
        arrays, document = pack(self._state(callbacks))
        write_checkpoint(path, arrays, {"kind": "distiller", "state": document})

    def resume(self, path: str | os.PathLike[str], callbacks: Sequence[Any] = ()) -> Distiller:
        """Go on from what `save` wrote; this distiller must have been made alike.

        Raises:
            dynamaze.common.storage.CheckpointError: (a ValueError) for a file that is cut short,
                damaged, or of other students; nothing is changed then.
        """
        arrays, document = read_checkpoint(path)
        if document.get("kind") != "distiller":
            raise CheckpointError(f"{path} holds {document.get('kind')!r}; expected a distiller")
        state = unpack(arrays, document["state"])
        found = {name: part["config"] for name, part in state["students"].items()}
        mine = {name: _kind(student) for name, student in self.students.items()}
        if found != mine or state["total_steps"] != self.total_steps:
            raise CheckpointError(
                f"{path} is of students {found} and {state['total_steps']} steps; expected {mine} "
                f"and {self.total_steps}"
            )
        for name, part in state["students"].items():
            restore_tensors(self.students[name], self.optimizers[name], part)
            self.own_rngs[name].bit_generator.state = part["rng"]
        self.rng.bit_generator.state = state["rng"]
        self.step = state["step"]
        for each, kept in zip((self.source, *callbacks), state["others"], strict=True):
            if kept is not None:
                each.set_state(kept)
        return self

    def _state(self, callbacks: Sequence[Any]) -> dict[str, Any]:
        return {
            "step": self.step,
            "total_steps": self.total_steps,
            "rng": self.rng.bit_generator.state,
            "students": {
                name: {
                    "config": _kind(student),
                    "weights": student.state_dict(),
                    "optimizer": self.optimizers[name].state_dict()["state"],
                    "rng": self.own_rngs[name].bit_generator.state,
                }
                for name, student in self.students.items()
            },
            "others": [
                each.get_state() if hasattr(each, "get_state") else None
                for each in (self.source, *callbacks)
            ],
        }


def _of(learning_rate: float | Mapping[str, float], name: str) -> float:
    return learning_rate[name] if isinstance(learning_rate, Mapping) else learning_rate


def _check_distributions(students: Mapping[str, Student], source: Source) -> None:
    """Refuse students of other actions than the teacher's, where its kind is known."""
    taught = getattr(source, "distribution", None)
    for name, student in students.items():
        learned = distribution_of(student)
        if taught not in (None, learned):
            raise TypeError(
                f"student {name!r} has {learned} actions and the source's teacher {taught} ones; "
                "expected the same (GaussianStudent for continuous ones)"
            )


def _kind(student: Student) -> dict[str, Any]:
    """What a student is, without what training changes."""
    shapes = {name: list(weight.shape) for name, weight in student.named_parameters()}
    kind = {name: student.config.get(name) for name in ("kind", "bits", "per")}
    return {**kind, "shapes": shapes}


def _warn_of_large(students: Mapping[str, Student], teacher: Any) -> None:
    """Warn of students that are larger than their teacher, where its size is known."""
    size = getattr(teacher, "num_parameters", None)
    for name, student in students.items():
        if size is not None and student.num_parameters > size:
            warnings.warn(
                f"student {name!r} has {student.num_parameters} parameters, more than the "
                f"{size} of its teacher",
                stacklevel=3,
            )


LARGE = 100_000
"""Parameters from which on a student is trained on a GPU where there is one."""


def _best_device(students: Mapping[str, Student]) -> str:
    is_large = any(student.num_parameters >= LARGE for student in students.values())
    return "cuda" if is_large and torch.cuda.is_available() else "cpu"
