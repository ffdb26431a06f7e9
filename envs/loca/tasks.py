"""Tasks and starts of local change adaptation (LoCA), as layouts.

Van Seijen, Nekoei, Racah and Chandar 2020, "The LoCA regret"; Wan, Rahimi-Kalahroudi, Rajendran,
Momennejad, Chandar and van Seijen 2022, "Towards evaluating adaptivity of model-based reinforcement
learning methods". A corridor of 4 rows and 25 columns has a terminal state at each end, T1 on the
right and T2 on the left. Here they are columns of goals of their own, so that a layout has 27
columns.

A task and its starts are a change of the layout for `schedule.apply_change`: the layout's goal
reward is that of T1. The reward of T2 never changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from dynamaze.common.validation import checked_choice, naming, shown

from ..base import MazeEnv
from ..mazes.layout import Cell, Layout, Rewards
from ..mazes.schedule import TimedChangesLike
from ..options import copy_reset_options
from ..timing.timeline import TimedChange, is_composed, pairs_of, read_changes

PhasesLike = (
    Mapping[Any, Mapping[str, str]]
    | TimedChange
    | Iterable[tuple[int | str, Mapping[str, str]] | TimedChange]
)
"""Time -> mapping of the task and the starts from then on; or timed changes of these."""

ROWS, LENGTH = 4, 25
EXIT_T2, ZONE, EXIT_T1 = 0, LENGTH, LENGTH + 1
"""Columns: the goals on the left, the zone that leads to T1 only, the goals on the right."""

T1_REWARDS = {"A": 4.0, "B": 1.0}
T2_REWARD = 2.0

GAMMA = 0.97
"""Discount of the published results."""

STARTS: dict[str, tuple[Cell, ...]] = {
    "all": tuple((row, col) for row in range(ROWS) for col in range(1, LENGTH + 1)),
    "T1": tuple((row, ZONE) for row in range(ROWS)),
}
"""Cells where episodes begin: every cell with equal probabilities, or only the zone of T1."""

REFUSED = ("action_mask", "goal")
"""Observations that do not fit the one-way passage, or two kinds of goals."""


class LoCAPhases(MazeEnv):
    """The phase of a LoCA environment: its task and its starts, both of which can be set."""

    @property
    def task(self) -> str | None:
        """The present task; None if the reward of T1 was changed to another."""
        return _named(self.layout.rewards.goal, T1_REWARDS.items())

    @property
    def starts(self) -> str | None:
        """The present starts; None if they were changed to others."""
        return _named(self.layout.starts, STARTS.items())

    def set_task(self, task: str | None = None, starts: str | None = None) -> None:
        """Change the phase now; the agent stays where it is.

        Args:
            task: "A" or "B"; None keeps it.
            starts: "all" or "T1", from the next episode on; None keeps them.

        Raises:
            ValueError: for an unknown name, or if both are None.
        """
        change = check_phase(task, starts).change
        if not change:
            raise ValueError("set_task() without a task and without starts; expected one of them")
        if not self._started:
            self.world_step = 0  # start now: otherwise the first reset would undo the change
        self.change(change)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin an episode.

        Args:
            seed: seeds the random numbers and restarts the clock; None changes neither.
            options: `{"task": "B"}`, `{"starts": "T1"}` or both begin it in another phase;
                `{"world_step": k}` sets the clock.

        Returns:
            The observation and the information.

        Raises:
            ValueError: for an unknown option or name, or a number outside its range.
        """
        rest = copy_reset_options(options)
        phase = check_phase(rest.pop("task", None), rest.pop("starts", None))
        result = super().reset(seed=seed, options=rest)
        if not phase.change:
            return result
        # A seed or a world step undoes all changes, so the change is made after them; then an
        # episode begins once more, on one of the new starts.
        self.change(phase.change)
        return super().reset()


class PhaseChange(NamedTuple):
    """Change of the task, of the starts, or of both; None keeps one as it is."""

    task: str | None = None
    starts: str | None = None

    @property
    def change(self) -> dict[str, Any]:
        """The change of the layout; empty if nothing changes, which no maze accepts."""
        change: dict[str, Any] = {}
        if self.task is not None:
            change["goal_reward"] = T1_REWARDS[self.task]
        if self.starts is not None:
            change["start"] = list(STARTS[self.starts])
        return change


def check_phase(task: object = None, starts: object = None) -> PhaseChange:
    """Return a change of the phase after checking it.

    Raises:
        ValueError: for an unknown task or starts.
    """
    return PhaseChange(
        None if task is None else checked_choice("task", task, T1_REWARDS),
        None if starts is None else checked_choice("starts", starts, STARTS),
    )


def corridor(task: str, starts: str, slip_probability: float = 0.0) -> Layout:
    """Return the initial layout.

    Args:
        task: "A" or "B".
        starts: "all" or "T1".
        slip_probability: of the layout.

    Raises:
        ValueError: for an unknown task or starts, or a slip outside [0, 1].
        TypeError: if it is not a number.
    """
    reward = T1_REWARDS[checked_choice("task", task, T1_REWARDS)]
    return Layout(
        np.zeros((ROWS, LENGTH + 2), dtype=np.bool_),
        STARTS[checked_choice("starts", starts, STARTS)],
        tuple((row, col) for row in range(ROWS) for col in (EXIT_T2, EXIT_T1)),
        Rewards(goal=reward),
        slip_probability,
    )


def phase_changes(changes: PhasesLike | None) -> TimedChangesLike:
    """Return the changes of the layout that correspond to changes of the phase.

    Args:
        changes: time -> mapping of "task" and "starts", as a mapping or as pairs; or timed changes
            of such mappings (see `timing.timeline.read_changes`); None for none.

    Raises:
        ValueError: for an unknown task or starts, or a number outside its range.
        TypeError: for anything but such a change.
    """
    if is_composed(changes):
        with naming("changes"):
            return [
                replace(timed, changes=tuple(map(_layout_change, timed.changes)))
                for timed in read_changes(changes)
            ]
    pairs = [] if changes is None else pairs_of(changes)
    with naming("changes"):
        return [(when, _layout_change(change)) for when, change in pairs]


def check_loca_observation(observation: Any) -> Any:
    """Return the observation after checking that it fits a LoCA environment.

    Raises:
        ValueError: for one that would be wrong in a LoCA environment.
    """
    kind = observation.get("kind") if isinstance(observation, Mapping) else observation
    if isinstance(kind, str) and kind in REFUSED:
        raise ValueError(
            f"observation={kind!r} in a LoCA environment, which has a one-way passage and "
            "goals with different rewards; expected another than "
            f"{' and '.join(map(repr, REFUSED))}"
        )
    return observation


def _layout_change(change: Any) -> dict[str, Any]:
    expected = "expected a mapping of 'task', 'starts' or both"
    is_phase = isinstance(change, Mapping) and not set(change) - set(PhaseChange._fields)
    parts = check_phase(**change).change if is_phase else {}
    if not parts:
        raise TypeError(f"the change {shown(change)}; {expected}")
    return parts


def _named(value: object, names: Iterable[tuple[str, object]]) -> str | None:
    return next((name for name, own in names if own == value), None)
