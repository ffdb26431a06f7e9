"""Teachers from Stable-Baselines3 and SB3-Contrib. Their files are pickles and may run code.

Models are told apart by what their policies have, so that SB3-Contrib need not be installed.
"""

from __future__ import annotations

import inspect
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
from ..core.policy import LogitPolicy, log_probabilities

optional_import("stable_baselines3", purpose="a teacher of Stable-Baselines3")
import torch  # noqa: E402  # after the message
from stable_baselines3 import A2C, DQN, PPO, SAC  # noqa: E402
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm  # noqa: E402
from stable_baselines3.common.policies import BasePolicy  # noqa: E402

_CONTRIB = ("ARS", "CrossQ", "MaskablePPO", "QRDQN", "RecurrentPPO", "TQC", "TRPO")
"""Algorithms of SB3-Contrib."""

ALGORITHMS: Registry[Any] = Registry(
    "algorithm",
    {
        **{"A2C": A2C, "DQN": DQN, "PPO": PPO, "SAC": SAC},
        **{name: f"sb3_contrib:{name}" for name in _CONTRIB},
    },
)
"""Algorithms that can be loaded as teachers."""

DISTINGUISHING_SETTINGS = {
    "QRDQN": {"n_quantiles"},
    "TQC": {"top_quantiles_to_drop_per_net"},
    "TRPO": {"cg_max_steps"},
    "ARS": {"n_delta"},
    "CrossQ": {"target_entropy", "policy_delay"},
    "PPO": {"clip_range"},
    "DQN": {"exploration_initial_eps"},
    "SAC": {"target_entropy"},
    "TD3 or DDPG": {"policy_delay"},
    "A2C": {"gae_lambda"},
}
"""Algorithm -> settings that identify its files; the first match counts.

PPO comes before A2C, since its files have `gae_lambda`, too.
"""

DISTINGUISHING_MODULES = {
    "sb3_contrib.common.maskable": "MaskablePPO",
    "sb3_contrib.common.recurrent": "RecurrentPPO",
}
"""Beginning of the module of a class in a file -> algorithm whose settings are those of PPO."""


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
    """DQN or QRDQN: its Q values are the logits; a low temperature sharpens them (`as_teacher`).

    The Q value of QRDQN is the mean of its quantiles (Dabney et al. 2018).
    """

    def action_logits(self, observations: Any) -> FloatArray:
        """Return (batch, actions) Q values."""
        policy = self.model.policy
        if hasattr(policy, "quantile_net"):  # (batch, quantiles, actions)
            return _array(self._call(policy.quantile_net, observations).mean(dim=1))
        return _array(self._call(policy.q_net, observations))

    def state_values(self, observations: Any) -> FloatArray:
        """Return (batch,) values of the best action."""
        best: FloatArray = self.action_logits(observations).max(axis=1)
        return best


class ARSTeacher(_Model, LogitPolicy):
    """ARS with Discrete actions: the outputs whose largest is its action are the logits.

    ARS ranks actions only, so that the scale of its outputs is arbitrary: the temperature of
    `as_teacher` chooses it.
    """

    def action_logits(self, observations: Any) -> FloatArray:
        """Return (batch, actions) outputs."""
        policy = self.model.policy

        def outputs(seen: Any) -> Any:
            return policy.action_net(policy.extract_features(seen, policy.features_extractor))

        return _array(self._call(outputs, observations))


class MaskableTeacher(_Model, LogitPolicy):
    """MaskablePPO: its distribution over the actions that are valid in a state, and its values.

    Attributes:
        masks: (batch, actions) bool, True for valid actions, of the next call; set by code that
            has the environment, as `Rollouts` and `evaluate`, which take them from its method
            `action_masks`.
    """

    def __init__(self, model: Any) -> None:
        super().__init__(model)
        self.masks: Any = None

    def action_logits(self, observations: Any) -> FloatArray:
        """Return (batch, actions) logarithms of the probabilities, none below log(1e-6)."""
        return log_probabilities(self.action_probabilities(observations))

    def action_probabilities(self, observations: Any) -> FloatArray:
        """Return (batch, actions) probabilities, 0 for invalid actions.

        Raises:
            ValueError: without masks, or for masks of another shape or without a valid action.
        """
        masks, count = self.masks, int(self.model.action_space.n)
        if masks is None:
            raise ValueError(
                "a teacher MaskablePPO without the masks of the states; expected Rollouts, collect "
                "or evaluate in an environment with action_masks()"
            )
        masks, expected = np.asarray(masks, dtype=np.bool_), (len(observations), count)
        if masks.shape != expected or not masks.any(axis=1).all():
            raise ValueError(
                f"action masks of shape {masks.shape}; expected {expected} with a valid action in "
                "each row"
            )

        def probabilities(seen: Any) -> Any:
            return self.model.policy.get_distribution(seen, masks).distribution.probs

        valid: FloatArray = _array(self._call(probabilities, observations)) * masks
        return valid

    def state_values(self, observations: Any) -> FloatArray:
        """Return the critic's (batch,) values."""
        return self._critic(observations)


class _RecurrentModel(_Model):
    """RecurrentPPO, which keeps its state from one call to the next until `reset`.

    Attributes:
        memory: hidden and cell states of actor and critic, each (layers, batch, units), after the
            flags (batch,) of the rows that begin an episode; None for zeros. Code that runs another
            episode in between saves and restores it.
    """

    def __init__(self, model: Any) -> None:
        super().__init__(model)
        self.memory: Any = None

    def reset(self, episode_start: Any = None) -> None:
        """Reset the state.

        Args:
            episode_start: (batch,) True where an episode begins; None for all rows.
        """
        if episode_start is None or self.memory is None:
            self.memory = None
        else:
            self.memory = (np.array(episode_start, dtype=np.float32), *self.memory[1:])

    def state_values(self, observations: Any) -> FloatArray:
        """Return the critic's (batch,) values, and go on to the next step."""
        return _array(self._advance(observations)[1])[:, 0]

    def _advance(self, observations: Any) -> tuple[Any, torch.Tensor]:
        """Return the distribution and the (batch, 1) values, and go on to the next step."""
        policy = self.model.policy
        starts, *states = self._remembered(len(observations))

        def step(seen: Any) -> Any:
            actor, critic = tuple(states[:2]), tuple(states[2:])
            given, actor_after = policy.get_distribution(seen, actor, starts)
            values = policy.predict_values(seen, actor if policy.shared_lstm else critic, starts)
            if policy.lstm_critic is not None:
                features = BasePolicy.extract_features(policy, seen, policy.vf_features_extractor)
                critic = policy._process_sequence(features, critic, starts, policy.lstm_critic)[1]
            return given, values, (*actor_after, *critic)

        given, values, after = self._call(step, observations)
        self.memory = (np.zeros(len(observations), dtype=np.float32), *after)
        return given, values

    def _remembered(self, batch: int) -> list[torch.Tensor]:
        """Return the flags of first steps and the states as tensors.

        Raises:
            ValueError: for another number of observations than the rows of `memory`.
        """
        policy = self.model.policy
        if self.memory is None:
            layers, _, units = policy.lstm_hidden_state_shape
            zeros = torch.zeros(layers, batch, units, device=policy.device)
            return [torch.ones(batch, device=policy.device), *[zeros] * 4]
        if len(self.memory[0]) != batch:
            raise ValueError(
                f"{batch} observations, and a state of {len(self.memory[0])} episodes; expected "
                "equal numbers, or reset() before others"
            )
        return [torch.as_tensor(part, device=policy.device) for part in self.memory]


class RecurrentTeacher(_RecurrentModel, LogitPolicy):
    """RecurrentPPO with Discrete actions: the logits of its distribution, and its values."""

    def action_logits(self, observations: Any) -> FloatArray:
        """Return (batch, actions) log-probabilities of the next step of each episode."""
        return _array(self._advance(observations)[0].distribution.logits)


class RecurrentGaussianTeacher(_RecurrentModel):
    """RecurrentPPO with continuous actions: a Gaussian, and its values.

    Attributes:
        bounds: bounds of the actions; they map samples to actions.
    """

    def __init__(self, model: Any) -> None:
        super().__init__(model)
        self.bounds = _bounds_of(model)

    def action_gaussian(self, observations: Any) -> tuple[FloatArray, FloatArray]:
        """Return (batch, dimensions) means and log standard deviations of the next step."""
        given = self._advance(observations)[0].distribution
        return _array(given.mean), _array(given.stddev.log())

    def act(self, observation: Any) -> Any:
        """Return the action of the mean for one observation, as the environment takes it."""
        return self.bounds.action(self.action_gaussian(np.asarray(observation)[None])[0])[0]


class GaussianTeacher(_Model):
    """PPO, A2C, TRPO, SAC, TQC or CrossQ: a Gaussian, for the last three before squashing.

    PPO, A2C and TRPO also have `state_values(observations)`.

    Attributes:
        bounds: bounds of the actions; they map samples to actions.
    """

    def __init__(self, model: Any) -> None:
        super().__init__(model)
        self.bounds = _bounds_of(model)
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
        if _has_gaussian_actor(policy):
            mean, log_std, extra = policy.actor.get_action_dist_params(seen)
            given = policy.actor.action_dist.proba_distribution(mean, log_std, **extra)
        else:
            given = policy.get_distribution(seen)
        return given.distribution.mean, given.distribution.stddev.log()


SUPPORTED = (
    "PPO, A2C, TRPO or RecurrentPPO with Discrete or Box actions; DQN, QRDQN, MaskablePPO or ARS "
    "with Discrete ones; SAC, TQC or CrossQ"
)


def sb3_teacher(model: Any) -> Any:
    """Return the teacher for a model.

    Raises:
        TypeError: for an unsupported algorithm or action space; says what would do.
    """
    name, space, policy = type(model).__name__, model.action_space, model.policy
    is_discrete, is_box = isinstance(space, spaces.Discrete), isinstance(space, spaces.Box)
    if is_discrete and (hasattr(policy, "q_net") or hasattr(policy, "quantile_net")):
        return DQNTeacher(model)
    if isinstance(model, OnPolicyAlgorithm) and (is_discrete or is_box):
        arguments = inspect.signature(policy.get_distribution).parameters
        if "lstm_states" in arguments:
            return RecurrentTeacher(model) if is_discrete else RecurrentGaussianTeacher(model)
        if "action_masks" in arguments and is_discrete:
            return MaskableTeacher(model)
        if "action_masks" not in arguments:
            return OnPolicyTeacher(model) if is_discrete else GaussianTeacher(model)
    if is_box and _has_gaussian_actor(policy):
        return GaussianTeacher(model)
    if is_discrete and hasattr(policy, "action_net") and hasattr(policy, "features_extractor"):
        return ARSTeacher(model)
    is_deterministic = is_box and not isinstance(model, OnPolicyAlgorithm)
    instead = (
        "; its actions have no deviation: an object of yours whose action_gaussian(observations) "
        "returns those of predict and log deviations of your choice is a teacher, too"
        if is_deterministic
        else ""
    )
    raise TypeError(f"a teacher {name} with actions of {space}; expected {SUPPORTED}{instead}")


def _has_gaussian_actor(policy: Any) -> bool:
    """Return True for the policies of SAC, TQC and CrossQ."""
    return hasattr(getattr(policy, "actor", None), "get_action_dist_params")


def _bounds_of(model: Any) -> Bounds:
    space = model.action_space
    return Bounds(space.low, space.high, bool(model.policy.squash_output))


def load_sb3(path: str | os.PathLike[str], algorithm: str) -> Any:
    """Load a model saved by Stable-Baselines3. Its files may run code: load only those you trust.

    The algorithm of the file is checked before anything of it runs.

    Args:
        path: the file; ".zip" may be left out, as in Stable-Baselines3.
        algorithm: "A2C", "DQN", "PPO" or "SAC"; of SB3-Contrib "ARS", "CrossQ", "MaskablePPO",
            "QRDQN", "RecurrentPPO", "TQC" or "TRPO".

    Returns:
        The model, on the CPU, for `as_teacher`.

    Warns:
        UserWarning: always, before it is loaded.

    Raises:
        ValueError: for an unknown algorithm.
        ImportError: for an algorithm of SB3-Contrib, if that is not installed.
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
            settings = parse_json(archive.read("data"))
            if not isinstance(settings, dict):
                raise TypeError(f"settings {type(settings).__name__}; expected a mapping")
            modules = [
                str(value.get("__module__"))
                for value in settings.values()
                if isinstance(value, dict)
            ]
    except OSError as error:
        raise CheckpointError(f"{file} cannot be read: {error.strerror}") from None
    except Exception as error:  # as in load_sb3
        raise CheckpointError(
            f"{file} is damaged, or not a whole file of Stable-Baselines3 "
            f"({type(error).__name__}: {error})"
        ) from None
    for beginning, name in DISTINGUISHING_MODULES.items():
        if any(module.startswith(beginning) for module in modules):
            return name
    for name, distinguishing in DISTINGUISHING_SETTINGS.items():
        if distinguishing <= set(settings):
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
