"""Dual policy distillation (Lai et al. 2020): peers that learn from rewards and from each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dynamaze.common.optional_imports import optional_import
from dynamaze.common.validation import checked_number

from ..training.loop import Loop
from ..training.method import Weight, weight_at
from .reinforced import CohortPPO, Minibatch, Rollout, critic_of

optional_import("torch", purpose=__name__)
import torch  # noqa: E402  # after the message
from torch import Tensor  # noqa: E402
from torch.distributions import kl_divergence  # noqa: E402


@dataclass(kw_only=True)
class DualPolicy(CohortPPO):
    """Dual policy distillation (DPD, Lai et al. 2020): mutual learning of peers in RL.

    Each student learns from the rewards of its own environment and, in states where a peer does
    better, also from that peer: where the best critic of the others predicts a value that is above
    its own critic's by more than `margin`, the loss gets weight * KL(peer || student). There is no
    teacher. The paper has two peers (hence "dual"); here there may be more.

    Differences from the paper: its term is weighted by the exponential of the difference of the
    values; here it is all or nothing, the paper's limit of a large exponent.

    Args:
        weight: of the term: a number, or a function of the progress in [0, 1].
        margin: difference of the values, at least 0, from which a peer does better.
        **ppo: as for `PPO`.
    """

    weight: Weight = 0.1
    margin: float = 0.0

    def setup(self, loop: Loop) -> None:
        """Check the settings, the sources and the students, and add the critics.

        Raises:
            ValueError, TypeError: as `CohortPPO`.
        """
        checked_number("margin", self.margin, 0)
        super().setup(loop)

    def guide(self, loop: Loop, rollouts: Mapping[str, Rollout]) -> None:
        """Set the guides: in each state the peer of the highest value, where it is better."""
        if not weight_at(self.weight, loop.progress):
            return
        with torch.no_grad():
            for name, rollout in rollouts.items():
                seen = rollout.batch.observations
                peers = [other for other in loop.students if other != name]
                logits = torch.stack([loop.answers(peer, seen)[-1].logits for peer in peers])
                values = torch.stack(
                    [loop.answers(critic_of(peer), seen)[-1].logits[:, 0] for peer in peers]
                )
                best, which = values.max(dim=0)
                rollout.guide = logits[which, torch.arange(len(which), device=which.device)]
                rollout.guide_weights = (best > rollout.values + self.margin).float()

    def terms(self, loop: Loop, minibatch: Minibatch) -> dict[str, Tensor]:
        """Return PPO's terms and the divergence from better peers."""
        terms = super().terms(loop, minibatch)
        if minibatch.guide is not None and minibatch.guide_weights is not None:
            divergences = kl_divergence(minibatch.guide, minibatch.policy)
            term = (minibatch.guide_weights * divergences).mean()
            terms["peer"] = weight_at(self.weight, loop.progress) * term
        return terms
