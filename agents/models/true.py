"""Exact model from the environment's own Markov decision process."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np

from dynamaze.common.arrays import IntArray
from dynamaze.common.compiled import compiled
from dynamaze.common.configuration import Configurable

from ..core.kernels import rules
from ..core.spaces import Spaces, TableRows, count_actions
from ..core.sparse_mdp import SparseMDP
from ..core.transitions import Transitions, check_transitions
from .likelihood import GROWING, LikelihoodTable, MaximumLikelihood
from .protocol import Outcomes, Prediction


class TrueModel(Configurable):
    """Exact model: the environment's Markov decision process as a table.

    The environment provides it as `env.unwrapped.mdp`, with arrays `next_state`, `probability`,
    `reward` and `terminated` of shape (S, A, K), or as `env.unwrapped.P`, the dictionary of
    Gymnasium's toy-text environments. After a change a maze has another `mdp`, which is noticed at
    the next use of the model; a `P` that is modified in place is not.

    Args:
        env: the environment; or its `Spaces` if the environment follows by `set_env`, or the
            state by `set_state`.

    Attributes:
        num_states: S.
        num_actions: A.

    Raises:
        TypeError: for an environment without an MDP, or without discrete observations.
        ValueError: if the MDP is for other spaces, or has invalid probabilities.
    """

    observes = "discrete"
    capabilities = MaximumLikelihood.capabilities
    promises: frozenset[str] = frozenset()

    def __init__(self, env: gym.Env[Any, Any] | Spaces) -> None:
        self.num_states = TableRows(
            env.observation if isinstance(env, Spaces) else env.observation_space
        ).size
        self.num_actions = count_actions(
            env.action if isinstance(env, Spaces) else env.action_space
        )[0]
        self._version = ""
        self._table_model = MaximumLikelihood(self.num_states, self.num_actions)
        self._env: gym.Env[Any, Any] | None = None
        self._source: Any = None  # the `mdp` or `P` that the table was filled from
        if not isinstance(env, Spaces):
            self.set_env(env)

    def set_env(self, env: gym.Env[Any, Any]) -> None:
        """Use another environment with the same spaces.

        Raises:
            TypeError, ValueError: as the constructor; the model is then unchanged.
        """
        self._load(_source_of(env))
        self._env = env

    @property
    def table(self) -> TrueTable:
        """Record of the environment's current state.

        Raises:
            RuntimeError: if there was no environment yet.
        """
        return TrueTable(self._current_table().table)

    @property
    def version(self) -> str:
        """Digest that is equal as long as the environment does not change."""
        self._current_table()
        return self._version

    @property
    def is_empty(self) -> bool:
        """True if there was no environment yet."""
        return self._table_model.is_empty

    def update(self, transitions: Transitions) -> None:
        """Check for a change of the environment; nothing is learned.

        Raises:
            TypeError, ValueError: if a transition is outside the table.
        """
        check_transitions(transitions, self.num_states, self.num_actions)
        if self._env is not None:
            self._current_table()

    def sample(self, n: int, rng: np.random.Generator) -> Transitions:
        """Sample n simulated transitions; all pairs are equally likely.

        Raises:
            RuntimeError: if there was no environment yet.
        """
        return self._current_table().sample(n, rng)

    def distribution(self, observation: int, action: int) -> Outcomes:
        """Return the outcomes of a pair and their probabilities."""
        return self._current_table().distribution(observation, action)

    def predict(self, observations: IntArray, actions: IntArray) -> Prediction:
        """Return mean reward, most likely next state and termination probability of each pair."""
        return self._current_table().predict(observations, actions)

    def reserve(self, transitions: int) -> None:
        """Do nothing: the table has a fixed size."""

    def get_state(self) -> dict[str, Any]:
        """Return the record's arrays by name, for the environment's current state."""
        return (
            self._table_model.get_state()
            if self._env is None
            else self._current_table().get_state()
        )

    def set_state(self, state: dict[str, Any]) -> None:
        """Restore the record's arrays; with an environment, its current state is used instead.

        Raises:
            ValueError: if one is missing, of another shape, or holds an index out of range.
        """
        self._table_model.set_state(state)
        self._source, self._version = None, _digest(self._table_model)

    def _current_table(self) -> MaximumLikelihood:
        if self._env is not None:
            source = _source_of(self._env)
            if source is not self._source:
                self._load(source)
        elif self._table_model.is_empty:
            raise RuntimeError("the model knows no environment yet; give it one by set_env")
        return self._table_model

    def _load(self, source: Any) -> None:
        filled = MaximumLikelihood(self.num_states, self.num_actions)
        _fill(filled, *_outcomes_of(source, self.num_states, self.num_actions))
        self._table_model, self._source = filled, source
        self._version = _digest(filled)


def _digest(model: MaximumLikelihood) -> str:
    """Return a digest of a table's contents."""
    used = int(model.table.used[0])
    columns = (model.table.head, *(getattr(model.table, name)[:used] for name in GROWING))
    return blake2b(b"".join(column.tobytes() for column in columns), digest_size=16).hexdigest()


def _source_of(env: gym.Env[Any, Any]) -> Any:
    base: Any = env.unwrapped
    source = getattr(base, "mdp", None)
    if source is None:
        source = getattr(base, "P", None)
    if source is None:
        raise TypeError(
            f"{type(base).__name__} provides no Markov decision process, neither `mdp` nor `P`; "
            'model="simulator" steps copies of any environment'
        )
    return source


def _outcomes_of(source: Any, num_states: int, num_actions: int) -> tuple[Any, ...]:
    """Return pair, next state, probability, reward and termination of each possible outcome."""
    if isinstance(source, dict):
        checked = SparseMDP.of_toy_text(source)
        rows = [
            (state * checked.num_actions + action, following, probability, reward, terminated)
            for state, actions in source.items()
            for action, outcomes in actions.items()
            for probability, following, reward, terminated in outcomes
        ]
        columns = [np.array(column) for column in zip(*rows, strict=True)]
    else:
        parts = (source.next_state, source.probability, source.reward, source.terminated)
        checked = SparseMDP.of(*parts)
        outcomes = np.shape(source.reward)[2]
        pair = np.repeat(np.arange(checked.reward.size), outcomes)
        columns = [pair, *(np.asarray(part).ravel() for part in parts)]
    if (checked.num_states, checked.num_actions) != (num_states, num_actions):
        raise ValueError(
            f"a Markov decision process of {checked.num_states} states and {checked.num_actions} "
            f"actions in an environment with {num_states} and {num_actions}; expected "
            "observations that are its states"
        )
    possible = columns[2] > 0
    return tuple(column[possible] for column in columns)


def _fill(
    model: MaximumLikelihood,
    pair: Any,
    next_state: Any,
    probability: Any,
    reward: Any,
    terminated: Any,
) -> None:
    """Write the outcomes into an empty table; equal outcomes are merged."""
    places = (pair * model.num_states + next_state) * 2 + terminated
    kinds, which = np.unique(places, return_inverse=True)
    nodes = np.arange(kinds.size)
    model.reserve(kinds.size)
    table = model.table
    pairs = kinds // 2 // model.num_states
    is_first = np.append(True, pairs[1:] != pairs[:-1])
    table.head[pairs[is_first]] = nodes[is_first]
    table.link[nodes] = np.where(np.append(is_first[1:], True), -1, nodes + 1)
    table.next_state[nodes] = kinds // 2 % model.num_states
    table.terminated[nodes] = kinds % 2
    table.tally[nodes] = np.bincount(which, probability)
    table.reward_sum[nodes] = np.bincount(which, probability * reward)
    table.weight[:] = np.bincount(pair, probability, minlength=table.weight.size)
    table.used[0] = kinds.size
    table.visits[:] = 1
    table.seen.states[0] = model.num_states
    table.seen.states[1:] = np.arange(model.num_states)
    listed = table.seen.pairs.reshape(model.num_states, model.num_actions + 1)
    listed[:, 0] = model.num_actions
    listed[:, 1:] = np.arange(table.visits.size).reshape(model.num_states, model.num_actions)


# -- compiled rules ----------------------------------------------------------------------------


class TrueTable(NamedTuple):
    """Record whose tallies are the exact probabilities; experience does not change it."""

    model: LikelihoodTable


@compiled
def update_nothing(table, num_actions, state, action, reward, next_state, terminated):
    """Do nothing: there is nothing to learn."""


@compiled
def no_uncertainty(table, num_actions, pair):
    """Return 0: everything is known."""
    return 0.0


rules(TrueTable, inside="model", update_model=update_nothing, pair_uncertainty=no_uncertainty)
