"""What the native vector environments share: seeds, clocks, changes, resets and information."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
import numpy.typing as npt
from gymnasium.utils import seeding
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from dynamaze.common.arrays import BoolArray, FloatArray
from dynamaze.common.validation import checked_number

from ..changing_maze import World
from ..mazes.layout import Cell
from ..options import check_render_mode, read_options
from ..vector_options import Seeds, read_mask, read_seeds
from .kernel import DISABLED, NEXT_STEP, SAME_STEP, drawer, refill

MODES = {
    AutoresetMode.NEXT_STEP: NEXT_STEP,
    AutoresetMode.SAME_STEP: SAME_STEP,
    AutoresetMode.DISABLED: DISABLED,
}
UNIFORM_BLOCK = 512
"""So many random numbers are held for each world; it is NumPy's calls that cost, not numbers."""

STEPS_AHEAD = 32
"""Whether enough of them are left is looked up every so many steps."""


class MazeVectorEnv(VectorEnv[Any, Any, Any], ABC):
    """`num_envs` worlds that give, number for number, what `SyncVectorEnv` of the single one gives.

    Each world has its own clock, its own random numbers, its own maze and its own time limit. A
    compiled call steps all of them; only a world whose maze changes is looked after one by one.

    Args:
        num_envs: how many.
        max_episode_steps: the time limit of each; None or -1 for none.
        autoreset_mode: when a finished episode begins again (Gymnasium's `AutoresetMode`).
        **maze: the arguments of the single environment. `render_mode` may be any but "human".

    Raises:
        ValueError: for a number of environments or a time limit below 1, and for all that the
            single environment refuses.
    """

    single_class: ClassVar[Callable[..., Any]]
    """The single environment."""

    ground_class: ClassVar[Any]
    """The record of mazes, one in each slot, that the compiled step reads."""

    numbers_a_step: ClassVar[int] = 2
    """How many random numbers the compiled step uses at most, the start of an episode included."""

    def __init__(
        self,
        num_envs: int = 1,
        max_episode_steps: int | None = None,
        *,
        autoreset_mode: str | AutoresetMode = AutoresetMode.NEXT_STEP,
        **maze: Any,
    ) -> None:
        self.num_envs = int(checked_number("num_envs", num_envs, 1, whole=True))
        single = type(self).single_class
        known = [mode for mode in single.metadata["render_modes"] if mode != "human"]  # type: ignore[attr-defined]  # a class
        check_render_mode(maze.get("render_mode"), known)
        self._maze = single(**maze)
        self.render_mode = self._maze.render_mode
        mode = AutoresetMode(autoreset_mode)
        self.metadata = {
            **self._maze.metadata,
            "render_modes": known,
            "autoreset_mode": mode,
        }
        self.single_observation_space = self._maze.observation_space
        self.single_action_space = self._maze.action_space
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        self.max_episode_steps = -1
        if max_episode_steps not in (None, -1):
            limit = checked_number("max_episode_steps", max_episode_steps, 1, whole=True)
            self.max_episode_steps = int(limit)
        self._mode = MODES[mode]
        self._course = self._maze.course
        self._notice = self._maze.notice
        self._observer = self._maze.observer
        self._phases = self._course.phases
        self._worlds = [World(self._course) for _ in range(self.num_envs)]
        self._started = np.zeros(self.num_envs, dtype=np.bool_)
        self._is_random = self._needs_numbers() or self._course.is_random
        self._steps_drawn_ahead = 0
        self._seeds: list[int | None] = [None] * self.num_envs
        self._generators: list[np.random.Generator] | None = None
        self._mazes: list[Any] | None = None
        self._counts = {name: np.zeros(self.num_envs, dtype=np.int64) for name in self._names()}
        self._with_news: set[int] = set()
        self._changed = np.zeros(self.num_envs, dtype=np.bool_)
        shape = self._course.first.walls.shape if self._notice.cells else (0, 0)
        self._changed_cells = np.zeros((self.num_envs, *shape), dtype=np.bool_)
        self._lives: Any = self._begin_lives()
        self._ground = type(self).ground_class.of(self._phases)
        for slot, phase in enumerate(self._phases):
            self._observer.load(slot, phase.layout)

    # -- what each kind of maze says for itself ------------------------------------------------

    @abstractmethod
    def _begin_lives(self) -> Any:
        """The record of what each world remembers."""

    def _needs_numbers(self) -> bool:
        """Whether a step uses random numbers beside those of the course."""
        return False

    @abstractmethod
    def _begin_episodes(self, mask: BoolArray) -> None:
        """Put the agents of the masked worlds on a start, by the compiled rule."""

    @abstractmethod
    def _take_step(self, actions: Any) -> Any:
        """Step all worlds by the compiled rule, and give the kernel's `Moment`."""

    @abstractmethod
    def _read_actions(self, actions: Any) -> Any:
        """The actions, checked."""

    @abstractmethod
    def _cell(self, i: int) -> Cell | None:
        """Where the agent of a world stands."""

    @abstractmethod
    def _agent(self, i: int) -> Any:
        """The state of a world's agent, as the single environment holds it."""

    @abstractmethod
    def _set_agent(self, i: int, state: Any) -> None:
        """Take over the state of the single environment's agent into world i."""

    # -- the Gymnasium interface ---------------------------------------------------------------

    def reset(
        self, *, seed: Seeds = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin episodes in all worlds, or in those of `options["reset_mask"]`.

        Args:
            seed: one seed (world i gets `seed + i`), one for each world, or None.
            options: `reset_mask`, (n,) bool with at least one True; `world_step` sets the clocks;
                `level` chooses the maze where they are generated.

        Returns:
            The batch of observations and the information of the worlds that were reset.

        Raises:
            ValueError: for a wrong number of seeds, an unknown option, a mask of another shape or
                without a True.
            TypeError: if the mask is not a bool array.
        """
        options = dict(options or {})
        mask = read_mask(options.pop("reset_mask", None), self.num_envs)
        read = read_options(options, self._course.levels)
        seeded = {
            i: seeding.np_random(one_seed)
            for i, one_seed in enumerate(read_seeds(seed, self.num_envs))
            if one_seed is not None and mask[i]
        }
        for i in np.flatnonzero(mask):
            self._reset_clock(int(i), seeded.get(int(i)), read.world_step)
            self._renew(int(i), read.level)
        self._steps_drawn_ahead = 0
        self._draw_ahead()
        self._begin_episodes(mask)
        self._take_news(mask)
        observations = self._observations(self._state())
        return observations, self._infos(mask)

    def step(
        self, actions: npt.ArrayLike
    ) -> tuple[Any, FloatArray, BoolArray, BoolArray, dict[str, Any]]:
        """Take a step in every world.

        Args:
            actions: (n,) or (n, 2), each of the single environment's action space.

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
        moment = self._take_step(checked)
        for i in np.flatnonzero(moment.changes):
            self._advance(int(i))
        everywhere = np.ones(self.num_envs, dtype=np.bool_)
        self._take_news(everywhere)
        final = self._final(moment) if self._mode == SAME_STEP and moment.ended.any() else {}
        state = moment.state
        if moment.begins.any():
            state = self._begin_marked(moment.begins)
        observations = self._observations(state)
        infos = {**self._infos(everywhere), **final}
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

    def _take_out(self, i: int) -> Any:
        """World i as a single environment."""
        if self._mazes is None:
            self._mazes = [copy.copy(self._maze) for _ in range(self.num_envs)]
        lives, maze = self._lives, self._mazes[i]
        maze.adopt(self._all_generators()[i], self._seeds[i])
        self._worlds[i].episode = int(lives.episode[i])
        maze.enter(
            world=self._worlds[i],
            state=self._agent(i),
            started=bool(self._started[i]),
            slot=self._own_slot(i),
            world_step=int(lives.world_step[i]),
            uniforms=lives.uniforms[i, lives.next_uniform[i] :],
        )
        return maze

    def _put_back(self, i: int, maze: Any) -> None:
        lives = self._lives
        state, self._started[i], uniforms = maze.leave()
        self._set_agent(i, state)
        lives.world_step[i] = maze.world_step
        left = lives.uniforms.shape[1] - len(uniforms)
        lives.uniforms[i, left:] = uniforms
        lives.next_uniform[i] = left
        self._steps_drawn_ahead = 0
        self._all_generators()[i] = maze.np_random
        self._seeds[i] = maze.np_random_seed
        self._worlds[i] = maze.world
        lives.episode[i] = maze.world.episode
        self._place(i)

    # -- changes -------------------------------------------------------------------------------

    def _own_slot(self, i: int) -> int:
        """The slot of a maze that no other world shares; those of the schedule come first."""
        return len(self._phases) + i

    def _advance(self, i: int) -> None:
        """Let the maze of a world change."""
        self._worlds[i].advance(int(self._lives.world_step[i]), self._cell(i), self._drawer(i))
        self._steps_drawn_ahead = 0
        self._place(i)

    def _renew(self, i: int, level: int | None = None) -> None:
        """Let the maze of a world begin an episode."""
        world, lives = self._worlds[i], self._lives
        world.episode = int(lives.episode[i])
        world.begin_episode(int(lives.world_step[i]), self._drawer(i), level)
        lives.episode[i] = world.episode
        self._place(i)

    def _begin_marked(self, begins: BoolArray) -> Any:
        """Begin the episodes that wait for their maze; the states of all worlds."""
        for i in np.flatnonzero(begins):
            self._renew(int(i))
        self._steps_drawn_ahead = 0
        self._draw_ahead()
        self._begin_episodes(begins)
        self._take_news(begins)
        return self._state()

    def _place(self, i: int) -> None:
        """Take over the maze of a world."""
        world, lives = self._worlds[i], self._lives
        shared = [n for n, phase in enumerate(self._phases) if phase.layout is world.layout]
        if shared:
            lives.slot[i] = shared[0]
        else:
            slot, maze = self._own_slot(i), world.dynamics
            room = (len(self._phases) + self.num_envs, len(maze.starts))
            self._ground = self._ground.with_room(*room)
            self._ground.put(slot, maze)
            self._observer.load(slot, world.layout)
            lives.slot[i] = slot
            self._is_random = self._is_random or world.layout.is_random
        lives.next_change[i] = world.next_change
        for name, values in self._counts.items():
            values[i] = getattr(world, name) or 0
        if world.news is not None and not self._notice.silent:
            self._with_news.add(i)

    def _reset_clock(
        self, i: int, seeded: tuple[np.random.Generator, int] | None, world_step: int | None
    ) -> None:
        """Start the clock of a world again if it is seeded, and set it if it is told."""
        world, lives, draw = self._worlds[i], self._lives, self._drawer(i)
        if seeded is not None:
            generator, self._seeds[i] = seeded
            if self._generators is not None:
                self._generators[i] = generator
            lives.next_uniform[i] = lives.uniforms.shape[1]
            lives.world_step[i] = 0
            world.restart(draw)
            lives.episode[i] = world.episode
        elif not self._started[i]:
            world.seek(0, draw)
        self._started[i] = True
        if world_step is not None:
            lives.world_step[i] = world_step
            world.episode = int(lives.episode[i])
            world.seek(world_step, draw)

    # -- what is told --------------------------------------------------------------------------

    def _names(self) -> dict[str, str]:
        """What is counted of each world -> the key of the information."""
        names = {"phase": "phase"}
        if self._course.levels is not None:
            names["level"] = "level"
        if self._course.random_changes is not None:
            names["skipped"] = "skipped_changes"
        return names

    def _observations(self, state: Any) -> Any:
        observed = self._observer.many(state, self._lives.slot)
        return self._notice.observation(
            observed, self._changed.astype(np.int64), self._changed_cells
        )

    def _infos(self, mask: BoolArray) -> dict[str, Any]:
        """The information of the worlds in the mask, as Gymnasium's vector environments give it."""
        infos: dict[str, Any] = {"world_step": self._lives.world_step.copy()}
        for name, key in self._names().items():
            infos[key] = self._counts[name].copy()
        infos.update(self._notice.info(self._changed.copy(), self._changed_cells.copy()))
        for name, values in list(infos.items()):
            if not mask.all():
                values[~mask] = 0
            infos[f"_{name}"] = mask.copy()
        return infos

    def _final(self, moment: Any) -> dict[str, Any]:
        """What mode SAME_STEP tells of the episodes that have ended."""
        observations = np.full(self.num_envs, None, dtype=object)
        for i in np.flatnonzero(moment.ended):
            one = self._observer.one(self._final_state(moment, int(i)), int(self._lives.slot[i]))
            observations[i] = self._notice.observation(
                one, int(self._changed[i]), self._changed_cells[i]
            )
        return {
            "final_obs": observations,
            "_final_obs": moment.ended,
            "final_info": self._infos(moment.ended),
            "_final_info": moment.ended.copy(),
        }

    def _final_state(self, moment: Any, i: int) -> Any:
        return moment.final_state[i]

    def _take_news(self, mask: BoolArray) -> None:
        """Note what is to be told of changes in the masked worlds, and what is old there."""
        if self._notice.silent:
            return
        self._changed[mask] = False
        self._changed_cells[mask] = False
        for i in [i for i in self._with_news if mask[i]]:
            self._changed[i] = True
            if self._notice.cells:
                self._changed_cells[i] = self._worlds[i].changed_cells
            self._worlds[i].news = None
            self._with_news.discard(i)

    def _state(self) -> Any:
        """(n, ...) the states of all agents, in a new array."""
        return self._lives.state.copy()

    # -- random numbers ------------------------------------------------------------------------

    def _all_generators(self) -> list[np.random.Generator]:
        if self._generators is None:
            self._generators = []
            for i, seed in enumerate(self._seeds):
                generator, self._seeds[i] = seeding.np_random(seed)
                self._generators.append(generator)
        return self._generators

    def _drawer(self, i: int) -> Callable[[], float]:
        """Gives the random numbers of a world one by one."""
        return drawer(self._lives, self._all_generators(), i)

    def _draw_ahead(self) -> None:
        """Have the random numbers of the compiled step."""
        if not self._is_random:
            return
        if self._steps_drawn_ahead == 0:
            refill(self._lives, self._all_generators(), at_least=self.numbers_a_step * STEPS_AHEAD)
            self._steps_drawn_ahead = STEPS_AHEAD
        self._steps_drawn_ahead -= 1

    # -- checks --------------------------------------------------------------------------------

    def _refuse_unready(self) -> None:
        lives = self._lives
        if lives.episode[0] < 0:
            raise gym.error.ResetNeeded("step() before the first reset(); call reset() first")
        if self._mode == DISABLED and lives.done.any():
            raise gym.error.ResetNeeded(
                f"the episodes of environments {np.flatnonzero(lives.done).tolist()} have ended; "
                'reset them by reset(options={"reset_mask": mask})'
            )
