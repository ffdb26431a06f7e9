"""What distillation pays: how far a student's answers are from its teacher's.

Each loss is a function of the student's logits and of a `Batch`'s columns, and gives a mean over
rows, weighted. `LOSSES` names those that the command line and `Distiller` know. All are of Discrete
actions but `gaussian_kl`, which alone is of continuous ones; each refuses the others.

Which of them are the gradient of something? All are on observations that stay: the teacher's own,
stored ones, or those that students met before (DAgger, each round of it). On the ways of a student
that changes meanwhile they are not (Czarnecki et al. 2019): such training may circle, though in
practice it does well. `student_driven` with its return is: of the expected sum along the way.

- nll: weakest where labels are few;
- mse: best where labels are few, bad on raw Q values;
- kl: blind to where the student's own errors lead, on the teacher's observations;
- reverse_kl: settles on one of several ways of the teacher's;
- gaussian_kl: as kl.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from dynamaze.common.validation import checked_number, did_you_mean

from .distributions import CATEGORICAL, split


class Targets(NamedTuple):
    """A batch's answers as tensors; of continuous actions the columns are those of `Batch`."""

    logits: Tensor  # (answers, actions) the teacher's
    weights: Tensor  # (answers,)
    values: Tensor | None = None  # (answers,)
    distribution: str = CATEGORICAL  # of which kind the actions are (see `distribution_of`)


Loss = Callable[[Tensor, Targets], Tensor]
"""Of the student's (answers, actions) logits, columns as those of the targets: a number."""


def weighted_mean(rows: Tensor, weights: Tensor) -> Tensor:
    """The mean of (answers,) rows; 0 where all weights are."""
    return (rows * weights).sum() / weights.sum().clamp(min=1e-12)


def nll(logits: Tensor, targets: Targets) -> Tensor:
    """Negative log-likelihood of the teacher's best action (Rusu et al. 2015, eq. 1)."""
    best = _logits_of(targets).argmax(dim=1)
    rows = functional.cross_entropy(logits, best, reduction="none")
    return weighted_mean(rows, targets.weights)


def mse(logits: Tensor, targets: Targets) -> Tensor:
    """Mean squared error of the logits, each row centred (Rusu et al. 2015, eq. 2).

    Only differences between actions say what to do, so the mean of a row is taken away first.
    """
    rows = (_centred(logits) - _centred(_logits_of(targets))).square().mean(dim=1)
    return weighted_mean(rows, targets.weights)


def kl(temperature: float = 1.0, hard: float = 0.0) -> Loss:
    """KL divergence of the student from the teacher, both softened by a temperature.

    Args:
        temperature: both logits are divided by it, and the loss multiplied by its square, so that
            gradients keep their size (Hinton et al. 2015, section 2.1). Below 1 it hardens: Rusu
            et al. (2015) take 0.01 for Q values.
        hard: weight of `nll`, in [0, 1]; the divergence weighs the rest.

    Raises:
        ValueError: for a number outside its range.
    """
    temperature = checked_number("temperature", temperature, 0, above=True)
    hard = checked_number("hard", hard, 0, 1)

    def loss(logits: Tensor, targets: Targets) -> Tensor:
        likely = functional.log_softmax(_logits_of(targets) / temperature, dim=1)
        rows = _divergence(likely, functional.log_softmax(logits / temperature, dim=1))
        soft = temperature**2 * weighted_mean(rows, targets.weights)
        return soft if hard == 0 else (1 - hard) * soft + hard * nll(logits, targets)

    return loss


def reverse_kl(logits: Tensor, targets: Targets) -> Tensor:
    """KL divergence of the teacher from the student, which may leave out what it cannot do."""
    rows = _divergence(
        functional.log_softmax(logits, dim=1), functional.log_softmax(_logits_of(targets), dim=1)
    )
    return weighted_mean(rows, targets.weights)


def gaussian_kl(logits: Tensor, targets: Targets) -> Tensor:
    """KL divergence of the student from the teacher, both Gaussian.

    Args:
        logits: (answers, 2 * dimensions) means, then log standard deviations.
        targets: such of the teacher.

    Raises:
        TypeError: for the answers of Discrete actions.
    """
    if targets.distribution == CATEGORICAL:
        raise TypeError("gaussian_kl of Discrete actions; expected another loss, such as kl")
    rows = gaussian_divergence(*split(logits), *split(targets.logits))
    return weighted_mean(rows, targets.weights)


LOSSES: dict[str, Callable[[], Loss]] = {
    "nll": lambda: nll,
    "mse": lambda: mse,
    "kl": kl,
    "reverse_kl": lambda: reverse_kl,
    "gaussian_kl": lambda: gaussian_kl,
}


def make_loss(loss: str | Loss) -> Loss:
    """A loss by name, or the loss itself.

    Raises:
        ValueError: for a name that does not exist, naming those that do.
    """
    if not isinstance(loss, str):
        return loss
    if loss not in LOSSES:
        raise ValueError(
            f"loss={loss!r}; expected one of {sorted(LOSSES)}{did_you_mean(loss, LOSSES)}"
        )
    return LOSSES[loss]()


# -- how much a row counts -------------------------------------------------------------------------


def criticality(logits: Tensor) -> Tensor:
    """(answers,) how much depends on the choice: best less worst (VIPER: Bastani et al. 2018)."""
    return logits.amax(dim=1) - logits.amin(dim=1)


def margin(logits: Tensor) -> Tensor:
    """(answers,) how sure the teacher is: its best probability less its second."""
    two = torch.softmax(logits, dim=1).topk(2, dim=1).values
    return two[:, 0] - two[:, 1]


def weighted(loss: str | Loss, by: Callable[[Tensor], Tensor], floor: float = 0.0) -> Loss:
    """A loss whose rows count by what the teacher's logits say, `criticality` or `margin`.

    Args:
        loss: the loss.
        by: (answers,) weights of (answers, actions) teacher's logits; they multiply the batch's.
        floor: added to the weights, so that no row is lost.
    """
    inner = make_loss(loss)

    def outer(logits: Tensor, targets: Targets) -> Tensor:
        if by in (criticality, margin):
            _logits_of(targets)
        counts = targets.weights * (by(targets.logits) + floor)
        return inner(logits, targets._replace(weights=counts))

    return outer


# -- more than actions -----------------------------------------------------------------------------


def value_mse(values: Tensor, targets: Targets) -> Tensor:
    """Mean squared error of (answers,) state values.

    Raises:
        ValueError: if the teacher has none, or another number.
    """
    if targets.values is None:
        raise ValueError("a batch without the teacher's values; expected a teacher that has them")
    if values.shape != targets.values.shape:
        raise ValueError(
            f"values of shape {tuple(values.shape)} and the teacher's of "
            f"{tuple(targets.values.shape)}; expected the same"
        )
    return weighted_mean((values - targets.values).square(), targets.weights)


def gaussian_divergence(
    mean: Tensor, log_std: Tensor, teacher_mean: Tensor, teacher_log_std: Tensor
) -> Tensor:
    """(answers,) KL divergence of a student's from a teacher's Gaussian actions, in closed form.

    All arguments are (answers, dimensions); the dimensions are independent.
    """
    scaled = (teacher_mean - mean) / log_std.exp()
    ratio = (2 * (teacher_log_std - log_std)).exp()
    return (log_std - teacher_log_std + (ratio + scaled.square() - 1) / 2).sum(dim=1)


def student_driven(
    logits: Tensor,
    teacher_logits: Tensor,
    actions: Tensor,
    alive: Tensor,
    *,
    with_return: bool = True,
) -> Tensor:
    """What a student pays along the ways that it went itself; its gradient is that of the training.

    Czarnecki et al. 2019: the divergence from the teacher at each step, and, `with_return`, that
    of all later steps as the (negative) return of the action that led there. Only so is it the
    gradient of something: of the expected divergence along the student's way, which then falls.

    Args:
        logits: (time, ways, actions) the student's.
        teacher_logits: as many.
        actions: (time, ways) what the student did, drawn from its probabilities.
        alive: (time, ways) 1 where the step was taken, 0 after the end.
        with_return: without it the student is blind to where its actions lead.

    Returns:
        A number: the mean over the ways of what is paid along each.
    """
    likely = functional.log_softmax(logits, dim=2)
    paid = alive * _divergence(functional.log_softmax(teacher_logits, dim=2), likely)
    total = paid.sum()
    if with_return:
        later = paid.detach().flip(0).cumsum(0).flip(0) - paid.detach()
        taken = likely.gather(2, actions[..., None])[..., 0]
        total = total + (alive * taken * later).sum()
    return total / logits.shape[1]


def _logits_of(targets: Targets) -> Tensor:
    """The teacher's logits.

    Raises:
        TypeError: if they are none, but Gaussians.
    """
    if targets.distribution != CATEGORICAL:
        raise TypeError(
            f"a loss of Discrete actions for {targets.distribution} ones; expected "
            'loss="gaussian_kl"'
        )
    return targets.logits


def _centred(logits: Tensor) -> Tensor:
    return logits - logits.mean(dim=1, keepdim=True)


def _divergence(taught: Tensor, learned: Tensor) -> Tensor:
    """KL divergence of log-probabilities along the last axis."""
    return (taught.exp() * (taught - learned)).sum(dim=-1)
