"""Every built-in model goes through the conformance suite, plain and in each wrapper."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import pytest
from gymnasium import spaces

from dynamaze.agents import (
    MODELS,
    TABLE_MODELS,
    ScoredModel,
    TimeBonus,
    Transitions,
    UncertaintyBonus,
    check_transitions,
)
from dynamaze.agents.checks import CheckWorld, check_model, model_report
from dynamaze.agents.core.encoders import ROWS, VECTORS
from dynamaze.agents.models import LEARNED_MODELS, model_for

SIZE = (5, 3)
WRAPPERS: dict[str, Callable[[Any], Any]] = {
    "plain": lambda model: model,
    "TimeBonus": lambda model: TimeBonus(model, *SIZE, kappa=1e-3),
    "ScoredModel": lambda model: ScoredModel(model, *SIZE),
    "UncertaintyBonus": lambda model: UncertaintyBonus(model, *SIZE, weight=1e-3),
}
UNTRIED = frozenset({"samples_only_seen"})


def test_there_are_so_many_models() -> None:
    assert len(TABLE_MODELS) == 6
    assert set(TABLE_MODELS) < set(MODELS)


@pytest.mark.parametrize("wrapper", sorted(WRAPPERS))
@pytest.mark.parametrize("name", sorted(TABLE_MODELS))
def test_every_table_model_keeps_its_promises(name: str, wrapper: str) -> None:
    def factory(world: CheckWorld) -> Any:
        return WRAPPERS[wrapper](TABLE_MODELS[name](world.num_states, world.num_actions))

    report = check_model(factory)
    # What it passes must not shrink unseen.
    assert len(report.named("passed")) >= (32 if "Bonus" in wrapper else 39)


@pytest.mark.parametrize("name", sorted(TABLE_MODELS))
def test_with_untried_actions_it_keeps_all_other_promises(name: str) -> None:
    def factory(world: CheckWorld) -> Any:
        return TABLE_MODELS[name](world.num_states, world.num_actions, include_untried=True)

    # Untried actions are draws of their own, so outcomes make up less than all draws.
    promises = TABLE_MODELS[name].promises - UNTRIED - {"represents_chance"}
    check_model(factory, promises=promises)


ALL_THAT_VECTORS_MAY = frozenset(
    {
        "exact_when_deterministic",
        "represents_chance",
        "samples_only_seen",
        "samples_all_seen",
        "knows_uncertainty",
    }
)
ON_ROWS = frozenset({"samples_only_seen", "samples_all_seen", "knows_uncertainty"})
MEAN = "an expectation model draws the mean of what may follow"
NO_DOUBT = "least squares says nothing of what it does not know"
YOUNG = "networks that learn step by step are not there after 72 of them"
SIMILAR = "its units learned from what was seen, and what was not may look like it to them"


class Trial(NamedTuple):
    """How a model of the name is held to all that its kind may promise."""

    passed: int
    repeats: int | None = None  # how often each transition is shown; of vectors
    fails: Mapping[str, str] = {}  # which checks the family cannot pass, and why


TRIALS: dict[tuple[str, str], Trial] = {
    ("linear", VECTORS): Trial(
        38,
        fails={
            "outcomes_are_drawn_by_their_frequency": MEAN,
            "the_predicted_reward_is_the_mean": "a fixed step size weighs the latest most",
            "the_unknown_is_more_doubtful_than_the_known": NO_DOUBT,
        },
    ),
    ("recursive_linear", VECTORS): Trial(
        39,
        fails={
            "outcomes_are_drawn_by_their_frequency": MEAN,
            "the_unknown_is_more_doubtful_than_the_known": NO_DOUBT,
        },
    ),
    ("bayesian_linear", VECTORS): Trial(41),
    ("gaussian_process", VECTORS): Trial(41, repeats=3),
    ("deep_belief", VECTORS): Trial(40, fails={"outcomes_are_drawn_by_their_frequency": MEAN}),
    ("ensemble", VECTORS): Trial(
        37,
        repeats=3,
        fails={
            "samples_of_a_deterministic_world_are_true": YOUNG,
            "predictions_of_a_deterministic_world_are_true": YOUNG,
            "the_end_is_predicted": YOUNG,
            "the_end_is_drawn": YOUNG,
        },
    ),
    ("linear", ROWS): Trial(34, fails={"the_unknown_is_more_doubtful_than_the_known": NO_DOUBT}),
    ("recursive_linear", ROWS): Trial(
        34, fails={"the_unknown_is_more_doubtful_than_the_known": NO_DOUBT}
    ),
    ("bayesian_linear", ROWS): Trial(35),
    ("gaussian_process", ROWS): Trial(35),
    ("deep_belief", ROWS): Trial(
        34, fails={"the_unknown_is_more_doubtful_than_the_known": SIMILAR}
    ),
    ("ensemble", ROWS): Trial(35),
}
ON_VECTORS = {*LEARNED_MODELS, "stored_experience"}


@pytest.mark.parametrize("observes", [ROWS, VECTORS])
@pytest.mark.parametrize("name", sorted(MODELS))
def test_every_model_keeps_what_its_family_can(name: str, observes: str) -> None:
    def factory(world: CheckWorld) -> Any:
        seed = np.random.SeedSequence(0)
        return model_for(
            name, spaces.Discrete(world.num_states), world.num_actions, observes=observes, seed=seed
        )

    if observes == VECTORS and name not in ON_VECTORS:
        with pytest.raises(TypeError, match="is a table, and these values see vectors"):
            factory(CheckWorld())
        return
    trial = TRIALS.get((name, observes))
    if trial is None:  # a table is held to what it promises itself
        assert len(check_model(factory, vectors=observes == VECTORS).named("passed")) >= 30
        return
    report = check_model(
        factory,
        vectors=observes == VECTORS,
        promises=ALL_THAT_VECTORS_MAY if observes == VECTORS else ON_ROWS,
        repeats=trial.repeats,
        expected_failures=trial.fails,
    )
    # What it passes must not shrink unseen.
    assert len(report.named("passed")) == trial.passed


def test_every_learned_model_is_tried() -> None:
    assert {name for name, _ in TRIALS} == set(LEARNED_MODELS)
    assert len(TRIALS) == 2 * len(LEARNED_MODELS)


class LastFew:
    """A model that dreams of the last hundred transitions only: a user's own, as in the README."""

    capabilities = frozenset({"sample"})
    promises = frozenset({"exact_when_deterministic", "represents_chance", "samples_only_seen"})

    def __init__(self, num_states: int, num_actions: int) -> None:
        self.size = num_states, num_actions
        self.seen: Any = None

    def update(self, transitions: Transitions) -> None:
        check_transitions(transitions, *self.size)
        before = [column[:0] for column in transitions] if self.seen is None else self.seen
        both = [np.concatenate(pair) for pair in zip(before, transitions, strict=True)]
        self.seen = Transitions(*(column[-100:] for column in both))

    def sample(self, n: int, rng: np.random.Generator) -> Transitions:
        if self.seen is None:
            raise RuntimeError("update the model before sampling from it")
        drawn = rng.integers(len(self.seen.action), size=n)
        return Transitions(*(column[drawn] for column in self.seen))

    def get_state(self) -> dict[str, Any]:
        return {} if self.seen is None else self.seen._asdict()

    def set_state(self, state: dict[str, Any]) -> None:
        self.seen = Transitions(**state) if state else None


def test_a_model_of_ones_own_in_twenty_lines_passes() -> None:
    report = check_model(lambda world: LastFew(world.num_states, world.num_actions))
    assert len(report.named("passed")) >= 28


def test_a_model_that_promises_too_much_is_found_out() -> None:
    def latest(world: CheckWorld) -> Any:
        return TABLE_MODELS["latest_outcome"](world.num_states, world.num_actions)

    report = model_report(latest, promises=frozenset({"represents_chance"}))
    assert report.failures == [
        "outcomes_are_drawn_by_their_frequency",
        "the_predicted_reward_is_the_mean",
    ]
