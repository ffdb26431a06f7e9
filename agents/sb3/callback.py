"""Dyna for Stable-Baselines3: off-policy algorithms that also learn from simulated transitions.

The procedure is that of model-based policy optimisation (MBPO; Janner, Fu, Zhang and Levine 2019,
algorithm 2): the model learns from real transitions, short branches of the current policy are
rolled out in it from real states, and the algorithm learns from batches of both. Differences from
the paper:

1. The algorithm is any off-policy algorithm of Stable-Baselines3, unchanged, and the model any that
   observes vectors; the paper has soft actor-critic and an ensemble.
2. The model continues learning with each batch of new transitions; it is not refitted to all of
   them.
3. The length of branches is fixed, and a branch whose episode ends is replaced by a new one.
4. Termination is an output of the model; in the paper it is a given rule.
"""

from __future__ import annotations

import os
import warnings
from collections import deque
from typing import Any

import numpy as np

from dynamaze.common.deprecation import renamed_arguments
from dynamaze.common.optional_imports import optional_import
from dynamaze.common.origin import Origin
from dynamaze.common.storage import CheckpointError, read_checkpoint, write_checkpoint
from dynamaze.common.validation import (
    checked_choice,
    checked_count,
    checked_integer,
    checked_number,
)
from dynamaze.common.version import __version__

from ..checkpoint import split_state
from ..core.encoders import VECTORS
from ..core.rng import Seed, as_sequence, make_generator
from ..core.transitions import Transitions
from ..core.vectors import check_vectors, joined
from ..models.protocol import confidence_in, find_sampler
from ..models.registry import LEARNED_MODELS

optional_import("stable_baselines3", extra="distill", purpose="DynaCallback")
from stable_baselines3.common.buffers import ReplayBuffer  # noqa: E402  # after the message
from stable_baselines3.common.callbacks import BaseCallback  # noqa: E402

from .buffer import TIMEOUT, AlgorithmAdapter, MixedReplayBuffer  # noqa: E402

BRANCHES = 0
"""Index of the seed's random stream from which branches are drawn."""

NEEDED = ("update", "sample_transitions")
"""Methods that a model must have."""

METHODS = " and ".join(NEEDED)


class DynaCallback(BaseCallback):
    """Callback that gives an off-policy algorithm simulated experience besides its real one.

        from stable_baselines3 import DQN
        from dynamaze.agents.sb3 import DynaCallback

        algorithm = DQN("MlpPolicy", env, gradient_steps=4)
        algorithm.learn(20_000, callback=DynaCallback("ensemble", seed=0), progress_bar=True)

    Every `train_every` real steps the model learns from the new real transitions, and `rollouts`
    branches of the policy, with its exploration, are rolled out in the model from real states
    sampled from the replay buffer. While `learn` runs, a fraction 1 - `real_ratio` of each batch is
    simulated. Afterwards the algorithm has its own buffer again. The number of gradient steps is
    the algorithm's `gradient_steps`; more simulated experience allows more of them.

    The algorithm's logger gets "dyna/...": the model's errors on real transitions before it learned
    from them (`observation_error`, root mean square; `reward_error` and `end_error`, mean
    absolute), `simulated_share` of the sampled rows, `branch_length`, and the numbers of
    `real_transitions` and `simulated_transitions`.

    Args:
        model: a name of `LEARNED_MODELS`, or a model of vectors with `update(transitions)` and
            `sample_transitions(observations, actions, rng)`; actions as the replay buffer stores
            them, those of a `Box` (batch, size) scaled to [-1, 1]. Its `confidence()`, if it has
            one, scales the simulated fraction.
        real_ratio: fraction of each batch that is real, in [0, 1].
        rollout_length: steps of a branch.
        rollouts: number of branches that are rolled out at a time.
        train_every: real steps between two updates of the model.
        retained_rounds: rounds of branches that the simulated buffer holds; older ones are
            overwritten.
        warm_up: real steps before the model first learns and branches are rolled out; None: the
            algorithm's `learning_starts`.
        seed: determines the model's initial state and all sampling but the policy's own, which the
            algorithm's `seed` determines.
        verbose: as in every callback.

    Attributes:
        world_model: the model; None before learning begins, if it was given by name.
        num_real: number of real transitions that the model has learned from.
        num_simulated: number of simulated transitions.

    Raises:
        TypeError, ValueError: for a number outside its range, an unknown name, or a model without
            `sample_transitions`; and when learning begins, for an unsupported algorithm or space.
    """

    @renamed_arguments(kept="retained_rounds")
    def __init__(
        self,
        model: Any = "ensemble",
        *,
        real_ratio: float = 0.25,
        rollout_length: int = 1,
        rollouts: int = 256,
        train_every: int = 32,
        retained_rounds: int = 16,
        warm_up: int | None = None,
        seed: Seed = None,
        verbose: int = 0,
    ) -> None:
        super().__init__(verbose)
        _check_model(model)
        self.model_name = model if isinstance(model, str) else type(model).__name__
        self.world_model: Any = None if isinstance(model, str) else model
        self.real_ratio = checked_number("real_ratio", real_ratio, 0, 1)
        self.rollout_length = checked_count("rollout_length", rollout_length)
        self.rollouts = checked_count("rollouts", rollouts)
        self.train_every = checked_integer("train_every", train_every, 1)
        self.retained_rounds = checked_integer("retained_rounds", retained_rounds, 1)
        self.warm_up = None if warm_up is None else checked_integer("warm_up", warm_up, 0)
        self.num_real = self.num_simulated = 0
        self._seed = as_sequence(seed)
        self._rng = make_generator(self._seed, BRANCHES)
        self._adapter: AlgorithmAdapter | None = None
        self._served = ""
        self._mixed: MixedReplayBuffer | None = None
        self._simulated: ReplayBuffer | None = None
        self._new_transitions: deque[Transitions] = deque()
        self._loaded: dict[str, Any] | None = None
        self._origin: Origin | None = None  # the environment of the model's real transitions

    # -- the algorithm -------------------------------------------------------------------------

    def _on_rollout_end(self) -> None:
        """Train the model and roll out branches in it, when enough real transitions are new."""
        assert self._mixed is not None
        warm_up = self._algorithm.learning_starts if self.warm_up is None else self.warm_up
        if self._waiting >= self.train_every and self._algorithm.num_timesteps >= warm_up:
            self._train()
            self._roll_out()
        confidence = float(confidence_in(self.world_model))
        self._mixed.share = (1.0 - self.real_ratio) * confidence

    def _train(self) -> None:
        """Train the model on the new real transitions."""
        news = joined(self._new_transitions)
        self._new_transitions.clear()
        if hasattr(self.world_model, "predict"):
            self._record_errors(news)
        self.world_model.update(news)
        self.num_real += len(news.reward)
        self.logger.record("dyna/real_transitions", self.num_real)

    def _roll_out(self) -> None:
        """Roll out the branches; one whose episode ends is replaced by a new one."""
        adapter, mixed, n = self._connected, self._mixed, self.rollouts
        assert mixed is not None
        vectors = adapter.sample_real_states(mixed.real, n, self._rng)
        ended = 0
        for _ in range(self.rollout_length):
            observations = adapter.vectors.observations(vectors)
            actions = adapter.exploring_actions(observations, self._rng)
            simulated = self._simulate(vectors, adapter.model_actions(actions))
            following = adapter.vectors.observations(simulated.next_observation)
            mixed.simulated.add(
                observations, following, actions, simulated.reward, simulated.terminated, [{}] * n
            )
            fresh = adapter.sample_real_states(mixed.real, n, self._rng)
            continued = adapter.vectors.many(following)[0]
            vectors = np.where(simulated.terminated[:, None], fresh, continued)
            ended += int(simulated.terminated.sum())
        self._record_branches(ended)

    def _simulate(self, vectors: Any, actions: Any) -> Transitions:
        """Return a checked step of each branch in the model."""
        sample: Any = find_sampler(self.world_model)
        simulated = sample(vectors, actions, self._rng)
        return check_vectors(simulated, self._connected.vectors.size, self._connected.actions)

    # -- beginning and end of learning ---------------------------------------------------------

    def _init_callback(self) -> None:
        """Connect the model with the algorithm, or make it."""
        adapter = AlgorithmAdapter(self.model)
        if self._served not in ("", adapter.describe()):
            raise ValueError(
                f"a model of {self._served} for {adapter.describe()}; expected the same spaces, "
                "or a DynaCallback of its own"
            )
        model = self.world_model
        if model is None:
            named = LEARNED_MODELS[self.model_name]
            model = named.on_vectors(adapter.vectors, adapter.actions, self._seed)
        _check_sizes(model, adapter)
        if self._loaded is not None:
            model.set_state(self._loaded)
            self._loaded = None
        self.world_model, self._adapter, self._served = model, adapter, adapter.describe()
        self._enter(_origin_of(self.training_env))

    def _on_training_start(self) -> None:
        """Put the mixed replay buffer in the place of the algorithm's own."""
        algorithm, real = self._algorithm, self._algorithm.replay_buffer
        if isinstance(real, MixedReplayBuffer):
            real = real.real  # left by an earlier `learn` that ended with an exception
        # A model that is added later learns from the buffer's transitions first.
        held = None if self.num_real else self._connected.buffered_transitions(real)
        waiting = self._new_transitions if held is None else [held]
        self._new_transitions = deque(waiting, maxlen=real.buffer_size)
        if self._simulated is None:
            self._simulated = ReplayBuffer(
                self.retained_rounds * self.rollout_length * self.rollouts,
                algorithm.observation_space,
                algorithm.action_space,
                device=algorithm.device,
                n_envs=self.rollouts,
                handle_timeout_termination=False,
            )
        self._mixed = MixedReplayBuffer(real, self._simulated, self._store)
        algorithm.replay_buffer = self._mixed

    def _on_step(self) -> bool:
        return True

    def _store(
        self, obs: Any, next_obs: Any, action: Any, reward: Any, done: Any, infos: Any
    ) -> None:
        """Store the real transitions of a step until the model learns from them."""
        timeout = np.array([bool(info.get(TIMEOUT, False)) for info in infos])
        self._new_transitions.append(
            self._connected.transitions(obs, next_obs, action, reward, done, timeout)
        )

    def _on_training_end(self) -> None:
        """Give the algorithm its own buffer back."""
        assert self._mixed is not None
        self._algorithm.replay_buffer = self._mixed.real
        self._mixed = None
        if self._waiting:
            self._train()

    def _enter(self, origin: Origin | None) -> None:
        """Note the environment of the next transitions, and warn if it is another one."""
        if self._origin is not None and origin is not None and self._origin.is_other(origin):
            warnings.warn(
                f"a model of {self._origin} continues in {origin}, another configuration: what it "
                "learned is kept",
                stacklevel=2,
            )
        self._origin = origin or self._origin

    # -- parts ---------------------------------------------------------------------------------

    @property
    def _waiting(self) -> int:
        """Return the number of real transitions that the model has not learned from."""
        return sum(len(each.reward) for each in self._new_transitions)

    @property
    def _algorithm(self) -> Any:
        return self.model

    @property
    def _connected(self) -> AlgorithmAdapter:
        assert self._adapter is not None  # set by `_init_callback`
        return self._adapter

    # -- log -----------------------------------------------------------------------------------

    def _record_errors(self, news: Transitions) -> None:
        predicted = self.world_model.predict(news.observation, news.action)
        squared = (predicted.next_observation - news.next_observation) ** 2
        self.logger.record("dyna/observation_error", float(np.sqrt(squared.mean())))
        for name, prediction, target in (
            ("reward", predicted.reward, news.reward),
            ("end", predicted.terminated, news.terminated),
        ):
            self.logger.record(f"dyna/{name}_error", float(np.abs(prediction - target).mean()))

    def _record_branches(self, ended: int) -> None:
        assert self._mixed is not None
        rolled = self.rollouts * self.rollout_length
        self.num_simulated += rolled
        self.logger.record("dyna/simulated_transitions", self.num_simulated)
        # Branches that end in the last step are counted, though no new branch replaces them.
        self.logger.record("dyna/branch_length", rolled / (self.rollouts + ended))
        drawn, self._mixed.num_drawn = self._mixed.num_drawn, 0
        simulated, self._mixed.num_simulated = self._mixed.num_simulated, 0
        if drawn:
            self.logger.record("dyna/simulated_share", simulated / drawn)

    # -- files ---------------------------------------------------------------------------------

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model as a checkpoint, atomically and without pickle.

        The algorithm is saved by its own `save`. Simulated transitions are not saved; they are
        generated again when learning continues.

        Raises:
            RuntimeError: if learning has not begun.
            TypeError: if the model has no `get_state`.
            OSError: if the file cannot be written.
        """
        if self.world_model is None or not self._served:
            raise RuntimeError("there is no model to save before learning begins")
        arrays, numbers = split_state(self.world_model, f"model {self.model_name}")
        document = {
            "dynamaze": __version__,
            "model": self.model_name,
            "spaces": self._served,
            "environment": None if self._origin is None else self._origin._asdict(),
            "num_real": self.num_real,
            "numbers": numbers,
        }
        write_checkpoint(path, arrays, document)

    def load(self, path: str | os.PathLike[str]) -> None:
        """Load the model's state from a checkpoint of `save`.

        A model that was given by name gets its state when learning begins. A warning names both
        environments if the model has learned in another one.

        Raises:
            CheckpointError: if the file is no such checkpoint, or of another model or other spaces.
        """
        arrays, document = read_checkpoint(path)
        try:
            found, served = str(document["model"]), str(document["spaces"])
            state = {**arrays, **document["numbers"]}
            num_real = checked_integer("num_real", document["num_real"], 0)
            origin = Origin.from_json(document.get("environment"))
        except (KeyError, TypeError, ValueError) as error:
            raise CheckpointError(f"{path} holds no DynaCallback's model: {error!r}") from None
        if (found, served) != (self.model_name, self._served or served):
            raise CheckpointError(
                f"{path} holds a model {found} of {served}; expected {self.model_name} of "
                f"{self._served or 'any spaces'}"
            )
        if self.world_model is None:
            self._loaded = state
        else:
            try:
                self.world_model.set_state(state)
            except Exception as error:  # a forged state raises many types of errors
                raise CheckpointError(f"{path} does not fit {found}: {error!r}") from None
        here, self._origin = self._origin, origin
        self._enter(here)
        self._served, self.num_real = served, num_real


def _check_model(model: Any) -> None:
    """Check that the model is a known name, or a model of vectors with `sample_transitions`."""
    if isinstance(model, str):
        checked_choice("model", model, LEARNED_MODELS, otherwise=f"an object with {METHODS}")
        return
    found = (hasattr(model, "update"), find_sampler(model) is not None)
    missing = [name for name, has in zip(NEEDED, found, strict=True) if not has]
    if missing or isinstance(model, type):
        raise TypeError(
            f"model={model!r} has no {' and no '.join(missing)}; expected one of "
            f"{list(LEARNED_MODELS)} or an object with {METHODS}"
            if missing
            else f"model={model!r} is a class; expected an object made of it"
        )
    observes = getattr(model, "observes", VECTORS)
    if observes != VECTORS:
        raise ValueError(
            f"{type(model).__name__} observes {observes}; expected a model of {VECTORS}"
        )


def _origin_of(vec_env: Any) -> Origin | None:
    """Return the origin of the environments of a `VecEnv`; None if it does not hold them itself."""
    own = vec_env.unwrapped
    envs = getattr(own, "envs", getattr(own, "env", None))  # a list, or one vector one
    first = envs[0] if isinstance(envs, list) else envs
    return None if first is None else Origin.of(first)


def _check_sizes(model: Any, adapter: AlgorithmAdapter) -> None:
    for name, wanted in (("size", adapter.vectors.size), ("num_actions", adapter.actions.count)):
        if getattr(model, name, wanted) != wanted:
            raise ValueError(
                f"model with {name}={getattr(model, name)}; expected {wanted} for "
                f"{adapter.describe()}"
            )
