"""Agent of the Dyna architecture, composed of values, model, planning and exploration.

`Agent.steps` is the box of tabular Dyna-Q. `run_chunk` of
`benchmarks/harness/agent_runs/compiled_runs.py` is the same loop compiled, line by line.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, TypeVar, overload

import gymnasium as gym
import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import FloatArray
from dynamaze.common.configuration import Configurable, flat_arguments
from dynamaze.common.validation import checked_integer, shown

from .callbacks import (
    Callback,
    CallbackLike,
    CallbackList,
    Step,
    as_callback,
    as_vec_env,
    with_progress_bar,
)
from .checkpoint import is_plain, read_agent, write_agent
from .core.encoders import Encoder, make_encoder, observation_kind
from .core.rng import Seed, as_sequence, make_generator
from .core.spaces import Spaces, TableRows, count_actions
from .core.transitions import one_transition
from .exploration import Exploration
from .models.protocol import Model
from .planning.base import Planning, check_fit
from .training_log import WINDOW, Logger, TrainingLog, checked_logger, tensorboard_logger
from .values.table import Values

LEARNING, PREDICTING, ENVIRONMENT = range(3)
"""Indices of the independent random streams that one seed gives. Parts with random initial weights
have two more (`LEARNER` of the models, `NETWORK` of the values)."""

EnvLike = str | gym.Env[Any, Any] | Spaces
"""Environment, its id, or its spaces alone."""

AgentType = TypeVar("AgentType", bound="Agent")
S = TypeVar("S")


class Agent(Configurable):
    """Agent composed of the parts of the Dyna architecture (Sutton & Barto 2018, section 8.2).

    `QLearning`, `DynaQ` and `DynaQPlus` are ready-made compositions; pass parts to make another.

    Args:
        env: environment or its id; or its `Spaces`, for an agent that only predicts. The action
            space must be `Discrete`. Where the parts observe table rows, the observation space must
            be `Discrete`, `MultiDiscrete` or a `Tuple` of `Discrete`; where they observe vectors, a
            `Box` is allowed, too.
        values: action values. Their attribute `observes` is "discrete" (table rows, the default) or
            "vectors".
        model: model of the environment; must observe the same as the values.
        planning: planner; improves the values with simulated experience, or searches at decision
            time.
        exploration: maps action values to an action.
        seed: int or `numpy.random.SeedSequence`; determines every random number of the agent, and
            seeds the environment's first reset. None leaves the environment unseeded.
        config: entries of the attribute `config` that differ from the constructor's arguments, such
            as a default that depends on other arguments.

    Attributes:
        config: the arguments from which `load` makes the agent, without environment and seed; None
            for an object, which `load` then needs.
        encoder: maps observations to what the parts observe, rows or vectors.
        num_timesteps: real steps over all calls of `learn`.
        num_episodes: finished episodes.
        logger: a Stable-Baselines3 logger of `set_logger`, or one that only stores values.
        tensorboard_log: folder in which `learn` writes TensorBoard files if no logger was set.
        ep_info_buffer: latest episodes, each with return "r", length "l" and time "t" in seconds.
        ep_success_buffer: values of "is_success" in the information at their ends, if any.

    Raises:
        TypeError: for spaces that the parts do not support, or values that the planner does not.
        ValueError: for a planner whose model lacks a capability, or values and a model that
            observe different kinds.
    """

    promises = frozenset(
        {
            "deterministic",
            "exact_steps",
            "own_generators",
            "callbacks",
            "any_start",
            "exact_resume",
        }
    )
    """Promises that `dynamaze.agents.checks` tests, some of its `AGENT_PROMISES`."""

    def __init__(
        self,
        env: EnvLike,
        *,
        values: Values,
        model: Model,
        planning: Planning,
        exploration: Exploration,
        seed: Seed = None,
        config: dict[str, Any] | None = None,
    ) -> None:
        check_fit(planning, model, values)
        env = resolve_env(env)
        self.env: gym.Env[Any, Any] | None = None if isinstance(env, Spaces) else env
        self.spaces = spaces_of(env)
        self.encoder: Encoder = make_encoder(
            self.spaces.observation, observation_kind(values, model)
        )
        self.observation_space, self.action_space = self.spaces
        self.num_actions, self.first_action = count_actions(self.spaces.action)
        self.values, self.model = values, model
        self.planning, self.exploration = planning, exploration
        self._config = config if config is not None else {}
        self.seed(seed)
        self.num_timesteps = 0
        self.num_episodes = 0
        self.episode_length = 0
        self.episode_return = 0.0
        self.observation: Any = None  # the current one; None: the environment must be reset
        # the attributes of Stable-Baselines3's algorithms that its callbacks read
        self.logger: Any = Logger()
        self._own_logger = self.logger  # unless another one was set
        self.tensorboard_log: str | None = None
        self.n_envs, self.device = 1, "cpu"
        self.start_time = time.time_ns()
        self.ep_info_buffer: deque[dict[str, Any]] = deque(maxlen=WINDOW)
        self.ep_success_buffer: deque[Any] = deque(maxlen=WINDOW)
        self._log: TrainingLog | None = None
        self._vec_env: Any = None  # the environment as `get_env` returned it

    # -- learning ------------------------------------------------------------------------------

    def steps(self) -> Iterator[Step]:
        """Generate real steps without end, learning from each: the box of tabular Dyna-Q.

        Sutton & Barto 2018, section 8.2, p. 164; comments give the letters of the box. At each
        yield the agent's state is consistent: it may be saved, or another agent may be stepped.

        Raises:
            RuntimeError: if the agent has no environment.
        """
        env = self._environment()
        encode: Callable[[Any], Any] = self.encoder.one
        if self.observation is None:
            self.observation, _ = env.reset(seed=self.env_seed)
            self.episode_length, self.episode_return = 0, 0.0
        while True:
            observation = self.observation  # (a) S <- current (nonterminal) state
            state = encode(observation)
            values = self.planning.action_values(
                self.values, self.model, np.array([state]), self.rng, learning=True
            )[0]
            # (b) A <- epsilon-greedy(S, Q), or another exploration policy
            action = self.exploration.choose(values, state, self.rng)
            # (c) take A, observe R and S'
            following, reward, terminated, truncated, info = env.step(action + self.first_action)
            transition = one_transition(state, action, float(reward), encode(following), terminated)
            if self.planning.learns_from(self.model, transition):
                # (d) Q(S, A) <- Q(S, A) + alpha [R + gamma max_a Q(S', a) - Q(S, A)]
                self.values.update(transition)
            self.model.update(transition)  # (e) Model(S, A) <- R, S'
            self.exploration.update(transition)
            self.planning.record_transition(self.values, self.model, transition)
            self.planning.plan(self.values, self.model, self.rng)  # (f) n planning steps

            self.num_timesteps += 1
            self.episode_length += 1
            self.episode_return += float(reward)
            step = Step(
                observation,
                action + self.first_action,
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
            raise RuntimeError("this agent has no environment to learn in; set one with set_env")
        return self.env

    def learn(  # the order of Stable-Baselines3's arguments
        self: AgentType,
        total_timesteps: int,
        callback: CallbackLike = None,
        log_interval: int | None = 4,
        tb_log_name: str = "run",
        reset_num_timesteps: bool = False,
        progress_bar: bool = False,
    ) -> AgentType:
        """Learn for a number of real steps, continuing where the last call ended.

        Args:
            total_timesteps: number of steps, at least 0. Unlike in Stable-Baselines3, a further
                call continues the episode and the count, so that two calls equal one long one.
            callback: a function of a `Step` (returning False stops learning), a Stable-Baselines3
                callback, or a list of these.
            log_interval: finished episodes between two records in the logger, if one was set;
                None for no records. `TrainingLog` says what they hold.
            tb_log_name: name of the run in the folder `tensorboard_log`.
            reset_num_timesteps: True to begin a new episode and to count steps and episodes from 0
                again, as Stable-Baselines3 does by default. What was learned is kept.
            progress_bar: show a progress bar in the terminal.

        Returns:
            The agent itself.

        Raises:
            ValueError: for a negative number of steps, or a `log_interval` below 1.
            RuntimeError: if the agent has no environment.
        """
        total_timesteps = checked_integer("total_timesteps", total_timesteps, 0)
        if log_interval is not None:
            log_interval = checked_integer("log_interval", log_interval, 1)
        if reset_num_timesteps:
            self._restart()
        self.start_time = time.time_ns()
        self._open_tensorboard_log(tb_log_name, reset_num_timesteps)
        self._log = TrainingLog(self, log_interval)
        observer: Callback = self._log
        if callback is not None:
            arguments = {
                "log_interval": log_interval,
                "tb_log_name": tb_log_name,
                "reset_num_timesteps": reset_num_timesteps,
                "progress_bar": progress_bar,
            }
            watcher = as_callback(callback, self, total_timesteps, **arguments)
            observer = CallbackList([watcher, self._log])
        steps: Iterator[Step] = islice(self.steps(), total_timesteps)
        if progress_bar:
            steps = with_progress_bar(steps, total_timesteps)
        observer.on_start()
        for step in steps:
            if not observer.on_step(step):
                break
        observer.on_end()
        return self

    def _restart(self) -> None:
        """Begin a new episode, and count from 0 again."""
        if self.observation is not None:
            self._begin_episode(self._environment())
        self.num_timesteps = self.num_episodes = 0
        self.ep_info_buffer.clear()
        self.ep_success_buffer.clear()

    def set_logger(self, logger: Any) -> None:
        """Set the logger of the records of `learn`.

        Args:
            logger: one of `stable_baselines3.common.logger.configure(folder, ["stdout", "csv",
                "tensorboard"])`, or another object with its methods `record` and `dump`.

        Raises:
            TypeError: for another object.
        """
        self.logger = checked_logger(logger)

    def _open_tensorboard_log(self, name: str, reset: bool) -> None:
        """Make a logger of TensorBoard files, once for a run, if `tensorboard_log` asks for it."""
        is_default = self.logger is self._own_logger
        if self.tensorboard_log is None or not is_default:
            return
        if reset or isinstance(self.logger, Logger):
            self.logger.close()
            self.logger = self._own_logger = tensorboard_logger(self.tensorboard_log, name)

    def dump_logs(self) -> None:
        """Write a record to the logger now; Stable-Baselines3's `LogEveryNTimesteps` calls this."""
        if self._log is None:
            self._log = TrainingLog(self, None)
        self._log.dump()

    @property
    def gamma(self) -> float:
        """Discount factor of the values."""
        return float(self.values.gamma)  # type: ignore[attr-defined]  # user-defined ones may lack it

    @property
    def learning_rate(self) -> float:
        """Step size of the values."""
        return float(self.values.learning_rate)  # type: ignore[attr-defined]  # likewise

    @property
    def rows(self) -> TableRows:
        """Return the encoder from observations to table rows.

        Raises:
            TypeError: if the parts observe vectors.
        """
        if not isinstance(self.encoder, TableRows):
            raise TypeError(f"{type(self.values).__name__} observes vectors; there are no rows")
        return self.encoder

    def seed(self, seed: Seed) -> None:
        """Restart the streams of random numbers.

        Args:
            seed: as in the constructor.
        """
        sequence = as_sequence(seed)
        self.rng = make_generator(sequence, LEARNING)
        self.predict_rng = make_generator(sequence, PREDICTING)
        env_seed = int(make_generator(sequence, ENVIRONMENT).integers(2**31))
        self.env_seed = None if seed is None else env_seed

    set_random_seed = seed

    # -- acting --------------------------------------------------------------------------------

    @overload
    def predict(
        self,
        observation: Any,
        state: None = None,
        episode_start: Any = None,
        deterministic: bool = False,
    ) -> tuple[np.int64 | npt.NDArray[Any], None]: ...

    @overload
    def predict(
        self, observation: Any, state: S, episode_start: Any = None, deterministic: bool = False
    ) -> tuple[np.int64 | npt.NDArray[Any], S]: ...

    def predict(
        self,
        observation: Any,
        state: Any = None,
        episode_start: Any = None,
        deterministic: bool = False,
    ) -> tuple[Any, Any]:
        """Return the action for an observation, or the actions for a batch, without learning.

        Args:
            observation: one observation of the space, or a batch of them.
            state: returned unchanged; for recurrent policies of Stable-Baselines3.
            episode_start: not used.
            deterministic: True for the greedy action (the first of equal ones), False for the
                exploration policy of `learn`.

        Returns:
            An integer or (batch,) integers, and `state`.

        Raises:
            ValueError: for an observation outside the space.
        """
        rows, is_single = self.encoder.many(observation)
        actions = self._actions(self._values_of(rows), rows, deterministic)
        return (actions[0] if is_single else actions), state

    def _actions(self, values: FloatArray, rows: Any, deterministic: bool) -> Any:
        """Return the (batch,) greedy actions, or those of the exploration policy."""
        if deterministic:
            return values.argmax(axis=1) + self.first_action
        chosen = [
            self.exploration.choose(value, row, self.predict_rng)
            for value, row in zip(values, rows, strict=True)
        ]
        return np.array(chosen, dtype=np.int64) + self.first_action

    def action_probabilities(self, observations: Any) -> FloatArray:
        """Return the (batch, actions) action probabilities of the exploration policy.

        Args:
            observations: one observation of the space, or a batch of them.
        """
        rows: Any = self.encoder.many(observations)[0]
        return self.exploration.probabilities(self._values_of(rows), rows)

    def _values_of(self, rows: Any) -> FloatArray:
        return self.planning.action_values(self.values, self.model, rows, self.predict_rng)

    # -- the environment and files -------------------------------------------------------------

    def set_env(self, env: str | gym.Env[Any, Any]) -> None:
        """Continue learning in another environment, beginning with a new episode.

        Raises:
            TypeError: if it is neither an environment nor an id.
            ValueError: if its spaces differ.
        """
        made = make_env(env)
        if spaces_of(made) != self.spaces:
            raise ValueError(f"an environment with {spaces_of(made)}; expected {self.spaces}")
        self.env = made
        self.observation = None

    def get_env(self) -> Any:
        """Return the environment as Stable-Baselines3's callbacks expect it; None without one."""
        if self.env is None:
            return None
        if self._vec_env is None or self._vec_env.envs[0] is not self.env:
            self._vec_env = as_vec_env(self.env)
        return self._vec_env

    def get_vec_normalize_env(self) -> None:
        """Return None: there is no normalisation; Stable-Baselines3's callbacks call this."""

    def __getstate__(self) -> dict[str, Any]:
        """Return the attributes of a copy, which does not share the logger's open files.

        Clock times are left out, so that agents that have learned the same are equal.
        """
        own = Logger()
        alone = {"logger": own, "_own_logger": own, "_log": None, "_vec_env": None}
        buffers: dict[str, Any] = {
            name: deque(maxlen=WINDOW) for name in ("ep_info_buffer", "ep_success_buffer")
        }
        return {**self.__dict__, **alone, **buffers, "start_time": 0}

    @property
    def config(self) -> dict[str, Any]:
        """Return the arguments from which `load` makes the agent; None stands for an object."""
        # settings as single entries: files of version 0.2 hold them, too
        arguments = flat_arguments({**self.get_params(), **self._config})
        return {
            name: value if is_plain(value) else None
            for name, value in arguments.items()
            if name not in ("env", "seed", "config")
        }

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a checkpoint, atomically and without pickle, from which learning continues.

        It holds the parts, the random number generators and, where the environment has `get_state`,
        the environment's state: a run continued from it is bit-identical to an uninterrupted one.
        In other environments the continued run begins with a new episode. The checkpoint names the
        environment, and its configuration by `env.unwrapped.configuration_digest()`, or else by the
        id and the arguments.

        Raises:
            OSError: if the file cannot be written; an existing file is left unchanged.
        """
        write_agent(path, self)

    @classmethod
    def from_stored(cls: type[AgentType], spaces: Spaces, arguments: dict[str, Any]) -> AgentType:
        """Return an agent made of the spaces and arguments in a checkpoint."""
        # a former argument may be a field of the settings today
        return cls(spaces, **getattr(cls.__init__, "new_arguments", dict)(arguments))

    @classmethod
    def from_tuned(
        cls: type[AgentType],
        name: str,
        env: EnvLike | None = None,
        *,
        agent: str | None = None,
        **arguments: Any,
    ) -> AgentType:
        """Return an agent with the arguments that were tuned for an environment.

        Args:
            name: id of the environment, or name of the setting in which the agent was tuned (see
                `dynamaze.agents.tuned`).
            env: environment; None makes that of the id.
            agent: name of the agent, where several of the class were tuned, such as
                "dynamic_programming" of `DynaQ`; None for the first.
            **arguments: seed, and arguments that differ from the tuned ones.

        Raises:
            ValueError: if the class was not tuned there, or a setting is named without `env`.
        """
        from .tuned import find_tuned

        found = find_tuned(cls.__name__, name, agent)
        if env is None and not found.environment:
            raise ValueError(f"{name!r} without env; expected the environment of the setting")
        # a constructor of a ready-made agent; `Agent` itself is in no file
        make: Any = cls
        made: AgentType = make(
            found.environment if env is None else env, **{**found.arguments, **arguments}
        )
        return made

    @classmethod
    def load(
        cls: type[AgentType],
        path: str | os.PathLike[str],
        env: str | gym.Env[Any, Any] | None = None,
        *,
        model: Model | None = None,
        values: Values | None = None,
        planning: Planning | None = None,
        exploration: Exploration | None = None,
    ) -> AgentType:
        """Load an agent from a checkpoint of `save`.

        Args:
            path: the checkpoint; one of version 0.1 may hold old names.
            env: environment to continue in; set to the saved state if it has `set_state`. In one of
                another configuration, a new episode begins and a warning names both. Without one
                the agent only predicts.
            model: model object like the agent's, if it was given as an object.
            values: values object like the agent's, if they were given as an object.
            planning: planner object like the agent's, if it was given as an object.
            exploration: exploration object like the agent's, if it was given as an object.

        Raises:
            dynamaze.common.storage.CheckpointError: (a ValueError) for a file that is truncated,
                damaged, of another version, or of another agent class, and for an environment of
                other spaces.
        """
        objects = {
            "model": model,
            "values": values,
            "planning": planning,
            "exploration": exploration,
        }
        return read_agent(cls, path, env, objects)


def make_env(env: str | gym.Env[Any, Any]) -> gym.Env[Any, Any]:
    """Return the environment, made with `gym.make` if an id was given.

    Raises:
        TypeError: if it is neither.
    """
    if isinstance(env, str):
        return gym.make(env)
    if isinstance(env, gym.Env):
        return env
    raise TypeError(f"env={shown(env)}; expected a Gymnasium environment or its id")


def resolve_env(env: EnvLike) -> gym.Env[Any, Any] | Spaces:
    """Return the environment, made if an id was given; spaces are returned unchanged.

    Raises:
        TypeError: if it is neither.
    """
    return env if isinstance(env, Spaces) else make_env(env)


def spaces_of(env: gym.Env[Any, Any] | Spaces) -> Spaces:
    """Return the observation and action space of an environment."""
    if isinstance(env, Spaces):
        return env
    return Spaces(env.observation_space, env.action_space)
