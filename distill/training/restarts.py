"""Random restarts: train several initialisations briefly and select the best."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dynamaze.common.validation import checked_number

from ..data.source import BatchSource
from ..students.base import Student
from .distiller import Distiller


def best_restart(
    candidates: Sequence[Student],
    source: BatchSource,
    *,
    steps: int,
    total_steps: int,
    last: float = 0.2,
    **settings: Any,
) -> tuple[int, list[float]]:
    """Train several candidates for a while on the same batches, and return the best one.

    The candidates are changed: make the best one again and train it from the start.

    Args:
        candidates: students with different initial weights.
        source: batch source; the teacher labels each batch once for all of them.
        steps: number of training steps of the trial.
        total_steps: steps of the whole training, whose schedules are used.
        last: fraction of the steps, at the end, over which losses are averaged.
        **settings: further arguments of `Distiller`.

    Returns:
        The index of the candidate with the smallest loss, and the losses of all.

    Raises:
        ValueError: for no candidates, or a number outside its range.
    """
    checked_number("last", last, 0, 1, above=True)
    distiller = Distiller(
        {str(number): each for number, each in enumerate(candidates)},
        source,
        total_steps=total_steps,
        **settings,
    )
    sums = [0.0] * len(candidates)
    counted = max(1, round(last * steps))

    def add_losses(step: Any) -> None:
        if step.step > steps - counted:
            for number in range(len(candidates)):
                sums[number] += step.losses[str(number)] / counted

    distiller.distil(steps, add_losses)
    return min(range(len(sums)), key=sums.__getitem__), sums
