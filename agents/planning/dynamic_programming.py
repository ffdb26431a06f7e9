"""Dynamic programming: optimal values of any finite MDP (Sutton & Barto 2018, chapter 4).

Values have settled when the Bellman residual, the largest change that a further backup of any state
would make, is at most `tolerance`, in units of the largest value if that is above 1. They are then
within ``residual / (1 - gamma)`` of the truth (Puterman 1994, theorem 6.3.1).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dynamaze.common.arrays import FloatArray
from dynamaze.common.compiled import compiled, compiled_with_arrays
from dynamaze.common.validation import checked_number, did_you_mean

from ..core.priority_queue import Queue, put
from ..core.sparse_mdp import SparseMDP

METHODS = ("gauss_seidel", "jacobi", "prioritised")
"""How value iteration may go over the states."""


class Solution(NamedTuple):
    """Optimal values, how much work they were and how well they solve the Bellman equation."""

    values: FloatArray  # (S,)
    action_values: FloatArray  # (S, A)
    policy: FloatArray  # (S, A) probabilities that share alike among the best actions
    sweeps: float  # backups of a state, over the number of states
    residual: float  # the largest change that one more backup would make


def value_iteration(
    mdp: SparseMDP,
    gamma: float,
    *,
    method: str = "gauss_seidel",
    tolerance: float = 1e-10,
    max_sweeps: int = 100_000,
) -> Solution:
    """Value iteration (section 4.4).

    Args:
        mdp: the process.
        gamma: discount in [0, 1].
        method: "jacobi" backs up all states from the values before the sweep; "gauss_seidel" takes
            over each new value at once, in the order of the states and back by turns;
            "prioritised" backs up the state whose value would change the most (generalised
            prioritised sweeping; Wingate and Seppi 2005).
        tolerance: when values have settled, see above; above 0.
        max_sweeps: bound on the work.

    Raises:
        ValueError: for a number outside its range or another method.
        RuntimeError: if the values have not settled after so many sweeps, as with gamma = 1 where
            a policy that never ends pays or is paid for ever; the message tells the residual.
    """
    if method not in METHODS:
        raise ValueError(
            f"method={method!r}; expected one of {list(METHODS)}{did_you_mean(method, METHODS)}"
        )
    gamma, tolerance, max_sweeps = _checked(gamma, tolerance, max_sweeps)
    values = np.zeros(mdp.num_states)
    if method == "prioritised":
        return _by_priority(mdp, values, gamma, tolerance, max_sweeps)
    for number in range(1, max_sweeps + 1):
        if method == "jacobi":
            change, values = sweep_from_before(mdp, values, gamma)
        else:
            change = sweep_in_place(mdp, values, gamma, number % 2 == 0)
        if change <= tolerance * max(1.0, float(np.abs(values).max())):
            solution = _solution(mdp, values, gamma, number)
            if _is_settled(solution, tolerance):
                return solution
    return _settled(mdp, values, gamma, tolerance, max_sweeps)


def policy_iteration(
    mdp: SparseMDP,
    gamma: float,
    *,
    evaluation_sweeps: int | None = None,
    tolerance: float = 1e-10,
    max_sweeps: int = 100_000,
) -> Solution:
    """Policy iteration (section 4.3), or modified policy iteration (Puterman and Shin 1978).

    An action is changed only for one that is better by more than the values are sure of: so
    actions that are equally good never take turns for ever (exercise 4.4).

    Args:
        mdp: the process.
        gamma: discount in [0, 1].
        evaluation_sweeps: so many sweeps evaluate a policy before it is improved; None evaluates
            it until its values have settled, which is policy iteration.
        tolerance: when values have settled, see above; above 0.
        max_sweeps: bound on the work, all evaluations together.

    Raises:
        ValueError: for a number outside its range.
        RuntimeError: if the values have not settled after so many sweeps; with gamma = 1 also
            where a policy on the way never ends.
    """
    gamma, tolerance, max_sweeps = _checked(gamma, tolerance, max_sweeps)
    if evaluation_sweeps is not None:
        checked_number("evaluation_sweeps", evaluation_sweeps, 1, whole=True)
    values = np.zeros(mdp.num_states)
    policy = np.zeros(mdp.num_states, dtype=np.int64)
    sweeps = 0
    while sweeps < max_sweeps:
        done, most = 0, evaluation_sweeps or max_sweeps
        while done < min(most, max_sweeps - sweeps):
            change = evaluate_in_place(mdp, values, gamma, policy, done % 2 == 1)
            done += 1
            if change <= 0.1 * tolerance * max(1.0, float(np.abs(values).max())):
                break
        sweeps += done
        solution = _solution(mdp, values, gamma, sweeps)
        if _is_settled(solution, tolerance):
            return solution
        best = solution.action_values.max(axis=1)
        own = np.take_along_axis(solution.action_values, policy[:, None], axis=1)[:, 0]
        better = best > own + 0.5 * tolerance * max(1.0, float(np.abs(values).max()))
        policy = np.where(better, solution.action_values.argmax(axis=1), policy)
    return _settled(mdp, values, gamma, tolerance, sweeps)


def _by_priority(
    mdp: SparseMDP, values: FloatArray, gamma: float, tolerance: float, max_sweeps: int
) -> Solution:
    queue = Queue.empty(values.size)
    wait_all(mdp, values, gamma, queue)
    backups, most = values.size, max_sweeps * values.size
    before = mdp.predecessors()
    while backups < most:  # the values' scale is known only when they have settled
        enough = tolerance * max(1.0, float(np.abs(values).max()))
        done = sweep_by_priority(mdp, values, gamma, *before, queue, enough, most - backups)
        backups += done
        solution = _solution(mdp, values, gamma, backups / values.size)
        if _is_settled(solution, tolerance):
            return solution
        if not done:  # what is left is rounding, and more than was asked for
            break
    return _settled(mdp, values, gamma, tolerance, backups / values.size)


def _checked(gamma: float, tolerance: float, max_sweeps: int) -> tuple[float, float, int]:
    return (
        checked_number("gamma", gamma, 0, 1),
        checked_number("tolerance", tolerance, 0, above=True),
        int(checked_number("max_sweeps", max_sweeps, 1, whole=True)),
    )


def _solution(mdp: SparseMDP, values: FloatArray, gamma: float, sweeps: float) -> Solution:
    q = mdp.backup(values, gamma)
    best = q.max(axis=1, keepdims=True)
    residual = float(np.abs(best[:, 0] - values).max())
    # Values are sure to no more than this, and so are the differences of action values.
    unsure = 2 * residual / (1 - gamma) if gamma < 1 else 2 * residual
    ties = q >= best - max(unsure, 1e-12 * max(1.0, float(np.abs(best).max())))
    return Solution(values, q, ties / ties.sum(axis=1, keepdims=True), sweeps, residual)


def _is_settled(solution: Solution, tolerance: float) -> bool:
    return solution.residual <= tolerance * max(1.0, float(np.abs(solution.values).max()))


def _settled(
    mdp: SparseMDP, values: FloatArray, gamma: float, tolerance: float, sweeps: float
) -> Solution:
    solution = _solution(mdp, values, gamma, sweeps)
    if _is_settled(solution, tolerance):
        return solution
    raise RuntimeError(
        f"with gamma={gamma} the residual after {sweeps:g} sweeps is {solution.residual:.3g}; "
        f"expected at most {tolerance:g}: a smaller gamma, or a larger max_sweeps"
    )


# -- compiled sweeps ---------------------------------------------------------------------------


@compiled
def pair_value(mdp, values, gamma, pair):
    """Expected reward plus discounted value of what follows a pair."""
    later = 0.0
    for outcome in range(mdp.first[pair], mdp.first[pair + 1]):
        later += mdp.probability[outcome] * values[mdp.next_state[outcome]]
    return mdp.reward[pair] + gamma * later


@compiled
def best_value(mdp, values, gamma, state):
    """The value of a state's best action."""
    pair = state * mdp.num_actions
    best = pair_value(mdp, values, gamma, pair)
    for action in range(1, mdp.num_actions):
        best = max(best, pair_value(mdp, values, gamma, pair + action))
    return best


@compiled_with_arrays
def sweep_from_before(mdp, values, gamma):
    """Back up all states from the values before; the largest change, and the new values."""
    backed_up = np.empty_like(values)
    largest = 0.0
    for state in range(values.size):
        backed_up[state] = best_value(mdp, values, gamma, state)
        largest = max(largest, abs(backed_up[state] - values[state]))
    return largest, backed_up


@compiled
def sweep_in_place(mdp, values, gamma, backwards):
    """Back up all states in their order, or in the opposite one; the largest change."""
    largest = 0.0
    for place in range(values.size):
        state = values.size - 1 - place if backwards else place
        best = best_value(mdp, values, gamma, state)
        largest = max(largest, abs(best - values[state]))
        values[state] = best
    return largest


@compiled
def evaluate_in_place(mdp, values, gamma, policy, backwards):
    """Back up all states under a policy, (S,) its actions; the largest change."""
    largest = 0.0
    for place in range(values.size):
        state = values.size - 1 - place if backwards else place
        own = pair_value(mdp, values, gamma, state * mdp.num_actions + policy[state])
        largest = max(largest, abs(own - values[state]))
        values[state] = own
    return largest


@compiled
def wait_all(mdp, values, gamma, queue):
    """Have all states wait, by how much their values would change."""
    for state in range(values.size):
        put(queue, state, abs(best_value(mdp, values, gamma, state) - values[state]))


@compiled
def sweep_by_priority(mdp, values, gamma, first, states, queue, enough, most):
    """Back up the state whose value would change the most, and so on; how many backups."""
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
