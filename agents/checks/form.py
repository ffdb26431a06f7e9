"""Form and copies: rows and dtypes, batches and their rows, states that come back."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from .environments import TERMINAL, Case, deterministic_rows, must, same
from .registry import needs


@needs("sample")
def samples_have_n_rows(case: Case) -> None:
    """None, one and many rows can be drawn."""
    model = case.taught()
    for n in (0, 1, 7):
        sizes = [len(column) for column in case.sample(model, n)]
        must(sizes == [n] * 5, f"sample({n}) gave columns of {sizes} rows")


@needs("sample")
def samples_have_the_right_dtypes(case: Case) -> None:
    """Observations as they were given, actions int64, rewards float64, ends bool."""
    given, drawn = case.world.batch(deterministic_rows()), case.sample(case.taught(), 7)
    for name, expected, found in zip(drawn._fields, given, drawn, strict=True):
        must(found.dtype == expected.dtype, f"{name} is {found.dtype}; expected {expected.dtype}")
        must(found.shape[1:] == expected.shape[1:], f"a row of {name} has shape {found.shape[1:]}")


@needs("predict")
def predictions_have_the_form_of_the_question(case: Case) -> None:
    """None, one and many pairs can be asked for; rewards and ends are float64."""
    model, rows = case.taught(), deterministic_rows()
    for n in (0, 1, 7):
        states, actions = [row[0] for row in rows[:n]], [row[1] for row in rows[:n]]
        asked = case.world.observations(states)
        found = model.predict(asked, np.array(actions, dtype=np.int64))
        for name, expected in (("reward", (n,)), ("terminated", (n,))):
            column = np.asarray(getattr(found, name))
            must(column.shape == expected, f"{name} of {n} pairs has shape {column.shape}")
            must(column.dtype == np.float64, f"{name} is {column.dtype}; expected float64")
        shape = np.shape(found.next_observation)
        must(shape == asked.shape, f"next_observation of {n} pairs has shape {shape}")


@needs("predict")
def a_row_alone_is_as_in_a_batch(case: Case) -> None:
    """A pair is believed the same, whatever it is asked together with."""
    model, rows = case.taught(), deterministic_rows()
    together = model.predict(
        case.world.observations([row[0] for row in rows]), np.array([row[1] for row in rows])
    )
    for i, row in enumerate(rows):
        alone = case.predict(model, row[0], row[1])
        for name in ("reward", "next_observation", "terminated"):
            left, right = getattr(together, name)[i], getattr(alone, name)[0]
            must(
                np.allclose(left, right, rtol=1e-5, atol=1e-6),  # networks count in float32
                f"{name} of {row[:2]} is {left} in a batch and {right} alone",
            )


@needs("batch_as_rows")
def a_batch_teaches_what_its_rows_teach(case: Case) -> None:
    """Equal pairs in one batch too."""
    rows = deterministic_rows() + [(0, 0, 1.0, 2, False)] * 3 + [(0, 0, 0.0, 0, False)]
    at_once, one_by_one = case.make(), case.make()
    at_once.update(case.world.batch(rows))
    for row in rows:
        one_by_one.update(case.world.batch([row]))
    left, right = (np.array(case.beliefs(each), dtype=float) for each in (at_once, one_by_one))
    must(np.allclose(left, right, atol=1e-9), "a batch taught something else than its rows")


@needs("state", "sample")
def a_state_gives_the_model_again(case: Case) -> None:
    """A new model with the state of another goes on alike."""
    model, other = case.taught(), case.make()
    other.set_state(model.get_state())
    _must_be_alike(case, model, other, "set_state(get_state())")


@needs("state")
def a_state_is_a_copy(case: Case) -> None:
    """What is learned later is not in it."""
    model = case.taught()
    state = model.get_state()
    before = copy.deepcopy(state)
    case.teach(model, [(0, 0, 0.5, 3, False), (2, 1, 0.5, 0, False)] * 3)
    must(same(state, before), "learning changed a state that get_state had given")


@needs("state")
def a_state_is_arrays_and_numbers(case: Case) -> None:
    """It can be stored without pickle."""
    for name, value in case.taught().get_state().items():
        plain = isinstance(value, (bool, int, float, str, np.number)) or (
            isinstance(value, np.ndarray) and value.dtype.kind in "biufU"
        )
        must(isinstance(name, str) and plain, f"state[{name!r}] is a {type(value).__name__}")


@needs("sample")
def a_deep_copy_goes_on_alike_and_alone(case: Case) -> None:
    """Planning may copy a model and change the copy."""
    model = case.taught()
    other = copy.deepcopy(model)
    before = case.beliefs(model)
    case.teach(copy.deepcopy(model), [(0, 0, 0.5, 3, False), (2, 1, 0.5, 0, False)] * 3)
    must(same(case.beliefs(model), before), "teaching a deep copy changed the model")
    _must_be_alike(case, model, other, "a deep copy")


def _must_be_alike(case: Case, model: Any, other: Any, what: str) -> None:
    more = [(0, 1, 0.25, 2, False), (3, 0, 0.75, TERMINAL, True), (0, 1, 0.25, 3, False)]
    for _ in range(2):
        samples = [list(case.sample(each, 30, 8)) for each in (model, other)]
        must(same(*samples), f"{what} draws something else")
        must(same(case.beliefs(model), case.beliefs(other)), f"{what} believes something else")
        for each in (model, other):
            case.teach(each, more)
