"""Bayesian linear regression on features, as the last layer of a network.

Bishop 2006, "Pattern Recognition and Machine Learning", sections 3.3 and 3.5: weights of mean 0 and
precision alpha in the noise's units, which is chosen where the targets are likeliest. All outputs
share the precision matrix; each has a noise of its own.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dynamaze.common.arrays import FloatArray

from ..core.state import checked_state
from .protocol import Estimate

PRECISIONS = 10.0 ** np.arange(-4, 4)
"""The prior precisions among which the likeliest is taken."""

PSEUDO = 1.0
"""How many targets one spread off count beside the data in the noise."""


class LastLayer:
    """Sums over examples, from which the weights follow in closed form.

    Args:
        num_features: numbers that go in.
        num_outputs: numbers that come out.
    """

    def __init__(self, num_features: int, num_outputs: int) -> None:
        self.count = 0
        self.precision = 1.0
        self._gram = np.zeros((num_features, num_features))
        self._cross = np.zeros((num_features, num_outputs))
        self._squares = np.zeros(num_outputs)
        self._solved: tuple[FloatArray, FloatArray, FloatArray] | None = None

    def update(self, features: FloatArray, targets: FloatArray) -> None:
        """Add examples: features (batch, features), targets (batch, outputs) in units."""
        self.count += len(features)
        self._gram += features.T @ features
        self._cross += features.T @ targets
        self._squares += (targets**2).sum(axis=0)
        self._solved = None

    def choose_precision(self) -> None:
        """Take the precision under which the targets are likeliest."""
        eigenvalues, vectors = np.linalg.eigh(self._gram)
        eigenvalues = np.maximum(eigenvalues, 0.0)[:, None]
        squared = (vectors.T @ self._cross) ** 2
        evidence = []
        for precision in PRECISIONS:
            misfit = self._squares - (squared / (eigenvalues + precision)).sum(axis=0)
            noise = (np.maximum(misfit, 0.0) + PSEUDO) / (self.count + PSEUDO)
            sizes = np.log1p(eigenvalues / precision).sum() * len(noise)
            evidence.append(-(self.count + PSEUDO) * np.log(noise).sum() - sizes)
        self.precision = float(PRECISIONS[np.argmax(evidence)])
        self._solved = None

    def predict(self, features: FloatArray) -> Estimate:
        """Mean and variances, in units, of features (batch, features)."""
        factor, weights, noise = self._solve()
        mean = features @ weights
        doubt = (np.linalg.solve(factor, features.T) ** 2).sum(axis=0)[:, None]
        return Estimate(mean, doubt * noise, np.broadcast_to(noise, mean.shape).copy())

    def get_state(self) -> dict[str, Any]:
        """The sums."""
        return {
            "count": self.count,
            "precision": self.precision,
            "gram": self._gram.copy(),
            "cross": self._cross.copy(),
            "squares": self._squares.copy(),
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Go back to what `get_state` returned.

        Raises:
            ValueError: if it is another kind of state; this one is then as it was.
        """
        given = checked_state(state, self.get_state())
        self.count, self.precision = given["count"], given["precision"]
        self._gram, self._cross, self._squares = given["gram"], given["cross"], given["squares"]
        self._solved = None

    def _solve(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        if self._solved is None:
            matrix = self._gram + self.precision * np.eye(len(self._gram))
            factor = np.asarray(np.linalg.cholesky(matrix), dtype=np.float64)
            half = np.asarray(np.linalg.solve(factor, self._cross), dtype=np.float64)
            misfit = np.maximum(self._squares - (half**2).sum(axis=0), 0.0)
            noise: FloatArray = (misfit + PSEUDO) / (self.count + PSEUDO)
            weights = np.asarray(np.linalg.solve(factor.T, half), dtype=np.float64)
            self._solved = factor, weights, noise
        return self._solved
