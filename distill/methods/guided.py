"""Methods with rewards and a teacher at once: kickstarting, proximal and generalised distillation.

Each adds a divergence from the teacher to PPO on the student's own rollouts. They differ in its
form and in how its weight changes. Since rewards count as well, the student may become better than
its teacher.

`ProximalDistillation` is the same as `proximal` for models of Stable-Baselines3: with its callbacks
and files, and without exact resume, critic warm-up and several students.
"""

from __future__ import annotations

from dataclasses import dataclass

from dynamaze.common.optional_imports import optional_import
from dynamaze.common.validation import checked_number

from ..core.losses import distillation_term
from ..training.loop import Loop
from ..training.method import Weight, checked_weight, weight_at
from .reinforced import PPO, Minibatch

optional_import("torch", purpose=__name__)
from torch import Tensor  # noqa: E402  # after the message
from torch.distributions import kl_divergence  # noqa: E402


@dataclass(kw_only=True)
class _Guided(PPO):
    """Base class of PPO with a teacher, and a weight of the divergence from it."""

    weight: Weight = 1.0
    until: float | None = None

    def setup(self, loop: Loop) -> None:
        """Check the settings and the sources, and add the critics.

        Raises:
            ValueError, TypeError: for a number outside its range, no teacher, or a source that is
                not the student's.
        """
        checked_weight("weight", self.weight)
        if self.until is not None:
            checked_number("until", self.until, 0, 1, above=True)
        if loop.teacher is None:
            raise TypeError(
                f"{type(self).__name__} without a teacher; expected OnPolicy(..., teacher=) or "
                "Distiller(..., teacher=)"
            )
        super().setup(loop)

    def weight_now(self, progress: float) -> float:
        """Return the weight at this progress: a number falls linearly, to 0 at `until`."""
        weight = weight_at(self.weight, progress)
        if callable(self.weight) or self.until is None:
            return weight
        return weight * max(0.0, 1 - progress / self.until)

    def is_guided(self, progress: float) -> bool:
        """Return True while the weight is above 0; then the teacher is called."""
        return self.weight_now(progress) > 0


@dataclass(kw_only=True)
class Kickstarting(_Guided):
    """Kickstarting (Schmitt et al. 2018): PPO, and the cross-entropy to the teacher.

    The loss gets weight * KL(teacher || student), which has the gradient of the paper's
    cross-entropy (eq. 4); its weight falls, so that in the end rewards alone count. The paper finds
    the schedule by population-based training; here it is linear, or a function.

    Args:
        weight: of the term: a number, or a function of the progress in [0, 1].
        until: progress at which a number has fallen to 0; None for a constant weight.
        **ppo: as for `PPO`.
    """

    until: float | None = 1.0

    def terms(self, loop: Loop, minibatch: Minibatch) -> dict[str, Tensor]:
        """Return PPO's terms and the divergence from the teacher."""
        terms = super().terms(loop, minibatch)
        if minibatch.guide is not None:
            divergence = kl_divergence(minibatch.guide, minibatch.policy).mean()
            terms["kickstarting"] = self.weight_now(loop.progress) * divergence
        return terms


@dataclass(kw_only=True)
class Proximal(_Guided):
    """Proximal policy distillation (PPD, Spigler 2024): PPO, and a divergence in its trust region.

    The loss gets weight * mean(max(ratio, 1 - clip_range) * KL(teacher || student)), see
    `distillation_term`.

    Args:
        weight: of the term: a number, or a function of the progress in [0, 1].
        until: progress at which a number has fallen linearly to 0; None for a constant weight, as
            in the paper.
        **ppo: as for `PPO`.
    """

    def terms(self, loop: Loop, minibatch: Minibatch) -> dict[str, Tensor]:
        """Return PPO's terms and the distillation term."""
        terms = super().terms(loop, minibatch)
        if minibatch.guide is not None:
            divergences = kl_divergence(minibatch.guide, minibatch.policy)
            term = distillation_term(minibatch.log_ratio, divergences, 1 - self.clip_range)
            terms["proximal"] = self.weight_now(loop.progress) * term
        return terms


@dataclass(kw_only=True)
class Privileged(_Guided):
    """Generalised distillation (Lopez-Paz et al. 2016): a teacher that sees more than the student.

    The student's loss is (1 - weight) * task + weight * KL(teacher || student), their equation 4;
    the task's loss is PPO's, since rewards are the labels of RL. The teacher is the source's, which
    gives it the full observations: `OnPolicy(env, student, teacher=..., observation_fn=...)`.

    Where equal observations of the student need different actions, imitation alone learns their
    mean, which may be worthless: the imitation gap (`imitation_gap` measures it).
    Then rewards must count: a weight below 1, or one that falls.

    Args:
        weight: of the imitation, in [0, 1]; 1 for imitation alone.
        until: progress at which a number has fallen linearly to 0; None for a constant weight.
        **ppo: as for `PPO`.
    """

    weight: Weight = 0.5

    def setup(self, loop: Loop) -> None:
        """Check the settings and the sources, and add the critics.

        Raises:
            ValueError, TypeError: as for the other methods, and for a weight above 1.
        """
        if not callable(self.weight):
            checked_number("weight", self.weight, 0, 1)
        super().setup(loop)

    def terms(self, loop: Loop, minibatch: Minibatch) -> dict[str, Tensor]:
        """Return both losses by their weights."""
        terms = super().terms(loop, minibatch)
        if minibatch.guide is None:
            return terms
        weight = checked_number("weight", self.weight_now(loop.progress), 0, 1)
        task = {} if weight == 1 else {name: (1 - weight) * each for name, each in terms.items()}
        divergence = kl_divergence(minibatch.guide, minibatch.policy).mean()
        return {**task, "imitation": weight * divergence}
