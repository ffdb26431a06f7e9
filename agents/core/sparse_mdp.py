"""Sparse finite Markov decision process, the input of dynamic programming."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import FloatArray, IntArray

ToyText = Mapping[int, Mapping[int, Sequence[tuple[float, int, float, bool]]]]
"""``P[state][action] = [(probability, next_state, reward, terminated), ...]``, as Gymnasium's."""

ROUNDING = 1e-9
"""Tolerance of the sum of probabilities."""


class SparseMDP(NamedTuple):
    """Finite Markov decision process: S states, A actions, the possible outcomes of each pair.

    The pair of state s and action a has the number ``s * A + a``; its outcomes are those from
    ``first[pair]`` to ``first[pair + 1]``. Terminal outcomes are not stored: they only contribute
    to the expected reward.
    """

    num_actions: int  # A
    first: IntArray  # (S * A + 1,)
    next_state: IntArray  # (outcomes,)
    probability: FloatArray  # (outcomes,) of continuing there; terminal outcomes add up to the rest
    reward: FloatArray  # (S * A,) expected

    @property
    def num_states(self) -> int:
        """Number of states S."""
        return self.reward.size // self.num_actions

    @classmethod
    def of(
        cls,
        next_state: npt.ArrayLike,
        probability: npt.ArrayLike,
        reward: npt.ArrayLike,
        terminated: npt.ArrayLike,
    ) -> SparseMDP:
        """Build the process of dense arrays, such as those of a maze's `env.unwrapped.mdp`.

        Args:
            next_state: (S, A, K) of each of K possible outcomes of a pair.
            probability: (S, A, K), sums to 1 over K.
            reward: (S, A, K).
            terminated: (S, A, K) True for outcomes that end the episode.

        Raises:
            ValueError: for arrays of other shapes, next states out of range, probabilities below
                0 or that do not sum to 1, or a reward that is not finite.
        """
        columns = [np.asarray(each) for each in (next_state, probability, reward, terminated)]
        shapes = {column.shape for column in columns}
        if len(shapes) != 1 or columns[0].ndim != 3 or not columns[0].size:
            raise ValueError(f"arrays of shapes {sorted(shapes)}; expected one shape (S, A, K)")
        states, actions, outcomes = columns[0].shape
        pair = np.repeat(np.arange(states * actions), outcomes)
        return cls._from_outcomes(states, actions, pair, *(column.ravel() for column in columns))

    @classmethod
    def of_toy_text(cls, table: ToyText) -> SparseMDP:
        """Build the process of a dictionary `P`, as Gymnasium's toy-text environments have it.

        Args:
            table: ``env.unwrapped.P``, as of FrozenLake, Taxi, CliffWalking or a maze.

        Raises:
            ValueError: as `of`, or if states have different numbers of actions.
        """
        states, actions = len(table), len(table[0])
        if any(len(table[state]) != actions for state in range(states)):
            raise ValueError(f"states with other actions than state 0; expected {actions} in each")
        rows = [
            (state * actions + action, following, probability, reward, terminated)
            for state in range(states)
            for action in range(actions)
            for probability, following, reward, terminated in table[state][action]
        ]
        columns = [np.array(column) for column in zip(*rows, strict=True)]
        return cls._from_outcomes(states, actions, *columns)

    @classmethod
    def of_model(cls, model: Any) -> SparseMDP:
        """Build the process of a model's predictions; untried pairs stay where they are.

        Args:
            model: one that declares "distribution", with `num_states` and `num_actions`.

        Raises:
            ValueError: for a model that does not declare "distribution".
        """
        if "distribution" not in model.capabilities:
            raise ValueError(
                f"model {type(model).__name__} declares {sorted(model.capabilities)}; dynamic "
                "programming needs 'distribution'"
            )
        states, actions = model.num_states, model.num_actions
        predicted = [
            model.distribution(state, action)
            for state in range(states)
            for action in range(actions)
        ]
        pair = np.repeat(np.arange(states * actions), [len(each.probability) for each in predicted])
        columns = [np.concatenate(column) for column in zip(*predicted, strict=True)]
        following, probability, reward, terminated = columns
        return cls._from_outcomes(states, actions, pair, following, probability, reward, terminated)

    @classmethod
    def _from_outcomes(
        cls,
        states: int,
        actions: int,
        pair: IntArray,
        next_state: npt.NDArray[Any],
        probability: npt.NDArray[Any],
        reward: npt.NDArray[Any],
        terminated: npt.NDArray[Any],
    ) -> SparseMDP:
        """Build the process of outcomes sorted by pair."""
        pairs = states * actions
        _check(pair, pairs, next_state, probability, reward, actions, states)
        expected: FloatArray = np.bincount(pair, probability * reward, minlength=pairs).astype(
            float
        )
        goes_on = (probability > 0) & ~terminated.astype(np.bool_)
        first = np.zeros(pairs + 1, dtype=np.int64)
        first[1:] = np.bincount(pair[goes_on], minlength=pairs).cumsum()
        return cls(
            actions,
            first,
            next_state[goes_on].astype(np.int64),
            probability[goes_on].astype(np.float64),
            expected,
        )

    # -- derived quantities ---------------------------------------------------------------------

    def backup(self, values: FloatArray, gamma: float) -> FloatArray:
        """Return the (S, A) expected backup of state values: equation 4.10 without the maximum.

        Args:
            values: (S,) of the states.
            gamma: discount in [0, 1].
        """
        pairs = np.repeat(np.arange(self.reward.size), np.diff(self.first))
        weighted = self.probability * values[self.next_state]
        later = np.bincount(pairs, weighted, minlength=self.reward.size)
        return (self.reward + gamma * later).reshape(-1, self.num_actions)

    def predecessors(self) -> tuple[IntArray, IntArray]:
        """Return the predecessor states: (S + 1,) the first index of each state, and the states."""
        states = np.repeat(np.arange(self.reward.size), np.diff(self.first)) // self.num_actions
        both = np.unique(np.column_stack((self.next_state, states)), axis=0)
        first = np.zeros(self.num_states + 1, dtype=np.int64)
        first[1:] = np.bincount(both[:, 0], minlength=self.num_states).cumsum()
        return first, np.ascontiguousarray(both[:, 1])


def _check(
    pair: IntArray,
    pairs: int,
    next_state: npt.NDArray[Any],
    probability: npt.NDArray[Any],
    reward: npt.NDArray[Any],
    actions: int,
    states: int,
) -> None:
    total = np.bincount(pair, probability, minlength=pairs)
    wrong = np.flatnonzero(~(np.abs(total - 1) <= ROUNDING))
    if wrong.size or not (probability >= 0).all():
        place = int(wrong[0]) if wrong.size else int(pair[probability < 0][0])
        state, action = divmod(place, actions)
        raise ValueError(
            f"probabilities of state {state}, action {action}: they sum to {total[place]:.9g}; "
            "expected numbers of at least 0 that sum to 1"
        )
    if next_state.dtype.kind not in "iu" or not ((next_state >= 0) & (next_state < states)).all():
        raise ValueError(
            f"next states {next_state.min()} to {next_state.max()} of dtype {next_state.dtype}; "
            f"expected integers from 0 to {states - 1}"
        )
    if not np.isfinite(reward).all():
        state, action = divmod(int(pair[~np.isfinite(reward)][0]), actions)
        raise ValueError(f"a reward of state {state}, action {action}: expected finite numbers")
