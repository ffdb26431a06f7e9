"""A student that also knows what states are worth."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from dynamaze.common.arrays import FloatArray

from ..core.gaussian_actions import check_answers
from .base import Answers, Student
from .parts import check_outputs, checked_part


class ActorCritic(Student):
    """Two students in one: the actor learns a teacher's actions, the critic its state values.

    They train together, the critic by `Distiller(..., value_coef=)`; the batches need the values of
    a teacher that has `state_values`. As a policy it is its actor, which alone is exported; and it
    is a teacher of values as well.

    Args:
        actor: a student; of continuous actions too.
        critic: a student with one output for each answer of the actor.

    Raises:
        TypeError: for what is no network.
        ValueError: if the critic has several outputs.
    """

    def __init__(self, actor: Student, critic: Student) -> None:
        super().__init__()
        self.actor: Any = checked_part("actor", actor)
        self.critic: Any = checked_part("critic", critic)
        check_outputs("critic", critic, 1)
        self.config = {
            "kind": "actor_critic",
            "actor": actor.config,
            "critic": critic.config,
        }

    def forward(self, observations: Tensor) -> Tensor:
        """What the actor answers."""
        answers: Tensor = self.actor(observations)
        return answers

    def training_answers(
        self, observations: Tensor, progress: float, rng: np.random.Generator
    ) -> list[Answers]:
        """The actor's, each with the critic's values.

        Raises:
            ValueError: if the critic does not give one number for each answer.
        """
        values = self.critic(observations)
        check_answers("the critic", values.shape, 1)
        answers = self.actor.training_answers(observations, progress, rng)
        return [each._replace(values=values[:, 0]) for each in answers]

    def penalty(self, progress: float) -> Tensor:
        """Those of both."""
        penalty: Tensor = self.actor.penalty(progress) + self.critic.penalty(progress)
        return penalty

    def multiply_adds(self, observation_shape: tuple[int, ...]) -> int:
        """Those of the actor, which decides alone."""
        return int(self.actor.multiply_adds(observation_shape))

    def state_values(self, observations: Any) -> FloatArray:
        """(answers,) what the critic thinks of a batch of observations."""
        values = self.critic.action_logits(observations)
        check_answers("the critic", values.shape, 1)
        return values[:, 0]  # type: ignore[no-any-return]

    # -- a policy: the actor -------------------------------------------------------------------

    @property
    def action_gaussian(self) -> Any:
        """That of an actor of continuous actions; others have none."""
        return self.actor.action_gaussian

    @property
    def bounds(self) -> Any:
        """Those of an actor of continuous actions; others have none."""
        return self.actor.bounds

    def action_logits(self, observations: Any) -> FloatArray:
        """(answers, actions) the actor's logits."""
        return self.actor.action_logits(observations)  # type: ignore[no-any-return]

    def action_probabilities(self, observations: Any) -> FloatArray:
        """(answers, actions) the actor's probabilities."""
        return self.actor.action_probabilities(observations)  # type: ignore[no-any-return]

    def act(self, observation: Any) -> Any:
        """The actor's best action for one observation."""
        return self.actor.act(observation)

    @property
    def memory(self) -> Any:
        """What actor and critic remember, where at least one of them does; None for nothing."""
        memories = [part.memory for part in self._remembering()]
        return None if all(memory is None for memory in memories) else memories

    @memory.setter
    def memory(self, memory: Any) -> None:
        for number, part in enumerate(self._remembering()):
            part.memory = None if memory is None else memory[number]

    def reset(self, began: npt.NDArray[np.bool_] | None = None) -> None:
        """Let those forget that remember."""
        for part in self._remembering():
            part.reset(began)

    def _remembering(self) -> list[Any]:
        parts = [part for part in (self.actor, self.critic) if hasattr(part, "memory")]
        if not parts:
            raise AttributeError("neither actor nor critic has a memory")
        return parts
