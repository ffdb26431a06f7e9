"""Proximal policy optimisation as a method, the base of those that learn from rewards as well."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from dynamaze.common.optional_imports import optional_import
from dynamaze.common.validation import checked_integer, checked_number

from ..core.distributions import CATEGORICAL, distribution_of, split
from ..data.on_policy import OnPolicy, generalised_advantages
from ..students.mlp import MLP
from ..training.batches import TensorBatch
from ..training.loop import Loop
from ..training.method import Method, Update, Weight, checked_weight

optional_import("torch", purpose=__name__)
import torch  # noqa: E402  # after the message
from torch import Tensor  # noqa: E402
from torch.distributions import Categorical, Distribution, Independent, Normal  # noqa: E402


@dataclass
class Rollout:
    """A batch of `OnPolicy` with what PPO needs.

    Attributes:
        batch: the transitions.
        advantages: (rows,) generalised advantage estimates.
        returns: (rows,) advantages plus values, the critic's targets.
        values: (rows,) the critic's, before this step's updates.
        guide: (rows, actions) logits that the student is drawn to; None without.
        guide_weights: (rows,) weights of the guide; None for 1.
    """

    batch: TensorBatch
    advantages: Tensor
    returns: Tensor
    values: Tensor
    guide: Tensor | None = None
    guide_weights: Tensor | None = None


@dataclass
class Minibatch:
    """Rows of a rollout with the student's present outputs.

    Attributes:
        observations: (rows, ...).
        policy: the student's distribution of actions.
        log_ratio: (rows,) log of the present to the former probability of each action.
        advantages: (rows,) normalised.
        guide: the guide's distribution of actions; None without.
        guide_weights: (rows,) weights of the guide; None for 1.
    """

    observations: Tensor
    policy: Distribution
    log_ratio: Tensor
    advantages: Tensor
    guide: Distribution | None
    guide_weights: Tensor | None


@dataclass(kw_only=True)
class PPO(Method):
    """Proximal policy optimisation (PPO, Schulman et al. 2017): rewards only, no teacher.

    A training step collects a rollout of each student from its `OnPolicy` source, and makes several
    passes over it in minibatches. Of an iterative student the last output enters the loss. Each
    student gets a critic, an MLP of the student's observations, which is a part "critic/NAME" and
    is not exported. Several students each need a source of the same name.

    It is the baseline of the methods that also have a teacher, and their mechanism: these add a
    divergence from a guide (`guide`, `terms`) or change the rewards (`rewards`).

    Differences from Stable-Baselines3's PPO: the critic is a network of its own with its own
    optimizer and norm of the gradient; values are not clipped; the value of the observation after a
    truncated episode is the critic's own.

    Args:
        gamma: discount, in [0, 1].
        gae_lambda: of generalised advantage estimation, in [0, 1].
        clip_range: limit of the probability ratio's distance from 1, above 0.
        entropy_coef: weight of the entropy bonus, at least 0.
        epochs: passes over a rollout.
        minibatches: of each pass.
        critic_warm_up: first training steps in which only critics are updated. A student that was
            distilled before has no critic yet, and the errors of a new one would ruin it. Such a
            student should also act well by samples, which rewards improve: distil it at a low
            temperature.
        critic_width: units of each of the critic's two hidden layers.
        critic_rate: initial step size of the critics.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"reward"})

    gamma: float = 0.99
    gae_lambda: float = 0.95
    clip_range: float = 0.2
    entropy_coef: float = 0.01
    epochs: int = 4
    minibatches: int = 4
    critic_warm_up: int = 0
    critic_width: int = 64
    critic_rate: float = 3e-3

    def setup(self, loop: Loop) -> None:
        """Check the settings and the sources, and add the critics.

        Raises:
            ValueError, TypeError: for a number outside its range, or a source that is not the
                student's.
        """
        actors = self.actors(loop)
        for name in ("gamma", "gae_lambda"):
            checked_number(name, getattr(self, name), 0, 1)
        checked_number("clip_range", self.clip_range, 0, above=True)
        checked_number("entropy_coef", self.entropy_coef, 0)
        for name, least in (("epochs", 1), ("minibatches", 1), ("critic_warm_up", 0)):
            checked_integer(name, getattr(self, name), least)
        for name in actors:
            shape = _source_of(loop, name, actors).observation_shape
            critic = MLP(shape, 1, self.critic_width, layers=2)
            loop.add(critic_of(name), critic, learning_rate=self.critic_rate)
            loop.restart(critic_of(name))  # with weights of the seed

    def step(self, loop: Loop) -> Iterator[Update]:
        """Collect a rollout of each student, and update the students one after another."""
        rollouts = {name: self._rollout(loop, name) for name in self.actors(loop)}
        if loop.step < self.critic_warm_up:
            for name, rollout in rollouts.items():
                for rows in self.minibatch_rows(loop, len(rollout.values), loop.rng):
                    yield Update((critic_of(name),), self._value_term(loop, name, rollout, rows))
            return
        self.guide(loop, rollouts)
        for name, rollout in rollouts.items():
            for rows in self.minibatch_rows(loop, len(rollout.values), loop.rng):
                yield Update((name,), self._policy_terms(loop, name, rollout, rows))
                yield Update((critic_of(name),), self._value_term(loop, name, rollout, rows))
        yield from self.after(loop, rollouts)

    # -- for methods with a guide ----------------------------------------------------------------

    def actors(self, loop: Loop) -> list[str]:
        """Return the parts that act and learn from rewards: the students."""
        return list(loop.students)

    def is_guided(self, progress: float) -> bool:
        """Return True if the teacher's labels are needed at this progress."""
        return False

    def rewards(self, loop: Loop, name: str, batch: TensorBatch) -> Tensor:
        """Return the (rows,) rewards that a student learns from."""
        return batch.extra["reward"]

    def guide(self, loop: Loop, rollouts: Mapping[str, Rollout]) -> None:
        """Set `guide` and `guide_weights` of each rollout, before any update of the step.

        By default a guided method's guide is the teacher.
        """
        for rollout in rollouts.values():
            if rollout.batch.labels is not None and self.is_guided(loop.progress):
                rollout.guide = rollout.batch.labels.logits

    def terms(self, loop: Loop, minibatch: Minibatch) -> dict[str, Tensor]:
        """Return the policy's loss terms: PPO's clipped surrogate and the entropy bonus."""
        ratio, advantages = minibatch.log_ratio.exp(), minibatch.advantages
        clipped = ratio.clamp(1 - self.clip_range, 1 + self.clip_range)
        # Schulman et al. 2017, eq. 7.
        surrogate = torch.min(ratio * advantages, clipped * advantages).mean()
        terms = {"policy": -surrogate}
        if self.entropy_coef:
            terms["entropy"] = -self.entropy_coef * minibatch.policy.entropy().mean()
        return terms

    def after(self, loop: Loop, rollouts: Mapping[str, Rollout]) -> Iterator[Update]:
        """Generate further updates, after those of the students; none by default."""
        yield from ()

    def minibatch_rows(self, loop: Loop, count: int, rng: np.random.Generator) -> Iterator[Tensor]:
        """Generate the rows of each minibatch of `count`, in a new order for each pass."""
        for _ in range(self.epochs):
            for rows in np.array_split(rng.permutation(count), min(self.minibatches, count)):
                yield torch.from_numpy(rows).to(loop.device)

    # -- inside ----------------------------------------------------------------------------------

    def _rollout(self, loop: Loop, name: str) -> Rollout:
        source = name if name in loop.sources else None
        draw = loop.draw if self.is_guided(loop.progress) else loop.draw_unlabelled
        batch = draw(source)
        extra, critic = batch.extra, critic_of(name)
        with torch.no_grad():
            values, following = (
                loop.answers(critic, seen)[-1].logits[:, 0]
                for seen in (batch.observations, extra["next_observations"])
            )
            rewards = self.rewards(loop, name, batch)
        columns = (rewards, values, following, extra["terminated"], extra["last"])
        advantages = generalised_advantages(
            *(column.cpu().numpy() for column in columns),
            gamma=self.gamma,
            gae_lambda=self.gae_lambda,
        )
        found = torch.from_numpy(advantages.astype(np.float32)).to(values.device)
        return Rollout(batch, found, found + values, values)

    def _policy_terms(
        self, loop: Loop, name: str, rollout: Rollout, rows: Tensor
    ) -> dict[str, Tensor]:
        seen, extra = rollout.batch.observations[rows], rollout.batch.extra
        kind = distribution_of(loop.parts[name].module)
        logits = loop.answers(name, seen)[-1].logits
        if len(logits) != len(rows):
            raise ValueError(
                f"student {name!r} gives {len(logits)} rows for {len(rows)} observations; expected "
                "one for each"
            )
        policy = action_distribution(logits, kind)
        log_prob = policy.log_prob(extra["action"][rows])
        advantages = rollout.advantages[rows]
        normalised = (advantages - advantages.mean()) / (advantages.std(correction=0) + 1e-8)
        guide, weights = rollout.guide, rollout.guide_weights
        minibatch = Minibatch(
            seen,
            policy,
            log_prob - extra["log_prob"][rows],
            normalised,
            None if guide is None else action_distribution(guide[rows], kind),
            None if weights is None else weights[rows],
        )
        return self.terms(loop, minibatch)

    def _value_term(
        self, loop: Loop, name: str, rollout: Rollout, rows: Tensor
    ) -> dict[str, Tensor]:
        seen = rollout.batch.observations[rows]
        values = loop.answers(critic_of(name), seen)[-1].logits[:, 0]
        return {"value": (values - rollout.returns[rows]).square().mean()}


def critic_of(name: str) -> str:
    """Return the name of a student's critic."""
    return f"critic/{name}"


def action_distribution(logits: Tensor, kind: str) -> Distribution:
    """Return the distribution of actions (before they are bounded).

    Args:
        logits: (rows, actions); or (rows, 2 * dimensions) means, then log standard deviations.
        kind: of the actions (see `distribution_of`).
    """
    if kind == CATEGORICAL:
        return Categorical(logits=logits, validate_args=False)
    mean, log_std = split(logits)
    return Independent(Normal(mean, log_std.exp(), validate_args=False), 1, validate_args=False)


def _source_of(loop: Loop, name: str, actors: Sequence[str]) -> Any:
    """Return the source in which a part acts.

    Raises:
        ValueError, TypeError: for none, or one of another student.
    """
    is_single = len(actors) == len(loop.sources) == 1
    source: Any = next(iter(loop.sources.values())) if is_single else loop.sources.get(name)
    who = f"student {name!r}" if name in loop.students else f"the {name}"
    if not isinstance(source, OnPolicy):
        found = "none" if source is None else type(source).__name__
        raise TypeError(f"the source of {who} is {found}; expected OnPolicy(env, it)")
    own: Any = loop.parts[name].module
    if source.student is not own:
        raise ValueError(f"the source of {who} acts with another; expected it")
    return source


@dataclass(kw_only=True)
class CohortPPO(PPO):
    """Base class of PPO of several students that learn from each other, each in its own source.

    Args:
        weight: of what they learn from each other: a number, or a function of the progress in
            [0, 1]; at 0 they are as under `PPO`.
        **ppo: as for `PPO`.
    """

    weight: Weight = 0.0

    @property
    def least_students(self) -> int:
        """Two."""
        return 2

    def setup(self, loop: Loop) -> None:
        """Check the settings, the sources and the students, and add the critics.

        Raises:
            ValueError, TypeError: for a number outside its range, one student, students of
                different observations or actions, or a source that is not the student's.
        """
        checked_weight("weight", self.weight)
        super().setup(loop)
        forms = {
            name: (source.observation_shape, source.env.single_action_space)  # type: ignore[attr-defined]  # OnPolicy
            for name, source in loop.sources.items()
        }
        first = next(iter(loop.students))
        for name, form in forms.items():
            if form != forms[first]:
                raise ValueError(
                    f"student {name!r} has the spaces {form} and {first!r} {forms[first]}; "
                    "expected equal observations and actions"
                )
