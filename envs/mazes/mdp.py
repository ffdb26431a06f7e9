"""Exact finite Markov decision processes and Markov chains."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import BoolArray, FloatArray, IntArray
from dynamaze.common.validation import checked_number

ToyText = dict[int, dict[int, list[tuple[float, int, float, bool]]]]


class FiniteMDP(NamedTuple):
    """Finite MDP as arrays: S states, A actions and K possible outcomes of each.

    The next state of a terminal outcome has the value 0.
    """

    next_state: IntArray  # (S, A, K)
    probability: FloatArray  # (S, A, K), sums to 1 over K
    reward: FloatArray  # (S, A, K)
    terminated: BoolArray  # (S, A, K)
    start: FloatArray  # (S,) probability that an episode begins here

    def to_toy_text(self) -> ToyText:
        """Return ``P[state][action] = [(probability, next_state, reward, terminated), ...]``.

        The form of Gymnasium's toy-text environments.
        """
        columns = (self.probability, self.next_state, self.reward, self.terminated)
        return {
            state: {
                action: list(
                    zip(*(column[state, action].tolist() for column in columns), strict=True)
                )
                for action in range(self.next_state.shape[1])
            }
            for state in range(self.next_state.shape[0])
        }

    def backup(self, values: FloatArray, gamma: float) -> FloatArray:
        """Return (S, A) the expected reward plus discounted value of the next state.

        Args:
            values: (S,) of the states; -inf counts only where it has a positive probability.
            gamma: discount in [0, 1].
        """
        ends = self.terminated | (self.probability == 0)  # 0 * -inf would be NaN
        target = self.reward + gamma * np.where(ends, 0.0, values[self.next_state])
        # Sutton & Barto 2018, equation 4.10 without the maximum.
        backed_up: FloatArray = np.einsum("sak,sak->sa", self.probability, target)
        return backed_up

    def optimal_values(
        self, gamma: float = 0.95, *, tolerance: float = 1e-12, max_sweeps: int = 100_000
    ) -> FloatArray:
        """Return (S,) the optimal values by value iteration (Sutton & Barto 2018, section 4.4).

        Args:
            gamma: discount in [0, 1].
            tolerance: largest change of a value in the last sweep, relative to the largest value
                if that is above 1. The error is then at most ``gamma / (1 - gamma)`` times this.
            max_sweeps: maximum number of sweeps.

        Raises:
            ValueError: if gamma is outside [0, 1].
            RuntimeError: if the values have not converged after `max_sweeps`; with gamma = 1 they
                never do where every policy is endless with negative rewards.
        """
        gamma = checked_number("gamma", gamma, 0, 1)
        values: FloatArray = np.zeros(self.next_state.shape[0])
        change = np.inf
        for _ in range(max_sweeps):
            updated: FloatArray = self.backup(values, gamma).max(axis=1)  # equation 4.10
            change = float(np.abs(updated - values).max())
            values = updated
            if change <= tolerance * max(1.0, float(np.abs(values).max())):
                return values
        raise RuntimeError(
            f"value iteration with gamma={gamma} still changed a value by {change:.3g} after "
            f"{max_sweeps} sweeps; expected at most {tolerance:.3g}"
        )

    def optimal_action_values(self, gamma: float = 0.95) -> FloatArray:
        """Return (S, A) the optimal action values."""
        return self.backup(self.optimal_values(gamma), gamma)

    def optimal_policy(self, gamma: float = 0.95, *, tolerance: float = 1e-9) -> FloatArray:
        """Return (S, A) the probabilities of the optimal actions, equal among the best ones.

        Args:
            gamma: discount in [0, 1].
            tolerance: values at most this much below the best count as equal.
        """
        return greedy_policy(self.optimal_action_values(gamma), tolerance=tolerance)

    def policy_values(self, policy: FloatArray, gamma: float) -> FloatArray:
        """Return (S,) the values of a policy, by solving the Bellman equations (equation 4.4).

        Memory is O(S b) if the indices of a state and its successors differ by at most b: in a
        maze b is the number of columns, otherwise at most S.

        Args:
            policy: (S, A) probabilities of the actions.
            gamma: discount; with 1 the policy must end every episode.

        Raises:
            numpy.linalg.LinAlgError: if the equations have no unique solution.
        """
        reward = np.einsum("sa,sak,sak->s", policy, self.probability, self.reward)
        return self._chain(policy).solve(reward, gamma)

    def episode_steps(self, policy: FloatArray) -> tuple[float, float]:
        """Return the mean and standard deviation of an episode's length under a policy.

        Memory as for `policy_values`.

        Args:
            policy: (S, A) probabilities of the actions.

        Raises:
            numpy.linalg.LinAlgError: if an episode may be endless.
        """
        chain = self._chain(policy)
        reached = chain.reachable(self.start)
        chain, start = chain.restricted_to(reached), self.start[reached]
        # First two moments of the time to absorption (Kemeny & Snell 1960, theorem 3.3.5).
        mean = chain.solve(np.ones(len(start)))
        second = chain.solve(2 * mean - 1)
        first_moment, second_moment = float(start @ mean), float(start @ second)
        return first_moment, float(np.sqrt(second_moment - first_moment**2))

    def episode_return(self, policy: FloatArray) -> float:
        """Return the mean undiscounted return of an episode under a policy.

        Memory as for `policy_values`.

        Args:
            policy: (S, A) probabilities of the actions.

        Raises:
            numpy.linalg.LinAlgError: if an episode may be endless.
        """
        chain = self._chain(policy)
        reached = chain.reachable(self.start)
        reward = np.einsum("sa,sak,sak->s", policy, self.probability, self.reward)
        values = chain.restricted_to(reached).solve(reward[reached])
        return float(self.start[reached] @ values)

    def _chain(self, policy: FloatArray) -> MarkovChain:
        """Return the moves of a policy that end no episode."""
        weight = policy[:, :, None] * self.probability * ~self.terminated
        moves = np.nonzero(weight)
        return MarkovChain(moves[0], self.next_state[moves], weight[moves])


def greedy_policy(
    action_values: FloatArray, *, epsilon: float = 0.0, tolerance: float | FloatArray = 0.0
) -> FloatArray:
    """Return (S, A) the epsilon-greedy policy, with equal probabilities for ties.

    Args:
        action_values: (S, A).
        epsilon: probability of a uniformly random action (section 2.2).
        tolerance: values at most this much below the best count as ties; (S, 1) for one number
            per state.
    """
    best = action_values >= action_values.max(axis=1, keepdims=True) - tolerance
    greedy = best / best.sum(axis=1, keepdims=True)
    policy: FloatArray = (1 - epsilon) * greedy + epsilon / action_values.shape[1]
    return policy


MIN_BLOCK = 64
"""Equations are solved in blocks of at least this size: smaller ones are not faster."""


class MarkovChain(NamedTuple):
    """Markov chain of S states: its possible moves, ordered by where they begin.

    If the probabilities of a state's moves sum to p, the chain ends there with probability 1 - p.
    """

    state: IntArray  # (moves,)
    next_state: IntArray  # (moves,)
    probability: FloatArray  # (moves,), above 0

    def reachable(self, start: FloatArray) -> BoolArray:
        """Return (S,) bool, True for the states that the chain can reach.

        Args:
            start: (S,) initial distribution.
        """
        reached = start > 0
        newest = reached
        while newest.any():
            following = np.zeros_like(reached)
            following[self.next_state[newest[self.state]]] = True
            newest = following & ~reached
            reached = reached | newest
        return reached

    def restricted_to(self, reached: BoolArray) -> MarkovChain:
        """Return the chain on a closed set of states, renumbered in the same order.

        Args:
            reached: (S,) bool, True for the states of the set.
        """
        number = np.cumsum(reached) - 1
        moves = reached[self.state]
        return MarkovChain(
            number[self.state[moves]], number[self.next_state[moves]], self.probability[moves]
        )

    def solve(self, right: FloatArray, gamma: float = 1.0) -> FloatArray:
        """Return (S,) the x that solves ``x = right + gamma P x``.

        By block tridiagonal elimination (Golub & Van Loan 2013, "Matrix Computations", section
        4.5.1).

        Args:
            right: (S,).
            gamma: discount in [0, 1].

        Raises:
            numpy.linalg.LinAlgError: if there is no unique solution.
        """
        # In blocks as wide as the longest move the equations are tridiagonal.
        longest = int(np.abs(self.next_state - self.state).max(initial=0))
        width = min(len(right), max(longest, MIN_BLOCK))
        edges = range(0, len(right), width)
        solution: FloatArray = np.zeros((len(edges) + 1) * width)  # one block of zeros behind
        solution[: len(right)] = right
        ahead: list[npt.NDArray[Any]] = []  # coefficients of the next block's solution
        for edge in edges:
            before, within, behind = self._equations(edge, width, gamma)
            here = slice(edge, edge + width)
            if ahead:
                solution[here] -= before @ solution[edge - width : edge]
                within = within - before @ ahead[-1]
            # Pivoting within a block is enough: the matrix is diagonally dominant.
            solved = np.linalg.solve(within, np.column_stack((behind, solution[here])))
            ahead.append(solved[:, :-1])
            solution[here] = solved[:, -1]
        for edge in reversed(edges):
            solution[edge : edge + width] -= ahead.pop() @ solution[edge + width : edge + 2 * width]
        return solution[: len(right)]

    def _equations(self, edge: int, width: int, gamma: float) -> list[FloatArray]:
        """Return (width, width) parts of ``I - gamma P``: columns before, in and behind a block."""
        moves = slice(*np.searchsorted(self.state, (edge, edge + width)))
        row, column = self.state[moves] - edge, self.next_state[moves] - edge + width
        block = np.zeros((width, 3 * width))
        block[:, width : 2 * width] = np.eye(width)
        np.add.at(block, (row, column), -gamma * self.probability[moves])
        return np.split(block, 3, axis=1)
