"""Adversarial distillation: a discriminator of the teacher's and the student's answers.

Two sources: Xu, Hsu and Huang (2018, "Training shallow and thin networks for acceleration via
knowledge distillation with conditional adversarial networks", arXiv 1709.00513), with the teacher's
logits; and Ho and Ermon (2016, "Generative adversarial imitation learning", arXiv 1606.03476), of
which only sampled actions are seen.

Differences from the papers:

1. The discriminator has the observation as its condition, and no second output that classifies it
   (Xu et al. have no condition but that output, equation 4).
2. From actions alone, the states are those of the source, and the student's gradient is that of
   the expected score of its next action, which is exact for Discrete actions. Ho and Ermon take
   the states of the student's own episodes and estimate the gradient of the sum of later scores by
   sampling; with states of the teacher's episodes this is their method with a discount of 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dynamaze.common.optional_imports import optional_import
from dynamaze.common.validation import checked_number

from ..core.distributions import CATEGORICAL, distribution_of
from ..students.base import Student
from ..training.loop import Loop
from ..training.method import Method, Update, Weight, checked_weight, weight_at
from .critics import BETAS, accuracy, critic_of, fake_term, real_term
from .layers import example_observations

optional_import("torch", purpose=__name__)
import torch  # noqa: E402  # after the message
from torch import Tensor, nn  # noqa: E402
from torch.nn import functional  # noqa: E402


@dataclass
class Adversarial(Method):
    """Adversarial distillation (Xu et al. 2018), or imitation of actions (Ho and Ermon 2016).

    A critic of each student sees an observation and an answer to it, and learns to tell the
    teacher's answers from the student's; the student learns to be taken for the teacher. It needs
    Discrete actions.

    Args:
        weight: of the critic's term, at least 0; a number or a function of the progress.
        actions_only: False for answers that are probabilities, with the soft targets as another
            term. True hides the teacher's logits: its answers are sampled actions, and the critic
            is all that the student learns from.
        learning_rate: step size of the critics.

    Attributes:
        accuracies: name of a student -> fraction of the latest batch's answers that its critic
            assigned correctly before its update; 0.5 is chance.
    """

    weight: Weight = 0.1
    actions_only: bool = False
    learning_rate: float = 1e-3

    def setup(self, loop: Loop) -> None:
        """Add a critic for each student.

        Raises:
            TypeError: for a student of continuous actions, or of unknown observations.
            ValueError: for a number outside its range.
        """
        checked_weight("weight", self.weight)
        rate = checked_number("learning_rate", self.learning_rate, 0, above=True)
        self.accuracies: dict[str, float] = {}
        for name, student in loop.students.items():
            if distribution_of(student) != CATEGORICAL:
                raise TypeError(
                    f"student {name!r} has continuous actions; expected Discrete ones, whose "
                    "probabilities a critic can see"
                )
            critic = critic_of(loop, student, _num_actions(loop, student))
            loop.add(f"{name}.critic", critic, learning_rate=rate, betas=BETAS)

    def step(self, loop: Loop) -> Iterator[Update]:
        """Update each student, then its critic; the terms of both are computed before."""
        batch = loop.draw()
        weight, labels = weight_at(self.weight, loop.progress), batch.targets.logits
        for name in loop.students:
            outputs, critic = loop.answers(name, batch.observations), loop.parts[f"{name}.critic"]
            fake = outputs[-1].logits.softmax(dim=1)
            terms: dict[str, Tensor] = {}
            if self.actions_only:
                real = sample_one_hot(labels, critic.rng.random(len(labels)))
                score = expected_score(critic.module, batch.observations, fake)
                fake = sample_one_hot(outputs[-1].logits, critic.rng.random(len(labels)))
            else:
                real = labels.softmax(dim=1)
                terms["soft"] = loop.supervised(name, outputs, batch)
                score = real_term(critic.module(batch.observations, fake))
            accepted = critic.module(batch.observations, real)
            rejected = critic.module(batch.observations, fake.detach())
            critics = {"real": real_term(accepted), "fake": fake_term(rejected)}
            self.accuracies[name] = accuracy(accepted, rejected)
            yield Update((name,), {**terms, "adversarial": weight * score})
            yield Update((critic.name,), critics)


def expected_score(critic: nn.Module, observations: Tensor, policy: Tensor) -> Tensor:
    """Return the expected cost of a policy's action, -log D, averaged over the queries.

    It is the cost of Ho and Ermon (2016, equation 17) with the expectation over actions in closed
    form, so that its gradient needs no samples.

    Args:
        critic: the critic, which gets no gradient.
        observations: (batch, ...).
        policy: (queries, actions) probabilities, with their graph.
    """
    actions = policy.shape[1]
    with torch.no_grad():
        each = [
            functional.softplus(-critic(observations, row.expand(policy.shape)))
            for row in torch.eye(actions, device=policy.device)
        ]
    return (policy * torch.stack(each, dim=1)).sum(dim=1).mean()


def sample_one_hot(logits: Tensor, uniforms: object) -> Tensor:
    """Return (queries, actions) sampled actions, as 1 in their column and 0 elsewhere.

    Args:
        logits: (queries, actions).
        uniforms: (queries,) numbers in [0, 1), an array.
    """
    with torch.no_grad():
        cumulative = logits.double().softmax(dim=1).cumsum(dim=1)
        draws = torch.as_tensor(uniforms, device=logits.device)[:, None]
        chosen = (draws >= cumulative).sum(dim=1).clamp(max=logits.shape[1] - 1)
        return functional.one_hot(chosen, logits.shape[1]).to(logits.dtype)


def _num_actions(loop: Loop, student: Student) -> int:
    """Return the number of a student's actions, from its outputs for an example."""
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        return int(student(example_observations(loop, student)).shape[1])
