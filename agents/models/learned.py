"""Learned models: a learner and the features of an environment's observations.

`LEARNED_MODELS` of `registry.py` names them. Learners that need SciPy or torch are imported when
one is made.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from gymnasium import spaces

from .. import learners
from ..core.encoders import Actions, DiscreteActions, Vectors, as_actions
from ..core.features import (
    MAX_BUMPED,
    CoordinateFeatures,
    Features,
    Identity,
    OneHotFeatures,
    RadialBases,
    TileCoding,
)
from ..core.rng import make_generator
from ..learners.linear import BayesianLinear, LinearLeastMeanSquares, RecursiveLeastSquares
from ..learners.networks import TrainingSettings
from ..learners.per_action import PerAction
from ..learners.protocol import Learner
from .regression import RegressionModel
from .tabular_adapter import TabularAdapter

LEARNER = 3
"""Index of the random stream for initial parameters of learners; see `dynamaze.agents.agent`."""

TILINGS = 4
"""Number of tilings of the linear models: 324 features in two dimensions."""

MAX_TILED = 2
"""Largest dimension of a tiled box; above it linear models see coordinates."""

SCALED = 0.1
"""Smallest scale of radial basis inputs, which lie in [0, 1] and may hardly have varied yet."""

MakeLearner = Callable[[int, Actions, int, int], Learner]
"""Factory of a learner from the number of features, the actions, the number of outputs, a seed."""


class LearnedModel(NamedTuple):
    """Entry of `MODELS`; called like a table model, it makes one for discrete states."""

    make_learner: MakeLearner
    draws: str  # "sample" or "mean", see `RegressionModel`
    sees: str  # "tiles", "bumps" or "coordinates"

    @property
    def capabilities(self) -> frozenset[str]:
        """Capabilities that every such model declares."""
        return frozenset({"sample", "predict", "visits", "uncertainty"})

    def on_vectors(
        self,
        vectors: Vectors,
        num_actions: int | Actions,
        seed: np.random.SeedSequence | None = None,
    ) -> RegressionModel:
        """Return the model of an environment's vectors."""
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
    ) -> TabularAdapter:
        """Return the model of an environment's rows, for a table of values."""
        inside = self.on_vectors(vectors, num_actions, seed)
        return TabularAdapter(inside, vectors, include_untried=include_untried)

    def __call__(
        self, num_states: int, num_actions: int, *, include_untried: bool = False
    ) -> TabularAdapter:
        """Return the model of rows without coordinates: their vectors are one-hot."""
        vectors = Vectors(spaces.Discrete(num_states))
        return self.on_rows(vectors, num_actions, include_untried=include_untried)

    def features(self, vectors: Vectors) -> Features:
        """Return the learner's feature map.

        A linear learner gets one-hot features if the space has rows, tiles in a small box, and
        otherwise scaled coordinates with a bias. A Gaussian process gets scaled coordinates; a
        network also radial bases along each, up to `MAX_BUMPED` of them.
        """
        if vectors.is_one_hot:
            return Identity(vectors.size)
        if self.sees == "bumps" and vectors.size <= MAX_BUMPED:
            return RadialBases(vectors.low, vectors.high)
        if self.sees != "tiles":
            return CoordinateFeatures(vectors.low, vectors.high, bias=False)
        if vectors.rows is not None:
            return OneHotFeatures(vectors.rows.shape, vectors.rows.start)
        has_width = bool((vectors.low < vectors.high).all())
        if vectors.is_bounded and vectors.size <= MAX_TILED and has_width:
            return TileCoding(vectors.low, vectors.high, tilings=TILINGS)
        return CoordinateFeatures(vectors.low, vectors.high)


def _per_action(kind: Callable[[int, int], Learner]) -> MakeLearner:
    """Return a factory of a learner for each discrete action, or of one for continuous actions."""

    def make(features: int, actions: Actions, outputs: int, seed: int) -> Learner:
        if isinstance(actions, DiscreteActions):
            return PerAction(kind, features, actions.count, outputs)
        return kind(features + actions.size, outputs)

    return make


def _network(name: str) -> MakeLearner:
    """Return a factory of a network, which is imported when called."""

    def make(features: int, actions: Actions, outputs: int, seed: int) -> Learner:
        kind: Any = getattr(learners, name)
        settings = TrainingSettings(min_spread=SCALED)
        learner: Learner = kind(features + actions.size, outputs, settings=settings, seed=seed)
        return learner

    return make


def _rough_process(inputs: int, outputs: int) -> Learner:
    """Return a Gaussian process with a Matern kernel: dynamics are not smooth at a wall."""
    learner: Learner = learners.GaussianProcess(inputs, outputs, kernel="matern52", budget=400)
    return learner


LINEAR = LearnedModel(_per_action(LinearLeastMeanSquares), "mean", "tiles")
RECURSIVE_LINEAR = LearnedModel(_per_action(RecursiveLeastSquares), "mean", "tiles")
BAYESIAN_LINEAR = LearnedModel(_per_action(BayesianLinear), "sample", "tiles")
GAUSSIAN_PROCESS = LearnedModel(_per_action(_rough_process), "sample", "coordinates")
DEEP_BELIEF = LearnedModel(_network("DeepBelief"), "mean", "bumps")
ENSEMBLE = LearnedModel(_network("ProbabilisticEnsemble"), "sample", "bumps")
