"""Search among plans of continuous actions: an agent for worlds whose actions are a `Box`.

The loop, the parts and the files are those of `Agent`. Two things differ: the planner proposes the
action itself, where other planners value numbered actions; and values are those of states.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces

from dynamaze.common.arrays import FloatArray
from dynamaze.common.validation import did_you_mean

from ...agent import Agent, make_env, spaces_of
from ...core.actions import VectorActions
from ...core.encoders import VECTORS, Vectors
from ...core.features import SparseFeatures
from ...core.rng import Seed, as_sequence
from ...core.spaces import Spaces
from ...models import LEARNED_MODELS
from ...values import tiles
from ..agent import COPIES, TRUE, WORLDS, EnvLike, follow_env
from ..env_copies import WorldCopies
from ..monte_carlo_search_worlds import make_worlds
from .continuous_search_world import TrueVectors
from .optimisers import ActionBox, PlanSettings
from .planning import GaussianNoise, PlanSearch
from .state_values import GivenValues, TiledStateValues

VALUES = ("tile_coding", "zero")

StateValuesLike = str | Callable[[Any], Any]
"""One of `VALUES`, or a function: (batch, d) vectors -> (batch,) values."""

ONE_NUMBER = spaces.Discrete(1)
"""Stands for all actions where `Agent` and its files want them numbered."""


class ContinuousSearch(Agent):
    """Plans a sequence of continuous actions before each action, by CEM or MPPI.

        from dynamaze.agents import ContinuousSearch

        agent = ContinuousSearch("DynaMazeContinuous-v0", model="gaussian_process", seed=0)
        agent.learn(2000)
        action, _ = agent.predict(observation, deterministic=True)

    A plan looks `horizon` steps ahead, and where rewards are rare it meets none. What its last
    state is worth tells the way then: values that are learned from what was seen, or a function.

    Args:
        env: an environment or its id; its actions must be a `Box` with bounds.
        model: "true", of an environment that imagines; "copies", of any, which is slow; a name of
            `dynamaze.agents.LEARNED_MODELS`, which is then learned on the way; or a model of
            vectors with `update` and `imagine`.
        method: "cem", the cross-entropy method, or "mppi".
        horizon: steps of a plan.
        plans: how many are drawn at a time.
        iterations: how often plans are drawn for each action.
        particles: simulations of each plan: a model that draws what may happen, as far as it knows,
            draws its doubt, too.
        elites: of CEM, how many of the best plans are fitted.
        temperature: of MPPI, in standard deviations of the returns.
        spread: with which plans are drawn first, as a share of an action's range.
        correlation: between the noise of an action and that of the next, in [0, 1).
        noise: of the actions that are taken in learning, as a share of an action's range.
        values: "tile_coding", learned; "zero"; or a function, (n, d) vectors -> (n,) values.
        learning_rate: of learned values, in (0, 1].
        planning_steps: states that are updated after each real step; only learned values.
        initial_value: what every learned value begins with. Where rewards are rare, half the
            goal's reward has the agent try everything.
        gamma: discount, in [0, 1].
        action_bounds: "low", "high" and "dtype" of the actions, where `env` is only spaces without.
        seed: settles every random number; see `Agent`.

    Attributes:
        action_space: the actions.

    Raises:
        ValueError: for a number outside its range, an unknown name, or actions without bounds.
        TypeError: for actions that are no `Box`, observations that cannot be tiled, or a model that
            cannot be simulated.
    """

    def __init__(  # noqa: PLR0913  # what a user may want to say
        self,
        env: EnvLike,
        *,
        model: Any = "gaussian_process",
        method: str = "cem",
        horizon: int = 12,
        plans: int = 64,
        iterations: int = 3,
        particles: int = 2,
        elites: int = 8,
        temperature: float = 0.3,
        spread: float = 0.5,
        correlation: float = 0.7,
        noise: float = 0.05,
        values: StateValuesLike = "tile_coding",
        learning_rate: float = 0.3,
        planning_steps: int = 20,
        initial_value: float = 0.5,
        gamma: float = 0.95,
        action_bounds: dict[str, Any] | None = None,
        seed: Seed = None,
    ) -> None:
        made = env if isinstance(env, Spaces) else make_env(env)
        given = spaces_of(made)
        self.action_space = _checked_box(given.action, action_bounds)
        box = ActionBox(
            *(_vector(edge) for edge in (self.action_space.low, self.action_space.high))
        )
        search = {
            "method": method,
            "horizon": horizon,
            "plans": plans,
            "iterations": iterations,
            "particles": particles,
            "elites": elites,
            "temperature": temperature,
            "spread": spread,
            "correlation": correlation,
            "gamma": gamma,
        }
        settings = PlanSettings.checked(**search)
        vectors = Vectors(given.observation)
        learning = {"learning_rate": learning_rate, "initial_value": initial_value}
        seed = as_sequence(seed) if seed is not None else None
        super().__init__(
            Spaces(given.observation, ONE_NUMBER),
            values=_make_values(values, vectors, len(box.low), gamma=gamma, **learning),
            model=_make_model(model, made, vectors, len(box.low), seed),
            planning=PlanSearch(box, vectors.size, settings, planning_steps=planning_steps),
            exploration=GaussianNoise(box, noise, self.action_space.dtype),
            seed=seed,
            config={
                **search,
                **learning,
                "model": model if isinstance(model, str) else None,
                "values": values if isinstance(values, str) else None,
                "noise": noise,
                "planning_steps": planning_steps,
                "action_bounds": _describe(self.action_space),
            },
        )
        self.env = None if isinstance(made, Spaces) else made

    def predict(
        self,
        observation: Any,
        state: Any = None,
        episode_start: Any = None,
        deterministic: bool = False,
    ) -> tuple[Any, Any]:
        """The action for an observation, or the actions for a batch, without learning.

        Args:
            observation: one observation of the space, or a batch of them.
            state: handed back as it is.
            episode_start: not used.
            deterministic: without the noise of `learn`. The search itself draws its plans anew.

        Returns:
            An action of the space, or (batch, ...) actions, and `state`.

        Raises:
            ValueError: for an observation outside the space.
        """
        encoded: Any
        encoded, is_single = self.encoder.many(observation)
        found = self._values_of(encoded)
        exploration: Any = self.exploration
        if deterministic:
            actions = exploration.within(found)
        else:
            actions = np.array([exploration.choose(each, None, self.predict_rng) for each in found])
        actions = actions.reshape(-1, *self.action_space.shape)
        return (actions[0] if is_single else actions), state

    def set_env(self, env: str | gym.Env[Any, Any]) -> None:
        """Learn in another environment from now on; an episode begins there.

        Raises:
            ValueError: if its spaces differ.
            TypeError: if the model is the world itself, and this one does not imagine.
        """
        made, wanted = make_env(env), Spaces(self.spaces.observation, self.action_space)
        if spaces_of(made) != wanted:
            raise ValueError(f"an environment with {spaces_of(made)}; expected {wanted}")
        follow_env(self.model, made)
        self.env, self.observation = made, None


def _vector(edge: Any) -> FloatArray:
    flat: FloatArray = edge.astype(np.float64).ravel()
    return flat


def _checked_box(space: spaces.Space[Any], bounds: dict[str, Any] | None) -> spaces.Box:
    """The box of actions.

    Raises:
        TypeError: for another space; ValueError for one without bounds.
    """
    if bounds is not None:
        dtype: Any = np.dtype(bounds["dtype"])
        low, high = (np.array(bounds[name], dtype=dtype) for name in ("low", "high"))
        space = spaces.Box(low, high, dtype=dtype.type)
    if not isinstance(space, spaces.Box) or np.dtype(space.dtype).kind != "f":
        raise TypeError(f"action space {space}; expected a Box of real numbers")
    if len(space.shape) != 1 or not space.is_bounded():
        raise ValueError(f"action space {space}; expected (size,) actions with bounds")
    return space


def _describe(space: spaces.Box) -> dict[str, Any]:
    return {"low": space.low.tolist(), "high": space.high.tolist(), "dtype": str(space.dtype)}


def _make_values(
    values: StateValuesLike, vectors: Vectors, size: int, *, gamma: float, **learning: float
) -> Any:
    if not isinstance(values, str):
        if not callable(values):
            raise TypeError(f"values={values!r}; expected one of {list(VALUES)} or a function")
        return GivenValues(values, gamma=gamma)
    if values not in VALUES:
        raise ValueError(
            f"values={values!r}; expected one of {list(VALUES)} or a function"
            f"{did_you_mean(values, VALUES)}"
        )
    if values == "zero":
        return GivenValues(None, gamma=gamma)
    features = tiles(vectors)
    if not isinstance(features, SparseFeatures):
        raise TypeError(f"observation space {vectors.space}; expected a Box to be tiled")
    actions = VectorActions(size)
    return TiledStateValues(features, actions, size=vectors.size, gamma=gamma, **learning)


def _make_model(
    model: Any, env: gym.Env[Any, Any] | Spaces, vectors: Vectors, size: int, seed: Any
) -> Any:
    known = [*WORLDS, *sorted(LEARNED_MODELS)]
    if isinstance(model, str) and model not in known:
        raise ValueError(
            f"model={model!r}; expected one of {known} or a model{did_you_mean(model, known)}"
        )
    if model == TRUE:
        return TrueVectors(env)
    if model == COPIES:
        return WorldCopies(env, observes=VECTORS)
    if isinstance(model, str):
        return LEARNED_MODELS[model].on_vectors(vectors, VectorActions(size), seed)
    make_worlds(model)
    for name in ("capabilities", "update"):
        if not hasattr(model, name):
            raise TypeError(f"model={model!r} has no {name!r}; expected one of {known} or a model")
    return model
