"""Conformance of every built-in model, plain and wrapped."""

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
from dynamaze.agents.checks import CheckEnvironment, check_model, model_report
from dynamaze.agents.core.encoders import DISCRETE, VECTORS
from dynamaze.agents.models import LEARNED_MODELS, model_for

SIZE = (5, 3)
WRAPPERS: dict[str, Callable[[Any], Any]] = {
    "plain": lambda model: model,
    "TimeBonus": lambda model: TimeBonus(model, *SIZE, kappa=1e-3),
    "ScoredModel": lambda model: ScoredModel(model, *SIZE),
    "UncertaintyBonus": lambda model: UncertaintyBonus(model, *SIZE, weight=1e-3),
}
UNTRIED = frozenset({"samples_only_seen"})


def test_number_of_models() -> None:
    assert len(TABLE_MODELS) == 6
    assert set(TABLE_MODELS) < set(MODELS)


@pytest.mark.parametrize("wrapper", sorted(WRAPPERS))
@pytest.mark.parametrize("name", sorted(TABLE_MODELS))
def test_table_models_pass(name: str, wrapper: str) -> None:
    def factory(env: CheckEnvironment) -> Any:
        return WRAPPERS[wrapper](TABLE_MODELS[name](env.num_states, env.num_actions))

    report = check_model(factory)
    # The number of passed checks must not shrink unnoticed.
    assert len(report.named("passed")) >= (32 if "Bonus" in wrapper else 39)


@pytest.mark.parametrize("name", sorted(TABLE_MODELS))
def test_table_models_with_untried_pass(name: str) -> None:
    def factory(env: CheckEnvironment) -> Any:
        return TABLE_MODELS[name](env.num_states, env.num_actions, include_untried=True)

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
MEAN = "an expectation model samples the mean of the next vectors"
NO_UNCERTAINTY = "least mean squares have no epistemic variance"
YOUNG = "networks that learn by gradient steps have not converged after 72 of them"
SIMILAR = "units learned from seen pairs may map unseen ones to similar features"


class Trial(NamedTuple):
    """Expected number of passed checks and expected failures of a model."""

    passed: int
    # Number of times that each transition is presented to a model of vectors; None for the default.
    repeats: int | None = None
    fails: Mapping[str, str] = {}  # check that this kind of model cannot pass -> reason


TRIALS: dict[tuple[str, str], Trial] = {
    ("linear", VECTORS): Trial(
        38,
        fails={
            "outcome_frequencies": MEAN,
            "predicted_reward_is_mean": "a fixed step size weights the latest rewards most",
            "unseen_pairs_are_more_uncertain": NO_UNCERTAINTY,
        },
    ),
    ("recursive_linear", VECTORS): Trial(
        39,
        fails={
            "outcome_frequencies": MEAN,
            "unseen_pairs_are_more_uncertain": NO_UNCERTAINTY,
        },
    ),
    ("bayesian_linear", VECTORS): Trial(41),
    ("gaussian_process", VECTORS): Trial(41, repeats=3),
    ("deep_belief", VECTORS): Trial(40, fails={"outcome_frequencies": MEAN}),
    ("ensemble", VECTORS): Trial(
        37,
        repeats=3,
        fails={
            "deterministic_samples_are_exact": YOUNG,
            "deterministic_predictions_are_exact": YOUNG,
            "termination_is_predicted": YOUNG,
            "termination_is_sampled": YOUNG,
        },
    ),
    ("linear", DISCRETE): Trial(34, fails={"unseen_pairs_are_more_uncertain": NO_UNCERTAINTY}),
    ("recursive_linear", DISCRETE): Trial(
        34, fails={"unseen_pairs_are_more_uncertain": NO_UNCERTAINTY}
    ),
    ("bayesian_linear", DISCRETE): Trial(35),
    ("gaussian_process", DISCRETE): Trial(35),
    ("deep_belief", DISCRETE): Trial(34, fails={"unseen_pairs_are_more_uncertain": SIMILAR}),
    ("ensemble", DISCRETE): Trial(35),
}
ON_VECTORS = {*LEARNED_MODELS, "stored_experience"}


@pytest.mark.parametrize("observes", [DISCRETE, VECTORS])
@pytest.mark.parametrize("name", sorted(MODELS))
def test_learned_models_pass(name: str, observes: str) -> None:
    def factory(env: CheckEnvironment) -> Any:
        seed = np.random.SeedSequence(0)
        return model_for(
            name, spaces.Discrete(env.num_states), env.num_actions, observes=observes, seed=seed
        )

    if observes == VECTORS and name not in ON_VECTORS:
        with pytest.raises(TypeError, match="is a table, and these values see vectors"):
            factory(CheckEnvironment())
        return
    trial = TRIALS.get((name, observes))
    if trial is None:  # models of rows are checked for their own promises
        assert len(check_model(factory, vectors=observes == VECTORS).named("passed")) >= 30
        return
    report = check_model(
        factory,
        vectors=observes == VECTORS,
        promises=ALL_THAT_VECTORS_MAY if observes == VECTORS else ON_ROWS,
        repeats=trial.repeats,
        expected_failures=trial.fails,
    )
    # The number of passed checks must not shrink unnoticed.
    assert len(report.named("passed")) == trial.passed


def test_all_learned_models_tested() -> None:
    assert {name for name, _ in TRIALS} == set(LEARNED_MODELS)
    assert len(TRIALS) == 2 * len(LEARNED_MODELS)


class LastFew:
    """Model that samples from the last hundred transitions: the model of the README."""

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


def test_minimal_user_model_passes() -> None:
    report = check_model(lambda env: LastFew(env.num_states, env.num_actions))
    assert len(report.named("passed")) >= 28


def test_false_promise_detected() -> None:
    def latest(env: CheckEnvironment) -> Any:
        return TABLE_MODELS["latest_outcome"](env.num_states, env.num_actions)

    report = model_report(latest, promises=frozenset({"represents_chance"}))
    assert report.failures == [
        "outcome_frequencies",
        "predicted_reward_is_mean",
    ]
