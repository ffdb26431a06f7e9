"""Where small networks end depends on where they begin: try several beginnings, keep the best."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dynamaze.common.validation import checked_number

from ..data.source import Source
from ..students.base import Student
from .distiller import Distiller


def best_start(
    candidates: Sequence[Student],
    source: Source,
    *,
    steps: int,
    total_steps: int,
    last: float = 0.2,
    **settings: Any,
) -> tuple[int, list[float]]:
    """Train copies of several students for a while, from the same batches, and tell the best.

    The candidates are changed: make the best one anew and train it whole.

    Args:
        candidates: students that differ in their first weights.
        source: where batches come from; the teacher labels each batch once for all of them.
        steps: how long they are tried.
        total_steps: how long the whole training will be: the schedules are those of its beginning.
        last: the share of the steps, at the end, over which losses are averaged.
        settings: of `Distiller`.

    Returns:
        The number of the candidate with the smallest loss, and the losses of all.

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

    def note(step: Any) -> None:
        if step.step > steps - counted:
            for number in range(len(candidates)):
                sums[number] += step.losses[str(number)] / counted

    distiller.distil(steps, note)
    return min(range(len(sums)), key=sums.__getitem__), sums
