"""Acting in a vector environment, in any of Gymnasium's autoreset modes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from gymnasium import spaces
from gymnasium.vector import AutoresetMode

from dynamaze.common.arrays import BoolArray, FloatArray, IntArray

from ..core.checks import check_shape, checked_probabilities, name_of
from ..core.distributions import CATEGORICAL, Bounds, distribution_of, gaussian_rows, split

ObservationFn = Callable[[Any], npt.NDArray[Any]]
"""Function from (n, ...) observations of the environment to a student's (n, ...)."""


class StepOutcome(NamedTuple):
    """Result of a step where an action was taken; 0 and False elsewhere."""

    reward: FloatArray  # (n,)
    terminated: BoolArray  # (n,)
    ended: BoolArray  # (n,) terminated or truncated
    success: BoolArray  # (n,) as info["is_success"] says; without it, terminated


class EnvStepper:
    """Steps a vector environment and tracks where an action is needed.

    In mode NEXT_STEP the last observation of an episode needs no action, and the step after it only
    resets; in mode SAME_STEP that observation is never returned; in mode DISABLED finished episodes
    are reset at once.

    Args:
        env: a vector environment of Gymnasium with array observations and `Discrete` or floating
            point `Box` actions.
        seed: seed of the first reset.

    Attributes:
        bounds: bounds of the actions; None for `Discrete` actions.
        columns: number of policy outputs: actions, or twice the action dimensions.
        observations: (n, ...) current observations.
        next_observations: (n, ...) those that the latest step led to, before any reset; valid until
            the next step.
        needs_action: (n,) True where the current observation needs an action.
        episode_start: (n,) True where the observation is the first of an episode.
        levels: (n,) level numbers; None if `info` has no "level".

    Raises:
        TypeError: for other spaces.
    """

    def __init__(self, env: Any, seed: int) -> None:
        _check_observations(env)
        self.env, self._space = env, env.single_action_space
        self.bounds = _bounds_of(self._space)
        self.columns = int(self._space.n if self.bounds is None else 2 * self.bounds.dimensions)
        self._mode = AutoresetMode(env.metadata.get("autoreset_mode", AutoresetMode.NEXT_STEP))
        self.levels: IntArray | None = None
        self.needs_action = np.ones(env.num_envs, dtype=np.bool_)
        self.episode_start = np.ones(env.num_envs, dtype=np.bool_)
        self.observations, infos = env.reset(seed=seed)
        self.next_observations = self.observations
        self._update_levels(infos)

    def default_actions(self) -> npt.NDArray[Any]:
        """Return (n, ...) valid actions, for environments that need none."""
        count = len(self.needs_action)
        if self.bounds is None:
            return np.zeros(count, dtype=np.int64)
        return self.bounds.action(np.zeros((count, self.bounds.dimensions)))

    def action_masks(self) -> BoolArray:
        """Return (n, actions) True for valid actions, from each environment's `action_masks`.

        Raises:
            TypeError: if the environments have no such method.
        """
        try:
            masks = self.env.unwrapped.call("action_masks")
        except AttributeError:
            raise TypeError(
                f"action masks of {self.env}, which has no action_masks(); expected an environment "
                "that has it"
            ) from None
        return np.array(masks, dtype=np.bool_)

    def step(self, actions: npt.NDArray[Any]) -> StepOutcome:
        """Take a step in all environments.

        Args:
            actions: (n,) numbers from 0, or (n, ...) within the bounds; ignored where no action is
                needed.
        """
        decided = self.needs_action
        if self.bounds is None:
            actions = actions + int(self._space.start)
        stepped = self.env.step(actions.astype(self._space.dtype))
        self.observations, reward, terminated, truncated, infos = stepped
        terminated = terminated & decided
        ended = terminated | (truncated & decided)
        success = self._successes(infos, terminated, ended)
        self.next_observations = self._before_reset(infos, ended)
        self._update_levels(infos)
        if self._mode == AutoresetMode.NEXT_STEP:
            self.episode_start, self.needs_action = ~decided, ~ended
        else:
            self.episode_start = ended
            if self._mode == AutoresetMode.DISABLED and ended.any():
                reset = self.env.reset(options={"reset_mask": ended.copy()})
                self.observations = reset[0]
                self._update_levels(reset[1])
        return StepOutcome(np.where(decided, reward, 0.0), terminated, ended, success)

    def _before_reset(self, infos: dict[str, Any], ended: BoolArray) -> npt.NDArray[Any]:
        """Return the present observations, copied where a reset overwrites some."""
        if self._mode == AutoresetMode.NEXT_STEP or not ended.any():
            return self.observations  # type: ignore[no-any-return]
        observations = self.observations.copy()
        if self._mode == AutoresetMode.SAME_STEP:
            observations[ended] = np.stack(list(infos["final_obs"][ended]))
        return observations  # type: ignore[no-any-return]

    def _successes(
        self, infos: dict[str, Any], terminated: BoolArray, ended: BoolArray
    ) -> BoolArray:
        if self._mode == AutoresetMode.SAME_STEP:
            infos = infos.get("final_info", {})
        if "is_success" not in infos:
            return terminated
        given = infos.get("_is_success", ended)
        return ended & np.where(given, infos["is_success"], terminated)

    def _update_levels(self, infos: dict[str, Any]) -> None:
        if "level" in infos:
            given = infos.get("_level", np.ones(self.env.num_envs, dtype=np.bool_))
            before = infos["level"] if self.levels is None else self.levels
            self.levels = np.where(given, infos["level"], before)


class PolicyRunner:
    """Runs a policy in an `EnvStepper` with a recurrent state of its own.

    Args:
        policy: a policy; a recurrent one has `memory` and `reset(episode_start)`, as `GRU` has;
            one with `masks` gets those of the environments before each call.
        output: function from a batch of observations to the policy's outputs.
        observation_fn: maps the environment's observations to the policy's; None for the identity.
    """

    def __init__(
        self,
        policy: Any,
        output: Callable[[Any], npt.NDArray[Any]],
        observation_fn: ObservationFn | None = None,
    ) -> None:
        self.policy, self.output, self.observation_fn = policy, output, observation_fn
        self._memory: Any = None  # the policy may be shared, so its state is kept here

    def outputs(self, stepper: EnvStepper, wanted: BoolArray) -> npt.NDArray[Any]:
        """Return (queries, ...) outputs for the environments in the mask `wanted`.

        A recurrent policy is run on all environments, so that each row of its state belongs to one.
        """
        has_masks = hasattr(self.policy, "masks")
        if not hasattr(self.policy, "memory"):
            if has_masks:
                self.policy.masks = stepper.action_masks()[wanted]
            return self.output(
                apply_observation_fn(stepper.observations[wanted], self.observation_fn)
            )
        before, self.policy.memory = self.policy.memory, self._memory
        try:
            if has_masks:
                self.policy.masks = stepper.action_masks()
            self.policy.reset(stepper.episode_start)
            seen = apply_observation_fn(stepper.observations, self.observation_fn)
            outputs = self.output(seen)[wanted]
            self._memory = self.policy.memory
        finally:
            self.policy.memory = before
        return outputs


def apply_observation_fn(
    observations: npt.NDArray[Any], observation_fn: ObservationFn | None
) -> npt.NDArray[Any]:
    """Return the policy's observations for (n, ...) observations of the environment.

    Raises:
        ValueError: if the function does not return one for each.
    """
    if observation_fn is None:
        return observations
    seen = np.asarray(observation_fn(observations))
    if seen.ndim == 0 or len(seen) != len(observations):
        raise ValueError(
            f"observation_fn gave shape {seen.shape} for {len(observations)} observations; "
            "expected one for each"
        )
    return seen


def output_fn(policy: Any, columns: int | None = None) -> Callable[[Any], FloatArray]:
    """Return the function by which a policy acts.

    It returns action probabilities, or means and log standard deviations, and checks them.

    Args:
        policy: a policy.
        columns: expected number of columns, with one row for each observation; None for any shape.
    """
    is_gaussian = distribution_of(policy) != CATEGORICAL

    def outputs(observations: Any) -> FloatArray:
        size: dict[str, int] = {}
        if columns is not None:
            size = {"rows": len(observations), "columns": columns}
        if not is_gaussian:
            given = policy.action_probabilities(observations)
            return checked_probabilities(given, policy, **size)
        rows = gaussian_rows(policy, observations)
        if size:
            check_shape(f"means and log deviations of {name_of(policy)}", rows.shape, **size)
        return rows

    return outputs


def bounds_for(policy: Any, space: spaces.Space[Any]) -> Bounds | None:
    """Return the bounds that map a policy's samples to actions of a space; None for `Discrete`.

    Raises:
        TypeError: for a policy with the other kind of actions, or an unsupported space.
        ValueError: for a policy with other bounds.
    """
    required, kind = _bounds_of(space), distribution_of(policy)
    if (kind == CATEGORICAL) != (required is None):
        wanted = "action_probabilities" if required is None else "action_gaussian"
        raise TypeError(
            f"a policy {type(policy).__name__} of {kind} actions where they are {space}; expected "
            f"one with {wanted}"
        )
    own = getattr(policy, "bounds", None)
    if required is None or own is None:
        return required
    if not own.is_like(required):
        raise ValueError(
            f"a policy of actions from {own.low.tolist()} to {own.high.tolist()}; expected the "
            f"environment's, {space}"
        )
    return own  # type: ignore[no-any-return]


def select_actions(
    outputs: npt.NDArray[Any], bounds: Bounds | None, rng: np.random.Generator | None
) -> npt.NDArray[Any]:
    """Return (batch, ...) actions for the outputs of `output_fn`.

    Args:
        outputs: (batch, columns) probabilities, or means and log standard deviations.
        bounds: bounds of the actions; None for `Discrete` actions.
        rng: samples the actions; None for the best ones: the first of the most probable, or the
            means.
    """
    samples = select_samples(outputs, bounds, rng)
    return samples if bounds is None else bounds.action(samples)


def select_samples(
    outputs: npt.NDArray[Any], bounds: Bounds | None, rng: np.random.Generator | None
) -> npt.NDArray[Any]:
    """Return what `select_actions` does, continuous actions before they are bounded.

    Returns:
        (batch,) actions, or (batch, dimensions) samples of the Gaussians.
    """
    if bounds is None:
        return outputs.argmax(axis=1) if rng is None else sample_actions(outputs, rng)
    mean, log_std = split(outputs)
    if rng is not None:
        mean = mean + np.exp(log_std) * rng.standard_normal(mean.shape)
    return mean  # type: ignore[no-any-return]


def sample_actions(probabilities: FloatArray, rng: np.random.Generator) -> IntArray:
    """Sample (batch,) actions from the rows of (batch, actions) probabilities."""
    # Inverse transform sampling: the number of cumulative probabilities up to a uniform draw.
    cumulative = probabilities.cumsum(axis=1)[:, :-1]
    return (rng.random((len(probabilities), 1)) >= cumulative).sum(axis=1)  # type: ignore[no-any-return]


def _bounds_of(space: spaces.Space[Any]) -> Bounds | None:
    """Return the bounds of a floating point Box, None for Discrete; refuse other spaces."""
    if isinstance(space, spaces.Discrete):
        return None
    if isinstance(space, spaces.Box) and np.issubdtype(space.dtype, np.floating):
        return Bounds(space.low, space.high)
    raise TypeError(f"actions of {space}; expected Discrete, or a Box of floating point numbers")


def _check_observations(env: Any) -> None:
    """Refuse Dict and Tuple observations."""
    observation = env.single_observation_space
    if isinstance(observation, spaces.Dict | spaces.Tuple):
        raise TypeError(f"observations of {observation}; expected arrays")
