"""The true environment as a model: what its own Markov decision process says."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np

from dynamaze.common.arrays import IntArray
from dynamaze.common.compiled import compiled, spliced

from ..core.kernels import believe, doubt, draw, expect, follow, observe, rule
from ..core.spaces import Spaces, TableRows, count_actions
from ..core.sparse_mdp import SparseMDP
from ..core.transitions import Transitions, check_transitions
from .likelihood import LikelihoodTable, MaximumLikelihood
from .protocol import Outcomes, Prediction


class TrueTable(NamedTuple):
    """The record: tallies that are the exact probabilities. Experience does not change it."""

    model: LikelihoodTable


class TrueModel:
    """The world's own MDP as a table model: nothing is learned, everything is known.

    The environment offers it as `env.unwrapped.mdp`, with arrays `next_state`, `probability`,
    `reward` and `terminated` of shape (S, A, K), or as `env.unwrapped.P`, the dictionary of
    Gymnasium's toy-text environments. A maze that changes has another `mdp` from then on, which is
    noticed whenever the model is asked for anything; a `P` that is changed in place is not.

    Args:
        env: the environment; its `Spaces` for a model that gets one later, by `set_env`, or its
            state by `set_state`.

    Attributes:
        num_states: S.
        num_actions: A.

    Raises:
        TypeError: for an environment that tells no MDP, or whose observations are no rows.
        ValueError: if the MDP is for other spaces, or its probabilities are none.
    """

    observes = "rows"
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
        self._inside = MaximumLikelihood(self.num_states, self.num_actions)
        self._env: gym.Env[Any, Any] | None = None
        self._source: Any = None  # the `mdp` or `P` that the table was filled from
        if not isinstance(env, Spaces):
            self.set_env(env)

    def set_env(self, env: gym.Env[Any, Any]) -> None:
        """Be the model of another environment with the same spaces.

        Raises:
            TypeError, ValueError: as when made; the model is then as it was.
        """
        self._take_over(_source_of(env))
        self._env = env

    @property
    def table(self) -> TrueTable:
        """The record of the world as it is now.

        Raises:
            RuntimeError: if there was no environment yet, as of everything that is asked for.
        """
        return TrueTable(self._now().table)

    @property
    def version(self) -> str:
        """Equal as long as the world stays as it is."""
        self._now()
        return self._version

    @property
    def is_empty(self) -> bool:
        """Whether there was no environment yet."""
        return self._inside.is_empty

    def update(self, transitions: Transitions) -> None:
        """See whether the world has changed; nothing is learned.

        Raises:
            TypeError, ValueError: if a transition is outside the table.
        """
        check_transitions(transitions, self.num_states, self.num_actions)
        if self._env is not None:
            self._now()

    def sample(self, n: int, rng: np.random.Generator) -> Transitions:
        """N simulated transitions; each pair of the world is as likely as the others.

        Raises:
            RuntimeError: if there was no environment yet.
        """
        return self._now().sample(n, rng)

    def distribution(self, observation: int, action: int) -> Outcomes:
        """What follows a pair, and how likely."""
        return self._now().distribution(observation, action)

    def predict(self, observations: IntArray, actions: IntArray) -> Prediction:
        """Mean reward, likeliest next state and probability of the end of each pair."""
        return self._now().predict(observations, actions)

    def reserve(self, transitions: int) -> None:
        """There is room for everything."""

    def get_state(self) -> dict[str, Any]:
        """The record's arrays, by name: the world as it is now."""
        return self._inside.get_state() if self._env is None else self._now().get_state()

    def set_state(self, state: dict[str, Any]) -> None:
        """Take back the record's arrays; with an environment, what it says now holds.

        Raises:
            ValueError: if one is missing, of another shape, or leads outside the tables.
        """
        self._inside.set_state(state)
        self._source, self._version = None, _digest(self._inside)

    def _now(self) -> MaximumLikelihood:
        if self._env is not None:
            source = _source_of(self._env)
            if source is not self._source:
                self._take_over(source)
        elif self._inside.is_empty:
            raise RuntimeError("the model knows no environment yet; give it one by set_env")
        return self._inside

    def _take_over(self, source: Any) -> None:
        filled = MaximumLikelihood(self.num_states, self.num_actions)
        _fill(filled, *_outcomes_of(source, self.num_states, self.num_actions))
        self._inside, self._source = filled, source
        self._version = _digest(filled)


def _digest(model: MaximumLikelihood) -> str:
    """A short name of all that a table holds."""
    used = int(model.table.used[0])
    columns = (model.table.head, *(getattr(model.table, name)[:used] for name in model.growing))
    return blake2b(b"".join(column.tobytes() for column in columns), digest_size=16).hexdigest()


def _source_of(env: gym.Env[Any, Any]) -> Any:
    world: Any = env.unwrapped
    source = getattr(world, "mdp", None)
    if source is None:
        source = getattr(world, "P", None)
    if source is None:
        raise TypeError(
            f"{type(world).__name__} tells no Markov decision process, neither `mdp` nor `P`; "
            'model="copies" steps through copies of any environment'
        )
    return source


def _outcomes_of(source: Any, num_states: int, num_actions: int) -> tuple[Any, ...]:
    """Pair, next state, probability, reward and termination of each outcome that is possible."""
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
            f"actions in an environment that shows {num_states} and {num_actions}; expected "
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
    """Write the outcomes into an empty table, those that lead to the same place as one."""
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


@rule(observe, TrueTable)
@compiled
def observe_nothing(table, num_actions, state, action, reward, next_state, terminated):
    """There is nothing to learn."""


@rule(follow, TrueTable)
@spliced
def follow_truth(table, num_actions, pair, rng):
    """One of a pair's outcomes, as likely as it is."""
    reward, next_state, terminated, rng = follow(table.model, num_actions, pair, rng)
    return reward, next_state, terminated, rng


@rule(expect, TrueTable)
@compiled
def expect_truth(table, num_actions, pair, q, gamma):
    """What a pair's outcomes are worth, each as likely as it is."""
    return expect(table.model, num_actions, pair, q, gamma)


@rule(believe, TrueTable)
@compiled
def believe_truth(table, num_actions, pair, next_state, terminated):
    """How likely an outcome is."""
    return believe(table.model, num_actions, pair, next_state, terminated)


@rule(doubt, TrueTable)
@compiled
def doubt_nothing(table, num_actions, pair):
    """Everything is known."""
    return 0.0


@rule(draw, TrueTable)
@spliced
def draw_truth(table, num_actions, rng):
    """Any pair, and one of its outcomes."""
    pair, reward, next_state, terminated, rng = draw(table.model, num_actions, rng)
    return pair, reward, next_state, terminated, rng
