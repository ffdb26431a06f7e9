"""Teachers: whatever knows what to do, made to say it in logits.

| what | its logits |
| --- | --- |
| PPO, A2C of Stable-Baselines3 | its distribution's |
| PPO, A2C, SAC of Stable-Baselines3 with continuous actions | none: means and log deviations |
| DQN of Stable-Baselines3 | its Q values |
| a torch module | what `forward` gives, in evaluation mode |
| agents of `dynamaze.agents`, exact policies | logarithms of `action_probabilities` |
| `TreeSearch` | of the shares of its root's visits |
| a function of observations | what it returns |
| `ActionValues` | the values of a function |
| `Experts` | those of the one who answers |
| what has `action_gaussian`, a `GaussianStudent` too | none: means and log deviations |

Logits are divided by a temperature. Values need a low one, for their differences are small: Rusu et
al. (2015) take 0.01 for DQN.

Of continuous actions an answer is a Gaussian's row, (answers, 2 * dimensions), as RLlib's inputs of
an action distribution: the means, then the logarithms of the standard deviations.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from inspect import isclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import FloatArray
from dynamaze.common.validation import checked_number

from ..core.distributions import CATEGORICAL, distribution_of, gaussian_rows
from ..core.logits import LogitPolicy, log_probabilities
from ..core.policy import Policy

AGENT = 1
"""The plane that marks the agent."""


class Teacher(Policy, Protocol):
    """A policy that says what it thinks of each action.

    One that has also `state_values(observations) -> (answers,)` teaches them as well.
    """

    def action_logits(self, observations: Any) -> FloatArray:
        """(answers, actions) logits; only differences within a row matter."""


def as_teacher(thing: Any, *, temperature: float = 1.0) -> Any:
    """A teacher made of what there is; see the module's table.

    Args:
        thing: a policy, model, module or function. Models of Stable-Baselines3 get observations as
            the environment gives them: they are transposed and normalised as the model had them.
        temperature: what logits are divided by; above 1 the teacher is softer.

    Returns:
        A `Teacher`; of a model with continuous actions one with `action_gaussian(observations)`,
        which gives means and log standard deviations, (batch, dimensions) each. Its `bounds`, if it
        has any, say how actions are made of its samples; else these are clipped to the
        environment's.

    Raises:
        TypeError: for anything else.
        ValueError: for a temperature that is not above 0.
    """
    temperature = checked_number("temperature", temperature, 0, above=True)
    teacher = _teacher_of(thing)
    return teacher if temperature == 1.0 else Softened(teacher, temperature)


def _teacher_of(thing: Any) -> Any:
    if _is_instance(thing, "stable_baselines3.common.base_class", "BaseAlgorithm"):
        from .sb3 import sb3_teacher

        return sb3_teacher(thing)
    if hasattr(thing, "action_gaussian") and not isclass(thing):
        return thing
    if hasattr(thing, "action_logits") and hasattr(thing, "action_probabilities"):
        return thing
    if _is_instance(thing, "torch.nn", "Module"):
        from ..students.torch_module import as_student

        return as_student(thing)
    if hasattr(thing, "action_probabilities") and not isclass(thing):
        return FromProbabilities(thing)
    if callable(thing) and not isclass(thing):
        return FromFunction(thing)
    raise TypeError(
        f"a teacher of type {type(thing).__name__}; expected a policy (action_probabilities), a "
        "model of Stable-Baselines3, a torch module, or a function from observations to logits"
    )


def _is_instance(thing: Any, module: str, name: str) -> bool:
    """Whether it is of a class whose module is loaded, without loading it."""
    loaded = sys.modules.get(module)
    return loaded is not None and isinstance(thing, getattr(loaded, name))


class FromProbabilities(LogitPolicy):
    """A policy with probabilities alone; its logits are their logarithms, none below log(1e-6)."""

    def __init__(self, policy: Any) -> None:
        self.policy = policy
        if hasattr(policy, "state_values"):
            self.state_values = policy.state_values

    def action_logits(self, observations: Any) -> FloatArray:
        """(answers, actions) logarithms of the probabilities."""
        return log_probabilities(self.action_probabilities(observations))

    def action_probabilities(self, observations: Any) -> FloatArray:
        """(answers, actions) the policy's own."""
        return np.asarray(self.policy.action_probabilities(observations), dtype=np.float64)


class FromFunction(LogitPolicy):
    """A function from a batch of observations to (answers, actions) logits."""

    def __init__(self, function: Callable[[Any], npt.ArrayLike]) -> None:
        self.function = function

    def action_logits(self, observations: Any) -> FloatArray:
        """(answers, actions) what the function returns."""
        return np.asarray(self.function(observations), dtype=np.float64)


class Softened(LogitPolicy):
    """Another teacher, its logits divided by a temperature."""

    def __init__(self, teacher: Any, temperature: float) -> None:
        if distribution_of(teacher) != CATEGORICAL:
            raise TypeError("a temperature for continuous actions; expected none")
        self.teacher, self.temperature = teacher, temperature
        if hasattr(teacher, "state_values"):
            self.state_values = teacher.state_values

    def action_logits(self, observations: Any) -> FloatArray:
        """(answers, actions) the teacher's, divided."""
        return np.asarray(self.teacher.action_logits(observations)) / self.temperature


class ActionValues(LogitPolicy):
    """A teacher that knows what each action is worth.

    Args:
        values: a function from a batch of observations to (batch, actions) values.
        temperature: what they are divided by, in units of values.

    Raises:
        ValueError: for a temperature that is not above 0.
    """

    def __init__(self, values: Callable[[Any], npt.ArrayLike], temperature: float = 1.0) -> None:
        self.values = values
        self.temperature = checked_number("temperature", temperature, 0, above=True)

    def action_logits(self, observations: Any) -> FloatArray:
        """(batch, actions) values divided by the temperature."""
        return np.asarray(self.values(observations), dtype=np.float64) / self.temperature

    def state_values(self, observations: Any) -> FloatArray:
        """(batch,) the best action's value."""
        best: FloatArray = np.asarray(self.values(observations), dtype=np.float64).max(axis=1)
        return best


def answers_each(observations: npt.NDArray[Any], answers: int) -> npt.NDArray[np.int64]:
    """(batch,) how many of the answers belong to each observation.

    That is one; or, of observations in planes, as many as cells are marked as the agent's.

    Raises:
        ValueError: for a number of answers that is neither.
    """
    if observations.ndim == 4 and observations.shape[1] == 3:
        marked: npt.NDArray[np.int64] = (observations[:, AGENT] > 0.5).sum(axis=(1, 2))
        if marked.sum() == answers:
            return marked
    if answers != len(observations):
        raise ValueError(
            f"{answers} answers to {len(observations)} observations; expected one for each (in "
            "planes, one for each cell marked as the agent's)"
        )
    return np.ones(answers, dtype=np.int64)


def teacher_answers(
    teacher: Any, observations: Any, columns: int | None = None
) -> npt.NDArray[np.float32]:
    """Ask a teacher, and refuse an answer that nothing can be learned from.

    Args:
        teacher: anything that `as_teacher` takes.
        observations: a batch, (batch, ...).
        columns: how many an answer has, if that is known: as many as there are actions, or twice
            the dimensions of continuous ones.

    Returns:
        (answers, actions) logits; (answers, 2 * dimensions) means, then log standard deviations,
        of continuous actions.

    Raises:
        ValueError: if the teacher's answer is of another shape, or holds what is no finite number.
    """
    asked = as_teacher(teacher)
    is_gaussian = distribution_of(asked) != CATEGORICAL
    given = gaussian_rows(asked, observations) if is_gaussian else asked.action_logits(observations)
    # What is too large for float32 becomes infinite here, and is refused.
    with np.errstate(over="ignore"):
        answers = np.asarray(given).astype(np.float32)
    what = "means and log deviations" if is_gaussian else "logits"
    width = ("2 * dimensions" if is_gaussian else "actions") if columns is None else columns
    if answers.ndim != 2 or columns not in (None, answers.shape[1]):
        raise ValueError(
            f"the teacher's {what} have shape {answers.shape}; expected (answers, {width})"
        )
    answers_each(np.asarray(observations), len(answers))
    if not np.isfinite(answers).all():
        row, column = np.argwhere(~np.isfinite(answers))[0]
        half = answers.shape[1] // 2
        one = ("mean", "log deviation")[column // half] if is_gaussian else "logit"
        where = f"dimension {column % half}" if is_gaussian else f"action {column}"
        raise ValueError(
            f"the teacher's {one} in row {row} for {where} is {answers[row, column]}; "
            "expected finite numbers"
        )
    return answers


def teacher_values(teacher: Any, observations: Any) -> npt.NDArray[np.float32]:
    """(answers,) what a teacher with `state_values` thinks of states.

    Raises:
        ValueError: if they are of another shape, or no finite numbers.
    """
    with np.errstate(over="ignore"):
        values = np.asarray(teacher.state_values(observations)).astype(np.float32)
    if values.ndim != 1:
        raise ValueError(f"the teacher's values have shape {values.shape}; expected (answers,)")
    answers_each(np.asarray(observations), len(values))
    if not np.isfinite(values).all():
        row = int((~np.isfinite(values)).argmax())
        raise ValueError(
            f"the teacher's value in row {row} is {values[row]}; expected finite numbers"
        )
    return values
