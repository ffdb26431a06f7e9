"""What a search tree was grown from: what the model believed, and what it had seen."""

from __future__ import annotations

from typing import Any

import numpy as np

from dynamaze.common.arrays import IntArray

from ...models.latest import LatestTable
from ...models.likelihood import LikelihoodTable


def belief_in(model: Any, row: int) -> Any:
    """What stays equal while a model does not change its mind; None if it may at any time.

    A world that is known tells its version. A table that keeps each pair by itself changes nothing
    but what it believes of the pair that was tried.
    """
    version = getattr(model, "version", None)
    if isinstance(version, str):
        return version
    table: Any = getattr(model, "table", None)
    keeps_pairs = isinstance(table, LatestTable) or (
        isinstance(table, LikelihoodTable) and table.decay == 1.0
    )
    if not keeps_pairs:
        return None
    believed = []
    for action in range(model.num_actions):
        outcomes = model.distribution(row, action)
        is_tried = bool(table.visits[row * model.num_actions + action] > 0)
        believed.append((is_tried, *(column.tobytes() for column in outcomes)))
    return believed


def tried_in(model: Any) -> IntArray:
    """(states * actions,) how often a model has seen each pair.

    Raises:
        TypeError: if it does not count.
    """
    inside: Any = getattr(model, "table", model)
    while not hasattr(inside, "visits"):
        if not hasattr(inside, "model"):
            raise TypeError(
                f"untried_value with {type(model).__name__}, which does not count visits; expected "
                "a model that declares 'visits', or untried_value=None"
            )
        inside = inside.model
    visits: IntArray = np.asarray(inside.visits)
    return visits
