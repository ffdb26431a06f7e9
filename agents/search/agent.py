"""Common parts of the agents that search at decision time: models, numbers and tables."""

from __future__ import annotations

import math
from typing import Any

import gymnasium as gym
import numpy as np

from dynamaze.common.arrays import IntArray
from dynamaze.common.deprecation import warn_renamed
from dynamaze.common.validation import checked_number, did_you_mean

from ..agent import Agent, EnvLike, make_env, spaces_of
from ..core.encoders import DISCRETE
from ..core.kernels import append_next_states, has_rule
from ..core.rng import Seed, as_sequence
from ..core.spaces import Spaces, count_actions
from ..exploration import EpsilonGreedy
from ..models import MODELS, Model, model_for
from ..models.table_copy import TableCopy, has_lookups
from ..models.true import TrueModel
from ..planning.base import Planning
from ..values import LEARNING_RATES, make_values
from ..values.table import TableValues, Values
from .env_copies import EnvCopies
from .simulators import make_batch_simulator

TRUE, SIMULATOR = "true", "simulator"
ENV_MODELS = (TRUE, SIMULATOR)
"""Names of models that are the environment itself."""

OLD_ENV_MODELS = {"copies": SIMULATOR}
"""Name in version 0.1 -> name of today."""

LEAF_VALUES = ("zero", "values")
"""Values of the states at the horizon of a search."""

NEGLIGIBLE = 1e-3
"""Discount below which a search without a depth ends."""


class SearchAgent(Agent):
    """Agent whose model may be the environment itself, which then follows `set_env`."""

    def set_env(self, env: str | gym.Env[Any, Any]) -> None:
        """Continue learning in another environment, beginning with a new episode.

        Raises:
            ValueError: if its spaces differ.
            TypeError: if the model is the environment itself, and this one has no known dynamics.
        """
        before = self.env, self.observation
        super().set_env(env)
        try:
            set_model_env(self.model, self.env)
        except BaseException:
            self.env, self.observation = before
            raise


def set_model_env(model: Any, env: Any) -> None:
    """Set the environment of a model that is the environment itself; others are unchanged."""
    set_env = getattr(model, "set_env", None)
    if set_env is not None:
        set_env(env)


# -- the parts of an agent ---------------------------------------------------------------------


def search_parts(
    env: EnvLike,
    planning: Planning,
    *,
    model: str | Model,
    values: str | Values | None = None,
    seed: Seed = None,
    **config: Any,
) -> dict[str, Any]:
    """Return the arguments of `Agent` for an agent that searches.

    Args:
        env: environment, its id, or its spaces.
        planning: the planner.
        model: "true", "simulator", a name of `MODELS`, or a model.
        values: a name of values, or values; None, for agents without this argument, is a table.
        seed: determines every random number.
        **config: the agent's other arguments, stored for `load`: `gamma`, `epsilon`, and where the
            agent has them `learning_rate` and `initial_value`.

    Raises:
        ValueError: for a number outside its range, unknown values or an unknown model.
        TypeError: for spaces that the values do not support, or a model that does not support them.
    """
    model = renamed_model(model)
    made = env if isinstance(env, Spaces) else make_env(env)
    spaces = spaces_of(made)
    seed = as_sequence(seed) if seed is not None else None
    kind = "table" if values is None else values
    rate = config.get("learning_rate")
    if rate is None:
        rate = LEARNING_RATES.get(kind, 0.1) if isinstance(kind, str) else 0.1
    learned = make_values(
        kind,
        spaces,
        learning_rate=rate,
        gamma=config["gamma"],
        initial_value=config.get("initial_value", 0.0),
        seed=as_sequence(seed),
    )
    config = {**config, "model": model if isinstance(model, str) else None}
    if values is not None:
        config["values"] = values if isinstance(values, str) else None
    return {
        "env": made,
        "values": learned,
        "model": make_search_model(model, made, learned, seed),
        "planning": planning,
        "exploration": EpsilonGreedy(config["epsilon"]),
        "seed": seed,
        "config": config,
    }


def renamed_model(model: Any) -> Any:
    """Return a model argument with today's name, and warn about an old one."""
    if isinstance(model, str) and model in OLD_ENV_MODELS:
        new = OLD_ENV_MODELS[model]
        warn_renamed(f"model={model!r}", f"model={new!r}")
        return new
    return model


def make_search_model(
    model: str | Model, env: gym.Env[Any, Any] | Spaces, values: Values, seed: Any = None
) -> Model:
    """Return the model of a name for an environment, or the given model.

    Args:
        model: "true", the environment's own transition probabilities; "simulator", copies of the
            environment; a name of `MODELS`; or a model.
        env: the environment, or its spaces.
        values: action values, which determine what is observed.
        seed: for models with random initial weights.

    Raises:
        ValueError: for an unknown name, or if the environment itself is needed and missing.
        TypeError: for a model that does not support these values.
    """
    if isinstance(model, str) and model not in ENV_MODELS and model not in MODELS:
        known = [*ENV_MODELS, *sorted(MODELS)]
        raise ValueError(
            f"model={model!r}; expected one of {known} or a model{did_you_mean(model, known)}"
        )
    observes = getattr(values, "observes", DISCRETE)
    if isinstance(model, str) and model in ENV_MODELS:
        return _environment_model(model, env, observes)
    spaces = spaces_of(env)
    found: Model = model_for(
        model,
        spaces.observation,
        count_actions(spaces.action)[0],
        observes=observes,
        seed=seed,
    )
    return found


def _environment_model(model: str, env: gym.Env[Any, Any] | Spaces, observes: str) -> Model:
    if model == SIMULATOR:
        simulator: Model = EnvCopies(env, observes=observes)
        return simulator
    if observes != DISCRETE:
        raise TypeError(
            f"model={model!r} is a table, and these values see {observes}; expected "
            'model="simulator", or values="table" where the observations can be numbered'
        )
    return TrueModel(env)


# -- numbers -----------------------------------------------------------------------------------


def checked_depth(depth: int | None) -> int | None:
    """Return the search depth, checked; None is returned unchanged.

    Raises:
        ValueError: if it is below 1.
    """
    return None if depth is None else int(checked_number("depth", depth, 1, whole=True))


def checked_positive(name: str, number: int) -> int:
    """Return an integer of at least 1.

    Raises:
        ValueError: for another number.
    """
    return int(checked_number(name, number, 1, whole=True))


def search_depth(depth: int | None, gamma: float) -> int:
    """Return the depth; for None, the steps after which gamma^n is at most `NEGLIGIBLE`.

    Raises:
        ValueError: without a depth and without discounting: the search might never end.
    """
    if depth is not None:
        return depth
    if gamma == 1.0:
        raise ValueError("depth=None with gamma=1; expected a depth, or a gamma below 1")
    # the smallest n with gamma^n <= NEGLIGIBLE
    return 1 if gamma == 0.0 else math.ceil(math.log(NEGLIGIBLE) / math.log(gamma))


def gamma_of(values: Any) -> float:
    """Return the discount factor of the values.

    Raises:
        TypeError: if they have none.
    """
    gamma = getattr(values, "gamma", None)
    if gamma is None:
        raise TypeError(f"{type(values).__name__} has no gamma; a search needs the discount")
    return float(gamma)


# -- tables ------------------------------------------------------------------------------------


def checked_table(values: Values) -> TableValues:
    """Return the values, if they are a table.

    Raises:
        TypeError: if they are not.
    """
    if not isinstance(values, TableValues):
        raise TypeError(f"{type(values).__name__} is not a table; this search needs TableValues")
    return values


def is_tabular(model: Any) -> bool:
    """Return whether a model has distributions over discrete states, for compiled search."""
    return "distribution" in model.capabilities


def check_can_simulate(model: Any) -> None:
    """Check that a search by simulation can use a model.

    Raises:
        TypeError: naming what the model lacks.
    """
    if not is_tabular(model):
        make_batch_simulator(model)


def search_table(model: Any, shape: tuple[int, ...], rows: IntArray, depth: int) -> Any:
    """Return the record of a model's predictions, for compiled searches from some rows.

    It is the model's own record; or, if that is no table of outcomes, a copy of all pairs that are
    reached within the depth.

    Args:
        model: one with the capability "distribution".
        shape: (states, actions).
        rows: roots of the searches.
        depth: number of steps that they look ahead.
    """
    if has_lookups(model) and has_rule(append_next_states, model.table):
        return model.table
    num_states, num_actions = shape
    copy = TableCopy(num_states, num_actions)
    reached = set(np.unique(rows).tolist())
    newest = sorted(reached)
    # breadth-first: the pairs of all states that are reached within the depth
    for _ in range(depth):
        found: set[int] = set()
        for state in newest:
            for action in range(num_actions):
                outcomes = model.distribution(state, action)
                copy.put(state * num_actions + action, outcomes)
                continues = (outcomes.probability > 0) & ~outcomes.terminated
                found.update(outcomes.next_observation[continues].tolist())
        newest = sorted(found - reached)
        reached |= found
    return copy.table
