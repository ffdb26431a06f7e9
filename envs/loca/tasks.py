"""The two tasks of local change adaptation (LoCA) and where their episodes begin, as layouts.

Van Seijen, Nekoei, Racah and Chandar 2020, "The LoCA regret"; Wan, Rahimi-Kalahroudi, Rajendran,
Momennejad, Chandar and van Seijen 2022, "Towards evaluating adaptivity of model-based reinforcement
learning methods". A corridor of 4 rows and 25 columns has an exit at each end, T1 on the right and
T2 on the left. Here the exits are columns of goals of their own, so that a layout has 27 columns.

A task and its starts are a change of the layout, as `schedule.apply_change` takes it: the layout's
reward of a goal is what T1 pays. What T2 pays never changes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from dynamaze.common.validation import did_you_mean

from ..mazes.layout import Cell, Layout, Rewards
from ..mazes.schedule import ChangesLike

PhasesLike = Mapping[Any, Mapping[str, str]] | Iterable[tuple[int | str, Mapping[str, str]]]
"""When -> what is asked for from then on."""

ROWS, LENGTH = 4, 25
EXIT_T2, ZONE, EXIT_T1 = 0, LENGTH, LENGTH + 1
"""Columns: of the goals at the left, of the zone that only T1 is left by, of those at the right."""

T1_REWARDS = {"A": 4.0, "B": 1.0}
T2_REWARD = 2.0

GAMMA = 0.97
"""The discount that the levels of the literature are for."""

STARTS: dict[str, tuple[Cell, ...]] = {
    "all": tuple((row, col) for row in range(ROWS) for col in range(1, LENGTH + 1)),
    "T1": tuple((row, ZONE) for row in range(ROWS)),
}
"""Where episodes begin: in every cell alike, or only in the zone of T1."""

REFUSED = ("action_mask", "goal")
"""Forms of observation that know nothing of the one-way passage, or of two kinds of goals."""


class Asked(NamedTuple):
    """What is asked for of a phase; None leaves it as it is."""

    task: str | None = None
    starts: str | None = None

    @property
    def change(self) -> dict[str, Any]:
        """The change of the layout; empty where nothing is asked for, which no maze takes."""
        change: dict[str, Any] = {}
        if self.task is not None:
            change["goal_reward"] = T1_REWARDS[self.task]
        if self.starts is not None:
            change["start"] = list(STARTS[self.starts])
        return change


def asked_for(task: object = None, starts: object = None) -> Asked:
    """What is asked for, checked.

    Raises:
        ValueError: for a task or starts that there are not.
    """
    return Asked(
        None if task is None else _known("task", task, T1_REWARDS),
        None if starts is None else _known("starts", starts, STARTS),
    )


def corridor(task: str, starts: str, slip_probability: float = 0.0) -> Layout:
    """The layout in which a world begins.

    Args:
        task: "A" or "B".
        starts: "all" or "T1".
        slip_probability: of the layout.

    Raises:
        ValueError: for a task or starts that there are not, or a slip outside [0, 1].
        TypeError: if it is no number.
    """
    reward = T1_REWARDS[_known("task", task, T1_REWARDS)]
    return Layout(
        np.zeros((ROWS, LENGTH + 2), dtype=np.bool_),
        STARTS[_known("starts", starts, STARTS)],
        tuple((row, col) for row in range(ROWS) for col in (EXIT_T2, EXIT_T1)),
        Rewards(goal=reward),
        slip_probability,
    )


def as_changes(changes: PhasesLike | None) -> ChangesLike:
    """The changes of the layout that mean changes of the phase.

    Args:
        changes: when -> mapping of "task" and "starts", as a mapping or as pairs; None for none.

    Raises:
        ValueError: for a task or starts that there are not.
        TypeError: for what is no change.
    """
    pairs: Any = {} if changes is None else changes
    pairs = pairs.items() if isinstance(pairs, Mapping) else pairs
    return [(when, _as_change(change)) for when, change in pairs]


def read_reset(options: Mapping[str, Any] | None) -> tuple[Asked, dict[str, Any]]:
    """What the options of a reset ask for, and those that are every maze's.

    Raises:
        ValueError: for a task or starts that there are not.
    """
    rest = dict(options or {})
    return asked_for(rest.pop("task", None), rest.pop("starts", None)), rest


def reset_into(
    reset: Callable[..., Any],
    change: Callable[[dict[str, Any]], None],
    seed: int | None,
    options: Mapping[str, Any] | None,
) -> Any:
    """Begin an episode in the phase that the options ask for.

    A seed or a world step begins a life in which nothing has changed, so the change comes after
    them; then an episode begins once more, on one of the new starts.

    Args:
        reset: of the maze.
        change: of the maze.
        seed: as in `reset`.
        options: as in `reset`; "task" and "starts" too.
    """
    asked, rest = read_reset(options)
    begun = reset(seed=seed, options=rest)
    if not asked.change:
        return begun
    change(asked.change)
    return reset()


def task_of(layout: Layout) -> str | None:
    """The task that a layout is of; None where T1 pays otherwise."""
    return _named(layout.rewards.goal, T1_REWARDS.items())


def starts_of(layout: Layout) -> str | None:
    """The name of a layout's starts; None where they are others."""
    return _named(layout.starts, STARTS.items())


def check_observation(observation: Any) -> Any:
    """The observation itself.

    Raises:
        ValueError: for one that would tell something wrong of a LoCA world.
    """
    kind = observation.get("kind") if isinstance(observation, Mapping) else observation
    if kind in REFUSED:
        raise ValueError(
            f"observation={kind!r} in a LoCA world, which has a one-way passage and goals that "
            f"pay differently; expected another than {' and '.join(map(repr, REFUSED))}"
        )
    return observation


def _as_change(change: Any) -> dict[str, Any]:
    if not isinstance(change, Mapping) or not change or set(change) - set(Asked._fields):
        raise TypeError(f"the change {change!r}; expected a mapping of 'task', 'starts' or both")
    return asked_for(**change).change


def _known(name: str, value: object, known: Iterable[str]) -> str:
    if not isinstance(value, str) or value not in known:
        raise ValueError(
            f"{name}={value!r}; expected one of {', '.join(map(repr, known))}"
            f"{did_you_mean(value, known)}"
        )
    return value


def _named(value: object, names: Iterable[tuple[str, object]]) -> str | None:
    return next((name for name, own in names if own == value), None)
