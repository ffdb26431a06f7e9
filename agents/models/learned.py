"""The models that generalise, by name: a learner, made for the vectors of a world.

Learners that need SciPy or torch are imported when one is made.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np
from gymnasium import spaces

from ..core.actions import Actions, NumberedActions, as_actions
from ..core.encoders import Vectors
from ..core.features import Coordinates, Features, Identity, OneHot, RadialBases, TileCoding
from ..core.rng import make_generator
from ..learners.linear import LinearLeastMeanSquares, RecursiveLeastSquares
from ..learners.linear_bayesian import BayesianLinear
from ..learners.linear_variants import PerAction
from ..learners.protocol import Learner
from .regression import RegressionModel
from .tabular_adapter import OnRows

LEARNER = 3
"""The stream of a seed's random numbers from which learners begin; see `dynamaze.agents.agent`."""

TILES, TILINGS = 8, 4
"""The tile coding of the linear models: 324 features in two dimensions, and 4 MB to square them."""

MAX_TILED = 2
"""Numbers of a vector up to which its box is tiled; beyond, linear models see coordinates."""

MAX_BUMPED = 32
"""Numbers of a vector up to which networks see bumps along each."""

SCALED = 0.1
"""Bumps lie in [0, 1]: one that has varied by less was hardly met."""

MakeLearner = Callable[[int, Actions, int, int], Learner]
"""Called with features, actions, outputs and a seed."""


class LearnedModel(NamedTuple):
    """A name's entry in `MODELS`; called like a table model, it makes one for numbered states."""

    make_learner: MakeLearner
    draws: str  # of `RegressionModel`
    sees: str  # "tiles", "bumps" or "coordinates"

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
        if self.sees == "bumps" and vectors.size <= MAX_BUMPED:
            return RadialBases(vectors.low, vectors.high)
        if self.sees != "tiles":
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


def _lazily(name: str, **more: Any) -> MakeLearner:
    """A learner of `dynamaze.agents.learners`, imported when it is made."""

    def make(features: int, actions: Actions, outputs: int, seed: int) -> Learner:
        kind: Any = getattr(import_module("dynamaze.agents.learners"), name)
        learner: Learner = kind(features + actions.size, outputs, seed=seed, **more)
        return learner

    return make


def _rough_process(inputs: int, outputs: int) -> Learner:
    """A Gaussian process that is not smooth, as the world is not at a wall; one for each action."""
    kind: Any = import_module("dynamaze.agents.learners").GaussianProcess
    learner: Learner = kind(inputs, outputs, kernel="matern52", budget=400)
    return learner


LEARNED_MODELS: dict[str, LearnedModel] = {
    "linear": LearnedModel(_per_action(LinearLeastMeanSquares), "mean", "tiles"),
    "recursive_linear": LearnedModel(_per_action(RecursiveLeastSquares), "mean", "tiles"),
    "bayesian_linear": LearnedModel(_per_action(BayesianLinear), "sample", "tiles"),
    "gaussian_process": LearnedModel(_per_action(_rough_process), "sample", "coordinates"),
    "deep_belief": LearnedModel(_lazily("DeepBelief", least_spread=SCALED), "mean", "bumps"),
    "ensemble": LearnedModel(
        _lazily("ProbabilisticEnsemble", least_spread=SCALED), "sample", "bumps"
    ),
}
"""Name -> how to make the model."""
