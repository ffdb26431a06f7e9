"""Linear Dyna: planning with an expectation model of the features, for state values.

Sutton, Szepesvári, Geramifard and Bowling 2008, "Dyna-style planning with linear function
approximation and prioritized sweeping", for control. State values are linear, v(s) = theta . x(s);
the model has a matrix F and a vector b for each action (`LinearExpectation`). An action is worth
b . x + gamma theta . F x. Each real step changes theta by temporal differences and the model by
least mean squares; then theta is changed at single features, the unit basis vectors, towards the
best action's worth there.

Action values could not be planned with expectations: the maximum over actions at an expected state
is not the expected maximum. State values that are linear in the features can, whatever the chances
(Wan, Zaheer, White, White and Sutton 2019, "Planning with expectation models").

A feature by itself is no state, and where several are active at once the best action of each is not
the best of all together: the values of features are then too high. Mountain Car learns with it, for
there too high a value is a reason to try. In a maze, whose only reward is the goal's, values beyond
the goal's reward grew up away from it, and prioritised sweeping found them first. So there is one
more way to plan, "seen": at the whole feature vectors of states that were seen.

In a table there is no such difference. In the maze of Sutton & Barto's figure 8.2, with rates of 1
and 10 planning steps, episode 2 took 21 steps by PWMA and 24 by MG, 46 with features at random and
76 by Dyna-Q (means of 10 runs).

Differences from the paper:

1. The steps of the values and the model are divided by |x|^2, so that a learning rate is the share
   of an error that is removed; and a feature's own step in the model begins with 1 / n at its n-th
   visit, until that is below `model_rate`: the model is believed at once.
2. "random" draws among the features that were seen, as Dyna-Q draws among pairs that were.
3. An entry of the queue keeps the larger of its priorities; entries below 1e-8 are not made.
4. A pop of MG updates all features that lead to the popped one. Each of these counts as one of the
   planning steps, and what a pop does beyond them is taken off later, so that equal numbers are
   equal work.
"""

from __future__ import annotations

import os
from typing import Any

import gymnasium as gym

from dynamaze.common.validation import did_you_mean

from ..agent import Agent, make_env, spaces_of
from ..checkpoint import read_agent
from ..core.encoders import Vectors
from ..core.features import Features, OneHot
from ..core.rng import Seed
from ..core.spaces import Spaces, count_actions
from ..exploration import EpsilonGreedy
from ..values import tiles
from .expectation_model import known_name
from .feature_sweeping import FeatureSweeping
from .state_values import FeatureModel, FeaturePlanning, StateValues
from .sweeping import SWEEPS

EnvLike = str | gym.Env[Any, Any] | Spaces

SEEN = "seen"


class LinearDyna(Agent):
    """Linear Dyna for control, with an epsilon-greedy policy.

    Args:
        env: an environment or its id.
        learning_rate: of the state values, in (0, 1].
        gamma: discount, in [0, 1].
        epsilon: probability of an action at random, in [0, 1].
        planning_steps: how many features are updated after each real step; 0 plans nothing.
        sweep: which: "random"; "pwma", prioritised, each update hands its change on to the
            features that lead to it (Peng and Williams, Moore and Atkeson 1993); "mg", the changed
            feature's predecessors are updated (McMahan and Gordon 2005); or "seen", at random all
            features of states that were seen. None for "pwma" in a table, otherwise "seen".
        features: "tile_coding", of a `Box` of up to 4 numbers; where observations can be numbered
            it is a feature for each of them, a table. Or a feature map of vectors of your own.
        model_rate: of the model, in (0, 1]; 1 believes the latest, which is right in a table of a
            deterministic world.
        planning_rate: of the planning updates, in (0, 1]; None for `learning_rate`.
        seed: settles every random number; see `Agent`.

    Raises:
        ValueError: for a number outside its range, an unknown sweep or unknown features, or
            features that are too many for the model's matrices.
        TypeError: for spaces that the features cannot serve.
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
            "sweep": known_name("sweep", sweep, (SEEN, *SWEEPS)),
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
        """The agent that `save` wrote.

        Args:
            path: the checkpoint.
            env: where to go on learning; without one the agent only predicts.
            features: a feature map like the agent's, if it was an object.

        Raises:
            dynamaze.common.storage.CheckpointError: (a ValueError) for a file that is cut short,
                damaged, of another version or another agent's.
        """
        return read_agent(cls, path, env, {"features": features})


def make_features(features: str | Features, vectors: Vectors) -> Features:
    """The features of that name for a world's vectors, or the features themselves.

    Raises:
        ValueError: for an unknown name.
        TypeError: for a space that they cannot serve.
    """
    if not isinstance(features, str):
        return features
    if features != "tile_coding":
        raise ValueError(
            f"features={features!r}; expected 'tile_coding' or a feature map"
            f"{did_you_mean(features, ['tile_coding'])}"
        )
    if vectors.rows is not None and not vectors.is_one_hot:
        return OneHot(vectors.rows.shape, vectors.rows.start)
    return tiles(vectors)
