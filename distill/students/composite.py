"""Students made of other students: an actor with a critic, and Gaussian actions."""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import FloatArray
from dynamaze.common.optional_imports import optional_import

from ..core.distributions import Bounds, split
from ..core.gaussian_actions import LOG_STD, check_output_shape, refuse_logits
from .base import Student, TrainingOutput
from .quantise import is_quantised

optional_import("torch", purpose=__name__)
import torch  # noqa: E402  # after the message
from torch import Tensor  # noqa: E402


class ActorCritic(Student):
    """Actor that learns a teacher's actions, and critic that learns its state values.

    Suited to students that go on to learn from rewards, and to students as teachers of values.

    They train together; `Distiller(..., value_coef=)` weights the critic's loss. Batches need
    values, from a teacher with `state_values`. As a policy it is its actor, which alone is
    exported. It can also be a teacher with values.

    Args:
        actor: a student; of continuous actions too.
        critic: a student with one output for each output row of the actor.

    Raises:
        TypeError: if a part is not a network.
        ValueError: if the critic has several outputs.
    """

    def __init__(self, actor: Student, critic: Student) -> None:
        super().__init__()
        self.actor: Any = checked_part("actor", actor)
        self.critic: Any = checked_part("critic", critic)
        check_outputs("critic", critic, 1)
        self.feature_path = actor.feature_path and f"actor.{actor.feature_path}"
        self.config = {
            "kind": "actor_critic",
            "actor": actor.config,
            "critic": critic.config,
        }

    def forward(self, observations: Tensor) -> Tensor:
        """Return the actor's outputs."""
        outputs: Tensor = self.actor(observations)
        return outputs

    def training_outputs(
        self, observations: Tensor, progress: float, rng: np.random.Generator
    ) -> list[TrainingOutput]:
        """Return the actor's outputs, each with the critic's values.

        Raises:
            ValueError: if the critic does not return one number for each row.
        """
        values = self.critic(observations)
        check_output_shape("the critic", values.shape, 1)
        outputs = self.actor.training_outputs(observations, progress, rng)
        return [each._replace(values=values[:, 0]) for each in outputs]

    def penalty(self, progress: float) -> Tensor:
        """Return the sum of both penalties."""
        penalty: Tensor = self.actor.penalty(progress) + self.critic.penalty(progress)
        return penalty

    @property
    def num_outputs(self) -> int | None:
        """Number of outputs of the actor; None if unknown."""
        return self.actor.num_outputs  # type: ignore[no-any-return]

    def multiply_adds(self, observation_shape: tuple[int, ...]) -> int:
        """Return the multiply-adds of the actor, which alone acts."""
        return int(self.actor.multiply_adds(observation_shape))

    def state_values(self, observations: Any) -> FloatArray:
        """Return the critic's (queries,) values for a batch of observations."""
        values = self.critic.action_logits(observations)
        check_output_shape("the critic", values.shape, 1)
        return values[:, 0]  # type: ignore[no-any-return]

    # -- the actor's policy --------------------------------------------------------------------

    @property
    def action_gaussian(self) -> Any:
        """The `action_gaussian` of an actor with continuous actions; missing otherwise."""
        return self.actor.action_gaussian

    @property
    def bounds(self) -> Any:
        """Bounds of an actor with continuous actions; missing otherwise."""
        return self.actor.bounds

    def action_logits(self, observations: Any) -> FloatArray:
        """Return the actor's (queries, actions) logits."""
        return self.actor.action_logits(observations)  # type: ignore[no-any-return]

    def action_probabilities(self, observations: Any) -> FloatArray:
        """Return the actor's (queries, actions) probabilities."""
        return self.actor.action_probabilities(observations)  # type: ignore[no-any-return]

    def act(self, observation: Any) -> Any:
        """Return the actor's best action for one observation."""
        return self.actor.act(observation)

    @property
    def memory(self) -> Any:
        """Recurrent states of actor and critic, if at least one has a state; None after a reset."""
        memories = [part.memory for part in self._recurrent()]
        return None if all(memory is None for memory in memories) else memories

    @memory.setter
    def memory(self, memory: Any) -> None:
        for number, part in enumerate(self._recurrent()):
            part.memory = None if memory is None else memory[number]

    def reset(self, episode_start: npt.NDArray[np.bool_] | None = None) -> None:
        """Reset the recurrent states."""
        for part in self._recurrent():
            part.reset(episode_start)

    def _recurrent(self) -> list[Any]:
        parts = [part for part in (self.actor, self.critic) if hasattr(part, "memory")]
        if not parts:
            raise AttributeError("neither actor nor critic has a memory")
        return parts


class GaussianStudent(Student):
    """Student with Gaussian actions, whose parameters are the outputs of another student.

    Suited to continuous actions.

    Its dimensions are independent. The loss to train it with is "gaussian_kl".

        student = GaussianStudent(MLP((2,), 4, width=8), [-1, -1], [1, 1])
        Distiller(student, source, total_steps=1000, loss="gaussian_kl").distil()

    Args:
        inner: a student with 2 * dimensions outputs: means, then log standard deviations.
        low: lower bounds, of the shape of an action; -inf or None for no bound.
        high: upper bounds; inf or None for no bound.
        squashed: True if tanh of the sample is scaled to the bounds, as for a teacher of SAC;
            otherwise the sample is clipped to them, as for one of PPO.

    Attributes:
        bounds: bounds of the actions; they map samples to actions.

    Raises:
        TypeError: if the inner student is not a network.
        ValueError: for another number of outputs, or invalid bounds.
    """

    def __init__(self, inner: Student, low: Any, high: Any, *, squashed: bool = False) -> None:
        super().__init__()
        self.inner: Any = checked_part("inner", inner)
        self.bounds = Bounds(low, high, bool(squashed))
        check_outputs("inner", inner, 2 * self.bounds.dimensions)
        self.feature_path = inner.feature_path and f"inner.{inner.feature_path}"
        self.config = {
            "kind": "gaussian",
            "inner": inner.config,
            **self.bounds.to_json(),
        }

    def forward(self, observations: Tensor) -> Tensor:
        """Return (queries, 2 * dimensions) means, then log standard deviations, in [-20, 2].

        Raises:
            ValueError: if the inner student has another number of outputs.
        """
        return self._clipped(self.inner(observations))

    def training_outputs(
        self, observations: Tensor, progress: float, rng: np.random.Generator
    ) -> list[TrainingOutput]:
        """Return the inner student's outputs with clipped deviations."""
        outputs = self.inner.training_outputs(observations, progress, rng)
        return [each._replace(logits=self._clipped(each.logits)) for each in outputs]

    def penalty(self, progress: float) -> Tensor:
        """Return the penalty of the inner student."""
        penalty: Tensor = self.inner.penalty(progress)
        return penalty

    @property
    def num_outputs(self) -> int:
        """Number of means and deviations."""
        return 2 * self.bounds.dimensions

    def multiply_adds(self, observation_shape: tuple[int, ...]) -> int:
        """Return the multiply-adds of the inner student."""
        return int(self.inner.multiply_adds(observation_shape))

    # -- a policy ------------------------------------------------------------------------------

    def action_gaussian(self, observations: Any) -> tuple[FloatArray, FloatArray]:
        """Return (queries, dimensions) means and log standard deviations."""
        rows = self.inner.action_logits(observations)
        check_output_shape("inner", rows.shape, 2 * self.bounds.dimensions)
        mean, log_std = split(rows)
        return mean, np.clip(log_std, *LOG_STD)

    def act(self, observation: Any) -> npt.NDArray[np.float32]:
        """Return the action of the mean for one observation, as the environment takes it."""
        mean, _ = self.action_gaussian(np.asarray(observation)[None])
        return self.bounds.action(mean)[0]  # type: ignore[no-any-return]

    def action_logits(self, observations: Any) -> NoReturn:
        """Refuse: a Gaussian policy has no logits.

        Raises:
            TypeError: always.
        """
        refuse_logits()

    def action_probabilities(self, observations: Any) -> NoReturn:
        """Refuse: a Gaussian policy has no action probabilities.

        Raises:
            TypeError: always.
        """
        self.action_logits(observations)

    @property
    def memory(self) -> Any:
        """Recurrent state of the inner policy, if it has one."""
        return self.inner.memory

    @memory.setter
    def memory(self, memory: Any) -> None:
        self.inner.memory = memory

    def reset(self, episode_start: npt.NDArray[np.bool_] | None = None) -> None:
        """Reset the recurrent state of the inner policy, if it has one."""
        self.inner.reset(episode_start)

    def _clipped(self, rows: Tensor) -> Tensor:
        check_output_shape("inner", rows.shape, 2 * self.bounds.dimensions)
        mean, log_std = split(rows)
        return torch.cat([mean, log_std.clamp(*LOG_STD)], dim=1)


def checked_part(name: str, part: Any) -> Student:
    """Return a student that may be part of another.

    Raises:
        TypeError: if it is not a network.
        ValueError: if it is quantised; only the composite may be.
    """
    if not isinstance(part, Student):
        raise TypeError(f"{name} of type {type(part).__name__}; expected a student (a network)")
    if is_quantised(part):
        raise ValueError(f"{name} is quantised already; expected the whole to be: quantised(whole)")
    return part


def check_outputs(name: str, part: Student, outputs: int) -> None:
    """Check the number of outputs of a part, where it is known.

    Raises:
        ValueError: for another number.
    """
    if part.num_outputs not in (None, outputs):
        raise ValueError(f"{name} has {part.num_outputs} outputs; expected {outputs}")
