"""Teachers: policies with logits, made from models, agents, modules and functions.

| source | logits |
| --- | --- |
| PPO, A2C, TRPO, RecurrentPPO | of its distribution |
| the same and SAC, TQC, CrossQ with continuous actions | none: means and log deviations |
| MaskablePPO | logarithms of its probabilities of the actions that are valid in the state |
| DQN, QRDQN | its Q values, of QRDQN the means of the quantiles |
| ARS | the outputs whose largest is its action |
| a torch module | the output of `forward`, in evaluation mode |
| agents of `dynamaze.agents`, exact policies | logarithms of `action_probabilities` |
| `TreeSearch` | logarithms of the root's visit fractions |
| a function of observations | its result |
| `ActionValues` | the values of a function |
| `MultiTeacher` | those of the selected teacher |
| a policy with `action_gaussian`, such as `GaussianStudent` | none: means and log deviations |

Algorithms are those of Stable-Baselines3 and SB3-Contrib. RecurrentPPO keeps its state along the
episodes of an environment, and MaskablePPO takes the masks from the environment's method
`action_masks`: they are teachers of `Rollouts` and `collect`, and are refused where there is no
environment. Deterministic actions (TD3, DDPG, ARS with continuous ones) have no distribution.

Logits are divided by a temperature. Values need a low one, since their differences are small: Rusu
et al. (2015) use 0.01 for DQN.

A label of continuous actions is a row of Gaussian parameters, (queries, 2 * dimensions): the means,
then the logarithms of the standard deviations, as the inputs of RLlib's action distributions.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from inspect import isclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import FloatArray
from dynamaze.common.deprecation import renamed_arguments
from dynamaze.common.validation import checked_number

from ..core.checks import (
    as_numbers,
    check_finite,
    check_labels,
    check_shape,
    checked_probabilities,
    name_of,
)
from ..core.distributions import CATEGORICAL, distribution_of, gaussian_rows
from ..core.policy import LogitPolicy, Policy, log_probabilities

AGENT = 1
"""Index of the plane that marks the agent."""


class Teacher(Policy, Protocol):
    """Policy with action logits.

    One that also has `state_values(observations) -> (queries,)` labels state values as well.
    """

    def action_logits(self, observations: Any) -> FloatArray:
        """Return (queries, actions) logits; only differences within a row matter."""


def as_teacher(policy: Any, *, temperature: float = 1.0) -> Any:
    """Return a policy, model, module or function as a teacher; see the module's table.

    Args:
        policy: a policy, model, module or function. A teacher made of a model of Stable-Baselines3
            takes observations as the environment returns them: it transposes and normalises them as
            in the model's training (`VecTransposeImage`, `VecNormalize`).
        temperature: divides the logits; above 1 the teacher is softer.

    Returns:
        A `Teacher`; for a model with continuous actions one with `action_gaussian(observations)`,
        which returns means and log standard deviations, (batch, dimensions) each. Its `bounds`, if
        it has any, map samples to actions; otherwise these are clipped to the environment's.

    Raises:
        TypeError: for anything else, or a temperature of a policy with continuous actions.
        ValueError: for a temperature that is not above 0.
    """
    temperature = checked_number("temperature", temperature, 0, above=True)
    teacher = _teacher_of(policy)
    return teacher if temperature == 1.0 else TemperatureScaled(teacher, temperature)


def _teacher_of(policy: Any) -> Any:
    if _is_instance(policy, "stable_baselines3.common.base_class", "BaseAlgorithm"):
        from .sb3 import sb3_teacher

        return sb3_teacher(policy)
    if hasattr(policy, "action_gaussian") and not isclass(policy):
        return policy
    if hasattr(policy, "action_logits") and hasattr(policy, "action_probabilities"):
        return policy
    if _is_instance(policy, "torch.nn", "Module"):
        from ..students.base import as_student

        return as_student(policy)
    if hasattr(policy, "action_probabilities") and not isclass(policy):
        return ProbabilityTeacher(policy)
    if callable(policy) and not isclass(policy):
        return FunctionTeacher(policy)
    raise TypeError(
        f"a teacher of type {type(policy).__name__}; expected a policy (action_probabilities), a "
        "model of Stable-Baselines3, a torch module, or a function from observations to logits"
    )


def _is_instance(policy: Any, module: str, name: str) -> bool:
    """Return True for an instance of a class whose module is loaded; nothing is imported."""
    loaded = sys.modules.get(module)
    return loaded is not None and isinstance(policy, getattr(loaded, name))


def _attribute_of_teacher(name: str) -> Any:
    """Return a property of the same name of `self.teacher`."""
    return property(
        lambda self: getattr(self.teacher, name),
        lambda self, value: setattr(self.teacher, name, value),
    )


class _Wrapper(LogitPolicy):
    """Teacher made of another policy, whose values, recurrent state and masks it has, if any."""

    memory = _attribute_of_teacher("memory")
    masks = _attribute_of_teacher("masks")
    state_values = _attribute_of_teacher("state_values")

    def __init__(self, teacher: Any) -> None:
        self.teacher = teacher

    def reset(self, episode_start: npt.NDArray[np.bool_] | None = None) -> None:
        """Reset the recurrent state."""
        self.teacher.reset(episode_start)


class ProbabilityTeacher(_Wrapper):
    """Policy with probabilities only; its logits are their logarithms, none below log(1e-6)."""

    def action_logits(self, observations: Any) -> FloatArray:
        """Return (queries, actions) logarithms of the probabilities."""
        return log_probabilities(self.action_probabilities(observations))

    def action_probabilities(self, observations: Any) -> FloatArray:
        """Return the policy's (queries, actions) probabilities, checked."""
        given = self.teacher.action_probabilities(observations)
        return checked_probabilities(given, self.teacher)


class FunctionTeacher(LogitPolicy):
    """Function from a batch of observations to (queries, actions) logits."""

    def __init__(self, function: Callable[[Any], npt.ArrayLike]) -> None:
        self.function = function

    def action_logits(self, observations: Any) -> FloatArray:
        """Return the function's (queries, actions) result."""
        return as_numbers(f"the logits of {name_of(self)}", self.function(observations))


class TemperatureScaled(_Wrapper):
    """Teacher whose logits are divided by a temperature."""

    def __init__(self, teacher: Any, temperature: float) -> None:
        if distribution_of(teacher) != CATEGORICAL:
            raise TypeError("a temperature for continuous actions; expected none")
        super().__init__(teacher)
        self.temperature = temperature

    def action_logits(self, observations: Any) -> FloatArray:
        """Return the teacher's (queries, actions) logits divided by the temperature."""
        return logits_of(self.teacher, observations) / self.temperature


class ActionValues(LogitPolicy):
    """Teacher whose logits are action values.

    Args:
        values: a function from a batch of observations to (batch, actions) values.
        temperature: divides the values, in units of values.

    Raises:
        ValueError: for a temperature that is not above 0.
    """

    def __init__(self, values: Callable[[Any], npt.ArrayLike], temperature: float = 1.0) -> None:
        self.values = values
        self.temperature = checked_number("temperature", temperature, 0, above=True)

    def action_logits(self, observations: Any) -> FloatArray:
        """Return (batch, actions) values divided by the temperature."""
        return self._values(observations) / self.temperature

    def state_values(self, observations: Any) -> FloatArray:
        """Return (batch,) values of the best action."""
        best: FloatArray = self._values(observations).max(axis=1)
        return best

    def _values(self, observations: Any) -> FloatArray:
        what = f"the action values of {name_of(self.values)}"
        values = as_numbers(what, self.values(observations))
        check_shape(what, values.shape, None, None)
        return values


def check_stateless(teacher: Any, where: str) -> None:
    """Refuse a teacher whose answers depend on more than the observation.

    Args:
        teacher: a result of `as_teacher`.
        where: where it is used, for the message.

    Raises:
        TypeError: for a recurrent teacher, or one that needs action masks.
    """
    if hasattr(teacher, "memory"):
        raise TypeError(
            f"a recurrent teacher {name_of(teacher)} in {where}, where observations have no order; "
            "expected Rollouts or collect"
        )
    if hasattr(teacher, "masks"):
        raise TypeError(
            f"a teacher {name_of(teacher)} in {where}, where no environment gives its action "
            "masks; expected Rollouts or collect"
        )


def queries_per_observation(observations: npt.NDArray[Any], rows: int) -> npt.NDArray[np.int64]:
    """Return the (batch,) number of label rows of each observation.

    It is one; or, for observations in planes, the number of cells marked as the agent's.

    Raises:
        ValueError: for a number of rows that is neither.
    """
    if observations.ndim == 4 and observations.shape[1] == 3:
        marked: npt.NDArray[np.int64] = (observations[:, AGENT] > 0.5).sum(axis=(1, 2))
        if marked.sum() == rows:
            return marked
    if rows != len(observations):
        raise ValueError(
            f"{rows} labels for {len(observations)} observations; expected one for each (in "
            "planes, one for each cell marked as the agent's)"
        )
    return np.ones(rows, dtype=np.int64)


def teacher_labels(
    teacher: Any, observations: Any, columns: int | None = None
) -> npt.NDArray[np.float32]:
    """Return a teacher's labels, checked.

    Args:
        teacher: anything that `as_teacher` takes.
        observations: a batch, (batch, ...).
        columns: expected columns of a label, if known: the number of actions, or twice the
            dimensions of continuous ones.

    Returns:
        (queries, actions) logits; (queries, 2 * dimensions) means, then log standard deviations,
        for continuous actions.

    Raises:
        ValueError: for labels of another shape, or values that are not finite.
    """
    policy = as_teacher(teacher)
    is_gaussian = distribution_of(policy) != CATEGORICAL
    given = (gaussian_rows if is_gaussian else logits_of)(policy, observations)
    kind = "means and log deviations" if is_gaussian else "logits"
    width = columns or ("2 * dimensions" if is_gaussian else "actions")
    if given.ndim != 2 or columns not in (None, given.shape[1]):
        raise ValueError(
            f"the {kind} of {name_of(policy)} have shape {given.shape}; expected (queries, {width})"
        )
    queries_per_observation(np.asarray(observations), len(given))
    # Numbers beyond the range of float32 become infinite here, and are refused below.
    with np.errstate(over="ignore"):
        labels = given.astype(np.float32)
    check_labels(labels, policy, is_gaussian=is_gaussian)
    return labels


def logits_of(policy: Any, observations: Any) -> FloatArray:
    """Return a policy's (queries, actions) logits as float64; shape and range are not checked.

    Raises:
        TypeError: if they are no numbers.
    """
    return as_numbers(f"the logits of {name_of(policy)}", policy.action_logits(observations))


def teacher_values(teacher: Any, observations: Any) -> npt.NDArray[np.float32]:
    """Return the (queries,) state values of a teacher with `state_values`, checked.

    Raises:
        ValueError: for another shape, or values that are not finite.
    """
    name = name_of(teacher)
    given = as_numbers(f"the state values of {name}", teacher.state_values(observations))
    if given.ndim != 1:
        raise ValueError(
            f"the state values of {name} have shape {given.shape}; expected (queries,)"
        )
    queries_per_observation(np.asarray(observations), len(given))
    with np.errstate(over="ignore"):  # as in `teacher_labels`
        values = given.astype(np.float32)
    check_finite(values, lambda row: f"the state value of {name} in row {row}")
    return values


class MultiTeacher(LogitPolicy):
    """Combine several teachers; a routing function selects one per observation.

    Each is called once, on its own observations only.

    Args:
        teachers: each is anything that `as_teacher` takes.
        router: a function from a batch of observations to (batch,) indices of teachers.

    Raises:
        ValueError: for no teachers.
        TypeError: for a teacher of continuous actions, a recurrent one, or one with action masks.
    """

    @renamed_arguments(rule="router")
    def __init__(
        self, teachers: Sequence[Any], router: Callable[[Any], npt.NDArray[np.integer[Any]]]
    ) -> None:
        if not teachers:
            raise ValueError("no teachers; expected at least one")
        self.teachers = [as_teacher(teacher) for teacher in teachers]
        for number, teacher in enumerate(self.teachers):
            if distribution_of(teacher) != CATEGORICAL:
                raise TypeError(f"teacher {number} has continuous actions; expected Discrete ones")
            check_stateless(teacher, "MultiTeacher")
        self.router = router

    def action_logits(self, observations: Any) -> FloatArray:
        """Return the (queries, actions) logits of the selected teachers.

        Raises:
            ValueError: for an index without a teacher, or teachers with different numbers of
                actions.
        """
        observations = np.asarray(observations)
        chosen = self._choose(observations)
        labels: list[Any] = [None] * len(observations)
        for number in np.unique(chosen):
            (places,) = np.nonzero(chosen == number)
            own = observations[places]
            logits = logits_of(self.teachers[number], own)
            check_labels(logits, self.teachers[number], is_gaussian=False)
            ends = np.cumsum(queries_per_observation(own, len(logits)))
            for place, rows in zip(places, np.split(logits, ends[:-1]), strict=True):
                labels[place] = rows
        widths = {rows.shape[1] for rows in labels}
        if len(widths) > 1:
            raise ValueError(f"teachers of {sorted(widths)} actions; expected the same of each")
        return np.concatenate(labels)

    def _choose(self, observations: npt.NDArray[Any]) -> npt.NDArray[np.integer[Any]]:
        chosen = np.asarray(self.router(observations))
        expected = (
            f"expected ({len(observations)},) whole numbers from 0 to {len(self.teachers) - 1}"
        )
        if chosen.shape != (len(observations),) or chosen.dtype.kind not in "iu":
            raise ValueError(
                f"the router gave shape {chosen.shape} and dtype {chosen.dtype}; {expected}"
            )
        wrong = (chosen < 0) | (chosen >= len(self.teachers))
        if wrong.any():
            place = int(wrong.argmax())
            raise ValueError(f"the router gave {chosen[place]} for observation {place}; {expected}")
        return chosen
