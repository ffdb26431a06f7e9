"""Distillation losses: how far a student's outputs are from its teacher's labels.

Each loss is a function of the student's logits and of a `Batch`'s columns, and returns a weighted
mean over rows. `LOSSES` lists those that the command line and `Distiller` know. `gaussian_kl` is
for continuous actions, the others are for Discrete ones; each refuses the other kind.

On a fixed set of observations (the teacher's, stored ones, or those of one DAgger round) every loss
has a gradient. On trajectories of a student that changes meanwhile, the update is not the gradient
of any objective and may cycle (Czarnecki et al. 2019), though it works well in practice;
`student_driven` with its return is a gradient there, too.

- nll: weakest with few labels;
- set_nll: as nll, for a teacher with several best actions, between which the student may choose;
- mse: best with few labels, bad on raw Q values;
- kl: does not see the consequences of the student's own errors on the teacher's observations;
- reverse_kl: mode-seeking, settles on one of several optimal actions;
- gaussian_kl: as kl.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from dynamaze.common.optional_imports import optional_import
from dynamaze.common.registry import Registry
from dynamaze.common.validation import checked_number

from .distributions import CATEGORICAL, split

optional_import("torch", purpose=__name__)
import torch  # noqa: E402  # after the message
from torch import Tensor  # noqa: E402
from torch.nn import functional  # noqa: E402


class Targets(NamedTuple):
    """A batch's labels as tensors; for continuous actions the columns are those of `Batch`."""

    logits: Tensor  # (queries, actions) the teacher's
    weights: Tensor  # (queries,)
    values: Tensor | None = None  # (queries,)
    distribution: str = CATEGORICAL  # kind of the actions (see `distribution_of`)


Loss = Callable[[Tensor, Targets], Tensor]
"""Function of the student's (queries, actions) logits and the targets; returns a scalar."""


def weighted_mean(rows: Tensor, weights: Tensor) -> Tensor:
    """Return the weighted mean of (queries,) rows; 0 where all weights are 0."""
    return (rows * weights).sum() / weights.sum().clamp(min=1e-12)


def nll(logits: Tensor, targets: Targets) -> Tensor:
    """Return the negative log-likelihood of the teacher's best action (Rusu et al. 2015, eq. 1)."""
    best = _logits_of(targets).argmax(dim=1)
    rows = functional.cross_entropy(logits, best, reduction="none")
    return weighted_mean(rows, targets.weights)


def set_nll(logits: Tensor, targets: Targets) -> Tensor:
    """Return the negative log-probability of the set of the teacher's best actions."""
    labels = _logits_of(targets)
    best = labels == labels.amax(dim=1, keepdim=True)
    log_policy = functional.log_softmax(logits, dim=1)
    # The smallest number instead of -inf, whose gradient would not be finite.
    outside = torch.finfo(log_policy.dtype).min
    rows = -log_policy.masked_fill(~best, outside).logsumexp(dim=1)
    return weighted_mean(rows, targets.weights)


def mse(logits: Tensor, targets: Targets) -> Tensor:
    """Return the mean squared error of the centred logits (Rusu et al. 2015, eq. 2)."""
    # Only differences between actions matter, so each row's mean is subtracted first.
    rows = (_centred(logits) - _centred(_logits_of(targets))).square().mean(dim=1)
    return weighted_mean(rows, targets.weights)


def kl(temperature: float = 1.0, hard: float = 0.0) -> Loss:
    """Return KL(teacher || student) as a loss, both softened by a temperature.

    Args:
        temperature: divides both logits; the loss is multiplied by its square, so that gradients
            keep their size (Hinton et al. 2015, section 2.1). Below 1 it sharpens: Rusu et al.
            (2015) use 0.01 for Q values.
        hard: weight of `nll`, in [0, 1]; the divergence has weight 1 - hard.

    Raises:
        ValueError: for a number outside its range.
    """
    temperature = checked_number("temperature", temperature, 0, above=True)
    hard = checked_number("hard", hard, 0, 1)

    def loss(logits: Tensor, targets: Targets) -> Tensor:
        teacher = functional.log_softmax(_logits_of(targets) / temperature, dim=1)
        rows = _divergence(teacher, functional.log_softmax(logits / temperature, dim=1))
        # Gradients of softened logits scale with 1 / temperature^2 (Hinton et al. 2015).
        soft = temperature**2 * weighted_mean(rows, targets.weights)
        return soft if hard == 0 else (1 - hard) * soft + hard * nll(logits, targets)

    return loss


def reverse_kl(logits: Tensor, targets: Targets) -> Tensor:
    """Return KL(student || teacher), which is mode-seeking."""
    rows = _divergence(
        functional.log_softmax(logits, dim=1), functional.log_softmax(_logits_of(targets), dim=1)
    )
    return weighted_mean(rows, targets.weights)


def gaussian_kl(logits: Tensor, targets: Targets) -> Tensor:
    """Return the KL divergence KL(teacher || student) of two Gaussians.

    Args:
        logits: (queries, 2 * dimensions) means, then log standard deviations, of the student.
        targets: labels of the same form.

    Raises:
        TypeError: for labels of Discrete actions.
    """
    if targets.distribution == CATEGORICAL:
        raise TypeError("gaussian_kl of Discrete actions; expected another loss, such as kl")
    rows = gaussian_divergence(*split(logits), *split(targets.logits))
    return weighted_mean(rows, targets.weights)


def divergence_of(distribution: str) -> Loss:
    """Return KL(teacher || student) as a loss for a kind of actions (see `distribution_of`)."""
    return kl() if distribution == CATEGORICAL else gaussian_kl


LOSSES: Registry[Callable[[], Loss]] = Registry(
    "loss",
    {
        "nll": lambda: nll,
        "set_nll": lambda: set_nll,
        "mse": lambda: mse,
        "kl": kl,
        "reverse_kl": lambda: reverse_kl,
        "gaussian_kl": lambda: gaussian_kl,
    },
)
"""Name -> function that makes the loss."""


def make_loss(loss: str | Loss) -> Loss:
    """Return a loss by its name; a function is returned unchanged.

    Raises:
        ValueError: for an unknown name, listing the known ones.
    """
    if not isinstance(loss, str):
        return loss
    return LOSSES.find(loss)()


# -- weights of rows -------------------------------------------------------------------------------


def criticality(logits: Tensor) -> Tensor:
    """Return the (queries,) gap of the best and the worst logit.

    VIPER (Bastani et al. 2018, eq. 2). It is 0 where all actions are equally good, so that any of
    them may be learned.
    """
    return logits.amax(dim=1) - logits.amin(dim=1)


def margin(logits: Tensor) -> Tensor:
    """Return the (queries,) gap between the teacher's largest and second largest probability."""
    two = torch.softmax(logits, dim=1).topk(2, dim=1).values
    return two[:, 0] - two[:, 1]


def weighted(loss: str | Loss, by: Callable[[Tensor], Tensor], floor: float = 0.0) -> Loss:
    """Return a loss whose rows are weighted by a function of the teacher's logits.

    Args:
        loss: the loss.
        by: maps (queries, actions) teacher logits to (queries,) weights, which multiply the
            batch's: `criticality`, `margin` or another function.
        floor: added to the result of `by`, so that no row has weight 0.

    Raises:
        ValueError: by the loss, for a weight below 0.
    """
    inner = make_loss(loss)

    def outer(logits: Tensor, targets: Targets) -> Tensor:
        if by in (criticality, margin):
            _logits_of(targets)
        factors = by(targets.logits) + floor
        if not (factors >= 0).all():  # also for NaN
            row = int((~(factors >= 0)).nonzero()[0])
            raise ValueError(
                f"by gave the weight {float(factors[row]) - floor:g} in row {row}; expected "
                f"numbers of at least {-floor:g}"
            )
        return inner(logits, targets._replace(weights=targets.weights * factors))

    return outer


# -- values, Gaussians, trajectories ---------------------------------------------------------------


def value_mse(values: Tensor, targets: Targets) -> Tensor:
    """Return the mean squared error of (queries,) state values.

    Raises:
        ValueError: if the batch has no values, or another number of them.
    """
    if targets.values is None:
        raise ValueError("a batch without the teacher's values; expected a teacher that has them")
    if values.shape != targets.values.shape:
        raise ValueError(
            f"values of shape {tuple(values.shape)} and the teacher's of "
            f"{tuple(targets.values.shape)}; expected the same"
        )
    return weighted_mean((values - targets.values).square(), targets.weights)


def affinity_mse(features: Tensor, targets: Tensor) -> Tensor:
    """Return the mean squared difference of the cosine similarities of all pairs of cells.

    Liu et al. 2019, equations 2 and 3. It is 0 for features that are equal up to a rotation and a
    positive factor of each cell's.

    Args:
        features: (batch, channels, rows, cols) maps, (batch, cells, channels) tokens, or (batch,
            channels), where the batch's rows are the cells.
        targets: the same with any number of channels.
    """
    return functional.mse_loss(_affinity(features), _affinity(targets))


def _affinity(features: Tensor) -> Tensor:
    """Return (batch, cells, cells) cosine similarities."""
    if features.ndim == 4:
        features = features.flatten(2).mT
    unit = functional.normalize(features if features.ndim == 3 else features[None], dim=2)
    return unit @ unit.mT


def gaussian_divergence(
    mean: Tensor, log_std: Tensor, teacher_mean: Tensor, teacher_log_std: Tensor
) -> Tensor:
    """Return the (queries,) KL divergence KL(teacher || student) of diagonal Gaussians.

    All arguments are (queries, dimensions).
    """
    # Closed form: log(s / t) + (t^2 + (m_t - m)^2) / (2 s^2) - 1 / 2 for each dimension.
    scaled = (teacher_mean - mean) / log_std.exp()
    ratio = (2 * (teacher_log_std - log_std)).exp()
    return (log_std - teacher_log_std + (ratio + scaled.square() - 1) / 2).sum(dim=1)


def distillation_term(log_ratio: Tensor, divergences: Tensor, least: float) -> Tensor:
    """Return the loss term of proximal policy distillation (Spigler 2024), without its weight.

    Args:
        log_ratio: (batch,) log ratio of the new to the old probability of the student's action.
        divergences: (batch,) KL(teacher || student).
        least: lower limit of the ratio, 1 - clip_range.
    """
    return (log_ratio.exp().clamp(min=least) * divergences).mean()


def student_driven(
    logits: Tensor,
    teacher_logits: Tensor,
    actions: Tensor,
    active: Tensor,
    *,
    with_return: bool = True,
) -> Tensor:
    """Return the distillation loss along trajectories that the student sampled itself.

    Czarnecki et al. 2019: the divergence from the teacher at each step and, `with_return`, the sum
    of all later divergences as the (negative) return of the action. Only with the return is the
    result a gradient: of the expected divergence along the student's trajectories.

    Args:
        logits: (time, trajectories, actions) the student's.
        teacher_logits: of the same shape.
        actions: (time, trajectories) sampled from the student's probabilities.
        active: (time, trajectories) 1 for a step that was taken, 0 after the end.
        with_return: False drops the return, so that consequences of actions are ignored.

    Returns:
        A scalar: the mean over trajectories of the summed divergence; its gradient is the update.
    """
    log_policy = functional.log_softmax(logits, dim=2)
    divergences = active * _divergence(functional.log_softmax(teacher_logits, dim=2), log_policy)
    total = divergences.sum()
    if with_return:
        # Score-function term: grad log pi(a_t) times the sum of all later divergences.
        later = divergences.detach().flip(0).cumsum(0).flip(0) - divergences.detach()
        taken = log_policy.gather(2, actions[..., None])[..., 0]
        total = total + (active * taken * later).sum()
    return total / logits.shape[1]


def _logits_of(targets: Targets) -> Tensor:
    """Return the teacher's logits.

    Raises:
        TypeError: if the labels are Gaussians.
    """
    if targets.distribution != CATEGORICAL:
        raise TypeError(
            f"a loss of Discrete actions for {targets.distribution} ones; expected "
            'loss="gaussian_kl"'
        )
    return targets.logits


def _centred(logits: Tensor) -> Tensor:
    return logits - logits.mean(dim=1, keepdim=True)


def _divergence(teacher: Tensor, student: Tensor) -> Tensor:
    """Return the KL divergence of log-probabilities along the last axis."""
    return (teacher.exp() * (teacher - student)).sum(dim=-1)
