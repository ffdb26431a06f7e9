"""Dynamic programming: optimal values of a finite MDP (Sutton & Barto 2018, chapter 4).

Values have converged when the Bellman residual, the largest change by one more backup of any state,
is at most `tolerance`, in units of the largest value if that is above 1. They are then within
``residual / (1 - gamma)`` of the optimal values (Puterman 1994, theorem 6.3.1).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dynamaze.common.arrays import FloatArray
from dynamaze.common.compiled import compiled, compiled_with_arrays
from dynamaze.common.validation import checked_choice, checked_count, checked_number

from ..core.priority_queue import Queue, put
from ..core.sparse_mdp import SparseMDP

METHODS = ("gauss_seidel", "jacobi", "prioritised")
"""Orders of backups for value iteration."""


class Solution(NamedTuple):
    """Optimal values and policy, with the amount of work and the Bellman residual."""

    values: FloatArray  # (S,)
    action_values: FloatArray  # (S, A)
    policy: FloatArray  # (S, A) probabilities, equal among the best actions
    sweeps: float  # number of backups / number of states
    residual: float  # largest change by one more backup


def value_iteration(
    mdp: SparseMDP,
    gamma: float,
    *,
    method: str = "gauss_seidel",
    tolerance: float = 1e-10,
    max_sweeps: int = 100_000,
) -> Solution:
    """Solve an MDP by value iteration (section 4.4).

    Args:
        mdp: the MDP.
        gamma: discount factor, in [0, 1].
        method: "jacobi" backs up all states from the values before the sweep; "gauss_seidel" uses
            each new value at once, in alternately forward and backward order of the states;
            "prioritised" backs up the state whose value would change the most (generalised
            prioritised sweeping; Wingate and Seppi 2005).
        tolerance: convergence threshold, see the module; above 0.
        max_sweeps: maximum number of sweeps.

    Raises:
        ValueError: for a number outside its range or another method.
        RuntimeError: if the values have not converged after `max_sweeps`, as with gamma = 1 where a
            policy that never ends accumulates rewards without bound; states the residual.
    """
    checked_choice("method", method, METHODS)
    gamma, tolerance, max_sweeps = _checked(gamma, tolerance, max_sweeps)
    values = np.zeros(mdp.num_states)
    if method == "prioritised":
        return _by_priority(mdp, values, gamma, tolerance, max_sweeps)
    for number in range(1, max_sweeps + 1):
        if method == "jacobi":
            change, values = sweep_jacobi(mdp, values, gamma)
        else:
            change = sweep_gauss_seidel(mdp, values, gamma, number % 2 == 0)
        if change <= tolerance * max(1.0, float(np.abs(values).max())):
            solution = _solution(mdp, values, gamma, number)
            if _has_converged(solution, tolerance):
                return solution
    return _converged_or_raise(mdp, values, gamma, tolerance, max_sweeps)


def policy_iteration(
    mdp: SparseMDP,
    gamma: float,
    *,
    evaluation_sweeps: int | None = None,
    tolerance: float = 1e-10,
    max_sweeps: int = 100_000,
) -> Solution:
    """Solve an MDP by policy iteration (section 4.3), or by modified policy iteration.

    Args:
        mdp: the MDP.
        gamma: discount factor, in [0, 1].
        evaluation_sweeps: sweeps that evaluate a policy before it is improved; None evaluates it
            until its values converge, which is policy iteration; a number is modified policy
            iteration (Puterman and Shin 1978).
        tolerance: convergence threshold, see the module; above 0.
        max_sweeps: maximum number of sweeps of all evaluations together.

    Raises:
        ValueError: for a number outside its range.
        RuntimeError: if the values have not converged after `max_sweeps`; with gamma = 1 also where
            an intermediate policy never ends.
    """
    gamma, tolerance, max_sweeps = _checked(gamma, tolerance, max_sweeps)
    if evaluation_sweeps is not None:
        checked_count("evaluation_sweeps", evaluation_sweeps)
    values = np.zeros(mdp.num_states)
    policy = np.zeros(mdp.num_states, dtype=np.int64)
    sweeps = 0
    while sweeps < max_sweeps:
        done, most = 0, evaluation_sweeps or max_sweeps
        while done < min(most, max_sweeps - sweeps):
            # policy evaluation, equation 4.5
            change = evaluate_policy_sweep(mdp, values, gamma, policy, done % 2 == 1)
            done += 1
            if change <= 0.1 * tolerance * max(1.0, float(np.abs(values).max())):
                break
        sweeps += done
        solution = _solution(mdp, values, gamma, sweeps)
        if _has_converged(solution, tolerance):
            return solution
        # Policy improvement, equation 4.9. An action changes only for one that is better by more
        # than the accuracy of the values, so equally good actions never alternate (exercise 4.4).
        best = solution.action_values.max(axis=1)
        own = np.take_along_axis(solution.action_values, policy[:, None], axis=1)[:, 0]
        better = best > own + 0.5 * tolerance * max(1.0, float(np.abs(values).max()))
        policy = np.where(better, solution.action_values.argmax(axis=1), policy)
    return _converged_or_raise(mdp, values, gamma, tolerance, sweeps)


def _by_priority(
    mdp: SparseMDP, values: FloatArray, gamma: float, tolerance: float, max_sweeps: int
) -> Solution:
    queue = Queue.empty(values.size)
    queue_all(mdp, values, gamma, queue)
    backups, most = values.size, max_sweeps * values.size
    before = mdp.predecessors()
    while backups < most:  # the scale of the values is known only at convergence
        enough = tolerance * max(1.0, float(np.abs(values).max()))
        done = sweep_prioritised(mdp, values, gamma, *before, queue, enough, most - backups)
        backups += done
        solution = _solution(mdp, values, gamma, backups / values.size)
        if _has_converged(solution, tolerance):
            return solution
        if not done:  # the rest is rounding error, above the tolerance
            break
    return _converged_or_raise(mdp, values, gamma, tolerance, backups / values.size)


def _checked(gamma: float, tolerance: float, max_sweeps: int) -> tuple[float, float, int]:
    return (
        checked_number("gamma", gamma, 0, 1),
        checked_number("tolerance", tolerance, 0, above=True),
        checked_count("max_sweeps", max_sweeps),
    )


def _solution(mdp: SparseMDP, values: FloatArray, gamma: float, sweeps: float) -> Solution:
    q = mdp.backup(values, gamma)
    best = q.max(axis=1, keepdims=True)
    residual = float(np.abs(best[:, 0] - values).max())
    # Accuracy of the values, and so of the differences of action values.
    accuracy = 2 * residual / (1 - gamma) if gamma < 1 else 2 * residual
    ties = q >= best - max(accuracy, 1e-12 * max(1.0, float(np.abs(best).max())))
    return Solution(values, q, ties / ties.sum(axis=1, keepdims=True), sweeps, residual)


def _has_converged(solution: Solution, tolerance: float) -> bool:
    return solution.residual <= tolerance * max(1.0, float(np.abs(solution.values).max()))


def _converged_or_raise(
    mdp: SparseMDP, values: FloatArray, gamma: float, tolerance: float, sweeps: float
) -> Solution:
    solution = _solution(mdp, values, gamma, sweeps)
    if _has_converged(solution, tolerance):
        return solution
    raise RuntimeError(
        f"with gamma={gamma} the residual after {sweeps:g} sweeps is {solution.residual:.3g}; "
        f"expected at most {tolerance:g}: a smaller gamma, or a larger max_sweeps"
    )


# -- compiled sweeps ---------------------------------------------------------------------------


@compiled
def pair_value(mdp, values, gamma, pair):
    """Return the expected reward plus the discounted expected value of the next state."""
    # equation 4.10: sum_s' p(s' | s, a) v(s'), 0 after a terminal transition
    later = 0.0
    for outcome in range(mdp.first[pair], mdp.first[pair + 1]):
        later += mdp.probability[outcome] * values[mdp.next_state[outcome]]
    return mdp.reward[pair] + gamma * later


@compiled
def best_value(mdp, values, gamma, state):
    """Return the value of a state's best action."""
    pair = state * mdp.num_actions
    best = pair_value(mdp, values, gamma, pair)
    for action in range(1, mdp.num_actions):
        best = max(best, pair_value(mdp, values, gamma, pair + action))
    return best


@compiled_with_arrays
def sweep_jacobi(mdp, values, gamma):
    """Back up all states from the previous values; return the largest change and the new values."""
    backed_up = np.empty_like(values)
    largest = 0.0
    for state in range(values.size):
        backed_up[state] = best_value(mdp, values, gamma, state)
        largest = max(largest, abs(backed_up[state] - values[state]))
    return largest, backed_up


@compiled
def sweep_gauss_seidel(mdp, values, gamma, backwards):
    """Back up all states in place, forward or backward; return the largest change."""
    largest = 0.0
    for place in range(values.size):
        state = values.size - 1 - place if backwards else place
        best = best_value(mdp, values, gamma, state)
        largest = max(largest, abs(best - values[state]))
        values[state] = best
    return largest


@compiled
def evaluate_policy_sweep(mdp, values, gamma, policy, backwards):
    """Back up all states under a policy, (S,) actions, in place; return the largest change."""
    largest = 0.0
    for place in range(values.size):
        state = values.size - 1 - place if backwards else place
        own = pair_value(mdp, values, gamma, state * mdp.num_actions + policy[state])
        largest = max(largest, abs(own - values[state]))
        values[state] = own
    return largest


@compiled
def queue_all(mdp, values, gamma, queue):
    """Queue all states by the change that a backup would make."""
    for state in range(values.size):
        put(queue, state, abs(best_value(mdp, values, gamma, state) - values[state]))


@compiled
def sweep_prioritised(mdp, values, gamma, first, states, queue, enough, most):
    """Back up the state of the largest change repeatedly; return the number of backups."""
    backups = 0
    while backups < most and queue.priority[queue.heap[0]] > enough:
        state = queue.heap[0]
        values[state] = best_value(mdp, values, gamma, state)
        put(queue, state, abs(best_value(mdp, values, gamma, state) - values[state]))
        backups += 2
        for place in range(first[state], first[state + 1]):
            before = states[place]
            put(queue, before, abs(best_value(mdp, values, gamma, before) - values[before]))
            backups += 1
    return backups
