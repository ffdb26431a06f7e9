"""Manners and chance: whose arrays are whose, what teaches, and where random numbers come from."""

from __future__ import annotations

import numpy as np

from ..models.protocol import CAPABILITIES
from .environments import Case, deterministic_rows, must, same
from .registry import needs

METHODS = {"sample": "sample", "predict": "predict", "distribution": "distribution"}


def capabilities_are_known_and_there(case: Case) -> None:
    """What is declared has a meaning, and a method where it needs one."""
    model = case.make()
    unknown = sorted(set(model.capabilities) - set(CAPABILITIES))
    must(not unknown, f"declares {unknown}; expected some of {sorted(CAPABILITIES)}")
    for name, method in METHODS.items():
        has_it = name not in model.capabilities or callable(getattr(model, method, None))
        must(has_it, f"declares {name!r} but has no method {method}")


def update_leaves_its_input_alone(case: Case) -> None:
    """`update` changes nothing in the arrays that it is given."""
    given = case.world.batch(deterministic_rows())
    before = [column.copy() for column in given]
    case.make().update(given)
    must(same(list(given), before), "update changed the arrays it was given")


@needs("predict")
def predict_leaves_its_input_alone(case: Case) -> None:
    """`predict` changes nothing in the arrays that it is given."""
    observations, actions = case.world.observations([0, 1, 2]), np.array([2, 1, 0])
    before = observations.copy(), actions.copy()
    case.taught().predict(observations, actions)
    must(same((observations, actions), before), "predict changed the arrays it was given")


def keeps_no_array_of_the_caller(case: Case) -> None:
    """What the caller does later with arrays that `update` was given changes nothing."""
    model, given = case.make(), case.world.batch(deterministic_rows() * case.repeats)
    model.update(given)
    before = case.beliefs(model)
    for column in given:
        column[:] = column[::-1].copy()
    must(same(case.beliefs(model), before), "the model keeps the arrays that update was given")


@needs("sample")
def samples_are_the_callers(case: Case) -> None:
    """Writing into a sample does nothing to the model."""
    model, twin = case.taught(), case.taught()
    for seed in range(40):
        case.sample(twin, 1, seed)
        for column in case.sample(model, 1, seed):
            if column.flags.writeable:
                column[:] = 1
    must(same(case.beliefs(model), case.beliefs(twin)), "writing into a sample changed the model")


@needs("predict")
def predictions_are_the_callers(case: Case) -> None:
    """Writing into a prediction does nothing to the model."""
    model = case.taught()
    before = case.beliefs(model)
    for row in deterministic_rows():
        for column in case.predict(model, row[0], row[1]):
            if isinstance(column, np.ndarray) and column.flags.writeable:
                column[...] = 1
    must(same(case.beliefs(model), before), "writing into a prediction changed the model")


@needs("sample")
def sampling_teaches_nothing(case: Case) -> None:
    """What was drawn was not experienced."""
    model = case.taught()
    before = case.beliefs(model)
    case.sample(model, 200, 3)
    must(same(case.beliefs(model), before), "the model learned from its own samples")


@needs("predict")
def predicting_teaches_nothing(case: Case) -> None:
    """Being asked often changes no answer."""
    model = case.taught()
    before = case.beliefs(model)
    for _ in range(5):
        after = case.beliefs(model)
    must(same(after, before), "the model learned from being asked")


def an_empty_update_is_nothing(case: Case) -> None:
    """A batch without rows teaches nothing."""
    model = case.taught()
    before = case.beliefs(model)
    model.update(case.world.batch([]))
    must(same(case.beliefs(model), before), "an empty batch changed the model")


@needs("sample")
def an_empty_model_says_so(case: Case) -> None:
    """Asked for samples before it has seen anything, a model raises RuntimeError."""
    try:
        drawn = case.sample(case.make(), 1)
    except RuntimeError:
        return
    except Exception as error:
        raise AssertionError(
            f"sample of an empty model raised {error!r}; expected RuntimeError"
        ) from error
    raise AssertionError(f"sample of an empty model gave {drawn}; expected RuntimeError")


def models_share_no_memory(case: Case) -> None:
    """What one model learns no other knows."""
    model, other = case.taught(), case.make()
    before = _all_of(case, model)
    case.teach(other, [(0, 0, 1.0, 3, False), (1, 1, 1.0, 1, False)] * 3)
    must(same(_all_of(case, model), before), "teaching one model changed another")


def _all_of(case: Case, model: object) -> object:
    if "predict" not in model.capabilities:  # type: ignore[attr-defined]
        return case.beliefs(model)
    return [list(case.predict(model, row[0], row[1])) for row in deterministic_rows()]


@needs("sample")
def samples_follow_the_generator(case: Case) -> None:
    """The same generator gives the same sample."""
    model = case.taught()
    left, right = case.sample(model, 60, 5), case.sample(model, 60, 5)
    must(same(list(left), list(right)), "the same generator gave two different samples")


@needs("sample")
def another_generator_gives_another_sample(case: Case) -> None:
    """Randomness comes from the generator that is given and from nowhere else."""
    model = case.taught()
    samples = [list(case.sample(model, 60, seed)) for seed in (5, 6)]
    must(not same(*samples), "two generators gave the same sample: where does chance come from?")


@needs("sample")
def global_generators_are_left_alone(case: Case) -> None:
    """Neither learning nor drawing touches NumPy's global generator."""
    before = np.random.get_state(legacy=False)  # noqa: NPY002  # to see that nobody else does
    case.sample(case.taught(), 60)
    after = np.random.get_state(legacy=False)  # noqa: NPY002
    must(same(before, after), "NumPy's global generator was used")
