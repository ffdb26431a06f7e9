"""Linear Dyna for control: state values and an expectation model that are linear in features.

Sutton, Szepesvári, Geramifard and Bowling 2008, "Dyna-style planning with linear function
approximation and prioritized sweeping". State values are linear, v(s) = theta . x(s); the model has
a matrix F and a vector b for each action (`LinearExpectation`); q(s, a) = b . x + gamma theta . F
x. Each real step updates theta by temporal differences and the model by least mean squares;
planning updates theta at single features, the unit basis vectors, towards the best action's value
there.

Planning with expectations needs state values that are linear in the features: the maximum over
actions at an expected state is not the expected maximum (Wan, Zaheer, White, White and Sutton 2019,
"Planning with expectation models").

Differences from the paper:

1. The steps of the values and the model are divided by |x|^2, so that a learning rate is the
   fraction of an error that is removed. A feature's step in the model is 1 / n at its n-th visit
   until that is below `model_rate`, so that the first visits count fully.
2. "random" samples among the visited features, as Dyna-Q samples among visited pairs.
3. An entry of the queue keeps the larger of its priorities; priorities below 1e-8 are not queued.
4. A pop of MG updates all features that lead to the popped one. Each of these counts as one
   planning step, and a pop's updates beyond the budget are subtracted from the next one, so that
   equal numbers of planning steps are equal work.
5. One more kind of planning, "seen": at the complete feature vectors of visited states. Where
   several features are active at once, taking the best action of each feature alone overestimates
   the value. Mountain Car is learned nevertheless, as optimism helps exploration; in a maze, whose
   only reward is at the goal, values above that reward arose far from the goal, and prioritised
   sweeping updated these first.

In the maze of Sutton & Barto's figure 8.2, with rates of 1 and 10 planning steps, episode 2 took 21
steps with PWMA, 24 with MG, 46 with random features and 76 with Dyna-Q (means of 10 runs).
"""

from __future__ import annotations

import os
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np

from dynamaze.common.arrays import FloatArray
from dynamaze.common.validation import checked_choice, checked_count, checked_number

from ..agent import Agent, EnvLike, resolve_env, spaces_of
from ..checkpoint import read_agent
from ..core.encoders import Vectors
from ..core.features import Features, OneHotFeatures
from ..core.records import Stateful
from ..core.rng import Seed
from ..core.spaces import count_actions
from ..core.transitions import Transitions
from ..core.vectors import check_vectors
from ..exploration import EpsilonGreedy
from ..models.vector_memory import VectorMemory
from ..planning.base import Planning
from ..values.linear import tiles
from .expectation_model import LinearExpectation
from .sweeping import SWEEPS, FeatureSweeping

SEEN = "seen"
"""Planning at the feature vectors of visited states."""


class LinearDyna(Agent):
    """Linear Dyna for control, with an epsilon-greedy policy.

    Suited to few continuous numbers as observations, with tile-coded features, and to tables.

    Args:
        env: environment or its id.
        learning_rate: step size of the state values, in (0, 1].
        gamma: discount factor, in [0, 1].
        epsilon: probability of a random action, in [0, 1].
        planning_steps: number of features that are updated after each real step; 0 for none.
        sweep: order of the updates: "random"; "pwma", prioritised, where each update queues the
            features that lead to the updated one (Peng and Williams, Moore and Atkeson 1993); "mg",
            where the predecessors of the changed feature are updated (McMahan and Gordon 2005); or
            "seen", all features of random visited states. None: "pwma" in a table, otherwise
            "seen".
        features: "tile_coding" of a `Box` of up to 4 numbers, and one feature per observation (a
            table) where observations can be numbered; or a feature map of vectors of your own.
        model_rate: step size of the model, in (0, 1]; 1 stores the latest transition, which is
            right in a table of a deterministic environment.
        planning_rate: step size of planning updates, in (0, 1]; None: that of `learning_rate`.
        seed: determines every random number; see `Agent`.

    Raises:
        ValueError: for a number outside its range, an unknown sweep or unknown features, or
            more features than the model's matrices allow.
        TypeError: for spaces that the features do not support.
    """

    def __init__(
        self,
        env: EnvLike,
        *,
        learning_rate: float = 0.1,
        gamma: float = 0.95,
        epsilon: float = 0.1,
        planning_steps: int = 10,
        sweep: str | None = None,
        features: str | Features = "tile_coding",
        model_rate: float = 0.1,
        planning_rate: float | None = None,
        seed: Seed = None,
    ) -> None:
        env = resolve_env(env)
        spaces = spaces_of(env)
        vectors = Vectors(spaces.observation)
        if sweep is None:
            sweep = SEEN if vectors.rows is None else "pwma"
        by_state = checked_choice("sweep", sweep, (SEEN, *SWEEPS)) == SEEN
        made = make_features(features, vectors)
        model = FeatureModel(
            made, count_actions(spaces.action)[0], size=vectors.size, model_rate=model_rate
        )
        values = StateValues(
            model,
            FeatureSweeping(made.num_features, "random" if by_state else sweep),
            learning_rate=learning_rate,
            planning_rate=learning_rate if planning_rate is None else planning_rate,
            gamma=gamma,
        )
        super().__init__(
            env,
            values=values,
            model=model,
            planning=FeaturePlanning(planning_steps, of_states=by_state),
            exploration=EpsilonGreedy(epsilon),
            seed=seed,
            config={"sweep": sweep},
        )

    @classmethod
    def load(  # type: ignore[override]  # features take the place of model and values
        cls,
        path: str | os.PathLike[str],
        env: str | gym.Env[Any, Any] | None = None,
        *,
        features: Features | None = None,
    ) -> LinearDyna:
        """Load an agent from a checkpoint of `save`.

        Args:
            path: the checkpoint.
            env: environment to continue in; without one the agent only predicts.
            features: feature map like the agent's, if it was given as an object.

        Raises:
            dynamaze.common.storage.CheckpointError: (a ValueError) for a file that is truncated,
                damaged, of another version, or of another agent class.
        """
        return read_agent(cls, path, env, {"features": features})


class StateValues(Stateful):
    """Linear state values v(s) = theta . x(s), and action values by one-step lookahead in a model.

    Args:
        model: the expectation model.
        sweeping: search control.
        learning_rate: step size of temporal differences, in (0, 1].
        planning_rate: step size of planning updates, in (0, 1].
        gamma: discount factor, in [0, 1].

    Attributes:
        theta: (n,) weights.
        changes: (n,) errors of real experience since the last planning.

    Raises:
        ValueError: for a number outside its range.
    """

    observes = "vectors"
    state_fields: ClassVar = {"theta": "theta", "changes": "changes", "sweeping": ""}

    def __init__(
        self,
        model: FeatureModel,
        sweeping: FeatureSweeping,
        *,
        learning_rate: float,
        planning_rate: float,
        gamma: float,
    ) -> None:
        self.model, self.sweeping = model, sweeping
        self.learning_rate = checked_number("learning_rate", learning_rate, 0, 1, above=True)
        self.planning_rate = checked_number("planning_rate", planning_rate, 0, 1, above=True)
        self.gamma = checked_number("gamma", gamma, 0, 1)
        self.theta = np.zeros(model.features.num_features)
        self.changes = np.zeros(model.features.num_features)

    def values(self, observations: FloatArray) -> FloatArray:
        """Return the (batch, actions) one-step lookahead values."""
        rows = [
            self.model.linear.lookahead(x, self.theta, self.gamma)
            for x in self.model.features(observations)
        ]
        return np.array(rows).reshape(len(rows), self.model.num_actions)

    def update(self, transitions: Transitions) -> None:
        """Update by temporal differences of each transition, in their order.

        Raises:
            TypeError, ValueError: for NaN, infinity, a wrong shape or an invalid action; then none
                is learned.
        """
        batch = check_vectors(transitions, self.model.size, self.model.num_actions)
        now, then = self.model.encode(batch)
        for x, reward, y in zip(now, batch.reward, then, strict=True):
            # TD error: delta = r + gamma theta . x' - theta . x
            error = reward + self.gamma * (y @ self.theta) - x @ self.theta
            self.theta += self.learning_rate * error / _squared_norm(x) * x
            larger = np.abs(error * x) > np.abs(self.changes)
            self.changes[larger] = (error * x)[larger]

    def plan(self, steps: int, rng: np.random.Generator) -> int:
        """Queue the changes of real experience, and make planning updates; return their number."""
        linear = self.model.linear
        self.sweeping.queue_errors(linear, self.changes)
        self.changes[:] = 0.0
        return self.sweeping.plan(
            self.theta,
            linear,
            steps,
            gamma=self.gamma,
            step_size=self.planning_rate,
            among=np.flatnonzero(linear.counts.any(axis=0)),
            rng=rng,
        )

    def back_up(self, observations: FloatArray) -> None:
        """Update the values of (batch, d) vectors, in their order, towards the best action's."""
        for x in self.model.features(observations):
            best = self.model.linear.lookahead(x, self.theta, self.gamma).max()
            self.theta += self.planning_rate * (best - x @ self.theta) / _squared_norm(x) * x


class FeatureModel(Stateful):
    """Linear expectation model of features as an agent's model, learned from vectors.

    It also stores the visited vectors, for search control.

    Args:
        features: feature map of the vectors.
        num_actions: number of actions.
        size: d, length of the vectors.
        model_rate: step size, in (0, 1].

    Raises:
        ValueError: for a number outside its range, or too many features.
    """

    observes = "vectors"
    capabilities: ClassVar[frozenset[str]] = frozenset({"expectation"})
    state_fields: ClassVar = {"linear": "", "memory": "memory."}

    def __init__(
        self, features: Features, num_actions: int, *, size: int, model_rate: float
    ) -> None:
        self.features, self.size, self.num_actions = features, size, num_actions
        self.model_rate = checked_number("model_rate", model_rate, 0, 1, above=True)
        self.linear = LinearExpectation(features.num_features, num_actions)
        self.memory = VectorMemory(size, num_actions)

    def update(self, transitions: Transitions) -> None:
        """Learn from real transitions, in their order.

        Raises:
            TypeError, ValueError: for NaN, infinity, a wrong shape or an invalid action; then none
                is learned.
        """
        batch = check_vectors(transitions, self.size, self.num_actions)
        now, then = self.encode(batch)
        for x, action, reward, y in zip(now, batch.action, batch.reward, then, strict=True):
            counts = self.linear.counts[action, np.flatnonzero(x)] + 1
            # 1 / n at the n-th visit of a feature, until model_rate is larger
            step = np.maximum(self.model_rate, 1 / counts) / _squared_norm(x)
            self.linear.learn(x, int(action), float(reward), y, step)
        self.memory.add(batch)

    def encode(self, transitions: Transitions) -> tuple[FloatArray, FloatArray]:
        """Return (batch, n) features before and after; 0 after a terminal transition."""
        then = self.features(transitions.next_observation)
        return self.features(transitions.observation), then * ~transitions.terminated[:, None]

    def sample(self, n: int, rng: np.random.Generator) -> Transitions:
        """Refuse to sample: an expected next state need not be a possible one.

        Raises:
            RuntimeError: always.
        """
        raise RuntimeError("a linear expectation model cannot be sampled; LinearDyna plans with it")


class FeaturePlanning(Planning):
    """Planner with updates after each real step, of single features or of visited states.

    Args:
        planning_steps: number of updates, at least 0.
        of_states: whether complete states are updated.

    Raises:
        ValueError: if the number is negative.
    """

    needs = frozenset({"expectation"})

    def __init__(self, planning_steps: int, *, of_states: bool) -> None:
        self.planning_steps = checked_count("planning_steps", planning_steps, 0)
        self.of_states = of_states

    def plan(self, values: Any, model: Any, rng: np.random.Generator) -> None:
        """Update the state values on their model."""
        if not self.planning_steps:
            return
        if self.of_states:
            values.back_up(model.memory.draw(self.planning_steps, rng).observation)
        else:
            values.plan(self.planning_steps, rng)


def make_features(features: str | Features, vectors: Vectors) -> Features:
    """Return the features of a name for an environment's vectors, or the given features.

    Raises:
        ValueError: for an unknown name.
        TypeError: for a space that the features do not support.
    """
    if not isinstance(features, str):
        return features
    checked_choice("features", features, ("tile_coding",), otherwise="a feature map")
    if vectors.rows is not None and not vectors.is_one_hot:
        return OneHotFeatures(vectors.rows.shape, vectors.rows.start)
    return tiles(vectors)


def _squared_norm(x: FloatArray) -> float:
    """Return |x|^2; 1 for a vector of zeros, from which nothing is learned."""
    return float(x @ x) or 1.0
