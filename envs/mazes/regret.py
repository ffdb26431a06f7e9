"""Optimal values and regret in a maze that changes.

There are two notions of optimal. `StationaryValues` assumes that the present phase never ends;
`ClairvoyantValues` knows all coming changes. The regret of an action is the optimal value minus
the action's value, in expected discounted return. For any policy from world step t_0 on, in one
episode, the regrets of `ClairvoyantValues` add up to the loss of return (Kakade & Langford 2002,
lemma 6.1):

    V(s_0) - E[sum of gamma^t reward_t] = E[sum of gamma^t regret(t_0 + t)[s_t, a_t]]

No policy has a higher expected return than the values of `ClairvoyantValues`. Those of
`StationaryValues` may be out of reach, if a path closes, or exceeded, if one opens.

With gamma = 1 a value may be -inf, where every policy is endless with negative rewards; all
actions are then equally bad, with regret 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import islice

import numpy as np

from dynamaze.common.arrays import FloatArray
from dynamaze.common.validation import checked_integer, checked_number

from .dynamics import Dynamics
from .layout import Layout
from .mdp import FiniteMDP
from .optimal_values import optimal_action_values, optimal_values
from .schedule import Schedule

CONVERGED = 1e-14
"""Values have converged if a sweep changes none by more, relative to the largest one or to 1."""

BLOCK = 32
"""Of the values before a change every 32nd is stored, and the others are recomputed from it."""


class StationaryValues:
    """Optimal values at each world step if the present phase never ended.

    The action values of the latest queried phase are cached.

    Args:
        schedule: the phases; if it counts episodes, "world step" below means episode.
        gamma: discount in [0, 1].

    Raises:
        ValueError: if gamma is outside [0, 1].
    """

    def __init__(self, schedule: Schedule, gamma: float = 0.95) -> None:
        self.schedule = schedule
        self.gamma = checked_number("gamma", gamma, 0, 1)
        self._latest: tuple[int, FloatArray] | None = None

    def action_values(self, world_step: int) -> FloatArray:
        """Return (S, A) the optimal action values of the phase of a world step.

        Raises:
            ValueError, RuntimeError: as `optimal_values` for the phase's layout.
        """
        phase = self.schedule.phase_at(checked_integer("world_step", world_step, 0))
        if self._latest is None or self._latest[0] != phase:
            values = optimal_action_values(self.schedule.layouts[phase], self.gamma)
            self._latest = phase, values
        return self._latest[1].copy()

    def values(self, world_step: int) -> FloatArray:
        """Return (S,) the optimal state values."""
        return _best(self.action_values(world_step))[:, 0]

    def regret(self, world_step: int) -> FloatArray:
        """Return (S, A) the regret of each action, at least 0."""
        return _regret(self.action_values(world_step))


class ClairvoyantValues:
    """Optimal values at each world step for an agent that knows all changes in advance.

    By backward induction over world steps (Puterman 1994, section 4.5), from the last phase's
    values. Going back from a change the values converge to those of the phase without an end; from
    there to the phase's beginning nothing is computed.

    Values are computed on demand. One value per state is stored for each phase; and for the latest
    queried phase the values of every 32nd step until convergence, and of 32 successive steps.
    Queries in the order of the steps cost about two sweeps each.

    Args:
        schedule: the phases; its changes come at world steps.
        gamma: discount in [0, 1].
        max_sweeps: maximum number of sweeps for one phase.

    Raises:
        ValueError: if gamma is outside [0, 1], or if the changes come by episodes: their times then
            depend on the agent's actions.
    """

    def __init__(
        self, schedule: Schedule, gamma: float = 0.95, *, max_sweeps: int = 100_000
    ) -> None:
        if schedule.by_episode:
            raise ValueError(
                "values of a schedule that changes by episodes; expected changes at world steps"
            )
        self.schedule = schedule
        self.gamma = checked_number("gamma", gamma, 0, 1)
        self._max_sweeps = checked_integer("max_sweeps", max_sweeps, 1)
        # Of the last phase, which never ends, its optimal values.
        self._at_end: dict[int, FloatArray] = {}  # (S,) values at the end of each phase
        self._latest: _FiniteHorizonValues | None = None

    def action_values(self, world_step: int) -> FloatArray:
        """Return (S, A) the expected return of each action if all later ones are optimal.

        The step is taken in the layout of that world step; the next state is valued one world step
        later.

        Raises:
            ValueError, RuntimeError: as `optimal_values` for the last phase's layout.
            RuntimeError: if values have not converged `max_sweeps` before a change; only with gamma
                equal or close to 1.
        """
        step = checked_integer("world_step", world_step, 0)
        phase = self.schedule.phase_at(step)
        horizon = self._horizon_values(phase)
        return horizon.mdp.backup(horizon.values(self._steps_left(phase, step + 1)), self.gamma)

    def values(self, world_step: int) -> FloatArray:
        """Return (S,) the optimal expected return of an agent that knows all changes."""
        return _best(self.action_values(world_step))[:, 0]

    def regret(self, world_step: int) -> FloatArray:
        """Return (S, A) the regret of each action, at least 0."""
        return _regret(self.action_values(world_step))

    def _steps_left(self, phase: int, step: int) -> int:
        """Return the remaining steps of a phase; 0 for the last one, which never ends."""
        steps = self.schedule.steps
        return steps[phase + 1] - step if phase + 1 < len(steps) else 0

    def _horizon_values(self, phase: int) -> _FiniteHorizonValues:
        if self._latest is None or self._latest.phase != phase:
            if not self._at_end:
                last = len(self.schedule.layouts) - 1
                self._at_end[last] = optimal_values(self.schedule.layouts[last], self.gamma)
            for later in range(min(self._at_end), phase, -1):
                self._at_end[later - 1] = self._solve_phase(later).converged
            self._latest = self._solve_phase(phase)
        return self._latest

    def _solve_phase(self, phase: int) -> _FiniteHorizonValues:
        return _FiniteHorizonValues(
            phase,
            Dynamics(self.schedule.layouts[phase]).mdp,
            self._at_end[phase],
            gamma=self.gamma,
            steps=self._steps_left(phase, self.schedule.steps[phase]),
            max_sweeps=self._max_sweeps,
        )


class _FiniteHorizonValues:
    """Optimal values of one phase with 0, 1, 2, ... steps left."""

    def __init__(
        self,
        phase: int,
        mdp: FiniteMDP,
        at_end: FloatArray,
        *,
        gamma: float,
        steps: int,
        max_sweeps: int,
    ) -> None:
        self.phase = phase
        self.mdp = mdp
        self._gamma = gamma
        self._stored = [at_end]  # with 0, BLOCK, 2 BLOCK, ... steps left
        self._block: tuple[int, list[FloatArray]] = (-1, [])
        self._length = 0
        self.converged = at_end  # with `_length` steps or more left
        for earlier in islice(self._backwards(at_end), min(steps, max_sweeps)):
            has_converged = _is_close(earlier, self.converged)
            self._length += 1
            self.converged = earlier
            if has_converged:
                return
            if self._length % BLOCK == 0:
                self._stored.append(earlier)
        if steps > max_sweeps:
            raise RuntimeError(
                f"with gamma={gamma} the values of phase {phase} still change {max_sweeps} steps "
                "before the phase ends; expected a smaller gamma or a larger max_sweeps"
            )

    def values(self, steps_left: int) -> FloatArray:
        """Return (S,) the values with this many steps left."""
        if steps_left >= self._length:
            return self.converged
        number, offset = divmod(steps_left, BLOCK)
        if self._block[0] != number:
            first = self._stored[number]
            self._block = number, [first, *islice(self._backwards(first), BLOCK - 1)]
        return self._block[1][offset]

    def _backwards(self, values: FloatArray) -> Iterator[FloatArray]:
        """Yield the values one step earlier, two steps earlier, and so on."""
        while True:
            values = self.mdp.backup(values, self._gamma).max(axis=1)  # Puterman 1994, section 4.5
            yield values


def _is_close(values: FloatArray, others: FloatArray) -> bool:
    """Return True if values are equal up to rounding; -inf equals -inf."""
    scale = np.max(np.abs(values), where=np.isfinite(values), initial=1.0)
    with np.errstate(invalid="ignore"):  # -inf minus -inf
        near = np.abs(values - others) <= CONVERGED * scale
    return bool((near | (values == others)).all())


@lru_cache(maxsize=8)
def stationary_values(layout: Layout, gamma: float) -> StationaryValues:
    """Return the optimal values of one layout that never changes; the latest few are cached."""
    return StationaryValues(Schedule((layout,)), gamma)


@lru_cache(maxsize=8)
def clairvoyant_values(schedule: Schedule, gamma: float) -> ClairvoyantValues:
    """Return the optimal values for a known schedule; the latest few are cached."""
    return ClairvoyantValues(schedule, gamma)


def _best(action_values: FloatArray) -> FloatArray:
    best: FloatArray = action_values.max(axis=1, keepdims=True)
    return best


def _regret(action_values: FloatArray) -> FloatArray:
    best = _best(action_values)
    with np.errstate(invalid="ignore"):  # -inf minus -inf, replaced by 0
        return np.where(best == -np.inf, 0.0, best - action_values)
