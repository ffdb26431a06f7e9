"""Proximal policy distillation: PPO with a distillation term, from rewards and a teacher.

Spigler (2024, "Proximal policy distillation", arXiv 2407.15134): to PPO's loss a term is added, on
the student's own rollouts,

    distill_coef * mean(max(ratio, 1 - clip_range) * KL(teacher || student)),

with the ratio of the student's probability of its action to that at the time of the rollout. Since
rewards are learned from as well, the student may become better than its teacher.

Differences from the author's code (sb3_distill):

1. The teacher labels each rollout once, not in each epoch, on observations as the environment
   returns them, before `VecNormalize`.
2. The teacher may be anything that `as_teacher` takes, not only a model of Stable-Baselines3.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from gymnasium import spaces

from dynamaze.common.optional_imports import optional_import
from dynamaze.common.validation import checked_number

from ..core.distributions import CATEGORICAL, SQUASHED, distribution_of, split
from ..core.losses import distillation_term, gaussian_divergence
from ..teachers import as_teacher, check_stateless, teacher_labels

optional_import("stable_baselines3", purpose="ProximalDistillation")
import torch  # noqa: E402  # after the message
from stable_baselines3 import PPO  # noqa: E402  # after the message
from stable_baselines3.common.utils import FloatSchedule  # noqa: E402
from torch import Tensor  # noqa: E402
from torch.distributions import Categorical, kl_divergence  # noqa: E402

CHUNK = 1024
"""Observations in one call of the teacher."""


class ProximalDistillation(PPO):
    """PPO of Stable-Baselines3 with a teacher.

        from stable_baselines3 import PPO
        from dynamaze.distill.methods.proximal import ProximalDistillation

        teacher = PPO("MlpPolicy", env).learn(50_000)
        student = ProximalDistillation(
            "MlpPolicy", env, teacher=teacher, policy_kwargs={"net_arch": [4]}
        )
        student.learn(20_000, progress_bar=True)

    Callbacks, logs, `save` and `load` are those of PPO; a file holds the student only, so that the
    teacher must be set again by `set_teacher` after `load`. The log gets "train/distill_loss", the
    term above without its coefficient; "train/loss" is PPO's only.

    Args:
        policy: as for PPO.
        env: as for PPO; its actions are Discrete or Box, its observations arrays.
        teacher: anything that `as_teacher` takes; it may be set later.
        distill_coef: weight of the term, at least 0; or a function of the remaining progress, from
            1 to 0, as `learning_rate` may be. At 0 the teacher is not called.
        **ppo: all other arguments of PPO.

    Attributes:
        teacher: the teacher as returned by `as_teacher`, or None.

    Raises:
        TypeError: for unsupported observations, actions or teachers.
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
        """Set or replace the teacher.

        Raises:
            TypeError: if it is not a teacher, has other actions, is recurrent or needs masks.
            ValueError: if its spaces are not the student's.
        """
        self._check_spaces()
        made = as_teacher(teacher)
        check_stateless(made, "ProximalDistillation")
        # A TemperatureScaled teacher holds the one with the model.
        model = getattr(getattr(made, "teacher", made), "model", None)
        for name in ("observation_space", "action_space"):
            found, expected = getattr(model, name, None), getattr(self, name)
            if found is not None and _form(found) != _form(expected):
                raise ValueError(
                    f"a teacher with {name} {found}; expected the student's, {expected}"
                )
        own = self.observation_space.shape
        shape = getattr(made, "observation_shape", own)
        if shape != own:
            raise ValueError(
                f"a teacher of observations of shape {shape}; expected the student's, {own}"
            )
        kind, squash = distribution_of(made), self.policy.squash_output
        if self._is_discrete != (kind == CATEGORICAL):
            method = "action_logits" if self._is_discrete else "action_gaussian"
            raise TypeError(
                f"a teacher {type(made).__name__} without {method}; expected one for "
                f"actions of {self.action_space}"
            )
        if not self._is_discrete and (kind == SQUASHED) != squash:
            raise TypeError(
                f"a teacher whose actions are {'not ' if squash else ''}squashed; expected them "
                "as the student's are"
            )
        self.teacher = made

    def learn(self, *args: Any, **kwargs: Any) -> Any:
        """Train as PPO does.

        Raises:
            RuntimeError: without a teacher.
        """
        if self.teacher is None:
            raise RuntimeError(
                "no teacher; expected set_teacher(teacher) before learn, as after load"
            )
        return super().learn(*args, **kwargs)

    # -- hooks of PPO ---------------------------------------------------------------------------

    def collect_rollouts(
        self, env: Any, callback: Any, rollout_buffer: Any, n_rollout_steps: int
    ) -> bool:
        """Collect as PPO does; store observations before normalisation, if they are normalised."""
        normalizing = self.get_vec_normalize_env()
        self._seen = []
        if normalizing is None:
            return super().collect_rollouts(env, callback, rollout_buffer, n_rollout_steps)
        add, latest = rollout_buffer.add, normalizing.get_original_obs()

        def add_and_store(*row: Any) -> None:
            nonlocal latest
            self._seen.append(latest)  # PPO adds a row after the next observation has arrived
            latest = normalizing.get_original_obs()
            add(*row)

        with _instead(rollout_buffer, "add", add_and_store):
            return super().collect_rollouts(env, callback, rollout_buffer, n_rollout_steps)

    def train(self) -> None:
        """Train as PPO does; each step's gradient includes that of the distillation term."""
        coef = FloatSchedule(self.distill_coef)(self._current_progress_remaining)
        if coef == 0:
            super().train()
            return
        terms: list[float] = []
        with self._distillation(self._label_rollout(), coef, terms):
            super().train()
        self.logger.record("train/distill_coef", coef)
        self.logger.record("train/distill_loss", float(np.mean(terms)))

    @contextmanager
    def _distillation(self, labels: Tensor, coef: float, terms: list[float]) -> Iterator[None]:
        """Add the distillation term's gradient to each minibatch of PPO inside the context.

        Two methods of this object's buffer and policy are replaced: one records the labels of the
        minibatch, the other adds the gradient to that of the log-probabilities.
        """
        buffer, policy = self.rollout_buffer, self.policy
        sample, evaluate = buffer._get_samples, policy.evaluate_actions
        least = 1 - FloatSchedule(self.clip_range)(self._current_progress_remaining)
        drawn: Any = None

        def get_samples(indices: Any, env: Any = None) -> Any:
            nonlocal drawn
            samples = sample(indices, env)
            drawn = labels[indices], samples.old_log_prob
            return samples

        def evaluate_actions(observations: Any, actions: Any) -> Any:
            values, log_prob, entropy = evaluate(observations, actions)
            minibatch_labels, old_log_prob = drawn
            # The policy still holds the distribution by which it has just evaluated the actions.
            divergences = divergence(minibatch_labels, policy.action_dist.distribution)
            term = distillation_term(log_prob - old_log_prob, divergences, least)
            terms.append(float(term.detach()))
            with_gradient: Tensor = _WithGradientOf.apply(log_prob, coef * term)  # type: ignore[no-untyped-call]  # torch's
            return values, with_gradient, entropy

        with (
            _instead(buffer, "_get_samples", get_samples),
            _instead(policy, "evaluate_actions", evaluate_actions),
        ):
            yield

    def _excluded_save_params(self) -> list[str]:
        return [*super()._excluded_save_params(), "teacher", "_seen"]

    # -- the teacher ---------------------------------------------------------------------------

    def _label_rollout(self) -> Tensor:
        """Label the rollout's observations, in the order of PPO's indices."""
        buffer = self.rollout_buffer
        raw = np.asarray(self._seen) if self._seen else buffer.observations
        rows = buffer.swap_and_flatten(raw)
        parts = [
            teacher_labels(self.teacher, rows[at : at + CHUNK], self._columns)
            for at in range(0, len(rows), CHUNK)
        ]
        return torch.as_tensor(np.concatenate(parts)).to(self.device)

    @property
    def _columns(self) -> int:
        """Number of columns of a label."""
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


def divergence(labels: Tensor, student: Any) -> Tensor:
    """Return the (batch,) KL divergence KL(teacher || student).

    Args:
        labels: from `teacher_labels`.
        student: a Categorical or a Normal of torch.
    """
    if isinstance(student, Categorical):
        return kl_divergence(Categorical(logits=labels), student)
    return gaussian_divergence(student.mean, student.stddev.log(), *split(labels))


class _WithGradientOf(torch.autograd.Function):
    """Identity that adds the gradient of a scalar to the one that flows back."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor, number: Tensor) -> Tensor:
        return tensor.view_as(tensor)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        return gradient, torch.ones((), device=gradient.device)


@contextmanager
def _instead(instance: Any, name: str, method: Callable[..., Any]) -> Iterator[None]:
    """Replace a method of one object inside the context."""
    setattr(instance, name, method)
    try:
        yield
    finally:
        delattr(instance, name)


def _form(space: Any) -> tuple[Any, ...]:
    """Return the properties that two spaces must share; bounds may differ."""
    return type(space), space.shape, getattr(space, "n", None)
