"""Teachers from Stable-Baselines3. Its files are pickles and may run code."""

from __future__ import annotations

import io
import os
import warnings
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium import spaces

from dynamaze.common.arrays import FloatArray
from dynamaze.common.optional_imports import optional_import
from dynamaze.common.reading import BoundedReads, open_for_reading, parse_json
from dynamaze.common.registry import Registry
from dynamaze.common.storage import CheckpointError

from ..core.distributions import Bounds
from ..core.policy import LogitPolicy

optional_import("stable_baselines3", extra="distill", purpose="a teacher of Stable-Baselines3")
import torch  # noqa: E402  # after the message
from stable_baselines3 import A2C, DQN, PPO, SAC  # noqa: E402
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm  # noqa: E402

ALGORITHMS: Registry[Any] = Registry("algorithm", {"A2C": A2C, "DQN": DQN, "PPO": PPO, "SAC": SAC})
"""Algorithms that can be loaded as teachers."""

DISTINGUISHING_SETTINGS = {
    "PPO": {"clip_range"},
    "DQN": {"exploration_initial_eps"},
    "SAC": {"target_entropy"},
    "TD3 or DDPG": {"policy_delay"},
    "A2C": {"gae_lambda"},
}
"""Algorithm -> settings that identify its files; the first match counts.

PPO comes before A2C, since its files have `gae_lambda`, too.
"""


class _Model:
    """Model that gets observations as the environment returns them."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def _call(self, function: Any, observations: Any) -> Any:
        """Call a function on the observations as a tensor."""
        policy, normalized = self.model.policy, self.model.get_vec_normalize_env()
        if normalized is not None:
            observations = normalized.normalize_obs(observations)
        policy.set_training_mode(False)
        with torch.no_grad():
            return function(policy.obs_to_tensor(observations)[0])

    def _critic(self, observations: Any) -> FloatArray:
        """Return the (batch,) values of the critic of PPO or A2C."""
        return _array(self._call(self.model.policy.predict_values, observations))[:, 0]


class OnPolicyTeacher(_Model, LogitPolicy):
    """PPO or A2C: the logits of its distribution, and its values."""

    def action_logits(self, observations: Any) -> FloatArray:
        """Return (batch, actions) log-probabilities."""
        policy = self.model.policy
        return _array(
            self._call(lambda seen: policy.get_distribution(seen).distribution.logits, observations)
        )

    def state_values(self, observations: Any) -> FloatArray:
        """Return the critic's (batch,) values."""
        return self._critic(observations)


class DQNTeacher(_Model, LogitPolicy):
    """DQN: its Q values are the logits; a low temperature sharpens them (see `as_teacher`)."""

    def action_logits(self, observations: Any) -> FloatArray:
        """Return (batch, actions) Q values."""
        return _array(self._call(self.model.policy.q_net, observations))

    def state_values(self, observations: Any) -> FloatArray:
        """Return (batch,) values of the best action."""
        best: FloatArray = self.action_logits(observations).max(axis=1)
        return best


class GaussianTeacher(_Model):
    """PPO, A2C or SAC with continuous actions: a Gaussian, before squashing for SAC.

    PPO and A2C also have `state_values(observations)`.

    Attributes:
        bounds: bounds of the actions; they map samples to actions.
    """

    def __init__(self, model: Any) -> None:
        super().__init__(model)
        space = model.action_space
        self.bounds = Bounds(space.low, space.high, bool(model.policy.squash_output))
        if isinstance(model, OnPolicyAlgorithm):
            self.state_values = self._critic

    def action_gaussian(self, observations: Any) -> tuple[FloatArray, FloatArray]:
        """Return (batch, dimensions) means and log standard deviations."""
        mean, log_std = self._call(self._gaussian, observations)
        return _array(mean), _array(log_std)

    def act(self, observation: Any) -> Any:
        """Return the action of the mean for one observation, as the environment takes it."""
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
    """Return the teacher for a model.

    Raises:
        TypeError: for an unsupported algorithm or action space.
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
    """Load a model saved by Stable-Baselines3. Its files may run code: load only those you trust.

    The algorithm of the file is checked before anything of it runs.

    Args:
        path: the file; ".zip" may be left out, as in Stable-Baselines3.
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
    kind = ALGORITHMS.find(algorithm)
    file = Path(path)
    if not file.exists() and file.with_name(f"{file.name}.zip").exists():
        file = file.with_name(f"{file.name}.zip")
    found = algorithm_of_file(file)
    if found != algorithm:
        raise CheckpointError(f"{file} holds a model of {found}; expected {algorithm}")
    warnings.warn(
        f"{file} holds pickles of Stable-Baselines3, which may run any code: load only what you "
        "trust",
        UserWarning,
        stacklevel=2,
    )
    try:
        return kind.load(file, device="cpu")
    except Exception as error:  # a damaged file raises many kinds of errors
        raise CheckpointError(
            f"{file} cannot be loaded as a model of {algorithm} ({type(error).__name__}: {error})"
        ) from None


MOST_BYTES, MOST_MEMBERS, MOST_RATIO = 2**32, 100, 5
"""Limits of a file: bytes, members, and unpacked bytes for each byte. A model's weights are stored
uncompressed, or hardly get smaller."""

DIRECTORY_BYTES = 2**20
"""Largest size of a file's directory, and of what is read from it at once."""


def algorithm_of_file(file: Path) -> str:
    """Return the algorithm of a file from its JSON part, after checking sizes and checksums.

    Raises:
        CheckpointError: if it is no whole file of Stable-Baselines3, or would unpack to many times
            its size.
    """
    try:
        with (
            open_for_reading(file, MOST_BYTES) as opened,
            zipfile.ZipFile(BoundedReads(opened, DIRECTORY_BYTES)) as archive,
        ):
            size = os.fstat(opened.fileno()).st_size
            _check_members(archive.infolist(), size)
            for entry in archive.infolist():
                _check_member(archive, entry)
            settings = set(parse_json(archive.read("data")))
    except OSError as error:
        raise CheckpointError(f"{file} cannot be read: {error.strerror}") from None
    except Exception as error:  # as in load_sb3
        raise CheckpointError(
            f"{file} is damaged, or not a whole file of Stable-Baselines3 "
            f"({type(error).__name__}: {error})"
        ) from None
    for name, distinguishing in DISTINGUISHING_SETTINGS.items():
        if distinguishing <= settings:
            return name
    return "an unknown algorithm"


def _check_members(entries: Sequence[zipfile.ZipInfo], size: int) -> None:
    """Check the declared sizes of all members of a file."""
    if len(entries) > MOST_MEMBERS:
        raise ValueError(f"{len(entries)} members; expected at most {MOST_MEMBERS}")
    names = [entry.filename for entry in entries]
    if len(set(names)) < len(names):
        raise ValueError("two members of one name")
    packed = sum(entry.compress_size for entry in entries)
    if packed > size:
        raise ValueError(f"members of {packed:,} bytes in {size:,}")
    unpacked = sum(entry.file_size for entry in entries)
    if unpacked > MOST_RATIO * size:
        raise ValueError(f"members that unpack to {unpacked:,} bytes from {size:,}")


def _check_member(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> None:
    """Read a member to its end, which compares its checksum; check the sizes of one inside it.

    A `.pth` is an archive itself, which torch unpacks.
    """
    content = io.BytesIO()
    with archive.open(entry) as member:
        while part := member.read(DIRECTORY_BYTES):
            if entry.filename.endswith(".pth"):
                content.write(part)
    if zipfile.is_zipfile(content):
        with zipfile.ZipFile(content) as inner:
            inside = inner.infolist()
            unpacked = sum(each.file_size for each in inside)
            if unpacked > entry.file_size:
                raise ValueError(
                    f"{entry.filename} unpacks to {unpacked:,} bytes from {entry.file_size:,}"
                )


def _array(tensor: torch.Tensor) -> FloatArray:
    return tensor.cpu().numpy().astype(np.float64)
