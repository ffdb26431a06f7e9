"""LoCA environment on a grid, and its exact dynamics."""

from __future__ import annotations

from functools import cached_property
from typing import Any, ClassVar, Unpack

import numpy as np

from dynamaze.common.arrays import FloatArray
from dynamaze.common.deprecation import renamed_arguments

from ..grid import GridEnv
from ..maze_config import MazeConfig
from ..mazes.dynamics import NUM_ACTIONS, Dynamics, Moves, maze_moves
from ..mazes.mdp import greedy_policy
from ..mazes.schedule import read_timed_changes
from ..options import EnvOptions, with_options
from . import tasks
from .tasks import EXIT_T2, GAMMA, T2_REWARD, ZONE, LoCAPhases, PhasesLike

TIE = 1e-9
"""Action values that differ by less are equal."""


@with_options(EnvOptions)
class DynaMazeLoCAEnv(LoCAPhases, GridEnv):
    """Corridor with two terminal states; the reward of one is reduced in phase 2.

    ## Description
    Local change adaptation (LoCA; van Seijen et al. 2020, Wan et al. 2022) tests if an agent plans.
    A corridor of 4 rows and 25 columns ends at two terminal states: T1 on the right, T2 on the
    left. In task A the reward of T1 is 4 and that of T2 is 2, in task B that of T1 is 1. From the
    last column before T1, its zone, a one-way passage leads only to T1.

    | phase | task | starts | purpose |
    | --- | --- | --- | --- |
    | 1 | A | all | learn the task |
    | 2 | B | T1 | does the agent change to T2, having observed the zone of T1 only? |
    | 3 | B | all | can the agent learn the new task at all? |

    The agent keeps its knowledge from phase to phase. The greedy policy is evaluated from all cells
    with equal weights, with a discount of 0.97 and at most 40 steps. The optimum is then 2.597 in
    task A and 1.295 in task B (2.846 and 1.423 without slip); the optimal policy of task A has
    0.873 (0.771) in task B. `dynamaze bench run loca` evaluates agents.

    | id | environment |
    | --- | --- |
    | `DynaMazeLoCA-v0` | the corridor on a grid |

    ## Action Space
    `Discrete(4)`: 0 up, 1 right, 2 down, 3 left. The edge stops the agent; in the zone of T1 a move
    left has no effect.

    ## Observation Space
    Chosen by `observation`, by default `"index"`: `Discrete(108)`, the cell's number `row * 27 +
    col`. Columns 0 and 26 are T2 and T1, columns 1 to 25 the corridor. The kinds are those of
    `DynaMazeEnv`, except for "action_mask" and "goal".

    ## Starting State
    Uniform over the 100 cells of the corridor; with `starts="T1"` over the 4 cells of T1's zone.

    ## Rewards
    On reaching T1: 4 in task A, 1 in task B; on reaching T2: 2; otherwise 0.

    ## Episode End
    Terminated at T1 or T2. Truncated after 100 steps (`gym.make(..., max_episode_steps=n)`; -1 for
    no limit).

    ## Information
    `reset` and `step` return `world_step`, the number of steps over all episodes, and `phase`, the
    number of changes so far; the task is not reported.

    `reset(options={"task": "B", "starts": "T1"})` begins an episode in another phase, and
    `set_task("B", "T1")` changes the phase during an episode. Either may be left out and is then
    unchanged. The clock and the random numbers continue; a reset with a seed undoes all changes, as
    in every maze. `changes` schedules the phases by world steps: `{100_000: {"task": "B", "starts":
    "T1"}, 150_000: {"starts": "all"}}`.

    ## Arguments
    Args:
        task: "A" or "B".
        starts: "all" or "T1".
        changes: time -> a mapping of "task" and "starts"; a time is a world step or "episode N".
            Or timed changes of such mappings: `every(5000, cycle({"task": "B"}, {"task": "A"}))`.
        slip_probability: with this probability an action is replaced by a uniformly random one;
            0.25 as in 2022, 0 as in 2020.
        observation: see above.
        **options: those of `EnvOptions`.

    Raises:
        ValueError: for an unknown task, starts, observation or render mode, or a slip outside
            [0, 1]; TypeError for changes of anything else.

    ## Version History
    * v0: the first.
    """

    kind: ClassVar = GridEnv.kind  # its dynamics are those of the configuration

    def __init__(
        self,
        task: str = "A",
        starts: str = "all",
        *,
        changes: PhasesLike | None = None,
        slip_probability: float = 0.25,
        observation: Any = "index",
        **options: Unpack[EnvOptions],
    ) -> None:
        schedule, timed = read_timed_changes(
            tasks.corridor(task, starts, slip_probability), tasks.phase_changes(changes)
        )
        super().__init__(
            MazeConfig(schedule, dynamics=LoCADynamics, timed=timed),
            observation=tasks.check_loca_observation(observation),
            **options,
        )

    # -- the exact MDP -------------------------------------------------------------------------

    def optimal_values(self, gamma: float = GAMMA) -> FloatArray:
        """Return (states,) the optimal state values of the present task."""
        return self.mdp.optimal_values(gamma)

    def optimal_action_values(self, gamma: float = GAMMA) -> FloatArray:
        """Return (states, actions) the optimal action values of the present task."""
        return self.mdp.optimal_action_values(gamma)

    def optimal_policy(self, gamma: float = GAMMA) -> FloatArray:
        """Return (states, actions) the probabilities of the optimal actions of the present task."""
        return greedy_policy(self.optimal_action_values(gamma), tolerance=TIE)

    @renamed_arguments(foresight="clairvoyant")
    def regret(self, gamma: float = GAMMA, *, clairvoyant: bool = False) -> FloatArray:
        """Return (states, actions) the regret of each action if the task never changes again.

        Args:
            gamma: discount in [0, 1].
            clairvoyant: must be False.

        Raises:
            ValueError: for a discount outside its range, or with `clairvoyant`.
        """
        if clairvoyant:
            raise ValueError(
                "regret with clairvoyant=True in a LoCA environment; expected clairvoyant=False"
            )
        values = self.optimal_action_values(gamma)
        regret: FloatArray = np.max(values, axis=1, keepdims=True) - values
        return regret


LEFT = 3

TURNS = tuple(tuple((action + turn) % 4 for action in range(4)) for turn in range(4))
"""Direction moved for each outcome (as intended, then the three others) and action."""


class LoCADynamics(Dynamics):
    """Dynamics of one layout of a LoCA environment: those of a maze with differences. Immutable.

    1. T2 has its own reward, whatever that of T1 is.
    2. In the zone, the last column before T1, a move to the left has no effect.
    3. With the layout's `slip_probability` an action is replaced by a uniformly random one, which
       may be the same; the passage then acts on the move that is made.
    """

    directions: ClassVar = TURNS

    def _slip_probabilities(self, slip: float) -> tuple[float, ...]:
        other = slip / NUM_ACTIONS
        return 1.0 - (NUM_ACTIONS - 1) * other, other, other, other

    @cached_property
    def moves(self) -> Moves:
        """The four directions from each state; computed on first use."""
        layout, moves = self.layout, maze_moves(self.layout)
        states = np.arange(layout.num_cells)
        column = states % layout.cols
        from_exit = layout.distances.ravel() == 0
        leaves_by_t2 = (column[moves.next_state] == EXIT_T2) & ~from_exit[:, None]
        next_state = moves.next_state.copy()
        reward = np.where(leaves_by_t2, T2_REWARD, moves.reward)
        next_state[column == ZONE, LEFT] = states[column == ZONE]
        reward[column == ZONE, LEFT] = layout.rewards.wall
        return Moves(next_state, reward, moves.terminated)
