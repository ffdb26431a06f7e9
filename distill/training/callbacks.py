"""What may happen beside training: judging, stopping, keeping, and telling."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from dynamaze.common.optional_imports import optional_import
from dynamaze.common.validation import checked_number

from ..core.levels import LevelRange, check_apart
from ..students.base import Student
from .distiller import Step

Judge = Callable[[Mapping[str, Student]], Mapping[str, float]]
"""Gives each student a number, such as the share of the teacher's return that it keeps."""


class EarlyStopping:
    """Judges the students now and then, keeps each one's best weights, and stops when all will do.

    A student is judged as it stands, in the middle of its training; `restore` puts the best weights
    back that were seen, which need not be the last.

    Args:
        judge: gives each student a number, the more the better.
        every: steps between two judgements.
        enough: training ends when every student has reached this; None to go on to the end.
        patience: training ends after so many judgements without a better one; None for never.
        levels: those that the judge uses; training on any of them is refused at the first step.

    Attributes:
        history: each judgement, as the step and the numbers.
    """

    def __init__(
        self,
        judge: Judge,
        *,
        every: int,
        enough: float | None = None,
        patience: int | None = None,
        levels: Sequence[LevelRange] = (),
    ) -> None:
        self.levels = tuple(levels)
        self.judge, self.enough, self.patience = judge, enough, patience
        self.every = int(checked_number("every", every, 1, whole=True))
        self.history: list[tuple[int, dict[str, float]]] = []
        self.best: dict[str, float] = {}
        self._weights: dict[str, dict[str, Any]] = {}
        self._waited = 0

    def __call__(self, step: Step) -> bool:
        """Judge, if it is time; False ends training.

        Raises:
            ValueError: if the judge's levels are trained on.
        """
        check_apart(getattr(step.distiller.source, "levels", ()), self.levels)
        if step.step % self.every and step.step < step.total:
            return True
        found = dict(self.judge(step.distiller.students))
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
        """Put the best weights back into each student that was judged."""
        import torch

        for name, weights in self._weights.items():
            students[name].load_state_dict({k: torch.as_tensor(w) for k, w in weights.items()})

    def get_state(self) -> dict[str, Any]:
        """What was judged, and the best weights."""
        return {
            "history": [[step, found] for step, found in self.history],
            "best": self.best,
            "weights": self._weights,
            "waited": self._waited,
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Go back to what `get_state` returned."""
        self.history = [(step, found) for step, found in state["history"]]
        self.best, self._weights = state["best"], state["weights"]
        self._waited = state["waited"]


class Checkpoints:
    """Saves the distiller now and then, so that a killed run goes on from there.

    Args:
        path: the file; each checkpoint replaces the last.
        every: steps between two.
        callbacks: those whose memory belongs to it.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, every: int, callbacks: tuple[Any, ...] = ()
    ) -> None:
        self.path, self.callbacks = path, callbacks
        self.every = int(checked_number("every", every, 1, whole=True))

    def __call__(self, step: Step) -> None:
        """Save, if it is time."""
        if step.step % self.every == 0 or step.step == step.total:
            step.distiller.save(self.path, self.callbacks)


class TensorBoard:
    """Writes each student's loss for TensorBoard.

    Args:
        folder: where the events go.
        every: steps between two entries.

    Raises:
        ImportError: without the package `tensorboard`.
    """

    def __init__(self, folder: str | os.PathLike[str], *, every: int = 10) -> None:
        boards: Any = optional_import(
            "torch.utils.tensorboard", extra="tensorboard", purpose="events for TensorBoard"
        )
        self.every = int(checked_number("every", every, 1, whole=True))
        self.writer = boards.SummaryWriter(str(folder))

    def __call__(self, step: Step) -> None:
        """Write, if it is time."""
        if step.step % self.every == 0:
            for name, loss in step.losses.items():
                self.writer.add_scalar(f"loss/{name}", loss, step.step)


def _copy(student: Student) -> dict[str, Any]:
    """Weights as arrays, apart from what training goes on to change."""
    return {
        name: weight.detach().cpu().numpy().copy() for name, weight in student.state_dict().items()
    }
