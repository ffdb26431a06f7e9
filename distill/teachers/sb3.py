"""Teachers from Stable-Baselines3; its files are pickles, and loaded only by name."""

from __future__ import annotations

import json
import os
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium import spaces

from dynamaze.common.arrays import FloatArray
from dynamaze.common.optional_imports import optional_import
from dynamaze.common.storage import CheckpointError
from dynamaze.common.validation import did_you_mean

from ..core.distributions import Bounds
from ..core.logits import LogitPolicy

optional_import("stable_baselines3", extra="distill", purpose="a teacher of Stable-Baselines3")
import torch  # noqa: E402  # after the message
from stable_baselines3 import A2C, DQN, PPO, SAC  # noqa: E402
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm  # noqa: E402

ALGORITHMS: dict[str, Any] = {"A2C": A2C, "DQN": DQN, "PPO": PPO, "SAC": SAC}
"""Those that can be loaded as teachers."""

TOLD_BY = {
    "PPO": {"clip_range"},
    "DQN": {"exploration_initial_eps"},
    "SAC": {"target_entropy"},
    "TD3 or DDPG": {"policy_delay"},
    "A2C": {"gae_lambda"},
}
"""Settings of which a file has some only if it is of this algorithm, the first that fits."""


class _Model:
    """A model that gets observations as the environment gives them."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def _ask(self, question: Any, observations: Any) -> Any:
        """What a function of the observations as a tensor gives."""
        policy, normalized = self.model.policy, self.model.get_vec_normalize_env()
        if normalized is not None:
            observations = normalized.normalize_obs(observations)
        policy.set_training_mode(False)
        with torch.no_grad():
            return question(policy.obs_to_tensor(observations)[0])

    def _critic(self, observations: Any) -> FloatArray:
        """(batch,) what the critic of PPO or A2C thinks."""
        return _array(self._ask(self.model.policy.predict_values, observations))[:, 0]


class OnPolicyTeacher(_Model, LogitPolicy):
    """PPO or A2C: the logits of its distribution, and its values."""

    def action_logits(self, observations: Any) -> FloatArray:
        """(batch, actions) log-probabilities."""
        policy = self.model.policy
        return _array(
            self._ask(lambda seen: policy.get_distribution(seen).distribution.logits, observations)
        )

    def state_values(self, observations: Any) -> FloatArray:
        """(batch,) what its critic thinks."""
        return self._critic(observations)


class DQNTeacher(_Model, LogitPolicy):
    """DQN: its Q values are the logits; a temperature hardens them (see `as_teacher`)."""

    def action_logits(self, observations: Any) -> FloatArray:
        """(batch, actions) Q values."""
        return _array(self._ask(self.model.policy.q_net, observations))

    def state_values(self, observations: Any) -> FloatArray:
        """(batch,) the best action's value."""
        best: FloatArray = self.action_logits(observations).max(axis=1)
        return best


class GaussianTeacher(_Model):
    """PPO, A2C or SAC with continuous actions: a Gaussian, SAC's before it is squashed.

    PPO and A2C have `state_values(observations)`, too.

    Attributes:
        bounds: what makes actions of its samples.
    """

    def __init__(self, model: Any) -> None:
        super().__init__(model)
        space = model.action_space
        self.bounds = Bounds(space.low, space.high, bool(model.policy.squash_output))
        if isinstance(model, OnPolicyAlgorithm):
            self.state_values = self._critic

    def action_gaussian(self, observations: Any) -> tuple[FloatArray, FloatArray]:
        """(batch, dimensions) means, and as many logarithms of standard deviations."""
        mean, log_std = self._ask(self._gaussian, observations)
        return _array(mean), _array(log_std)

    def act(self, observation: Any) -> Any:
        """The mean's action for one observation, as the environment takes it."""
        return self.bounds.action(self.action_gaussian(np.asarray(observation)[None])[0])[0]

    def _gaussian(self, seen: Any) -> tuple[torch.Tensor, torch.Tensor]:
        policy = self.model.policy
        if isinstance(self.model, SAC):
            mean, log_std, extra = policy.actor.get_action_dist_params(seen)
            given = policy.actor.action_dist.proba_distribution(mean, log_std, **extra)
        else:
            given = policy.get_distribution(seen)
        return given.distribution.mean, given.distribution.stddev.log()


def sb3_teacher(model: Any) -> OnPolicyTeacher | DQNTeacher | GaussianTeacher:
    """The teacher that a model is.

    Raises:
        TypeError: for an algorithm or an action space that says nothing to learn from.
    """
    name, space = type(model).__name__, model.action_space
    if isinstance(model, DQN):
        return DQNTeacher(model)
    if isinstance(model, OnPolicyAlgorithm) and isinstance(space, spaces.Discrete):
        return OnPolicyTeacher(model)
    if isinstance(model, OnPolicyAlgorithm | SAC) and isinstance(space, spaces.Box):
        return GaussianTeacher(model)
    raise TypeError(
        f"a teacher {name} with actions of {space}; expected PPO or A2C with Discrete or Box "
        "actions, DQN or SAC"
    )


def load_sb3(path: str | os.PathLike[str], algorithm: str) -> Any:
    """A model that Stable-Baselines3 saved. Its files may run code: load only those you trust.

    What kind of file it is is looked up before anything of it runs.

    Args:
        path: the file; ".zip" may be left out, as there.
        algorithm: "A2C", "DQN", "PPO" or "SAC".

    Returns:
        The model, on the CPU, for `as_teacher`.

    Warns:
        UserWarning: always, before it is loaded.

    Raises:
        ValueError: for an unknown algorithm.
        dynamaze.common.storage.CheckpointError: (a ValueError) for a file that is missing, cut
            short, foreign or of another algorithm.
    """
    if algorithm not in ALGORITHMS:
        raise ValueError(
            f"algorithm={algorithm!r}; expected one of {sorted(ALGORITHMS)}"
            f"{did_you_mean(algorithm, ALGORITHMS)}"
        )
    file = Path(path)
    if not file.exists() and file.with_name(f"{file.name}.zip").exists():
        file = file.with_name(f"{file.name}.zip")
    found = _algorithm_of(file)
    if found != algorithm:
        raise CheckpointError(f"{file} holds a model of {found}; expected {algorithm}")
    warnings.warn(
        f"{file} holds pickles of Stable-Baselines3, which may run any code: load only what you "
        "trust",
        UserWarning,
        stacklevel=2,
    )
    try:
        return ALGORITHMS[algorithm].load(file, device="cpu")
    except Exception as error:  # a damaged file fails in many ways, all with this meaning
        raise CheckpointError(
            f"{file} cannot be loaded as a model of {algorithm} ({type(error).__name__}: {error})"
        ) from None


def _algorithm_of(file: Path) -> str:
    """Which algorithm a file is of, from the part that is JSON; the whole file is checked."""
    try:
        with zipfile.ZipFile(file) as archive:
            settings = set(json.loads(archive.read("data")))
            damaged = archive.testzip()
    except OSError as error:
        raise CheckpointError(f"{file} cannot be read: {error.strerror}") from None
    except Exception as error:  # as above
        raise CheckpointError(
            f"{file} is not a whole file of Stable-Baselines3 ({type(error).__name__}: {error})"
        ) from None
    if damaged is not None:
        raise CheckpointError(f"{file} is damaged: {damaged} does not match its checksum")
    for name, telling in TOLD_BY.items():
        if telling <= settings:
            return name
    return "no algorithm that is known"


def _array(tensor: torch.Tensor) -> FloatArray:
    return tensor.cpu().numpy().astype(np.float64)
