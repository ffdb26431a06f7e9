"""Base classes of the agents and planners that search at decision time, and their models."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np

from dynamaze.common.arrays import FloatArray, IntArray
from dynamaze.common.deprecation import warn_renamed
from dynamaze.common.registry import Registry
from dynamaze.common.validation import checked_choice, checked_count

from ..agent import Agent, EnvLike, resolve_env, spaces_of
from ..core.encoders import DISCRETE
from ..core.kernels import append_next_states, has_rule
from ..core.rng import Seed, as_sequence
from ..core.spaces import Spaces, count_actions
from ..exploration import EpsilonGreedy
from ..models.protocol import Model
from ..models.registry import MODELS, model_for
from ..models.table_copy import TableCopy, has_lookups
from ..planning.base import Planning
from ..values.registry import default_learning_rate, make_values
from ..values.table import TableValues, Values
from .simulators import make_batch_simulator

LEAF_VALUES = ("zero", "values")
"""Values of the states at the horizon of a search."""

NEGLIGIBLE = 1e-3
"""Discount below which a search without a depth ends."""


class SearchAgent(Agent):
    """Agent that consists of a planner which searches, a model and values.

    The model may be the environment itself, which then follows `set_env`.

    Args:
        env: environment, its id, or its spaces.
        planning: the planner.
        model: "true", the environment's own transition probabilities; "simulator", copies of the
            environment; a name of `MODELS`, learned online; or a model.
        values: a name of values, or values.
        learning_rate: step size of the values, in (0, 1]; None: 0.1, or 0.001 with a network.
        gamma: discount factor, in [0, 1].
        epsilon: probability of a random action, in [0, 1].
        initial_value: initial action value.
        seed: determines every random number; see `Agent`.

    Raises:
        ValueError: for a number outside its range, an unknown name, or a search that the planner
            cannot do.
        TypeError: for spaces that the values do not support, or a model that does not support them
            or cannot be simulated.
    """

    promises = Agent.promises - {"deterministic"}

    def __init__(
        self,
        env: EnvLike,
        planning: SearchPlanning,
        *,
        model: str | Model,
        values: str | Values = "table",
        learning_rate: float | None = None,
        gamma: float,
        epsilon: float,
        initial_value: float = 0.0,
        seed: Seed = None,
    ) -> None:
        made, model = resolve_env(env), renamed_model(model)
        seed = as_sequence(seed) if seed is not None else None
        learned = make_values(
            values,
            spaces_of(made),
            learning_rate=default_learning_rate(values) if learning_rate is None else learning_rate,
            gamma=gamma,
            initial_value=initial_value,
            seed=seed,
        )
        super().__init__(
            made,
            values=learned,
            model=make_search_model(model, made, learned, seed),
            planning=planning,
            exploration=EpsilonGreedy(epsilon),
            seed=seed,
            config={"model": model},
        )
        planning.check(learned, self.model, self.num_actions)

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


# -- planners ----------------------------------------------------------------------------------


class Query(NamedTuple):
    """Arguments of `Planning.action_values`."""

    values: Any
    model: Any
    observations: Any  # (batch,) rows, or (batch, d) vectors
    rng: np.random.Generator
    learning: bool = False  # whether the single observation is the agent's current one

    @property
    def gamma(self) -> float:
        """Discount factor of the values."""
        return gamma_of(self.values)

    @property
    def is_tabular(self) -> bool:
        """True if a compiled search can answer the query: values and model are tables."""
        return isinstance(self.values, TableValues) and is_tabular(self.model)


class SearchPlanning(Planning):
    """Base class of planners that search from each observation before a decision.

    Args:
        depth: steps that are looked ahead, at least 1; None: until rewards are discounted to 0.1%.

    Raises:
        ValueError: for a depth below 1.
    """

    def __init__(self, depth: int | None) -> None:
        self.depth = None if depth is None else checked_count("depth", depth)

    def root_values(self, query: Query) -> FloatArray:
        """Return the (batch, actions) values that the searches find for their first actions."""
        raise NotImplementedError

    def action_values(
        self,
        values: Values,
        model: Any,
        observations: Any,
        rng: np.random.Generator,
        *,
        learning: bool = False,
    ) -> FloatArray:
        """Return the (batch, actions) values that a search from each observation finds.

        Raises:
            ValueError: if there are more actions than simulations, the search would take too many
                samples, or there is no depth and no discounting.
            TypeError: for values that are not a table, if the search needs one, or for a model that
                cannot be simulated.
        """
        return self.root_values(Query(values, model, observations, rng, learning))

    def check(self, values: Values, model: Any, num_actions: int) -> None:
        """Check that the planner can search with these values and this model.

        Raises:
            ValueError: without a depth and without discounting; for more actions than simulations.
            TypeError: for values without a discount, or a model that cannot be simulated.
        """
        if not is_tabular(model):
            make_batch_simulator(model)
        search_depth(self.depth, gamma_of(values))

    def compiled_obstacle(self, model: Any) -> str:
        """Return why compiled code cannot search in a model that has a record, or "" if it can."""
        if hasattr(model, "set_env"):
            return (
                f"{type(self).__name__} with model {type(model).__name__}, which reads the "
                "environment, and a compiled run does not step that; run it step by step"
            )
        if is_tabular(model) and has_own_table(model):
            return ""
        return (
            f"{type(self).__name__} with model {type(model).__name__}, in whose record compiled "
            "code cannot search; run it step by step"
        )


def check_simulation_count(simulations: int, num_actions: int) -> None:
    """Check that each action is simulated at least once.

    Raises:
        ValueError: if not.
    """
    if simulations < num_actions:
        raise ValueError(
            f"simulations={simulations} with {num_actions} actions; expected at least one of each"
        )


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


def has_own_table(model: Any) -> bool:
    """Return whether compiled code can search in the model's own record."""
    return has_lookups(model) and has_rule(append_next_states, model.table)


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
    if has_own_table(model):
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


def model_version(model: Any, row: int) -> Any:
    """Return a fingerprint of the model's predictions, or None if the model cannot provide one.

    The true model has a version. A table whose pairs are independent changes only the predictions
    of the tried pair, so those of the row's actions are its fingerprint.
    """
    if getattr(model, "unwrapped", model) is not model:
        return None  # a wrapper has the attributes of the model inside, but other predictions
    version = getattr(model, "version", None)
    if isinstance(version, str):
        return version
    table: Any = getattr(model, "table", None)
    if not getattr(table, "has_independent_pairs", False):
        return None
    if hasattr(table, "fingerprint"):
        first = row * model.num_actions
        return table.fingerprint(slice(first, first + model.num_actions))
    predictions = []
    for action in range(model.num_actions):
        outcomes = model.distribution(row, action)
        is_tried = bool(table.visits[row * model.num_actions + action] > 0)
        predictions.append((is_tried, *(column.tobytes() for column in outcomes)))
    return predictions


def visit_counts(model: Any) -> IntArray:
    """Return the (states * actions,) visit counts of a model.

    Raises:
        TypeError: if it does not count visits.
    """
    inside: Any = getattr(model, "table", model)
    while not hasattr(inside, "visits"):
        if not hasattr(inside, "model"):
            raise TypeError(
                f"first_play_urgency with {type(model).__name__}, which does not count visits; "
                "expected a model that declares 'visits', or first_play_urgency=None"
            )
        inside = inside.model
    visits: IntArray = np.asarray(inside.visits)
    return visits


# -- models ------------------------------------------------------------------------------------

TRUE, SIMULATOR = "true", "simulator"

ENV_MODELS: Registry[Any] = Registry(
    "model",
    {TRUE: "..models.true:TrueModel", SIMULATOR: ".env_copies:EnvCopies"},
    __package__,
)
"""Name -> model that is the environment itself."""

OLD_ENV_MODELS = {"copies": SIMULATOR}
"""Name in version 0.1 -> name of today."""


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
    if isinstance(model, str):
        checked_choice("model", model, [*ENV_MODELS, *sorted(MODELS)], otherwise="a model")
    observes = getattr(values, "observes", DISCRETE)
    made: Model
    if model == TRUE:
        if observes != DISCRETE:
            raise TypeError(
                f"model={model!r} is a table, and these values see {observes}; expected "
                'model="simulator", or values="table" where the observations can be numbered'
            )
        made = ENV_MODELS[TRUE](env)
    elif model == SIMULATOR:
        made = ENV_MODELS[SIMULATOR](env, observes=observes)
    else:
        spaces = spaces_of(env)
        num_actions, _ = count_actions(spaces.action)
        made = model_for(model, spaces.observation, num_actions, observes=observes, seed=seed)
    return made


def renamed_model(model: Any) -> Any:
    """Return a model argument with today's name, and warn about an old one."""
    if isinstance(model, str) and model in OLD_ENV_MODELS:
        new = OLD_ENV_MODELS[model]
        warn_renamed(f"model={model!r}", f"model={new!r}")
        return new
    return model
