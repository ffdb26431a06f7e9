"""Table models: array ownership, growing room, state and invalid input."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from dynamaze.agents import TableValues, Transitions
from dynamaze.agents.core.transitions import one_transition
from dynamaze.agents.models import TABLE_MODELS

STATES, ACTIONS = 5, 3

RandomTransitions = Callable[..., Transitions]


def batch(stream: list[tuple[Any, ...]]) -> Transitions:
    return Transitions(*(np.array(column) for column in zip(*stream, strict=True)))


@pytest.fixture(params=[False, True], ids=["tried", "untried"])
def make_model(model_name: str, request: pytest.FixtureRequest) -> Callable[[], Any]:
    """Factory of each model, with and without untried actions."""
    return lambda: TABLE_MODELS[model_name](STATES, ACTIONS, include_untried=request.param)


def test_update_keeps_batch(make_model: Any, random_transitions: RandomTransitions) -> None:
    given = random_transitions(np.random.default_rng(1), 500)
    copies = [column.copy() for column in given]
    make_model().update(given)
    np.testing.assert_equal(list(given), copies)


def test_queries_do_not_learn(make_model: Any, random_transitions: RandomTransitions) -> None:
    model, rng = make_model(), np.random.default_rng(1)
    model.update(random_transitions(rng, 100))
    before = model.get_state()
    model.predict(np.arange(STATES), np.zeros(STATES, dtype=np.int64))
    for column in model.sample(40, rng):
        column[:] = 1  # what is done to a sample does nothing to the model
    for column in model.distribution(0, 0):
        column[:] = 1
    model.sample(0, rng)
    model.update(random_transitions(rng, 0))
    np.testing.assert_equal(model.get_state(), before)


def test_batch_equals_rows_with_growth(
    make_model: Any, random_transitions: RandomTransitions
) -> None:
    rng = np.random.default_rng(2)
    at_once, one_by_one = make_model(), make_model()
    for size in (1, 62, 1, 1, 700, 65):
        transitions = random_transitions(rng, size)
        at_once.update(transitions)
        for row in zip(*transitions, strict=True):
            one_by_one.update(one_transition(*row))
        for state in range(STATES):
            for action in range(ACTIONS):
                np.testing.assert_equal(
                    at_once.distribution(state, action), one_by_one.distribution(state, action)
                )
        left, right = (m.sample(50, np.random.default_rng(size)) for m in (at_once, one_by_one))
        np.testing.assert_equal(left, right)


def test_reserve_changes_nothing(make_model: Any, random_transitions: RandomTransitions) -> None:
    transitions = random_transitions(np.random.default_rng(3), 300)
    plain, roomy = make_model(), make_model()
    roomy.reserve(5000)
    for model in (plain, roomy):
        model.update(transitions)
    left, right = (model.sample(99, np.random.default_rng(0)) for model in (plain, roomy))
    np.testing.assert_equal(left, right)


def test_state_is_copy_and_restores(make_model: Any, random_transitions: RandomTransitions) -> None:
    rng = np.random.default_rng(4)
    model, other = make_model(), make_model()
    model.update(random_transitions(rng, 90))
    state, same = model.get_state(), model.get_state()
    model.update(random_transitions(rng, 9))
    np.testing.assert_equal(state, same)  # what is learned later is not in it
    other.set_state(state)
    other.update(random_transitions(rng, 400))
    np.testing.assert_equal(state, same)
    for each in (model, other):
        each.set_state(state)
    later = random_transitions(rng, 200)
    for each in (model, other):
        each.update(later)
    left, right = (each.sample(99, np.random.default_rng(5)) for each in (model, other))
    np.testing.assert_equal(left, right)


def test_set_state_rejects_other_model(model_name: str) -> None:
    tried, untried = (
        TABLE_MODELS[model_name](STATES, ACTIONS, include_untried=each) for each in (False, True)
    )
    with pytest.raises(ValueError, match="seen"):
        TABLE_MODELS[model_name](STATES + 1, ACTIONS).set_state(tried.get_state())
    strange = {**untried.get_state(), "visits": np.zeros(STATES * ACTIONS)}
    with pytest.raises(ValueError, match=r"visits .* expected an array of dtype int64"):
        untried.set_state(strange)
    with pytest.raises(ValueError, match=r"seen\.include_untried is 1; expected a bool"):
        tried.set_state({**tried.get_state(), "seen.include_untried": 1})


def test_update_rejects_unequal_columns(model_name: str) -> None:
    values = TableValues(STATES, ACTIONS, learning_rate=0.5, gamma=0.9)
    whole = batch([(0, 0, 1.0, 1, False)] * 3)
    for part in (TABLE_MODELS[model_name](STATES, ACTIONS), values):
        before = part.get_state()
        for name, column in zip(Transitions._fields, whole, strict=True):
            with pytest.raises(ValueError, match="expected equally many"):
                part.update(whole._replace(**{name: column[:2]}))
        np.testing.assert_equal(part.get_state(), before)


def test_sample_of_empty_model_raises(model_name: str) -> None:
    with pytest.raises(RuntimeError, match="update it before"):
        TABLE_MODELS[model_name](STATES, ACTIONS).sample(1, np.random.default_rng(0))


def test_predict_rejects_invalid_pair(model_name: str) -> None:
    model = TABLE_MODELS[model_name](STATES, ACTIONS)
    with pytest.raises(ValueError, match="observation 5; expected 0 to 4"):
        model.predict(np.array([5]), np.array([0]))
    for action in (-1, ACTIONS):
        with pytest.raises(ValueError, match=f"action {action}; expected 0 to 2"):
            model.predict(np.array([0]), np.array([action]))


@pytest.mark.parametrize(
    "wrong",
    [(5, 0, 0.0, 0, False), (-1, 0, 0.0, 0, False), (0, 3, 0.0, 0, False), (0, 0, 0.0, 5, False),
     (0, 0, float("nan"), 0, False), (0, 0, float("inf"), 0, True)],
)  # fmt: skip
def test_update_rejects_batch_with_bad_transition(model_name: str, wrong: tuple[Any, ...]) -> None:
    values = TableValues(STATES, ACTIONS, learning_rate=0.5, gamma=0.9)
    for part in (TABLE_MODELS[model_name](STATES, ACTIONS), values):
        before = part.get_state()
        with pytest.raises(ValueError, match="transition 1 is"):
            part.update(batch([(0, 0, 1.0, 1, False), wrong]))
        with pytest.raises(TypeError, match="expected integers"):
            part.update(batch([(0.5, 0, 1.0, 1, False)]))
        np.testing.assert_equal(part.get_state(), before)


def test_set_state_rejects_invalid_index(model_name: str) -> None:
    model = TABLE_MODELS[model_name](STATES, ACTIONS)
    model.update(batch([(0, 0, 1.0, 1, False)]))
    before = model.get_state()
    for name, value in before.items():
        if isinstance(value, np.ndarray) and value.dtype == np.int64 and "tally" not in name:
            if name in ("visits", "clock"):
                continue
            with pytest.raises(ValueError, match="index"):
                model.set_state({**before, name: value + 10**6})
        if name not in model.growing_fields and isinstance(value, np.ndarray):
            with pytest.raises(ValueError, match="shape"):
                model.set_state({**before, name: value[:-1]})
    with pytest.raises(ValueError, match=r"seen\.states"):
        model.set_state({name: before[name] for name in before if name != "seen.states"})
    np.testing.assert_equal(model.get_state(), before)


def test_set_state_rejects_index_just_outside(model_name: str) -> None:
    model = TABLE_MODELS[model_name](STATES, ACTIONS)
    model.update(batch([(0, 0, 1.0, 1, False)]))
    before = model.get_state()
    used = int(before.get("used", [0])[0])
    bounds = {  # the first entry of a list of visited states or pairs is its length
        **{"seen.states": (0, STATES), "seen.pairs": (0, ACTIONS), "next_state": (0, STATES - 1)},
        **{"pair": (0, STATES * ACTIONS - 1), "recent": (-1, STATES * ACTIONS - 1)},
        **{"used": (0, before["next_state"].size)},
        **dict.fromkeys(("head", "link", "reserved", "place"), (-1, used - 1)),
    }
    for name in bounds.keys() & before.keys():
        lowest, highest = bounds[name]
        for wrong in (lowest - 1, highest + 1):
            changed = before[name].copy()
            changed[0] = wrong
            with pytest.raises(ValueError, match="expected"):
                model.set_state({**before, name: changed})
    np.testing.assert_equal(model.get_state(), before)
