"""Distral (Teh et al. 2017, "Distral: robust multitask reinforcement learning")."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from dynamaze.common.optional_imports import optional_import

from ..core.distributions import distribution_of
from ..training.batches import TensorBatch
from ..training.loop import Loop
from ..training.method import Update, Weight, weight_at
from .reinforced import CohortPPO, Rollout, action_distribution

optional_import("torch", purpose=__name__)
import torch  # noqa: E402  # after the message
from torch import Tensor  # noqa: E402
from torch.distributions import kl_divergence  # noqa: E402

CENTROID = "centroid"
"""Name of the centroid's part."""


@dataclass(kw_only=True)
class Distral(CohortPPO):
    """Distral (distil and transfer learning, Teh et al. 2017): tasks that share a centroid policy.

    Each student has a task, the environment of its own source. It learns from the rewards
    r - weight * log(pi(a|s) / pi_0(a|s)) (eq. 1; the entropy term is PPO's bonus), which keep it
    near the centroid pi_0; the centroid imitates all students on their rollouts (eq. 2), and so
    carries what one task has learned to the others. There is no teacher. The centroid is a part
    "centroid", a network as the first student, and is not exported.

    Differences from the paper: each student is a network of its own ("1 column"), and the centroid
    minimises KL(student || centroid) instead of the negative log-likelihood of sampled actions,
    which is its mean.

    Args:
        weight: of the divergence in the rewards: a number, or a function of the progress in [0, 1].
            Advantages are normalised, so that where rewards are rare a large weight is all that is
            learned from.
        **ppo: as for `PPO`.
    """

    weight: Weight = 0.003

    def setup(self, loop: Loop) -> None:
        """Check the settings, the sources and the students, and add critics and centroid.

        Raises:
            ValueError, TypeError: as `CohortPPO`.
        """
        super().setup(loop)
        first = next(iter(loop.students))
        rate = loop.parts[first].learning_rate
        loop.add(CENTROID, copy.deepcopy(loop.students[first]), learning_rate=rate)

    def rewards(self, loop: Loop, name: str, batch: TensorBatch) -> Tensor:
        """Return the rewards minus the weighted log ratio to the centroid (eq. 1)."""
        reward, weight = batch.extra["reward"], weight_at(self.weight, loop.progress)
        if not weight:
            return reward
        kind = distribution_of(loop.students[name])
        centroid = action_distribution(loop.answers(CENTROID, batch.observations)[-1].logits, kind)
        log_ratio = batch.extra["log_prob"] - centroid.log_prob(batch.extra["action"])
        return reward - weight * log_ratio

    def after(self, loop: Loop, rollouts: Mapping[str, Rollout]) -> Iterator[Update]:
        """Update the centroid towards the students as they now are (eq. 2)."""
        for name, rollout in rollouts.items():
            kind, seen = distribution_of(loop.students[name]), rollout.batch.observations
            with torch.no_grad():
                logits = loop.answers(name, seen)[-1].logits
            # Orders from the centroid's own generator: at weight 0 the students are those of PPO.
            for rows in self.minibatch_rows(loop, len(seen), loop.parts[CENTROID].rng):
                answer = loop.answers(CENTROID, seen[rows])[-1].logits
                student = action_distribution(logits[rows], kind)
                divergence = kl_divergence(student, action_distribution(answer, kind)).mean()
                yield Update((CENTROID,), {"distral": divergence})
