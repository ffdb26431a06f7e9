"""Conformance checks of models: arrays, random numbers, shapes, dtypes, copies and state."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from ..models.protocol import CAPABILITIES
from .environments import TERMINAL, ModelCase, deterministic_rows, equal, require
from .registry import needs

METHODS = {"sample": "sample", "predict": "predict", "distribution": "distribution"}


def capabilities_are_valid(case: ModelCase) -> None:
    """Declared capabilities exist, and have their methods."""
    model = case.make()
    unknown = sorted(set(model.capabilities) - set(CAPABILITIES))
    require(not unknown, f"declares {unknown}; expected some of {sorted(CAPABILITIES)}")
    for name, method in METHODS.items():
        has_it = name not in model.capabilities or callable(getattr(model, method, None))
        require(has_it, f"declares {name!r} but has no method {method}")


def update_keeps_inputs(case: ModelCase) -> None:
    """`update` does not modify its arguments."""
    given = case.env.batch(deterministic_rows())
    before = [column.copy() for column in given]
    case.make().update(given)
    require(equal(list(given), before), "update changed the arrays that it was given")


@needs("predict")
def predict_keeps_inputs(case: ModelCase) -> None:
    """`predict` does not modify its arguments."""
    observations, actions = case.env.observations([0, 1, 2]), np.array([2, 1, 0])
    before = observations.copy(), actions.copy()
    case.trained().predict(observations, actions)
    require(equal((observations, actions), before), "predict changed the arrays that it was given")


def update_copies_inputs(case: ModelCase) -> None:
    """`update` keeps no reference to its arguments."""
    model, given = case.make(), case.env.batch(deterministic_rows() * case.repeats)
    model.update(given)
    before = case.predictions(model)
    for column in given:
        column[:] = column[::-1].copy()
    require(
        equal(case.predictions(model), before),
        "the model keeps a reference to the arrays that update was given",
    )


@needs("sample")
def samples_are_copies(case: ModelCase) -> None:
    """Modifying a sample does not change the model."""
    model, twin = case.trained(), case.trained()
    for seed in range(40):
        case.sample(twin, 1, seed)
        for column in case.sample(model, 1, seed):
            if column.flags.writeable:
                column[:] = 1
    require(
        equal(case.predictions(model), case.predictions(twin)),
        "writing into a sample changed the model",
    )


@needs("predict")
def predictions_are_copies(case: ModelCase) -> None:
    """Modifying a prediction does not change the model."""
    model = case.trained()
    before = case.predictions(model)
    for row in deterministic_rows():
        for column in case.predict(model, row[0], row[1]):
            if isinstance(column, np.ndarray) and column.flags.writeable:
                column[...] = 1
    require(equal(case.predictions(model), before), "writing into a prediction changed the model")


@needs("sample")
def sample_does_not_learn(case: ModelCase) -> None:
    """Sampling does not change the model."""
    model = case.trained()
    before = case.predictions(model)
    case.sample(model, 200, 3)
    require(equal(case.predictions(model), before), "sample changed the model")


@needs("predict")
def predict_does_not_learn(case: ModelCase) -> None:
    """Predicting does not change the model."""
    model = case.trained()
    before = case.predictions(model)
    for _ in range(5):
        after = case.predictions(model)
    require(equal(after, before), "predict changed the model")


def empty_update_changes_nothing(case: ModelCase) -> None:
    """An update with an empty batch does not change the model."""
    model = case.trained()
    before = case.predictions(model)
    model.update(case.env.batch([]))
    require(equal(case.predictions(model), before), "an empty batch changed the model")


@needs("sample")
def empty_model_raises(case: ModelCase) -> None:
    """Sampling before the first update raises RuntimeError."""
    try:
        drawn = case.sample(case.make(), 1)
    except RuntimeError:
        return
    except Exception as error:
        raise AssertionError(
            f"sample of an empty model raised {error!r}; expected RuntimeError"
        ) from error
    raise AssertionError(f"sample of an empty model gave {drawn}; expected RuntimeError")


def models_share_no_state(case: ModelCase) -> None:
    """Two models share no state."""
    model, other = case.trained(), case.make()
    before = _all_predictions(case, model)
    case.train(other, [(0, 0, 1.0, 3, False), (1, 1, 1.0, 1, False)] * 3)
    require(equal(_all_predictions(case, model), before), "updating one model changed another")


def _all_predictions(case: ModelCase, model: object) -> object:
    if "predict" not in model.capabilities:  # type: ignore[attr-defined]
        return case.predictions(model)
    return [list(case.predict(model, row[0], row[1])) for row in deterministic_rows()]


@needs("sample")
def sample_is_reproducible(case: ModelCase) -> None:
    """Equal generators give equal samples."""
    model = case.trained()
    left, right = case.sample(model, 60, 5), case.sample(model, 60, 5)
    require(equal(list(left), list(right)), "equal generators gave different samples")


@needs("sample")
def sample_depends_on_generator(case: ModelCase) -> None:
    """Different generators give different samples."""
    model = case.trained()
    samples = [list(case.sample(model, 60, seed)) for seed in (5, 6)]
    require(
        not equal(*samples),
        "different generators gave equal samples; expected all randomness to come from `rng`",
    )


@needs("sample")
def global_generators_are_unused(case: ModelCase) -> None:
    """NumPy's global generator is not used."""
    before = np.random.get_state(legacy=False)  # noqa: NPY002  # to see that nothing uses it
    case.sample(case.trained(), 60)
    after = np.random.get_state(legacy=False)  # noqa: NPY002
    require(equal(before, after), "NumPy's global generator was used")


@needs("sample")
def sample_has_n_rows(case: ModelCase) -> None:
    """Samples have 0, 1 and n rows."""
    model = case.trained()
    for n in (0, 1, 7):
        sizes = [len(column) for column in case.sample(model, n)]
        require(sizes == [n] * 5, f"sample({n}) gave columns of {sizes} rows")


@needs("sample")
def sample_dtypes(case: ModelCase) -> None:
    """Samples have the dtypes of the observations, int64, float64 and bool."""
    given, drawn = case.env.batch(deterministic_rows()), case.sample(case.trained(), 7)
    for name, expected, found in zip(drawn._fields, given, drawn, strict=True):
        require(
            found.dtype == expected.dtype, f"{name} is {found.dtype}; expected {expected.dtype}"
        )
        require(
            found.shape[1:] == expected.shape[1:], f"a row of {name} has shape {found.shape[1:]}"
        )


@needs("predict")
def prediction_shapes(case: ModelCase) -> None:
    """Predictions have 0, 1 and n rows, with float64 rewards and terminations."""
    model, rows = case.trained(), deterministic_rows()
    for n in (0, 1, 7):
        states, actions = [row[0] for row in rows[:n]], [row[1] for row in rows[:n]]
        observations = case.env.observations(states)
        found = model.predict(observations, np.array(actions, dtype=np.int64))
        for name, expected in (("reward", (n,)), ("terminated", (n,))):
            column = np.asarray(getattr(found, name))
            require(column.shape == expected, f"{name} of {n} pairs has shape {column.shape}")
            require(column.dtype == np.float64, f"{name} is {column.dtype}; expected float64")
        shape = np.shape(found.next_observation)
        require(shape == observations.shape, f"next_observation of {n} pairs has shape {shape}")


@needs("predict")
def predict_batch_equals_rows(case: ModelCase) -> None:
    """A batch of predictions equals its rows one by one."""
    model, rows = case.trained(), deterministic_rows()
    together = model.predict(
        case.env.observations([row[0] for row in rows]), np.array([row[1] for row in rows])
    )
    for i, row in enumerate(rows):
        alone = case.predict(model, row[0], row[1])
        for name in ("reward", "next_observation", "terminated"):
            left, right = getattr(together, name)[i], getattr(alone, name)[0]
            require(
                np.allclose(left, right, rtol=1e-5, atol=1e-6),  # networks compute in float32
                f"{name} of {row[:2]} is {left} in a batch and {right} alone",
            )


@needs("batch_as_rows")
def update_batch_equals_rows(case: ModelCase) -> None:
    """An update with a batch equals updates with its rows, also with repeated pairs."""
    rows = deterministic_rows() + [(0, 0, 1.0, 2, False)] * 3 + [(0, 0, 0.0, 0, False)]
    at_once, one_by_one = case.make(), case.make()
    at_once.update(case.env.batch(rows))
    for row in rows:
        one_by_one.update(case.env.batch([row]))
    left, right = (np.array(case.predictions(each), dtype=float) for each in (at_once, one_by_one))
    require(
        np.allclose(left, right, atol=1e-9),
        "an update with a batch differs from updates with its rows",
    )


@needs("state", "sample")
def state_restores_model(case: ModelCase) -> None:
    """A new model with the state of another continues identically."""
    model, other = case.trained(), case.make()
    other.set_state(model.get_state())
    _require_equal_models(case, model, other, "set_state(get_state())")


@needs("state")
def state_is_copy(case: ModelCase) -> None:
    """Later updates do not change a state that was returned."""
    model = case.trained()
    state = model.get_state()
    before = copy.deepcopy(state)
    case.train(model, [(0, 0, 0.5, 3, False), (2, 1, 0.5, 0, False)] * 3)
    require(equal(state, before), "an update changed a state that get_state had returned")


@needs("state")
def state_is_plain_data(case: ModelCase) -> None:
    """The state consists of arrays and numbers, for files without pickle."""
    for name, value in case.trained().get_state().items():
        plain = isinstance(value, (bool, int, float, str, np.number)) or (
            isinstance(value, np.ndarray) and value.dtype.kind in "biufU"
        )
        require(
            isinstance(name, str) and plain,
            f"state[{name!r}] is a {type(value).__name__}; expected an array or a number",
        )


@needs("sample")
def deep_copy_is_independent(case: ModelCase) -> None:
    """A deep copy continues identically and independently."""
    model = case.trained()
    other = copy.deepcopy(model)
    before = case.predictions(model)
    case.train(copy.deepcopy(model), [(0, 0, 0.5, 3, False), (2, 1, 0.5, 0, False)] * 3)
    require(equal(case.predictions(model), before), "updating a deep copy changed the model")
    _require_equal_models(case, model, other, "a deep copy")


def _require_equal_models(case: ModelCase, model: Any, other: Any, label: str) -> None:
    more = [(0, 1, 0.25, 2, False), (3, 0, 0.75, TERMINAL, True), (0, 1, 0.25, 3, False)]
    for _ in range(2):
        samples = [list(case.sample(each, 30, 8)) for each in (model, other)]
        require(equal(*samples), f"{label} gives different samples")
        require(
            equal(case.predictions(model), case.predictions(other)),
            f"{label} gives different predictions",
        )
        for each in (model, other):
            case.train(each, more)
