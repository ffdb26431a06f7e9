"""The models that generalise, by name: a learner, made for the vectors of a world.

Learners that need SciPy or torch are imported when one is made.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np
from gymnasium import spaces

from ..actions import Actions, NumberedActions, as_actions
from ..encoders import Vectors
from ..features import Coordinates, Features, Identity, OneHot, TileCoding
from ..learners.linear import LinearLeastMeanSquares, RecursiveLeastSquares
from ..learners.linear_bayesian import BayesianLinear
from ..learners.linear_per_action import PerAction
from ..learners.protocol import Learner
from ..rng import make_generator
from .on_rows import OnRows
from .regression import RegressionModel

LEARNER = 3
"""The stream of a seed's random numbers from which learners begin; see `dynamaze.agents.agent`."""

TILES, TILINGS = 8, 4
"""The tile coding of the linear models: 324 features in two dimensions, and 4 MB to square them."""

MAX_TILED = 2
"""Numbers of a vector up to which its box is tiled; beyond, linear models see coordinates."""

MakeLearner = Callable[[int, Actions, int, int], Learner]
"""Called with features, actions, outputs and a seed."""


class LearnedModel(NamedTuple):
    """A name's entry in `MODELS`; called like a table model, it makes one for numbered states."""

    make_learner: MakeLearner
    draws: str  # of `RegressionModel`
    is_linear: bool

    @property
    def capabilities(self) -> frozenset[str]:
        """What such a model declares at least."""
        return frozenset({"sample", "predict", "visits", "uncertainty"})

    def on_vectors(
        self,
        vectors: Vectors,
        num_actions: int | Actions,
        seed: np.random.SeedSequence | None = None,
    ) -> RegressionModel:
        """The model of a world's vectors."""
        actions = as_actions(num_actions)
        features = self.features(vectors)
        seed = np.random.SeedSequence() if seed is None else seed
        number = int(make_generator(seed, LEARNER).integers(2**31))
        learner = self.make_learner(features.num_features, actions, vectors.size + 2, number)
        return RegressionModel(
            learner,
            actions,
            features=features,
            draws=self.draws,
            grounded=vectors.rows is None,
            low=vectors.low,
            high=vectors.high,
        )

    def on_rows(
        self,
        vectors: Vectors,
        num_actions: int,
        seed: np.random.SeedSequence | None = None,
        *,
        include_untried: bool = False,
    ) -> OnRows:
        """The model for a table's rows."""
        inside = self.on_vectors(vectors, num_actions, seed)
        return OnRows(inside, vectors, include_untried=include_untried)

    def __call__(
        self, num_states: int, num_actions: int, *, include_untried: bool = False
    ) -> OnRows:
        """The model for so many rows, of which nothing more is known."""
        vectors = Vectors(spaces.Discrete(num_states))
        return self.on_rows(vectors, num_actions, include_untried=include_untried)

    def features(self, vectors: Vectors) -> Features:
        """What the learner sees of a vector.

        A linear one sees a table where there are rows; a small box tiled, and otherwise its
        coordinates. One that is not linear sees the coordinates, scaled.
        """
        if vectors.is_one_hot:
            return Identity(vectors.size)
        if not self.is_linear:
            return Coordinates(vectors.low, vectors.high, bias=False)
        if vectors.rows is not None:
            return OneHot(vectors.rows.shape, vectors.rows.start)
        bounded = bool(np.isfinite(vectors.low).all() and np.isfinite(vectors.high).all())
        if bounded and vectors.size <= MAX_TILED and bool((vectors.low < vectors.high).all()):
            return TileCoding(vectors.low, vectors.high, tiles=TILES, tilings=TILINGS)
        return Coordinates(vectors.low, vectors.high)


def _per_action(kind: Callable[[int, int], Learner]) -> MakeLearner:
    """A learner for each numbered action; where actions are vectors, one that is linear in both."""

    def make(features: int, actions: Actions, outputs: int, seed: int) -> Learner:
        if isinstance(actions, NumberedActions):
            return PerAction(kind, features, actions.count, outputs)
        return kind(features + actions.size, outputs)

    return make


def _lazily(name: str, *, is_seeded: bool) -> MakeLearner:
    """A learner of `dynamaze.agents.learners`, imported when it is made."""

    def make(features: int, actions: Actions, outputs: int, seed: int) -> Learner:
        kind: Any = getattr(import_module("dynamaze.agents.learners"), name)
        more = {"seed": seed} if is_seeded else {}
        learner: Learner = kind(features + actions.size, outputs, **more)
        return learner

    return make


LEARNED_MODELS: dict[str, LearnedModel] = {
    "linear": LearnedModel(_per_action(LinearLeastMeanSquares), "mean", True),
    "recursive_linear": LearnedModel(_per_action(RecursiveLeastSquares), "mean", True),
    "bayesian_linear": LearnedModel(_per_action(BayesianLinear), "sample", True),
    "gaussian_process": LearnedModel(_lazily("GaussianProcess", is_seeded=False), "sample", False),
    "deep_belief": LearnedModel(_lazily("DeepBelief", is_seeded=True), "mean", False),
    "ensemble": LearnedModel(_lazily("ProbabilisticEnsemble", is_seeded=True), "sample", False),
}
"""Name -> how to make the model."""
