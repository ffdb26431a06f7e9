"""The native vector environment: many mazes stepped by one compiled call."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt
from gymnasium.utils import seeding
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from dynamaze.messages import checked_number

from .dynamics import NUM_ACTIONS
from .layout import BoolArray, IntArray
from .maze import DynaMazeEnv
from .mdp import FloatArray
from .options import check_render_mode, read_world_step
from .vector_kernel import (
    DISABLED,
    NEXT_STEP,
    SAME_STEP,
    Lives,
    Moment,
    World,
    refill,
    reset_worlds,
    step_worlds,
)

MODES = {
    AutoresetMode.NEXT_STEP: NEXT_STEP,
    AutoresetMode.SAME_STEP: SAME_STEP,
    AutoresetMode.DISABLED: DISABLED,
}
UNIFORM_BLOCK = 512
"""So many random numbers are held for each world; it is NumPy's calls that cost, not numbers."""

STEPS_AHEAD = 32
"""Whether enough of them are left is looked up every so many steps."""

Seeds = int | Sequence[int | None] | None


class DynaMazeVectorEnv(VectorEnv[Any, npt.NDArray[np.int64], npt.NDArray[Any]]):
    """`num_envs` mazes that give, number for number, what `SyncVectorEnv` of the single one gives.

    Each world has its own clock, its own random numbers and its own time limit.

    Args:
        num_envs: how many.
        max_episode_steps: the time limit of each; None or -1 for none.
        autoreset_mode: when a finished episode begins again (Gymnasium's `AutoresetMode`).
        **maze: the arguments of `DynaMazeEnv`. `render_mode` may be "rgb_array" or "ansi".

    Raises:
        ValueError: for a number of environments or a time limit below 1, and for all that
            `DynaMazeEnv` refuses.
    """

    def __init__(
        self,
        num_envs: int = 1,
        max_episode_steps: int | None = None,
        *,
        autoreset_mode: str | AutoresetMode = AutoresetMode.NEXT_STEP,
        **maze: Any,
    ) -> None:
        num_envs = int(checked_number("num_envs", num_envs, 1, whole=True))
        check_render_mode(maze.get("render_mode"), ["rgb_array", "ansi"])
        self._maze = DynaMazeEnv(**maze)
        self.num_envs = num_envs
        self.render_mode = self._maze.render_mode
        mode = AutoresetMode(autoreset_mode)
        self.metadata = {
            **self._maze.metadata,
            "render_modes": ["rgb_array", "ansi"],
            "autoreset_mode": mode,
        }
        self.single_observation_space = self._maze.observation_space
        self.single_action_space = self._maze.action_space
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.max_episode_steps = -1
        if max_episode_steps not in (None, -1):
            limit = checked_number("max_episode_steps", max_episode_steps, 1, whole=True)
            self.max_episode_steps = int(limit)
        self._mode = MODES[mode]
        self._world = World.of(self._maze.tables)
        self._is_random = self._maze.is_random
        self._lives = Lives.begin(num_envs, UNIFORM_BLOCK)
        self._steps_drawn_ahead = 0
        self._seeds: list[int | None] = [None] * num_envs
        self._generators: list[np.random.Generator] | None = None
        self._mazes: list[DynaMazeEnv] | None = None

    def reset(
        self, *, seed: Seeds = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin episodes in all worlds, or in those of `options["reset_mask"]`.

        Args:
            seed: one seed (world i gets `seed + i`), one for each world, or None.
            options: `reset_mask`, (n,) bool with at least one True; `world_step` sets the clocks.

        Returns:
            The batch of observations and the information of the worlds that were reset.

        Raises:
            ValueError: for a wrong number of seeds, an unknown option, a mask of another shape or
                without a True.
            TypeError: if the mask is not a bool array.
        """
        options = dict(options or {})
        mask = self._read_mask(options.pop("reset_mask", None))
        world_step = read_world_step(options)
        seeded = {
            i: seeding.np_random(one_seed)
            for i, one_seed in enumerate(self._read_seeds(seed))
            if one_seed is not None and mask[i]
        }
        for i, (generator, one_seed) in seeded.items():
            self._seed(i, generator, one_seed)
        if world_step is not None:
            self._lives.world_step[mask] = world_step
        self._draw_ahead()
        reset_worlds(self._world, self._lives, mask)
        lives = self._lives
        return self._observations(), _infos(lives.world_step.copy(), lives.phase.copy(), mask)

    def step(
        self, actions: npt.ArrayLike
    ) -> tuple[Any, FloatArray, BoolArray, BoolArray, dict[str, Any]]:
        """Take a step in every world.

        Args:
            actions: (n,) integers from 0 to 3.

        Returns:
            Observations, rewards (n,) float64, terminated (n,), truncated (n,) and information:
            an array and a mask for each key.

        Raises:
            ValueError: for actions of another shape or outside the space; TypeError for another
                dtype.
            gymnasium.error.ResetNeeded: before the first reset, or, where the mode is DISABLED,
                in a world whose episode has ended.
        """
        checked = self._read_actions(actions)
        self._refuse_unready()
        self._draw_ahead()
        moment = step_worlds(self._world, self._lives, checked, self.max_episode_steps, self._mode)
        everywhere = np.ones(self.num_envs, dtype=np.bool_)
        infos = _infos(moment.world_step, moment.phase, everywhere)
        if self._mode == SAME_STEP:
            self._add_final(infos, moment)
        observations = self._maze.observe_many(moment.state, moment.phase)
        return observations, moment.reward, moment.terminated, moment.truncated, infos

    def render(self) -> tuple[Any, ...]:
        """A picture of each world, in the form that `render_mode` says."""
        return self.call("render")

    # -- one world at a time -------------------------------------------------------------------

    def call(self, name: str, *args: Any, **kwargs: Any) -> tuple[Any, ...]:
        """Call a method of each single environment, or read its attribute.

        Raises:
            AttributeError: if a single environment has nothing of that name.
        """
        results = []
        for i in range(self.num_envs):
            maze = self._take_out(i)
            attribute = maze.get_wrapper_attr(name)
            results.append(attribute(*args, **kwargs) if callable(attribute) else attribute)
            self._put_back(i, maze)
            if name == "reset":
                self._lives.episode_step[i] = 0
        return tuple(results)

    def get_attr(self, name: str) -> tuple[Any, ...]:
        """An attribute of each single environment."""
        return self.call(name)

    def set_attr(self, name: str, values: Any) -> None:
        """Set an attribute of each single environment.

        Args:
            name: what to set, for example "world_step".
            values: a list or tuple with a value for each, or one value for all.

        Raises:
            ValueError: for another number of values.
            AttributeError: if it cannot be set.
        """
        if not isinstance(values, (list, tuple)):
            values = [values] * self.num_envs
        if len(values) != self.num_envs:
            raise ValueError(f"{len(values)} values of {name!r}; expected {self.num_envs}")
        for i, value in enumerate(values):
            maze = self._take_out(i)
            maze.set_wrapper_attr(name, value)
            self._put_back(i, maze)

    @property
    def np_random_seed(self) -> tuple[Any, ...]:  # type: ignore[override]  # as SyncVectorEnv
        """The seed that each world got last."""
        return self.get_attr("np_random_seed")

    @property  # type: ignore[misc]  # as SyncVectorEnv
    def np_random(self) -> tuple[np.random.Generator, ...]:  # type: ignore[override]
        """The generator of each world."""
        return tuple(self._all_generators())

    def _take_out(self, i: int) -> DynaMazeEnv:
        """World i as a single environment."""
        if self._mazes is None:
            self._mazes = [copy.copy(self._maze) for _ in range(self.num_envs)]
        lives, generator = self._lives, self._all_generators()[i]
        maze = self._mazes[i]
        maze.adopt(generator, self._seeds[i])
        maze.set_state(
            {
                "state": lives.state[i],
                "world_step": lives.world_step[i],
                "uniforms": lives.uniforms[i, lives.next_uniform[i] :],
                "rng": generator.bit_generator.state,
            }
        )
        return maze

    def _put_back(self, i: int, maze: DynaMazeEnv) -> None:
        state, lives = maze.get_state(), self._lives
        lives.state[i], lives.world_step[i] = state["state"], state["world_step"]
        lives.phase[i] = maze.phase
        left = UNIFORM_BLOCK - len(state["uniforms"])
        lives.uniforms[i, left:] = state["uniforms"]
        lives.next_uniform[i] = left
        self._steps_drawn_ahead = 0
        self._all_generators()[i] = maze.np_random
        self._seeds[i] = maze.np_random_seed

    # -- inside --------------------------------------------------------------------------------

    def _observations(self) -> Any:
        return self._maze.observe_many(self._lives.state, self._lives.phase)

    def _add_final(self, infos: dict[str, Any], moment: Moment) -> None:
        ended = moment.final_state >= 0
        if not ended.any():
            return
        observations = np.full(self.num_envs, None, dtype=object)
        for i in np.flatnonzero(ended):
            observations[i] = self._maze.observe_one(
                int(moment.final_state[i]), int(moment.phase[i])
            )
        infos["final_obs"], infos["_final_obs"] = observations, ended
        infos["final_info"] = _infos(moment.world_step * ended, moment.phase * ended, ended)
        infos["_final_info"] = ended.copy()

    def _all_generators(self) -> list[np.random.Generator]:
        if self._generators is None:
            self._generators = []
            for i, seed in enumerate(self._seeds):
                generator, self._seeds[i] = seeding.np_random(seed)
                self._generators.append(generator)
        return self._generators

    def _seed(self, i: int, generator: np.random.Generator, seed: int) -> None:
        """Give a world new random numbers and start its clock again."""
        self._seeds[i] = seed
        if self._generators is not None:
            self._generators[i] = generator
        self._lives.next_uniform[i] = UNIFORM_BLOCK
        self._lives.world_step[i] = 0
        self._steps_drawn_ahead = 0

    def _draw_ahead(self) -> None:
        """Have the random numbers of this step; a step uses at most two in each world."""
        if not self._is_random:
            return
        if self._steps_drawn_ahead == 0:
            refill(self._lives, self._all_generators(), at_least=2 * STEPS_AHEAD)
            self._steps_drawn_ahead = STEPS_AHEAD
        self._steps_drawn_ahead -= 1

    def _refuse_unready(self) -> None:
        lives = self._lives
        if lives.state[0] < 0:
            raise gym.error.ResetNeeded("step() before the first reset(); call reset() first")
        if self._mode == DISABLED and lives.done.any():
            raise gym.error.ResetNeeded(
                f"the episodes of environments {np.flatnonzero(lives.done).tolist()} have ended; "
                'reset them by reset(options={"reset_mask": mask})'
            )

    def _read_actions(self, actions: npt.ArrayLike) -> IntArray:
        checked = np.asarray(actions)
        if checked.shape != (self.num_envs,):
            raise ValueError(f"actions of shape {checked.shape}; expected ({self.num_envs},)")
        if checked.dtype.kind not in "iu":
            raise TypeError(f"actions of dtype {checked.dtype}; expected integers")
        # As unsigned numbers the negative ones are the largest, so that one test finds both.
        unsigned = checked.astype(np.int64, copy=False).view(np.uint64)
        if unsigned.max() >= NUM_ACTIONS:
            i = int(unsigned.argmax())
            raise ValueError(
                f"action {checked[i]} of environment {i}; expected an integer from 0 to "
                f"{NUM_ACTIONS - 1} (up, right, down, left)"
            )
        return checked.astype(np.int64, copy=False)

    def _read_seeds(self, seed: Seeds) -> list[int | None]:
        if seed is None:
            return [None] * self.num_envs
        if isinstance(seed, int):
            return [seed + i for i in range(self.num_envs)]
        seeds = list(seed)
        if len(seeds) != self.num_envs:
            raise ValueError(f"{len(seeds)} seeds; expected {self.num_envs}, one for each")
        return seeds

    def _read_mask(self, mask: Any) -> BoolArray:
        if mask is None:
            return np.ones(self.num_envs, dtype=np.bool_)
        if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_:
            raise TypeError(f"reset_mask={mask!r}; expected a NumPy array of dtype bool")
        if mask.shape != (self.num_envs,) or not mask.any():
            raise ValueError(
                f"reset_mask {mask!r}; expected shape ({self.num_envs},) and at least one True"
            )
        return mask


def _infos(world_step: IntArray, phase: IntArray, mask: BoolArray) -> dict[str, Any]:
    """The information of the worlds in the mask, as Gymnasium's vector environments give it."""
    if not mask.all():
        world_step, phase = world_step * mask, phase * mask
    return {
        "world_step": world_step,
        "_world_step": mask.copy(),
        "phase": phase,
        "_phase": mask.copy(),
    }
