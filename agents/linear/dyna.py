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
from typing import Any

import gymnasium as gym

from dynamaze.common.validation import did_you_mean

from ..agent import Agent, EnvLike, make_env, spaces_of
from ..checkpoint import read_agent
from ..core.encoders import Vectors
from ..core.features import Features, OneHotFeatures
from ..core.rng import Seed
from ..core.spaces import Spaces, count_actions
from ..exploration import EpsilonGreedy
from ..planning.base import checked_name
from ..values import tiles
from .state_values import FeatureModel, FeaturePlanning, StateValues
from .sweeping import SWEEPS, FeatureSweeping

SEEN = "seen"
"""Planning at the feature vectors of visited states."""


class LinearDyna(Agent):
    """Linear Dyna for control, with an epsilon-greedy policy.

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
        made = env if isinstance(env, Spaces) else make_env(env)
        spaces = spaces_of(made)
        num_actions, _ = count_actions(spaces.action)
        vectors = Vectors(spaces.observation)
        if sweep is None:
            sweep = "seen" if vectors.rows is None else "pwma"
        config = {
            "learning_rate": learning_rate,
            "gamma": gamma,
            "epsilon": epsilon,
            "planning_steps": planning_steps,
            "sweep": checked_name("sweep", sweep, (SEEN, *SWEEPS)),
            "features": features if isinstance(features, str) else None,
            "model_rate": model_rate,
            "planning_rate": planning_rate,
        }
        made_features = make_features(features, vectors)
        model = FeatureModel(made_features, num_actions, size=vectors.size, model_rate=model_rate)
        values = StateValues(
            model,
            FeatureSweeping(made_features.num_features, "random" if sweep == SEEN else sweep),
            learning_rate=learning_rate,
            planning_rate=learning_rate if planning_rate is None else planning_rate,
            gamma=gamma,
        )
        super().__init__(
            made,
            values=values,
            model=model,
            planning=FeaturePlanning(planning_steps, of_states=sweep == SEEN),
            exploration=EpsilonGreedy(epsilon),
            seed=seed,
            config=config,
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


def make_features(features: str | Features, vectors: Vectors) -> Features:
    """Return the features of a name for an environment's vectors, or the given features.

    Raises:
        ValueError: for an unknown name.
        TypeError: for a space that the features do not support.
    """
    if not isinstance(features, str):
        return features
    if features != "tile_coding":
        raise ValueError(
            f"features={features!r}; expected 'tile_coding' or a feature map"
            f"{did_you_mean(features, ['tile_coding'])}"
        )
    if vectors.rows is not None and not vectors.is_one_hot:
        return OneHotFeatures(vectors.rows.shape, vectors.rows.start)
    return tiles(vectors)
