"""Callbacks of training: early stopping, checkpoints and TensorBoard logs."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable, Mapping, Sequence
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np

from dynamaze.common.atomic_files import write_atomically
from dynamaze.common.deprecation import renamed_arguments
from dynamaze.common.optional_imports import optional_import
from dynamaze.common.validation import checked_integer

from ..core.levels import LevelRange, check_disjoint
from ..students.base import Student
from .distiller import TrainingStep

Evaluator = Callable[[Mapping[str, Student]], Mapping[str, float]]
"""Function that scores each student, for instance by its normalised return."""


class EarlyStopping:
    """Evaluates the students regularly, stores each one's best weights, and stops training.

    Students are evaluated in the middle of their training; `restore` loads the best weights, which
    need not be the last.

    Args:
        evaluate: returns a score of each student, higher is better.
        every: steps between evaluations.
        enough: training ends when every student has reached this score; None to go on to the end.
        patience: training ends after this number of evaluations without an improvement; None for
            never.
        levels: levels that the evaluation uses; training on any of them is refused at the first
            step.

    Attributes:
        history: each evaluation, as the step and the scores.
    """

    @renamed_arguments(judge="evaluate")
    def __init__(
        self,
        evaluate: Evaluator,
        *,
        every: int,
        enough: float | None = None,
        patience: int | None = None,
        levels: Sequence[LevelRange] = (),
    ) -> None:
        self.levels = tuple(levels)
        self.evaluate, self.enough, self.patience = evaluate, enough, patience
        self.every = checked_integer("every", every, 1)
        self.history: list[tuple[int, dict[str, float]]] = []
        self.best: dict[str, float] = {}
        self._weights: dict[str, dict[str, Any]] = {}
        self._waited = 0

    def __call__(self, step: TrainingStep) -> bool:
        """Evaluate, if it is time; False ends training.

        Raises:
            ValueError: if the levels of the evaluation are trained on.
        """
        check_disjoint(getattr(step.distiller.source, "levels", ()), self.levels)
        if step.step % self.every and step.step < step.total:
            return True
        found = dict(self.evaluate(step.distiller.students))
        self.history.append((step.step, found))
        self._waited += 1
        for name, number in found.items():
            if number > self.best.get(name, -np.inf):
                self.best[name] = number
                self._weights[name] = _copy(step.distiller.students[name])
                self._waited = 0
        is_enough = self.enough is not None and all(
            best >= self.enough for best in self.best.values()
        )
        return not (is_enough or (self.patience is not None and self._waited >= self.patience))

    def restore(self, students: Mapping[str, Student]) -> None:
        """Load the best weights into each student that was evaluated."""
        import torch

        for name, weights in self._weights.items():
            students[name].load_state_dict({k: torch.as_tensor(w) for k, w in weights.items()})

    def get_state(self) -> dict[str, Any]:
        """Return the history and the best weights."""
        return {
            "history": [[step, found] for step, found in self.history],
            "best": self.best,
            "weights": self._weights,
            "waited": self._waited,
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Restore what `get_state` returned.

        Raises:
            ValueError, TypeError: for something else; the present state is then unchanged.
        """
        history = [
            (checked_integer("history", step, 0), _scores("history", found))
            for step, found in state["history"]
        ]
        best, weights = _scores("best", state["best"]), state["weights"]
        waited = checked_integer("waited", state["waited"], 0)
        if set(weights) != set(best):
            raise ValueError(f"weights of {list(weights)}; expected those of {list(best)}")
        self.history, self.best, self._weights, self._waited = history, best, weights, waited


class Checkpoints:
    """Saves the distiller regularly, so that an interrupted run can resume.

    Args:
        path: the file; each checkpoint replaces the last.
        every: steps between two checkpoints.
        callbacks: those whose state belongs to it.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, every: int, callbacks: tuple[Any, ...] = ()
    ) -> None:
        self.path, self.callbacks = path, callbacks
        self.every = checked_integer("every", every, 1)

    def __call__(self, step: TrainingStep) -> None:
        """Save, if it is time."""
        if step.step % self.every == 0 or step.step == step.total:
            step.distiller.save(self.path, self.callbacks)


class TensorBoard:
    """Writes each part's loss, and each of its terms, for TensorBoard.

    The tags are "loss/student" and, of several terms, "terms/student/hints".

    Args:
        folder: folder of the event files.
        every: steps between two entries.

    Raises:
        ImportError: without the package `tensorboard`.
    """

    def __init__(self, folder: str | os.PathLike[str], *, every: int = 10) -> None:
        boards: Any = optional_import("torch.utils.tensorboard", purpose="events for TensorBoard")
        self.every = checked_integer("every", every, 1)
        self.writer = boards.SummaryWriter(str(folder))

    def __call__(self, step: TrainingStep) -> None:
        """Write, if it is time."""
        if step.step % self.every == 0:
            for name, loss in step.losses.items():
                self.writer.add_scalar(f"loss/{name}", loss, step.step)
            if len(step.terms) > len(step.losses):
                for name, term in step.terms.items():
                    self.writer.add_scalar(f"terms/{name}", term, step.step)


class CsvLog:
    """Writes each part's loss, and each of its terms, to a CSV file: step, name, value.

    Names are those of `TensorBoard`. A training that is resumed from a checkpoint goes on in the
    same file: rows of later steps are removed first.

    Args:
        path: the file.
        every: steps between two entries.

    Raises:
        ValueError: for a file that exists and is no log.
        OSError: if the file cannot be written.
    """

    HEADER = ("step", "name", "value")

    def __init__(self, path: str | os.PathLike[str], *, every: int = 10) -> None:
        self.path, self.every = Path(path), checked_integer("every", every, 1)
        self._is_open = False

    def __call__(self, step: TrainingStep) -> None:
        """Write, if it is time."""
        if not self._is_open:
            self._begin(step.step)
        if step.step % self.every:
            return
        terms = step.terms if len(step.terms) > len(step.losses) else {}
        rows = [(step.step, f"loss/{name}", loss) for name, loss in step.losses.items()]
        rows += [(step.step, f"terms/{name}", term) for name, term in terms.items()]
        with self.path.open("a", newline="") as file:
            csv.writer(file).writerows(rows)

    def _begin(self, first: int) -> None:
        """Write the file's rows of steps before the first."""
        rows: list[list[str]] = []
        if self.path.exists():
            with self.path.open(newline="") as file:
                header, *found = [*csv.reader(file)] or [[]]
            if tuple(header) != self.HEADER:
                raise ValueError(f"{self.path} begins with {header}; expected {self.HEADER}")
            rows = [row for row in found if int(row[0]) < first]
        text = io.StringIO(newline="")
        csv.writer(text).writerows([self.HEADER, *rows])
        write_atomically(self.path, text.getvalue().encode())
        self._is_open = True


def _scores(name: str, found: Mapping[str, Any]) -> dict[str, float]:
    """Return the scores of students from a file, checked; one may be infinite or NaN."""
    if not all(isinstance(score, Real) for score in found.values()):
        raise TypeError(f"{name}={found!r}; expected numbers")
    return dict(found)


def _copy(student: Student) -> dict[str, Any]:
    """Return the weights as arrays that training does not change."""
    return {
        name: weight.detach().cpu().numpy().copy() for name, weight in student.state_dict().items()
    }
