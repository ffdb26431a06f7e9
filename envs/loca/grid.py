"""The grid world in which local change adaptation (LoCA) is told."""

from __future__ import annotations

from typing import Any

import numpy as np

from dynamaze.common.arrays import BoolArray, FloatArray

from ..changing_maze import Course
from ..grid import GridEnv
from ..mazes.mdp import FiniteMDP, greedy_policy
from ..mazes.schedule import read_schedule
from .loca_dynamics import loca_dynamics
from .tasks import (
    GAMMA,
    PhasesLike,
    as_changes,
    asked_for,
    check_observation,
    corridor,
    reset_into,
    starts_of,
    task_of,
)

TIE = 1e-9
"""Action values that differ by less are equal."""


class DynaMazeLoCAEnv(GridEnv):
    """A corridor with two exits, of which one comes to pay less: does an agent find out?

    ## Description
    Local change adaptation (LoCA; van Seijen et al. 2020, Wan et al. 2022) tells whether an agent
    plans. A corridor of 4 rows and 25 columns ends at two exits: T1 on the right, T2 on the left.
    In task A T1 pays 4 and T2 pays 2, in task B T1 pays 1. From the last column before T1, its
    zone, a one-way passage leads to nowhere but T1.

    | phase | task | starts | what it asks |
    | --- | --- | --- | --- |
    | 1 | A | all | learn the task |
    | 2 | B | T1 | only what happens in the zone of T1 is seen: does the agent go to T2 now? |
    | 3 | B | all | can it learn the task that is new at all? |

    The agent goes on from phase to phase with all that it has learned, and judged is always the
    greedy policy from all cells alike, with a discount of 0.97 and at most 40 steps. The optimum is
    then 2.597 in task A and 1.295 in task B (2.846 and 1.423 without slip); who goes on as in task
    A gets 0.873 (0.771) in task B. `dynamaze bench run loca` holds agents against it.

    | id | world |
    | --- | --- |
    | `DynaMazeLoCA-v0` | the corridor on a grid |

    ## Action Space
    `Discrete(4)`: 0 up, 1 right, 2 down, 3 left. The edge stops the agent; in the zone of T1 the
    way left does, too.

    ## Observation Space
    Chosen by `observation`, by default `"index"`: `Discrete(108)`, the cell's number `row * 27 +
    col`. Columns 0 and 26 are the exits T2 and T1, columns 1 to 25 the corridor. The forms are
    those of `DynaMazeEnv`, but for "action_mask" and "goal".

    ## Starting State
    One of the 100 cells of the corridor, each as likely; with `starts="T1"` one of the 4 cells of
    T1's zone.

    ## Rewards
    On reaching T1 4 in task A and 1 in task B; on reaching T2 2; otherwise 0.

    ## Episode End
    Terminated at an exit. Truncated after 100 steps (`gym.make(..., max_episode_steps=n)`; -1 for
    no limit).

    ## Information
    `reset` and `step` give `world_step`, the steps of the whole life so far, and `phase`, the
    number of changes so far; the task is not told.

    `reset(options={"task": "B", "starts": "T1"})` begins an episode in another phase, and
    `set_task("B", "T1")` changes the living world in the middle of one. Either may be left out and
    stays as it is. The clock goes on, and so do the random numbers; a reset with a seed goes back
    to the beginning, as in every maze. `changes` says it all beforehand, by world steps:
    `{100_000: {"task": "B", "starts": "T1"}, 150_000: {"starts": "all"}}`.

    ## Arguments
    Args:
        task: "A" or "B".
        starts: "all" or "T1".
        changes: when -> a mapping of "task" and "starts"; when is a world step or "episode N".
        slip_probability: with this probability an action is replaced by one of the four, each as
            likely; 0.25 as in 2022, 0 as in 2020.
        observation: see above.
        notice: what is told of a change: "none", "change" or "cells" (see `DynaMazeEnv`).
        notice_in: where it is told: "info" or "observation".
        render_mode: "human" (a pygame window), "rgb_array" (a frame as uint8), "ansi" or
            "ansi_color" (text), "svg" (a drawing).

    Raises:
        ValueError: for a task, starts, an observation or a render mode that does not exist, or a
            slip outside [0, 1]; TypeError for changes of anything else.

    ## Version History
    * v0: the first.
    """

    def __init__(
        self,
        task: str = "A",
        starts: str = "all",
        *,
        changes: PhasesLike | None = None,
        slip_probability: float = 0.25,
        observation: Any = "index",
        notice: str = "none",
        notice_in: str = "info",
        render_mode: str | None = None,
    ) -> None:
        super().__init__(
            Course(read_schedule(corridor(task, starts, slip_probability), as_changes(changes))),
            observation=check_observation(observation),
            notice=notice,
            notice_in=notice_in,
            render_mode=render_mode,
        )

    # -- phases --------------------------------------------------------------------------------

    @property
    def task(self) -> str | None:
        """The task as it is now; None where T1 was changed to pay otherwise."""
        return task_of(self.layout)

    @property
    def starts(self) -> str | None:
        """Where episodes begin now; None where the starts were changed to others."""
        return starts_of(self.layout)

    def set_task(self, task: str | None = None, starts: str | None = None) -> None:
        """Go on in another phase from now on; the agent stays where it is.

        Args:
            task: "A" or "B"; None leaves it.
            starts: "all" or "T1", from the next episode on; None leaves them.

        Raises:
            ValueError: for a name that does not exist, or if both are left.
        """
        change = asked_for(task, starts).change
        if not self._started:
            self.world_step = 0  # the life begins now, or the first reset would undo the change
        self.change(change)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin an episode.

        Args:
            seed: seeds the random numbers and begins a new life; None goes on.
            options: `{"task": "B"}`, `{"starts": "T1"}` or both begin it in another phase;
                `{"world_step": k}` sets the clock.

        Returns:
            The observation and the information.

        Raises:
            ValueError: for an unknown option, or a name or number that there is not.
        """
        begun: tuple[Any, dict[str, Any]] = reset_into(super().reset, self.change, seed, options)
        return begun

    # -- the truth -----------------------------------------------------------------------------

    def action_masks(self) -> BoolArray:
        """(4,) whether each action, made as it is meant, leads to another cell."""
        assert self._state >= 0, "before the first reset"
        masks: BoolArray = self.mdp.next_state[self._state, :, 0] != self._state
        return masks if masks.any() else ~masks

    @property
    def mdp(self) -> FiniteMDP:
        """The exact Markov decision process of the task as it is now, as arrays."""
        return loca_dynamics(self.layout).mdp

    def phase_mdp(self, phase: int) -> FiniteMDP:
        """The exact Markov decision process of any phase of the schedule."""
        return loca_dynamics(self.schedule.layouts[phase]).mdp

    def optimal_values(self, gamma: float = GAMMA) -> FloatArray:
        """(states,) optimal state values of the task as it is now."""
        return self.mdp.optimal_values(gamma)

    def optimal_action_values(self, gamma: float = GAMMA) -> FloatArray:
        """(states, actions) optimal action values of the task as it is now."""
        return self.mdp.optimal_action_values(gamma)

    def optimal_policy(self, gamma: float = GAMMA) -> FloatArray:
        """(states, actions) probabilities of the optimal actions in the task as it is now."""
        return greedy_policy(self.optimal_action_values(gamma), tolerance=TIE)

    def regret(self, gamma: float = GAMMA, *, foresight: bool = False) -> FloatArray:
        """(states, actions) what each action gives away, if the task stays as it is now.

        Args:
            gamma: discount in [0, 1].
            foresight: must be False.

        Raises:
            ValueError: for a discount outside its range, or with foresight.
        """
        if foresight:
            raise ValueError("regret with foresight in a LoCA world; expected foresight=False")
        values = self.optimal_action_values(gamma)
        regret: FloatArray = np.max(values, axis=1, keepdims=True) - values
        return regret

    # -- inside --------------------------------------------------------------------------------

    def _settle(self) -> None:
        super()._settle()
        dynamics = loca_dynamics(self.layout)
        self._outcomes = dynamics.outcomes  # type: ignore[assignment]  # rows of the same form
        self._thresholds = dynamics.thresholds
