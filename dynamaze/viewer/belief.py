"""Where a model of the world believes that walls are."""

from __future__ import annotations

from typing import Any

import numpy as np

from dynamaze.common.arrays import BoolArray, FloatArray
from dynamaze.envs.mazes.layout import DISPLACEMENTS


class WallBelief:
    """The walls that follow from what a model predicts of each pair of cell and action.

    A pair that is predicted to lead nowhere says that there is a wall on that side; one that leads
    away says that there is none. Where several pairs say something of one cell, it is their mean:
    a model that has seen a wall from one side only may still believe in a way from the other.

    A model is asked again only for pairs that were tried meanwhile: of the others a table believes
    what it did before.
    """

    def __init__(self, model: Any, shape: tuple[int, int]) -> None:
        """Take a model with `predict`, and the maze's (rows, cols)."""
        self._model = model
        self._shape = shape
        self._stays = np.full((shape[0] * shape[1], len(DISPLACEMENTS)), np.nan)

    def update(self, tried: BoolArray) -> None:
        """Ask the model for the pairs (S, 4) that are True."""
        states, actions = np.nonzero(tried)
        if not states.size:
            return
        predicted = self._model.predict(states, actions)
        stays = np.asarray(predicted.next_observation) == states
        self._stays[states, actions] = np.where(predicted.visits > 0, stays, np.nan)

    def walls(self) -> FloatArray:
        """(rows, cols) probability of a wall; NaN where no pair says anything."""
        rows, cols = self._shape
        votes, total = np.zeros((rows, cols)), np.zeros((rows, cols))
        stays = self._stays.reshape(rows, cols, len(DISPLACEMENTS))
        for action, (down, right) in enumerate(DISPLACEMENTS):
            # The cells from which this action leads into the maze, and where it leads.
            source = _window(-down, rows), _window(-right, cols)
            target = _window(down, rows), _window(right, cols)
            said = stays[..., action][source]
            votes[target] += ~np.isnan(said)
            total[target] += np.nan_to_num(said)
        return np.where(votes > 0, total / np.maximum(votes, 1), np.nan)


def _window(offset: int, length: int) -> slice:
    """The indices that have a neighbour so far behind them."""
    return slice(max(0, offset), length + min(0, offset))


def model_that_predicts(model: Any) -> Any:
    """The model itself or the one that it wraps, whichever predicts; None if none does."""
    while model is not None and not hasattr(model, "predict"):
        model = getattr(model, "model", None)
    return model
