"""What the agents that search at decision time share: their parts, their models, their tables."""

from __future__ import annotations

import math
from typing import Any

import gymnasium as gym
import numpy as np

from dynamaze.common.arrays import IntArray
from dynamaze.common.validation import checked_number, did_you_mean

from ..agent import Agent, make_env, spaces_of
from ..core.encoders import ROWS
from ..core.rng import Seed, as_sequence
from ..core.spaces import Spaces, count_actions
from ..exploration import EpsilonGreedy
from ..models import MODELS, Model, model_for
from ..models.table_copy import TableCopy, has_lookups
from ..models.true import TrueModel
from ..planning.base import Planning
from ..values import LEARNING_RATES, make_values
from ..values.table import TableValues, Values
from .env_copies import WorldCopies
from .monte_carlo_search_worlds import make_worlds
from .reachable_states import tells_outcomes

EnvLike = str | gym.Env[Any, Any] | Spaces

TRUE, COPIES = "true", "copies"
WORLDS = (TRUE, COPIES)
"""Names of models that are the world itself."""

LEAVES = ("zero", "values")
"""What the states at a search's end may be worth."""

NEGLIGIBLE = 1e-3
"""Without a depth, a search ends where a reward is discounted to less than this."""


class SearchAgent(Agent):
    """An agent whose model may be the world itself: another environment is its model's, too."""

    def set_env(self, env: str | gym.Env[Any, Any]) -> None:
        """Learn in another environment from now on; an episode begins there.

        Raises:
            ValueError: if its spaces differ.
            TypeError: if the model is the world itself, and this one does not tell what it is.
        """
        before = self.env, self.observation
        super().set_env(env)
        try:
            follow_env(self.model, self.env)
        except BaseException:
            self.env, self.observation = before
            raise


def follow_env(model: Any, env: Any) -> None:
    """Let a model that is the world itself know of another environment."""
    move = getattr(model, "set_env", None)
    if move is not None:
        move(env)


# -- the parts of an agent ---------------------------------------------------------------------


def search_parts(
    env: EnvLike,
    planning: Planning,
    *,
    model: str | Model,
    values: str | Values | None = None,
    seed: Seed = None,
    **numbers: Any,
) -> dict[str, Any]:
    """What `Agent` is made of, for one that searches.

    Args:
        env: an environment, its id, or only its spaces.
        planning: the search.
        model: "true", "copies", a name of `MODELS` or a model.
        values: a name of values, or values; None for a table, where the agent has no such argument.
        seed: settles every random number.
        **numbers: the agent's other arguments, as `load` wants them back: `gamma` and `epsilon`,
            and where it has them `learning_rate` and `initial_value`.

    Raises:
        ValueError: for a number outside its range, or unknown values or an unknown model.
        TypeError: for spaces that the values cannot serve, or a model that cannot serve these.
    """
    made = env if isinstance(env, Spaces) else make_env(env)
    spaces = spaces_of(made)
    seed = as_sequence(seed) if seed is not None else None
    kind = "table" if values is None else values
    rate = numbers.get("learning_rate")
    if rate is None:
        rate = LEARNING_RATES.get(kind, 0.1) if isinstance(kind, str) else 0.1
    learned = make_values(
        kind,
        spaces,
        learning_rate=rate,
        gamma=numbers["gamma"],
        initial_value=numbers.get("initial_value", 0.0),
        seed=as_sequence(seed),
    )
    config = {**numbers, "model": model if isinstance(model, str) else None}
    if values is not None:
        config["values"] = values if isinstance(values, str) else None
    return {
        "env": made,
        "values": learned,
        "model": world_model(model, made, learned, seed),
        "planning": planning,
        "exploration": EpsilonGreedy(numbers["epsilon"]),
        "seed": seed,
        "config": config,
    }


def world_model(
    model: str | Model, env: gym.Env[Any, Any] | Spaces, values: Values, seed: Any = None
) -> Model:
    """The model of that name for a world, or the model itself.

    Args:
        model: "true", the world's own probabilities; "copies", of the environment; a name of
            `MODELS`; or a model.
        env: the world, or only its spaces.
        values: they say what is observed.
        seed: from which learners that begin at random begin.

    Raises:
        ValueError: for an unknown name, or if the world itself is wanted and there is none.
        TypeError: for a model that cannot serve these values.
    """
    if isinstance(model, str) and model not in WORLDS and model not in MODELS:
        known = [*WORLDS, *sorted(MODELS)]
        raise ValueError(
            f"model={model!r}; expected one of {known} or a model{did_you_mean(model, known)}"
        )
    observes = getattr(values, "observes", ROWS)
    if isinstance(model, str) and model in WORLDS:
        return _world_itself(model, env, observes)
    spaces = spaces_of(env)
    found: Model = model_for(
        model,
        spaces.observation,
        count_actions(spaces.action)[0],
        observes=observes,
        seed=seed,
    )
    return found


def _world_itself(model: str, env: gym.Env[Any, Any] | Spaces, observes: str) -> Model:
    if model == COPIES:
        copies: Model = WorldCopies(env, observes=observes)
        return copies
    if observes != ROWS:
        raise TypeError(
            f"model={model!r} is a table, and these values see {observes}; expected "
            'model="copies", or values="table" where the observations can be numbered'
        )
    return TrueModel(env)


# -- numbers -----------------------------------------------------------------------------------


def checked_depth(depth: int | None) -> int | None:
    """How many steps a search looks ahead; None is left as it is.

    Raises:
        ValueError: if it is below 1.
    """
    return None if depth is None else int(checked_number("depth", depth, 1, whole=True))


def check_positive(name: str, number: int) -> int:
    """A whole number of at least 1.

    Raises:
        ValueError: for another.
    """
    return int(checked_number(name, number, 1, whole=True))


def steps_ahead(depth: int | None, gamma: float) -> int:
    """The depth, or without one the steps until a reward is discounted to next to nothing.

    Raises:
        ValueError: without a depth and without a discount: the search might never end.
    """
    if depth is not None:
        return depth
    if gamma == 1.0:
        raise ValueError("depth=None with gamma=1; expected a depth, or a gamma below 1")
    return 1 if gamma == 0.0 else math.ceil(math.log(NEGLIGIBLE) / math.log(gamma))


def checked_name(argument: str, name: object, known: tuple[str, ...]) -> str:
    """A name that an argument may have.

    Raises:
        ValueError: for another.
    """
    if name not in known:
        raise ValueError(
            f"{argument}={name!r}; expected one of {list(known)}{did_you_mean(name, known)}"
        )
    return str(name)


def gamma_of(values: Any) -> float:
    """The discount that values were made with.

    Raises:
        TypeError: if they do not tell.
    """
    gamma = getattr(values, "gamma", None)
    if gamma is None:
        raise TypeError(f"{type(values).__name__} has no gamma; a search needs the discount")
    return float(gamma)


# -- tables ------------------------------------------------------------------------------------


def checked_table(values: Values) -> TableValues:
    """The values themselves, if they are a table.

    Raises:
        TypeError: if they are not.
    """
    if not isinstance(values, TableValues):
        raise TypeError(f"{type(values).__name__} is no table; this search needs TableValues")
    return values


def has_table(model: Any) -> bool:
    """Whether a model believes in outcomes of numbered states, so that compiled code can search."""
    return "distribution" in model.capabilities


def check_simulates(model: Any) -> None:
    """Refuse a model that a search by simulation cannot use.

    Raises:
        TypeError: naming what it lacks.
    """
    if not has_table(model):
        make_worlds(model)


def believed_table(model: Any, shape: tuple[int, ...], rows: IntArray, depth: int) -> Any:
    """The record of what a model believes, for compiled searches from these rows.

    It is the model's own, or if that is no table of outcomes, a copy of all pairs that are reached
    within the depth.

    Args:
        model: one that declares "distribution".
        shape: (states, actions).
        rows: where searches begin.
        depth: how many steps they look ahead.
    """
    if has_lookups(model) and tells_outcomes(model.table):
        return model.table
    num_states, num_actions = shape
    copy = TableCopy(num_states, num_actions)
    known = set(np.unique(rows).tolist())
    newest = sorted(known)
    for _ in range(depth):
        found: set[int] = set()
        for state in newest:
            for action in range(num_actions):
                outcomes = model.distribution(state, action)
                copy.put(state * num_actions + action, outcomes)
                going_on = (outcomes.probability > 0) & ~outcomes.terminated
                found.update(outcomes.next_observation[going_on].tolist())
        newest = sorted(found - known)
        known |= found
    return copy.table
