"""Proximal policy distillation: a student that learns from rewards and from a teacher at once.

Spigler (2024, "Proximal policy distillation", arXiv 2407.15134): PPO as it is, whose loss gets one
term more, on the student's own rollouts,

    distill_coef * mean(max(ratio, 1 - clip_range) * KL(teacher || student)),

with the ratio of the student's probability of its action to that at the time of the rollout. As the
reward is learned from too, the student may become better than its teacher.

Differences from the author's code (sb3_distill):

1. The teacher is asked once for each rollout, not in each epoch, and about observations as the
   environment gives them, before `VecNormalize`.
2. The teacher may be anything that `as_teacher` takes, not only a model of Stable-Baselines3.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor
from torch.distributions import Categorical, kl_divergence

from dynamaze.common.optional_imports import optional_import
from dynamaze.common.validation import checked_number

from ..core.distributions import CATEGORICAL, SQUASHED, distribution_of, split
from ..core.losses import gaussian_divergence
from ..teachers import as_teacher, teacher_answers

optional_import("stable_baselines3", extra="distill", purpose="ProximalDistillation")
from stable_baselines3 import PPO  # noqa: E402  # after the message
from stable_baselines3.common.utils import FloatSchedule  # noqa: E402

CHUNK = 1024
"""Observations that the teacher is asked about at once."""


class ProximalDistillation(PPO):
    """PPO of Stable-Baselines3 with a teacher.

        from stable_baselines3 import PPO
        from dynamaze.distill.methods.proximal import ProximalDistillation

        teacher = PPO("MlpPolicy", env).learn(50_000)
        student = ProximalDistillation(
            "MlpPolicy", env, teacher=teacher, policy_kwargs={"net_arch": [4]}
        )
        student.learn(20_000, progress_bar=True)

    Callbacks, logs, `save` and `load` are those of PPO; a file holds the student alone, so that
    after `load` the teacher has to be given again by `set_teacher`. The log gets
    "train/distill_loss", the term above without its coefficient; "train/loss" is PPO's alone.

    Args:
        policy: as for PPO.
        env: as for PPO; its actions are Discrete or Box, its observations arrays.
        teacher: what `as_teacher` takes; it may be set later.
        distill_coef: weight of the teacher, at least 0; or a function of the share of the training
            that is left, from 1 to 0, as `learning_rate` may be. At 0 the teacher is not asked.
        **ppo: all other arguments of PPO.

    Attributes:
        teacher: the teacher as `as_teacher` gives it, or None.

    Raises:
        TypeError: for observations, actions or a teacher from which nothing can be learned so.
        ValueError: for a negative coefficient, or a teacher whose spaces are not the student's.
    """

    def __init__(
        self,
        policy: Any,
        env: Any,
        *,
        teacher: Any = None,
        distill_coef: float | Callable[[float], float] = 1.0,
        **ppo: Any,
    ) -> None:
        if not callable(distill_coef):
            distill_coef = checked_number("distill_coef", distill_coef, 0)
        self.distill_coef = distill_coef
        self.teacher: Any = None
        self._seen: list[Any] = []
        super().__init__(policy, env, **ppo)
        if teacher is not None:
            self.set_teacher(teacher)

    def set_teacher(self, teacher: Any) -> None:
        """Take a teacher, in the place of any other.

        Raises:
            TypeError: for what is no teacher, or answers for other actions.
            ValueError: if its spaces are not the student's.
        """
        self._check_spaces()
        made = as_teacher(teacher)
        model = getattr(getattr(made, "teacher", made), "model", None)  # of one with a temperature
        for name in ("observation_space", "action_space"):
            theirs, mine = getattr(model, name, None), getattr(self, name)
            if theirs is not None and _form(theirs) != _form(mine):
                raise ValueError(f"a teacher with {name} {theirs}; expected the student's, {mine}")
        mine = self.observation_space.shape
        shape = getattr(made, "observation_shape", mine)
        if shape != mine:
            raise ValueError(
                f"a teacher of observations of shape {shape}; expected the student's, {mine}"
            )
        taught, squash = distribution_of(made), self.policy.squash_output
        if self._is_discrete != (taught == CATEGORICAL):
            asked = "action_logits" if self._is_discrete else "action_gaussian"
            raise TypeError(
                f"a teacher {type(made).__name__} without {asked}; expected one for "
                f"actions of {self.action_space}"
            )
        if not self._is_discrete and (taught == SQUASHED) != squash:
            raise TypeError(
                f"a teacher whose actions are {'not ' if squash else ''}squashed; expected them "
                "as the student's are"
            )
        self.teacher = made

    def learn(self, *args: Any, **kwargs: Any) -> Any:
        """As PPO's.

        Raises:
            RuntimeError: without a teacher.
        """
        if self.teacher is None:
            raise RuntimeError(
                "no teacher; expected set_teacher(teacher) before learn, as after load"
            )
        return super().learn(*args, **kwargs)

    # -- what PPO calls --------------------------------------------------------------------------

    def collect_rollouts(
        self, env: Any, callback: Any, rollout_buffer: Any, n_rollout_steps: int
    ) -> bool:
        """As PPO's; keeps the observations before they were normalised, where they are."""
        normalizing = self.get_vec_normalize_env()
        self._seen = []
        if normalizing is None:
            return super().collect_rollouts(env, callback, rollout_buffer, n_rollout_steps)
        add, latest = rollout_buffer.add, normalizing.get_original_obs()

        def add_and_keep(*row: Any) -> None:
            nonlocal latest
            self._seen.append(latest)  # PPO adds a row when the next observation is already there
            latest = normalizing.get_original_obs()
            add(*row)

        with _instead(rollout_buffer, "add", add_and_keep):
            return super().collect_rollouts(env, callback, rollout_buffer, n_rollout_steps)

    def train(self) -> None:
        """As PPO's, with the gradient of the distillation term added to each step's."""
        coef = FloatSchedule(self.distill_coef)(self._current_progress_remaining)
        if coef == 0:
            super().train()
            return
        terms: list[float] = []
        with self._taught(self._ask_teacher(), coef, terms):
            super().train()
        self.logger.record("train/distill_coef", coef)
        self.logger.record("train/distill_loss", float(np.mean(terms)))

    @contextmanager
    def _taught(self, answers: Tensor, coef: float, terms: list[float]) -> Iterator[None]:
        """While it lasts, what PPO learns from a minibatch it learns from its teacher as well."""
        buffer, policy = self.rollout_buffer, self.policy
        sample, evaluate = buffer._get_samples, policy.evaluate_actions
        least = 1 - FloatSchedule(self.clip_range)(self._current_progress_remaining)
        drawn: Any = None

        def get_samples(indices: Any, env: Any = None) -> Any:
            nonlocal drawn
            samples = sample(indices, env)
            drawn = answers[indices], samples.old_log_prob
            return samples

        def evaluate_actions(observations: Any, actions: Any) -> Any:
            values, log_prob, entropy = evaluate(observations, actions)
            taught, old_log_prob = drawn
            # The policy keeps the distribution that it has just evaluated the actions by.
            apart = divergence(taught, policy.action_dist.distribution)
            term = distillation_term(log_prob - old_log_prob, apart, least)
            terms.append(float(term.detach()))
            taught_log_prob: Tensor = _WithGradientOf.apply(log_prob, coef * term)  # type: ignore[no-untyped-call]  # torch's
            return values, taught_log_prob, entropy

        with (
            _instead(buffer, "_get_samples", get_samples),
            _instead(policy, "evaluate_actions", evaluate_actions),
        ):
            yield

    def _excluded_save_params(self) -> list[str]:
        return [*super()._excluded_save_params(), "teacher", "_seen"]

    # -- the teacher ---------------------------------------------------------------------------

    def _ask_teacher(self) -> Tensor:
        """What the teacher says of the rollout's observations, in the order of PPO's indices."""
        buffer = self.rollout_buffer
        raw = np.asarray(self._seen) if self._seen else buffer.observations
        rows = buffer.swap_and_flatten(raw)
        parts = [
            teacher_answers(self.teacher, rows[at : at + CHUNK], self._columns)
            for at in range(0, len(rows), CHUNK)
        ]
        return torch.as_tensor(np.concatenate(parts)).to(self.device)

    @property
    def _columns(self) -> int:
        """Of an answer."""
        if isinstance(self.action_space, spaces.Discrete):
            return int(self.action_space.n)
        return 2 * int(np.prod(self.action_space.shape or ()))

    @property
    def _is_discrete(self) -> bool:
        return isinstance(self.action_space, spaces.Discrete)

    def _check_spaces(self) -> None:
        if isinstance(self.observation_space, spaces.Dict):
            raise TypeError(f"observations of {self.observation_space}; expected arrays")
        if not isinstance(self.action_space, spaces.Discrete | spaces.Box):
            raise TypeError(f"actions of {self.action_space}; expected Discrete or Box")


def distillation_term(log_ratio: Tensor, divergences: Tensor, least: float) -> Tensor:
    """What the teacher adds to PPO's loss, without its coefficient.

    Args:
        log_ratio: (batch,) logarithm of how much likelier the student's action has become.
        divergences: (batch,) of the student from the teacher.
        least: the ratio counts as no less.
    """
    return (log_ratio.exp().clamp(min=least) * divergences).mean()


def divergence(taught: Tensor, learned: Any) -> Tensor:
    """(batch,) KL divergence of a student's distribution from its teacher's.

    Args:
        taught: what `teacher_answers` gives.
        learned: a Categorical or a Normal of torch.
    """
    if isinstance(learned, Categorical):
        return kl_divergence(Categorical(logits=taught), learned)
    return gaussian_divergence(learned.mean, learned.stddev.log(), *split(taught))


class _WithGradientOf(torch.autograd.Function):
    """Gives a tensor as it is, and adds the gradient of a number to the one that flows back."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor, number: Tensor) -> Tensor:
        return tensor.view_as(tensor)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        return gradient, torch.ones((), device=gradient.device)


@contextmanager
def _instead(thing: Any, name: str, method: Callable[..., Any]) -> Iterator[None]:
    """While it lasts, one object has another method than its class."""
    setattr(thing, name, method)
    try:
        yield
    finally:
        delattr(thing, name)


def _form(space: Any) -> tuple[Any, ...]:
    """What two spaces must have in common; bounds may differ."""
    return type(space), space.shape, getattr(space, "n", None)
