"""What each action loses, where a maze changes.

Two notions of optimal with one face. `PhaseValues` takes the present phase as if it held for ever;
`SequenceValues` foresees all coming changes. The regret of an action is what it loses against the
best one, in expected discounted return. Regrets add up (Kakade & Langford 2002, lemma 6.1): for
whatever an agent does from world step t_0 on, in one episode,

    V(s_0) - E[sum of gamma^t reward_t] = E[sum of gamma^t regret(t_0 + t)[s_t, a_t]]

with the values and regrets of `SequenceValues`: nobody can expect more than those values. Those of
`PhaseValues` may be out of reach, where a way closes, or beaten, where one opens.

With gamma = 1 a value may be -inf, where every policy pays for ever; no action is worse than
another there, and all regrets are 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import islice

import numpy as np

from dynamaze.common.arrays import FloatArray
from dynamaze.common.validation import checked_number

from .dynamics import Dynamics
from .layout import Layout
from .mdp import FiniteMDP
from .optimal_values import optimal_action_values, optimal_values
from .schedule import Schedule

SETTLED = 1e-14
"""Values have settled if a sweep changes none by more, in units of the largest or of 1."""

BLOCK = 32
"""Of the steps before a change the values of every so manieth are kept, to make the others of."""


class PhaseValues:
    """What is optimal at each world step if the phase that holds then held for ever.

    The latest phase that was asked for is kept: 8 bytes for each of its action values.

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
        """(S, A) optimal action values of the phase that holds at a world step.

        Raises:
            ValueError, RuntimeError: as `optimal_values` for the phase's layout.
        """
        phase = self.schedule.phase_at(_checked_step(world_step))
        if self._latest is None or self._latest[0] != phase:
            values = optimal_action_values(self.schedule.layouts[phase], self.gamma)
            self._latest = phase, values
        return self._latest[1].copy()

    def values(self, world_step: int) -> FloatArray:
        """(S,) optimal state values: those of the best actions."""
        return _best(self.action_values(world_step))[:, 0]

    def regret(self, world_step: int) -> FloatArray:
        """(S, A) what each action loses against the best one: at least 0."""
        return _regret(self.action_values(world_step))


class SequenceValues:
    """What is optimal at each world step for an agent that knows all changes beforehand.

    By backward induction over world steps (Puterman 1994, section 4.5), from the last phase's
    values. Going back from a change the values settle on those of the phase as it is; from there
    to the phase's beginning nothing changes and nothing is computed.

    Values are made when they are asked for. What is kept is, for each phase, one value for each
    state; and for the latest phase that was asked for the values of every 32nd step until they
    settle, and of 32 steps in a row. To ask for the steps in order costs about two sweeps a step.

    Args:
        schedule: the phases; its changes come at world steps.
        gamma: discount in [0, 1].
        max_sweeps: bound on the work for one phase.

    Raises:
        ValueError: if gamma is outside [0, 1], or if the changes come by episodes: when they come
            then depends on what the agent does.
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
        self._max_sweeps = int(checked_number("max_sweeps", max_sweeps, 1, whole=True))
        self._at_end: dict[int, FloatArray] = {}  # (S,) values as a phase ends, or never ends
        self._latest: _Countdown | None = None

    def action_values(self, world_step: int) -> FloatArray:
        """(S, A) expected return of each action at a world step if all later ones are the best.

        The step is taken in the layout that holds at that world step; what follows is taken one
        world step later.

        Raises:
            ValueError, RuntimeError: as `optimal_values` for the last phase's layout.
            RuntimeError: if values have not settled `max_sweeps` before a change; only with gamma
                = 1, or next to it.
        """
        step = _checked_step(world_step)
        phase = self.schedule.phase_at(step)
        countdown = self._countdown(phase)
        return countdown.mdp.backup(countdown.values(self._left(phase, step + 1)), self.gamma)

    def values(self, world_step: int) -> FloatArray:
        """(S,) expected return of an agent that knows all changes: those of the best actions."""
        return _best(self.action_values(world_step))[:, 0]

    def regret(self, world_step: int) -> FloatArray:
        """(S, A) what each action loses against the best one: at least 0."""
        return _regret(self.action_values(world_step))

    def _left(self, phase: int, step: int) -> int:
        """How many steps a phase still holds; for the last one, which holds for ever, 0."""
        steps = self.schedule.steps
        return steps[phase + 1] - step if phase + 1 < len(steps) else 0

    def _countdown(self, phase: int) -> _Countdown:
        if self._latest is None or self._latest.phase != phase:
            if not self._at_end:
                last = len(self.schedule.layouts) - 1
                self._at_end[last] = optimal_values(self.schedule.layouts[last], self.gamma)
            for later in range(min(self._at_end), phase, -1):
                self._at_end[later - 1] = self._count_down(later).furthest
            self._latest = self._count_down(phase)
        return self._latest

    def _count_down(self, phase: int) -> _Countdown:
        return _Countdown(
            phase,
            Dynamics(self.schedule.layouts[phase]).mdp,
            self._at_end[phase],
            gamma=self.gamma,
            steps=self._left(phase, self.schedule.steps[phase]),
            max_sweeps=self._max_sweeps,
        )


class _Countdown:
    """The values of one phase when 0, 1, 2, ... steps are left of it."""

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
        self._kept = [at_end]  # when 0, BLOCK, 2 BLOCK, ... steps are left
        self._block: tuple[int, list[FloatArray]] = (-1, [])
        self._length = 0
        self.furthest = at_end  # when `_length` steps or more are left
        for earlier in islice(self._before(at_end), min(steps, max_sweeps)):
            has_settled = _is_close(earlier, self.furthest)
            self._length += 1
            self.furthest = earlier
            if has_settled:
                return
            if self._length % BLOCK == 0:
                self._kept.append(earlier)
        if steps > max_sweeps:
            raise RuntimeError(
                f"with gamma={gamma} the values in phase {phase} still change {max_sweeps} steps "
                "before the phase ends; expected a smaller gamma or a larger max_sweeps"
            )

    def values(self, left: int) -> FloatArray:
        """(S,) the values when so many steps are left of the phase."""
        if left >= self._length:
            return self.furthest
        number, place = divmod(left, BLOCK)
        if self._block[0] != number:
            first = self._kept[number]
            self._block = number, [first, *islice(self._before(first), BLOCK - 1)]
        return self._block[1][place]

    def _before(self, values: FloatArray) -> Iterator[FloatArray]:
        """The values one step earlier, two steps earlier, and so on."""
        while True:
            values = self.mdp.backup(values, self._gamma).max(axis=1)
            yield values


def _is_close(values: FloatArray, others: FloatArray) -> bool:
    """Whether they are the same but for rounding; -inf is the same as -inf."""
    scale = np.max(np.abs(values), where=np.isfinite(values), initial=1.0)
    with np.errstate(invalid="ignore"):  # -inf less -inf
        near = np.abs(values - others) <= SETTLED * scale
    return bool((near | (values == others)).all())


@lru_cache(maxsize=8)
def phase_values(layout: Layout, gamma: float) -> PhaseValues:
    """What is optimal in one layout that stays; the latest few are kept."""
    return PhaseValues(Schedule((layout,)), gamma)


@lru_cache(maxsize=8)
def sequence_values(schedule: Schedule, gamma: float) -> SequenceValues:
    """What is optimal for who knows the whole schedule; the latest few are kept."""
    return SequenceValues(schedule, gamma)


def _checked_step(world_step: int) -> int:
    checked_number("world_step", world_step, 0, whole=True)
    return int(world_step)


def _best(action_values: FloatArray) -> FloatArray:
    best: FloatArray = action_values.max(axis=1, keepdims=True)
    return best


def _regret(action_values: FloatArray) -> FloatArray:
    best = _best(action_values)
    with np.errstate(invalid="ignore"):  # -inf less -inf, where nothing can be lost any more
        return np.where(best == -np.inf, 0.0, best - action_values)
