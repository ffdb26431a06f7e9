"""The Dyna frame: values, model, planning and exploration, and the loop that joins them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, TypeVar

import gymnasium as gym
import numpy as np

from dynamaze.common.arrays import FloatArray
from dynamaze.common.validation import checked_number

from .callbacks import CallbackLike, Logger, Step, as_callback, as_vec_env, with_progress_bar
from .checkpoint import read_agent, write_agent
from .core.encoders import Encoder, make_encoder, what_is_observed
from .core.rng import Seed, as_sequence, make_generator
from .core.spaces import Spaces, TableRows, count_actions
from .core.transitions import one_transition
from .exploration import Exploration
from .models import Model
from .planning.base import Planning, check_fit
from .values.table import Values

LEARNING, PREDICTING, WORLD = range(3)
"""The independent streams of random numbers that one seed gives; parts that begin at random have
two more (`LEARNER` of the models, `NETWORK` of the values)."""

AgentType = TypeVar("AgentType", bound="Agent")


class Agent:
    """An agent put together from the parts of the Dyna diagram.

    `QLearning`, `DynaQ` and `DynaQPlus` are ready-made; give parts of your own to make another.

    Args:
        env: an environment, its id, or for an agent that only predicts its `Spaces`. The action
            space must be `Discrete`. Where the parts observe rows, the observation space must be
            `Discrete`, `MultiDiscrete` or a `Tuple` of `Discrete`; where they observe vectors,
            also a `Box` will do.
        values: action values. What they observe, they say (`observes = "vectors"`); else rows.
        model: model of the world; it must observe the same.
        planning: how simulated experience improves the values.
        exploration: how values become an action.
        seed: an int or a `numpy.random.SeedSequence` settles every random number, the world's
            too: the first reset of the environment is seeded. None seeds nothing in the world.
        config: what `load` needs to put the agent together again.

    Attributes:
        encoder: turns observations into what the parts see, rows or vectors.
        num_timesteps: real steps of the whole life.
        num_episodes: episodes that have ended.

    Raises:
        TypeError: for spaces that the parts cannot serve, or values that the planner cannot.
        ValueError: for a planner whose model cannot do what it needs, or values and a model of
            which one observes rows and the other vectors.
    """

    def __init__(
        self,
        env: str | gym.Env[Any, Any] | Spaces,
        *,
        values: Values,
        model: Model,
        planning: Planning,
        exploration: Exploration,
        seed: Seed = None,
        config: dict[str, Any] | None = None,
    ) -> None:
        check_fit(planning, model, values)
        self.env: gym.Env[Any, Any] | None = None
        if isinstance(env, Spaces):
            self.spaces = env
        else:
            self.env = make_env(env)
            self.spaces = spaces_of(self.env)
        self.encoder: Encoder = make_encoder(
            self.spaces.observation, what_is_observed(values, model)
        )
        self.num_actions, self._first_action = count_actions(self.spaces.action)
        self.values, self.model = values, model
        self.planning, self.exploration = planning, exploration
        self.config = config if config is not None else {}
        self.seed(seed)
        self.num_timesteps = 0
        self.num_episodes = 0
        self.episode_length = 0
        self.episode_return = 0.0
        self.observation: Any = None  # what the next action answers; None: an episode must begin
        self.logger = Logger()

    @property
    def rows(self) -> TableRows:
        """The rows of the observations.

        Raises:
            TypeError: if the parts observe vectors.
        """
        if not isinstance(self.encoder, TableRows):
            raise TypeError(f"{type(self.values).__name__} observes vectors; there are no rows")
        return self.encoder

    def seed(self, seed: Seed) -> None:
        """Begin the streams of random numbers again."""
        sequence = as_sequence(seed)
        self.rng = make_generator(sequence, LEARNING)
        self.predict_rng = make_generator(sequence, PREDICTING)
        world = int(make_generator(sequence, WORLD).integers(2**31))
        self.world_seed = None if seed is None else world

    # -- learning ------------------------------------------------------------------------------

    def learn(
        self: AgentType,
        total_timesteps: int,
        callback: CallbackLike = None,
        *,
        progress_bar: bool = False,
    ) -> AgentType:
        """Learn for a number of real steps, going on where the last call ended.

        Args:
            total_timesteps: how many steps, at least 0. Unlike in Stable-Baselines3 a further call
                continues the episode and the count, so that two calls equal one long one.
            callback: a function of a `Step` (False ends learning), a Stable-Baselines3 callback,
                or a list of these.
            progress_bar: show one in the terminal.

        Returns:
            The agent itself.

        Raises:
            ValueError: for a negative number of steps.
            RuntimeError: if the agent has no environment.
        """
        total_timesteps = int(checked_number("total_timesteps", total_timesteps, 0, whole=True))
        watcher = as_callback(callback, self, total_timesteps)
        steps: Iterator[Step] = islice(self.steps(), total_timesteps)
        if progress_bar:
            steps = with_progress_bar(steps, total_timesteps)
        watcher.on_start()
        for step in steps:
            if not watcher.on_step(step):
                break
        watcher.on_end()
        return self

    def steps(self) -> Iterator[Step]:
        """Live and learn for ever, a step at a time: the box of tabular Dyna-Q.

        Sutton & Barto 2018, section 8.2, p. 164; the letters are the box's. At each yield the
        agent is whole: it may be saved, or another may take its turn.

        Raises:
            RuntimeError: if the agent has no environment.
        """
        env = self._environment()
        encode: Callable[[Any], Any] = self.encoder.one
        if self.observation is None:
            self.observation, _ = env.reset(seed=self.world_seed)
            self.episode_length, self.episode_return = 0, 0.0
        while True:
            observation = self.observation  # (a)
            state = encode(observation)
            values = self.planning.action_values(
                self.values, self.model, np.array([state]), self.rng, learning=True
            )[0]
            action = self.exploration.choose(values, state, self.rng)  # (b)
            following, reward, terminated, truncated, info = env.step(
                action + self._first_action
            )  # (c)
            transition = one_transition(state, action, float(reward), encode(following), terminated)
            if self.planning.learns_from(self.model, transition):
                self.values.update(transition)  # (d) direct reinforcement learning
            self.model.update(transition)  # (e) model learning
            self.exploration.update(transition)
            self.planning.note(self.values, self.model, transition)
            self.planning.plan(self.values, self.model, self.rng)  # (f) planning

            self.num_timesteps += 1
            self.episode_length += 1
            self.episode_return += float(reward)
            step = Step(
                observation,
                action + self._first_action,
                float(reward),
                following,
                terminated,
                truncated,
                info,
                self.num_episodes,
                self.episode_length,
                self.episode_return,
            )
            self.observation = following
            if terminated or truncated:
                self._begin_episode(env)
            yield step

    def _begin_episode(self, env: gym.Env[Any, Any]) -> None:
        self.num_episodes += 1
        self.episode_length, self.episode_return = 0, 0.0
        self.observation, _ = env.reset()

    def _environment(self) -> gym.Env[Any, Any]:
        if self.env is None:
            raise RuntimeError("this agent has no environment to learn in; give it one by set_env")
        return self.env

    # -- acting --------------------------------------------------------------------------------

    def predict(
        self,
        observation: Any,
        state: Any = None,
        episode_start: Any = None,
        deterministic: bool = False,
    ) -> tuple[Any, Any]:
        """The action for an observation, or the actions for a batch, without learning.

        Args:
            observation: one observation of the space, or a batch of them.
            state: handed back as it is; for recurrent policies of Stable-Baselines3.
            episode_start: not used.
            deterministic: the best action, the first of equal ones; otherwise as in learning.

        Returns:
            An integer or (batch,) integers, and `state`.

        Raises:
            ValueError: for an observation outside the space.
        """
        rows, is_single = self.encoder.many(observation)
        values = self._values_of(rows)
        if deterministic:
            actions = values.argmax(axis=1)
        else:
            actions = np.array(
                [
                    self.exploration.choose(value, row, self.predict_rng)
                    for value, row in zip(values, rows, strict=True)
                ],
                dtype=np.int64,
            )
        actions = actions + self._first_action
        return (actions[0] if is_single else actions), state

    def action_probabilities(self, observations: Any) -> FloatArray:
        """(batch, actions) how likely the agent is to take each action: what a policy is.

        Args:
            observations: one observation of the space, or a batch of them.
        """
        rows: Any = self.encoder.many(observations)[0]
        return self.exploration.probabilities(self._values_of(rows), rows)

    def _values_of(self, rows: Any) -> FloatArray:
        return self.planning.action_values(self.values, self.model, rows, self.predict_rng)

    # -- the environment and files -------------------------------------------------------------

    def set_env(self, env: str | gym.Env[Any, Any]) -> None:
        """Learn in another environment from now on; an episode begins there.

        Raises:
            ValueError: if its spaces differ.
        """
        made = make_env(env)
        if spaces_of(made) != self.spaces:
            raise ValueError(f"an environment with {spaces_of(made)}; expected {self.spaces}")
        self.env = made
        self.observation = None

    def get_env(self) -> Any:
        """The environment as Stable-Baselines3's callbacks want it; None without one."""
        return None if self.env is None else as_vec_env(self.env)

    def get_vec_normalize_env(self) -> None:
        """There is none; Stable-Baselines3's callbacks ask."""

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a checkpoint, atomically and without pickle, from which learning goes on.

        It holds the parts, the random numbers and, where the environment has `get_state`, the
        world: then a run continued from it gives the same bits as one that was never stopped.
        In other environments the continued run begins a new episode.

        Raises:
            OSError: if the file cannot be written; an older one stays as it was.
        """
        write_agent(path, self)

    @classmethod
    def load(
        cls: type[AgentType],
        path: str | os.PathLike[str],
        env: str | gym.Env[Any, Any] | None = None,
        *,
        model: Model | None = None,
        values: Values | None = None,
        planning: Planning | None = None,
    ) -> AgentType:
        """The agent that `save` wrote.

        Args:
            path: the checkpoint.
            env: where to go on learning; it is put into the saved state where it can be. Without
                one the agent only predicts.
            model: a model object like the one that the agent was made with, if it was an object.
            values: such values, if they were an object.
            planning: such a planner, if it was an object.

        Raises:
            dynamaze.common.storage.CheckpointError: (a ValueError) for a file that is cut short,
                damaged, of another version or another agent's.
        """
        return read_agent(cls, path, env, {"model": model, "values": values, "planning": planning})


def make_env(env: str | gym.Env[Any, Any]) -> gym.Env[Any, Any]:
    """The environment, made if only its id was given.

    Raises:
        TypeError: if it is neither.
    """
    if isinstance(env, str):
        return gym.make(env)
    if isinstance(env, gym.Env):
        return env
    raise TypeError(f"env={env!r}; expected a Gymnasium environment or its id")


def spaces_of(env: gym.Env[Any, Any] | Spaces) -> Spaces:
    """The spaces of an environment."""
    if isinstance(env, Spaces):
        return env
    return Spaces(env.observation_space, env.action_space)
