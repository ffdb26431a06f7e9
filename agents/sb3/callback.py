"""Dyna for Stable-Baselines3: an off-policy algorithm that is handed a model plans with it.

The recipe is that of model-based policy optimisation (MBPO; Janner, Fu, Zhang and Levine 2019,
algorithm 2): the model learns from real transitions, short branches of the current policy are
rolled in it from real states, and the algorithm learns from batches of both. Differences from the
paper:

1. The algorithm is any off-policy algorithm of Stable-Baselines3 as it stands, and the model any
   that observes vectors; the paper has soft actor-critic and an ensemble.
2. The model learns on with each batch of new transitions; it is not fitted anew to all of them.
3. The length of branches is fixed, and a branch whose episode ends gives way to a new one.
4. Whether an episode ends is an output of the model; in the paper it is a rule that is given.
"""

from __future__ import annotations

import os
from collections import deque
from typing import Any

import numpy as np

from dynamaze.common.optional_imports import optional_import
from dynamaze.common.storage import CheckpointError, read_checkpoint, write_checkpoint
from dynamaze.common.validation import checked_number, did_you_mean
from dynamaze.common.version import __version__

from ..core.encoders import VECTORS
from ..core.rng import Seed, as_sequence, make_generator
from ..core.transitions import Transitions
from ..models.learned import LEARNED_MODELS
from ..models.vector_memory import check_vectors

optional_import("stable_baselines3", extra="distill", purpose="DynaCallback")
from stable_baselines3.common.buffers import ReplayBuffer  # noqa: E402  # after the message
from stable_baselines3.common.callbacks import BaseCallback  # noqa: E402

from .buffer import TIMEOUT, World  # noqa: E402
from .simulated_replay import MixedReplay  # noqa: E402

BRANCHES = 0
"""The stream of the seed's random numbers that branches are drawn from."""

NEEDED = ("update", "imagine")
"""What a model must have."""


class DynaCallback(BaseCallback):
    """Gives an off-policy algorithm simulated experience to learn from, besides its real one.

        from stable_baselines3 import DQN
        from dynamaze.agents.sb3.callback import DynaCallback

        algorithm = DQN("MlpPolicy", env, gradient_steps=4)
        algorithm.learn(20_000, callback=DynaCallback("ensemble", seed=0), progress_bar=True)

    Each `train_every` real steps the model learns from the new real transitions, and `rollouts`
    branches of the policy, with its exploration, are rolled in the model from real states drawn
    from the replay buffer. While `learn` runs, each batch that the algorithm draws is simulated to
    a share of 1 - `real_ratio`. Then the algorithm has its own buffer back. How many gradient steps
    it takes is its own `gradient_steps`: with more experience it can bear more of them.

    The algorithm's log gets "dyna/..." : the model's errors on real transitions before it learned
    from them (`observation_error`, root of the mean square; `reward_error` and `end_error`, means),
    `simulated_share` of what was drawn, the mean length of branches, and how many real and
    simulated transitions there were.

    Args:
        model: a name of `LEARNED_MODELS`, or a model of vectors with `update(transitions)` and
            `imagine(observations, actions, rng)`; actions as the replay buffer stores them, those
            of a `Box` (batch, size) scaled to [-1, 1]. With a `share_of_planning` it says how much
            of the simulated share it deserves.
        real_ratio: the share of each batch that is real, in [0, 1].
        rollout_length: steps of a branch.
        rollouts: branches that are rolled at a time.
        train_every: real steps from one time to the next.
        kept: so many times' branches are remembered; then the oldest give way.
        warm_up: real steps before the model learns and branches are rolled; None for the
            algorithm's `learning_starts`.
        seed: settles the model's beginning and all draws but the policy's own, which the
            algorithm's `seed` settles.
        verbose: as in every callback.

    Attributes:
        world_model: the model; None before learning begins, if it was given by name.
        num_real: real transitions that it has learned from.
        num_simulated: transitions that it has imagined.

    Raises:
        TypeError, ValueError: for a number outside its range, a name that there is not, or a model
            that cannot imagine vectors; and when learning begins, for an algorithm or a space that
            it cannot serve.
    """

    def __init__(
        self,
        model: Any = "ensemble",
        *,
        real_ratio: float = 0.25,
        rollout_length: int = 1,
        rollouts: int = 256,
        train_every: int = 32,
        kept: int = 16,
        warm_up: int | None = None,
        seed: Seed = None,
        verbose: int = 0,
    ) -> None:
        super().__init__(verbose)
        _check_model(model)
        self.model_name = model if isinstance(model, str) else type(model).__name__
        self.world_model: Any = None if isinstance(model, str) else model
        self.real_ratio = checked_number("real_ratio", real_ratio, 0, 1)
        self.rollout_length = _count("rollout_length", rollout_length)
        self.rollouts = _count("rollouts", rollouts)
        self.train_every = _count("train_every", train_every)
        self.kept = _count("kept", kept)
        self.warm_up = None if warm_up is None else _count("warm_up", warm_up, 0)
        self.num_real = self.num_simulated = 0
        self._seed = as_sequence(seed)
        self._rng = make_generator(self._seed, BRANCHES)
        self._world: World | None = None
        self._served = ""
        self._mixed: MixedReplay | None = None
        self._simulated: ReplayBuffer | None = None
        self._news: deque[Transitions] = deque()
        self._loaded: dict[str, Any] | None = None

    # -- what the algorithm calls --------------------------------------------------------------

    def _init_callback(self) -> None:
        world = World(self.model)
        if self._served not in ("", world.describe()):
            raise ValueError(
                f"a model of {self._served} for {world.describe()}; expected the same spaces, or a "
                "DynaCallback of its own"
            )
        model = self.world_model
        if model is None:
            named = LEARNED_MODELS[self.model_name]
            model = named.on_vectors(world.vectors, world.actions, self._seed)
        _check_sizes(model, world)
        if self._loaded is not None:
            model.set_state(self._loaded)
            self._loaded = None
        self.world_model, self._world, self._served = model, world, world.describe()

    def _on_training_start(self) -> None:
        algorithm, real = self._algorithm, self._algorithm.replay_buffer
        if isinstance(real, MixedReplay):
            real = real.real  # an exception ended what learned before
        held = None if self.num_real else self._here.stored(real)
        waiting = self._news if held is None else [held]
        self._news = deque(waiting, maxlen=real.buffer_size)
        if self._simulated is None:
            self._simulated = ReplayBuffer(
                self.kept * self.rollout_length * self.rollouts,
                algorithm.observation_space,
                algorithm.action_space,
                device=algorithm.device,
                n_envs=self.rollouts,
                handle_timeout_termination=False,
            )
        self._mixed = MixedReplay(real, self._simulated, self._note)
        algorithm.replay_buffer = self._mixed

    def _on_step(self) -> bool:
        return True

    def _on_rollout_end(self) -> None:
        assert self._mixed is not None
        warm_up = self._algorithm.learning_starts if self.warm_up is None else self.warm_up
        if self._waiting >= self.train_every and self._algorithm.num_timesteps >= warm_up:
            self._train()
            self._roll()
        deserved = float(getattr(self.world_model, "share_of_planning", 1.0))
        self._mixed.share = (1.0 - self.real_ratio) * deserved

    def _on_training_end(self) -> None:
        assert self._mixed is not None
        self._algorithm.replay_buffer = self._mixed.real
        self._mixed = None
        if self._waiting:
            self._train()

    # -- one round -----------------------------------------------------------------------------

    def _note(
        self, obs: Any, next_obs: Any, action: Any, reward: Any, done: Any, infos: Any
    ) -> None:
        """Remember the real transitions of a step until the model learns from them."""
        timeout = np.array([bool(info.get(TIMEOUT, False)) for info in infos])
        self._news.append(self._here.transitions(obs, next_obs, action, reward, done, timeout))

    def _train(self) -> None:
        columns: Any = (np.concatenate(column) for column in zip(*self._news, strict=True))
        news = Transitions(*columns)
        self._news.clear()
        if hasattr(self.world_model, "predict"):
            self._record_errors(news)
        self.world_model.update(news)
        self.num_real += len(news.reward)
        self.logger.record("dyna/real_transitions", self.num_real)

    def _record_errors(self, news: Transitions) -> None:
        believed = self.world_model.predict(news.observation, news.action)
        missed = (believed.next_observation - news.next_observation) ** 2
        self.logger.record("dyna/observation_error", float(np.sqrt(missed.mean())))
        for name, belief, truth in (
            ("reward", believed.reward, news.reward),
            ("end", believed.terminated, news.terminated),
        ):
            self.logger.record(f"dyna/{name}_error", float(np.abs(belief - truth).mean()))

    def _roll(self) -> None:
        """Roll the branches; one whose episode ends gives way to a new one."""
        world, mixed, n = self._here, self._mixed, self.rollouts
        assert mixed is not None
        vectors = world.real_states(mixed.real, n, self._rng)
        ended = 0
        for _ in range(self.rollout_length):
            observations = world.vectors.observations(vectors)
            actions = world.explore(observations, self._rng)
            imagined = self._imagine(vectors, world.columns(actions))
            following = world.vectors.observations(imagined.next_observation)
            mixed.simulated.add(
                observations, following, actions, imagined.reward, imagined.terminated, [{}] * n
            )
            fresh = world.real_states(mixed.real, n, self._rng)
            going_on = world.vectors.many(following)[0]
            vectors = np.where(imagined.terminated[:, None], fresh, going_on)
            ended += int(imagined.terminated.sum())
        self._record_branches(ended)

    def _imagine(self, vectors: Any, actions: Any) -> Transitions:
        imagined = self.world_model.imagine(vectors, actions, self._rng)
        return check_vectors(imagined, self._here.vectors.size, self._here.actions)

    def _record_branches(self, ended: int) -> None:
        assert self._mixed is not None
        rolled = self.rollouts * self.rollout_length
        self.num_simulated += rolled
        self.logger.record("dyna/simulated_transitions", self.num_simulated)
        # Those that end in the last step are no further branches.
        self.logger.record("dyna/branch_length", rolled / (self.rollouts + ended))
        drawn, self._mixed.num_drawn = self._mixed.num_drawn, 0
        simulated, self._mixed.num_simulated = self._mixed.num_simulated, 0
        if drawn:
            self.logger.record("dyna/simulated_share", simulated / drawn)

    @property
    def _waiting(self) -> int:
        """How many real transitions the model has not learned from."""
        return sum(len(each.reward) for each in self._news)

    @property
    def _algorithm(self) -> Any:
        return self.model

    @property
    def _here(self) -> World:
        assert self._world is not None  # made when the callback was introduced
        return self._world

    # -- files ---------------------------------------------------------------------------------

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model as a checkpoint, atomically and without pickle.

        The algorithm is saved by its own `save`. Simulated transitions are not: they are imagined
        again when learning goes on.

        Raises:
            RuntimeError: if learning has not begun.
            TypeError: if the model has no `get_state`.
            OSError: if the file cannot be written.
        """
        if self.world_model is None or not self._served:
            raise RuntimeError("there is no model to save before learning begins")
        try:
            state = self.world_model.get_state()
        except AttributeError as error:
            raise TypeError(
                f"model {self.model_name} cannot be saved: {error}; a checkpoint needs get_state "
                "and set_state"
            ) from error
        arrays = {name: value for name, value in state.items() if isinstance(value, np.ndarray)}
        document = {
            "dynamaze": __version__,
            "model": self.model_name,
            "spaces": self._served,
            "num_real": self.num_real,
            "numbers": {name: state[name] for name in state if name not in arrays},
        }
        write_checkpoint(path, arrays, document)

    def load(self, path: str | os.PathLike[str]) -> None:
        """Take the model of a checkpoint; one given by name takes it when learning begins.

        Raises:
            CheckpointError: if the file is no such checkpoint, or of another model or other spaces.
        """
        arrays, document = read_checkpoint(path)
        try:
            found, served = str(document["model"]), str(document["spaces"])
            state, num_real = {**arrays, **document["numbers"]}, int(document["num_real"])
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
            except (KeyError, TypeError, ValueError, IndexError) as error:
                raise CheckpointError(f"{path} does not fit {found}: {error!r}") from None
        self._served, self.num_real = served, num_real


def _check_model(model: Any) -> None:
    """Refuse what is neither a name nor a model that imagines vectors."""
    if isinstance(model, str):
        if model not in LEARNED_MODELS:
            raise ValueError(
                f"model={model!r}; expected one of {sorted(LEARNED_MODELS)}"
                f"{did_you_mean(model, LEARNED_MODELS)}"
            )
        return
    missing = [name for name in NEEDED if not hasattr(model, name)]
    if missing or isinstance(model, type):
        raise TypeError(
            f"model={model!r} has no {' and no '.join(missing)}; expected one of "
            f"{sorted(LEARNED_MODELS)} or an object with {' and '.join(NEEDED)}"
            if missing
            else f"model={model!r} is a class; expected an object made of it"
        )
    observes = getattr(model, "observes", VECTORS)
    if observes != VECTORS:
        raise ValueError(
            f"{type(model).__name__} observes {observes}; expected a model of {VECTORS}"
        )


def _check_sizes(model: Any, world: World) -> None:
    for name, wanted in (("size", world.vectors.size), ("num_actions", world.actions.count)):
        if getattr(model, name, wanted) != wanted:
            raise ValueError(
                f"model with {name}={getattr(model, name)}; expected {wanted} for "
                f"{world.describe()}"
            )


def _count(name: str, value: object, low: int = 1) -> int:
    return int(checked_number(name, value, low, whole=True))
