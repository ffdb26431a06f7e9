"""Model wrappers: forwarding, records, state and names of version 0.2."""

from __future__ import annotations

import copy
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest

from dynamaze.agents import LatestOutcome, ScoredModel, TimeBonus, Transitions, UncertaintyBonus
from dynamaze.agents.core.kernels import (
    append_next_states,
    confidence,
    expected_backup,
    has_rule,
    outcome_probability,
    rules,
    sample_outcome,
    sample_transition,
    update_model,
    visited_pairs,
)
from dynamaze.agents.core.transitions import one_transition
from dynamaze.agents.models.latest import LOOKUPS
from dynamaze.agents.models.table_copy import has_lookups
from dynamaze.agents.models.wrapper import ModelWrapper

STATES, ACTIONS = 4, 2
WRAPPERS: dict[str, Any] = {
    "TimeBonus": lambda model: TimeBonus(model, STATES, ACTIONS, kappa=0.1),
    "UncertaintyBonus": lambda model: UncertaintyBonus(model, weight=0.1),
    "ScoredModel": ScoredModel,
    "plain": ModelWrapper,
}


class Shifted(ModelWrapper):
    """Wrapper that changes samples and has no record of its own."""

    def sample(self, n: int, rng: np.random.Generator) -> Transitions:
        drawn = super().sample(n, rng)
        return drawn._replace(reward=drawn.reward + 1.0)


def trained(wrap: Any) -> Any:
    """Return a wrapped model after two transitions."""
    model = wrap(LatestOutcome(STATES, ACTIONS))
    for state in (0, 1):
        model.update(one_transition(state, 1, 0.5, state + 1, False))
    return model


@pytest.mark.parametrize("name", WRAPPERS)
def test_wrapper_forwards_the_rest(name: str) -> None:
    model = trained(WRAPPERS[name])
    inside = model.unwrapped
    assert isinstance(inside, LatestOutcome)
    assert (model.num_states, model.num_actions) == (STATES, ACTIONS)
    assert not model.is_empty
    assert model.distribution(0, 1).next_observation.tolist() == [1]
    assert model.predict(np.array([1]), np.array([1])).visits.tolist() == [1]
    assert model.confidence() == 1
    with pytest.raises(AttributeError, match="other"):
        _ = model.other


@pytest.mark.parametrize("name", ["TimeBonus", "UncertaintyBonus", "ScoredModel"])
def test_wrapper_record_has_all_rules(name: str) -> None:
    model = trained(lambda inside: WRAPPERS[name](WRAPPERS["TimeBonus"](inside)))
    for rule in (
        update_model,
        sample_transition,
        sample_outcome,
        expected_backup,
        outcome_probability,
        append_next_states,
    ):
        assert has_rule(rule, model.table), rule.__name__
    assert has_lookups(model)


def test_wrapper_without_record_is_not_compiled() -> None:
    model = trained(Shifted)
    assert "compiled" not in model.capabilities
    assert model.capabilities | {"compiled"} == model.unwrapped.capabilities
    drawn = model.sample(3, np.random.default_rng(0))
    assert drawn.reward.tolist() == [1.5] * 3


def test_nested_wrappers_are_unwrapped() -> None:
    model = trained(lambda inside: UncertaintyBonus(Shifted(ScoredModel(inside)), weight=0.0))
    assert isinstance(model.unwrapped, LatestOutcome)
    assert "compiled" not in model.capabilities
    assert has_rule(confidence, model.model.model.table)
    assert not has_rule(visited_pairs, model.unwrapped.table)  # the default serves it


@pytest.mark.parametrize("name", WRAPPERS)
def test_wrapper_copies_are_independent(name: str) -> None:
    model = trained(WRAPPERS[name])
    copied = copy.deepcopy(model)
    copied.update(one_transition(3, 0, 0.0, 3, False))
    assert model.unwrapped.table.visits.sum() == 2
    assert copied.unwrapped.table.visits.sum() == 3
    model.set_state(copied.get_state())
    assert model.unwrapped.table.visits.sum() == 3


@pytest.mark.parametrize("name", ["TimeBonus", "ScoredModel"])
def test_wrapper_state_is_restored_whole_or_not_at_all(name: str) -> None:
    model, other = trained(WRAPPERS[name]), trained(WRAPPERS[name])
    other.update(one_transition(3, 0, 0.0, 3, False))
    state = other.get_state()
    state["model.reward"] = state["model.reward"][:-1]
    with pytest.raises(ValueError, match="reward"):
        model.set_state(state)
    assert model.unwrapped.table.visits.sum() == 2
    for key, value in trained(WRAPPERS[name]).get_state().items():
        np.testing.assert_array_equal(model.get_state()[key], value)


def test_old_names_of_confidence_warn() -> None:
    model = trained(WRAPPERS["TimeBonus"])
    pairs = np.array([0, 1]), np.array([0, 0])
    with pytest.warns(DeprecationWarning, match=r"TimeBonus\.planning_share is now called"):
        assert model.planning_share == 1
    with pytest.warns(DeprecationWarning, match=r"TimeBonus\.pair_confidence is now called"):
        assert model.pair_confidence(*pairs).tolist() == [1, 1]


def test_lookups_need_every_rule() -> None:
    names = {"outcome_probability", "expected_backup", "sample_outcome"}
    for missing in ("", *sorted(names)):
        record: Any = NamedTuple("record", [("size", int)])
        rules(record, **{name: LOOKUPS[name] for name in names - {missing}})
        model = SimpleNamespace(capabilities={"compiled"}, table=record(0))
        assert has_lookups(model) is (not missing)
