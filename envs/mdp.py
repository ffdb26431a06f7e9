"""Exact finite Markov decision processes: the truth that everything else is tested against."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from dynamaze.messages import checked_number

BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
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
        """(S, A) expected reward plus discounted value of what follows (eq. 4.10 without max)."""
        target = self.reward + gamma * np.where(self.terminated, 0.0, values[self.next_state])
        backed_up: FloatArray = np.einsum("sak,sak->sa", self.probability, target)
        return backed_up

    def optimal_values(
        self, gamma: float = 0.95, *, tolerance: float = 1e-12, max_sweeps: int = 100_000
    ) -> FloatArray:
        """(S,) optimal state values by value iteration (Sutton & Barto 2018, section 4.4).

        Args:
            gamma: discount in [0, 1].
            tolerance: largest change of a value in the last sweep.
            max_sweeps: bound on the work.

        Raises:
            ValueError: if gamma is outside [0, 1].
            RuntimeError: if the values have not settled after `max_sweeps`.
        """
        gamma = checked_number("gamma", gamma, 0, 1)
        values: FloatArray = np.zeros(self.next_state.shape[0])
        change = np.inf
        for _ in range(max_sweeps):
            updated: FloatArray = self.backup(values, gamma).max(axis=1)
            change = float(np.abs(updated - values).max())
            values = updated
            if change <= tolerance:
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

        Args:
            policy: (S, A) probabilities of the actions.
            gamma: discount; with 1 the policy must end every episode that it can be in.

        Raises:
            numpy.linalg.LinAlgError: if the equations have no single solution.
        """
        return self._solve(policy, np.einsum("sak,sak->sa", self.probability, self.reward), gamma)

    def episode_steps(self, policy: FloatArray) -> tuple[float, float]:
        """Mean and standard deviation of the steps of an episode under a policy.

        From the first two moments of the time to absorption, over the states that the policy can
        be in (Kemeny and Snell 1960, theorem 3.3.5).

        Args:
            policy: (S, A) probabilities of the actions.
        """
        chain = self._chain(policy)
        reached = _reachable(chain, self.start)
        chain, start = chain[np.ix_(reached, reached)], self.start[reached]
        equations = np.eye(len(chain)) - chain
        mean = np.linalg.solve(equations, np.ones(len(chain)))
        second = np.linalg.solve(equations, 2 * mean - 1)
        first_moment, second_moment = float(start @ mean), float(start @ second)
        return first_moment, float(np.sqrt(second_moment - first_moment**2))

    def _solve(self, policy: FloatArray, reward: FloatArray, gamma: float) -> FloatArray:
        equations = np.eye(len(policy)) - gamma * self._chain(policy)
        values: FloatArray = np.linalg.solve(equations, (policy * reward).sum(axis=1))
        return values

    def _chain(self, policy: FloatArray) -> FloatArray:
        """(S, S) probability of going on from one state to another under a policy."""
        num_states = len(policy)
        weight = policy[:, :, None] * self.probability * ~self.terminated
        chain = np.zeros((num_states, num_states))
        rows = np.broadcast_to(np.arange(num_states)[:, None, None], weight.shape)
        np.add.at(chain, (rows, self.next_state), weight)
        return chain


def greedy_policy(
    action_values: FloatArray, *, epsilon: float = 0.0, tolerance: float = 0.0
) -> FloatArray:
    """(S, A) probabilities of the epsilon-greedy policy that shares ties alike.

    Args:
        action_values: (S, A).
        epsilon: probability of an action at random (section 2.2).
        tolerance: how far below the best a value may be and still count as a tie.
    """
    best = action_values >= action_values.max(axis=1, keepdims=True) - tolerance
    greedy = best / best.sum(axis=1, keepdims=True)
    policy: FloatArray = (1 - epsilon) * greedy + epsilon / action_values.shape[1]
    return policy


def _reachable(chain: FloatArray, start: FloatArray) -> BoolArray:
    reached = start > 0
    while True:
        wider = reached | ((chain > 0) & reached[:, None]).any(axis=0)
        if (wider == reached).all():
            return reached
        reached = wider
