"""Exact finite Markov decision processes: the truth that everything else is tested against."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dynamaze.common.arrays import BoolArray, FloatArray, IntArray
from dynamaze.common.validation import checked_number

from .chain import Chain

ToyText = dict[int, dict[int, list[tuple[float, int, float, bool]]]]


class FiniteMDP(NamedTuple):
    """A finite MDP as arrays: S states, A actions and K possible outcomes of each.

    Nothing follows a terminal outcome: its next state's value counts as 0.
    """

    next_state: IntArray  # (S, A, K)
    probability: FloatArray  # (S, A, K), sums to 1 over K
    reward: FloatArray  # (S, A, K)
    terminated: BoolArray  # (S, A, K)
    start: FloatArray  # (S,) probability that an episode begins here

    def to_toy_text(self) -> ToyText:
        """``P[state][action] = [(probability, next_state, reward, terminated), ...]``.

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
        """(S, A) expected reward plus discounted value of what follows (eq. 4.10 without max).

        Args:
            values: (S,) of the states; -inf counts only where it can happen.
            gamma: discount in [0, 1].
        """
        ends = self.terminated | (self.probability == 0)
        target = self.reward + gamma * np.where(ends, 0.0, values[self.next_state])
        backed_up: FloatArray = np.einsum("sak,sak->sa", self.probability, target)
        return backed_up

    def optimal_values(
        self, gamma: float = 0.95, *, tolerance: float = 1e-12, max_sweeps: int = 100_000
    ) -> FloatArray:
        """(S,) optimal state values by value iteration (Sutton & Barto 2018, section 4.4).

        Args:
            gamma: discount in [0, 1].
            tolerance: largest change of a value in the last sweep, in units of the largest value
                if that is above 1. The values are then ``gamma / (1 - gamma)`` times this exact.
            max_sweeps: bound on the work.

        Raises:
            ValueError: if gamma is outside [0, 1].
            RuntimeError: if the values have not settled after `max_sweeps`; with gamma = 1 they
                never do where every policy goes on for ever and pays for it.
        """
        gamma = checked_number("gamma", gamma, 0, 1)
        values: FloatArray = np.zeros(self.next_state.shape[0])
        change = np.inf
        for _ in range(max_sweeps):
            updated: FloatArray = self.backup(values, gamma).max(axis=1)
            change = float(np.abs(updated - values).max())
            values = updated
            if change <= tolerance * max(1.0, float(np.abs(values).max())):
                return values
        raise RuntimeError(
            f"value iteration with gamma={gamma} still changed a value by {change:.3g} after "
            f"{max_sweeps} sweeps; expected at most {tolerance:.3g}"
        )

    def optimal_action_values(self, gamma: float = 0.95) -> FloatArray:
        """(S, A) optimal action values."""
        return self.backup(self.optimal_values(gamma), gamma)

    def optimal_policy(self, gamma: float = 0.95, *, tolerance: float = 1e-9) -> FloatArray:
        """(S, A) probabilities that share alike among the actions whose value is the best.

        Args:
            gamma: discount in [0, 1].
            tolerance: how far below the best a value may be and still count as equal.
        """
        return greedy_policy(self.optimal_action_values(gamma), tolerance=tolerance)

    def policy_values(self, policy: FloatArray, gamma: float) -> FloatArray:
        """(S,) values of a policy, by solving the Bellman equations (equation 4.4).

        Memory grows with S times how far apart in number a state and the next may be: in a maze
        of S cells with S times its columns, otherwise with S squared.

        Args:
            policy: (S, A) probabilities of the actions.
            gamma: discount; with 1 the policy must end every episode that it can be in.

        Raises:
            numpy.linalg.LinAlgError: if the equations have no single solution.
        """
        reward = np.einsum("sa,sak,sak->s", policy, self.probability, self.reward)
        return self._chain(policy).solve(reward, gamma)

    def episode_steps(self, policy: FloatArray) -> tuple[float, float]:
        """Mean and standard deviation of the steps of an episode under a policy.

        From the first two moments of the time to absorption, over the states that the policy can
        be in (Kemeny and Snell 1960, theorem 3.3.5). Memory as for `policy_values`.

        Args:
            policy: (S, A) probabilities of the actions.

        Raises:
            numpy.linalg.LinAlgError: if an episode may go on for ever.
        """
        chain = self._chain(policy)
        reached = chain.reachable(self.start)
        chain, start = chain.within(reached), self.start[reached]
        mean = chain.solve(np.ones(len(start)))
        second = chain.solve(2 * mean - 1)
        first_moment, second_moment = float(start @ mean), float(start @ second)
        return first_moment, float(np.sqrt(second_moment - first_moment**2))

    def _chain(self, policy: FloatArray) -> Chain:
        """The moves that a policy makes and that end no episode."""
        weight = policy[:, :, None] * self.probability * ~self.terminated
        moves = np.nonzero(weight)
        return Chain(moves[0], self.next_state[moves], weight[moves])


def greedy_policy(
    action_values: FloatArray, *, epsilon: float = 0.0, tolerance: float | FloatArray = 0.0
) -> FloatArray:
    """(S, A) probabilities of the epsilon-greedy policy that shares ties alike.

    Args:
        action_values: (S, A).
        epsilon: probability of an action at random (section 2.2).
        tolerance: how far below the best a value may be and still count as a tie; (S, 1) if it
            is not the same in each state.
    """
    best = action_values >= action_values.max(axis=1, keepdims=True) - tolerance
    greedy = best / best.sum(axis=1, keepdims=True)
    policy: FloatArray = (1 - epsilon) * greedy + epsilon / action_values.shape[1]
    return policy
