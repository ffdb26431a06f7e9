"""Joint training of students and a teacher that learns from rewards (Messikommer et al. 2024)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from dynamaze.common.optional_imports import optional_import

from ..core.distributions import distribution_of
from ..core.losses import Targets
from ..training.batches import TensorBatch
from ..training.loop import TEACHER, Loop
from ..training.method import Update, Weight, checked_weight, weight_at
from .reinforced import PPO, Minibatch, Rollout, action_distribution

optional_import("torch", purpose=__name__)
import torch  # noqa: E402  # after the message
from torch import Tensor  # noqa: E402
from torch.distributions import Distribution, kl_divergence  # noqa: E402


@dataclass(kw_only=True)
class JointReward(PPO):
    """Teacher that learns from rewards, and students that follow it at the same time.

    The teacher, a network that acts in the source's environment, learns by PPO; on each of its
    rollouts the students then learn its soft targets as it is at that step. So no environment steps
    are taken again for the students, and rewards train one network only.

        source = OnPolicy(env, network)
        Distiller(student, source, JointReward(), teacher=network, total_steps=100)

    With a `weight` the teacher is student-informed (Messikommer et al. 2024, arXiv 2412.09149): it
    keeps to what the students can follow. Its rewards are r - weight * KL(teacher || student), and
    weight * KL(teacher || student) enters its loss, the mean of the students.

    Differences from the paper: teacher and students observe the same and share no layers, and the
    divergence is that from the students themselves instead of a proxy of them.

    The teacher's part is "teacher" and its critic "critic/teacher". With `teacher_rate` 0 it is
    fixed, and students imitate it on its own rollouts.

    Args:
        weight: of the divergence from the students: a number, or a function of the progress.
        teacher_rate: initial step size of the teacher; 0 for a fixed one.
        **ppo: as for `PPO`; `epochs` and `minibatches` are also those of the students.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"module", "reward"})

    weight: Weight = 0.0
    teacher_rate: float = 3e-3

    def setup(self, loop: Loop) -> None:
        """Check the settings and the source, and add teacher and critic.

        Raises:
            ValueError, TypeError: for a number outside its range, a teacher that is a student or
                has other actions, or a source in which the teacher does not act.
        """
        checked_weight("weight", self.weight)
        loop.add(TEACHER, loop.teacher_module(), learning_rate=self.teacher_rate)
        modules = {name: part.module for name, part in loop.parts.items()}
        kinds = {name: distribution_of(each) for name, each in modules.items()}
        outputs = {name: getattr(each, "num_outputs", None) for name, each in modules.items()}
        if len(set(kinds.values())) > 1 or len(set(outputs.values()) - {None}) > 1:
            raise TypeError(
                f"{kinds} actions with {outputs} outputs; expected the same of teacher and students"
            )
        super().setup(loop)

    def actors(self, loop: Loop) -> list[str]:
        """Return the teacher: it alone acts."""
        return [TEACHER]

    def step(self, loop: Loop) -> Iterator[Update]:
        """Update the teacher by PPO, and then the students on the same rollout."""
        if self.teacher_rate:
            yield from super().step(loop)
        else:
            yield from self._imitate(loop, loop.draw_unlabelled())

    def rewards(self, loop: Loop, name: str, batch: TensorBatch) -> Tensor:
        """Return the rewards minus the weighted divergence from the students."""
        reward, weight = batch.extra["reward"], weight_at(self.weight, loop.progress)
        if not weight:
            return reward
        teacher = self._policy(loop, TEACHER, batch.observations)
        return reward - weight * self._divergence(loop, teacher, batch.observations)

    def terms(self, loop: Loop, minibatch: Minibatch) -> dict[str, Tensor]:
        """Return PPO's terms and the teacher's divergence from the students."""
        terms, weight = super().terms(loop, minibatch), weight_at(self.weight, loop.progress)
        if weight:
            divergence = self._divergence(loop, minibatch.policy, minibatch.observations)
            terms["students"] = weight * divergence.mean()
        return terms

    def after(self, loop: Loop, rollouts: Mapping[str, Rollout]) -> Iterator[Update]:
        """Update the students towards the teacher as it now is."""
        return self._imitate(loop, rollouts[TEACHER].batch)

    def _imitate(self, loop: Loop, batch: TensorBatch) -> Iterator[Update]:
        seen = batch.observations
        with torch.no_grad():
            logits = loop.answers(TEACHER, seen)[-1].logits
        weights = torch.ones(len(logits), device=logits.device)
        for name in loop.students:
            # Orders from the student's own generator: it does not matter to the others.
            for rows in self.minibatch_rows(loop, len(seen), loop.parts[name].rng):
                labels = Targets(logits[rows], weights[rows])
                labelled = TensorBatch(seen[rows], labels, {}, batch.source)
                outputs = loop.answers(name, labelled.observations)
                yield Update((name,), {"soft": loop.supervised(name, outputs, labelled)})

    def _divergence(self, loop: Loop, teacher: Distribution, seen: Tensor) -> Tensor:
        """Return (rows,) KL(teacher || student), the mean of the students."""
        with torch.no_grad():
            students = [self._policy(loop, name, seen) for name in loop.students]
        return torch.stack([kl_divergence(teacher, student) for student in students]).mean(dim=0)

    def _policy(self, loop: Loop, name: str, seen: Tensor) -> Distribution:
        kind = distribution_of(loop.parts[name].module)
        return action_distribution(loop.answers(name, seen)[-1].logits, kind)
