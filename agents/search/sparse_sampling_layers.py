"""The sampled tree of sparse sampling, layer by layer; equal states of a layer are one node."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np

from dynamaze.common.arrays import FloatArray, IntArray

from ..core.rng import state_words
from .monte_carlo_search_worlds import Worlds
from .sparse_sampling_kernel import ENDED, expand_rows


class Layer(NamedTuple):
    """What `width` samples of each action of some states have given."""

    reward: FloatArray  # (states, actions, width)
    child: IntArray  # (states, actions, width) which state of the next layer follows, or ENDED


class Expander(Protocol):
    """Samples the next layer.

    Attributes:
        most: samples of one search; beyond, it would not end in reasonable time or memory.
    """

    most: int

    def expand(
        self, states: Any, num_actions: int, width: int, rng: np.random.Generator
    ) -> tuple[Layer, Any]:
        """The samples of (n,) states, and the states of the next layer."""

    def observations(self, states: Any) -> Any:
        """What the values see of states."""


class TableExpander:
    """Of the record of a table, compiled.

    Args:
        table: the record.
        num_states: how many states.
    """

    most = 20_000_000

    def __init__(self, table: Any, num_states: int) -> None:
        self._table, self._num_states = table, num_states

    def expand(
        self, states: IntArray, num_actions: int, width: int, rng: np.random.Generator
    ) -> tuple[Layer, IntArray]:
        """The samples of (n,) rows, and the rows that follow."""
        reward, child, following = expand_rows(
            self._table, states, self._num_states, num_actions, width, state_words(rng)
        )
        return Layer(reward, child), following

    def observations(self, states: IntArray) -> IntArray:
        """The rows themselves."""
        return states


class WorldsExpander:
    """Of simulations of any kind."""

    most = 50_000

    def __init__(self, worlds: Worlds) -> None:
        self._worlds = worlds

    def expand(
        self, states: Any, num_actions: int, width: int, rng: np.random.Generator
    ) -> tuple[Layer, Any]:
        """The samples of (n,) states, and the states that follow."""
        shape = (len(states), num_actions, width)
        place, action, _ = (each.ravel() for each in np.indices(shape))
        after, reward, terminated = self._worlds.step(self._worlds.pick(states, place), action, rng)
        going_on = np.flatnonzero(~terminated)
        following, which = self._worlds.merge(self._worlds.pick(after, going_on))
        child = np.full(len(action), ENDED)
        child[going_on] = which
        return Layer(reward.reshape(shape), child.reshape(shape)), following

    def observations(self, states: Any) -> Any:
        """What the values see of states."""
        return self._worlds.observations(states)


def back_up(layers: list[Layer], leaves: FloatArray, gamma: float) -> FloatArray:
    """The (states, actions) values of the first layer.

    Args:
        layers: the first one's states are where the search began.
        leaves: (states,) values of the states after the last layer.
        gamma: the discount.
    """
    worth = leaves
    for layer in reversed(layers):
        following = np.append(worth, 0.0)[layer.child]  # ENDED is the last: nothing follows
        values: FloatArray = (layer.reward + gamma * following).mean(axis=2)
        worth = values.max(axis=1)
    return values
