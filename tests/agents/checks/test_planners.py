"""Conformance suite of planners: the built-in ones, and a wrong one for each check."""

from __future__ import annotations

import random  # noqa: TID251  # a wrong planner draws from it
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import pytest

from dynamaze.agents import (
    PLANNERS,
    BackwardUpdates,
    DynamicProgramming,
    LatestOutcome,
    MaximumLikelihood,
    Planning,
    PrioritisedSweeping,
    TrajectorySampling,
    Transitions,
    UniformPlanning,
    UniformUpdates,
)
from dynamaze.agents.checks import (
    PLANNER_CHECKS,
    PLANNER_PROMISES,
    CheckEnvironment,
    PlannerCheckError,
    check_planner,
    planner_report,
)
from dynamaze.agents.core.sparse_mdp import SparseMDP
from dynamaze.agents.planning.dynamic_programming import value_iteration
from dynamaze.agents.search.forward_search import ForwardPlanning
from dynamaze.agents.search.mcts.agent import TreeSearchPlanning
from dynamaze.agents.search.monte_carlo import MonteCarloPlanning
from dynamaze.agents.search.sparse_sampling import SparsePlanning
from dynamaze.agents.search.td_search import TDPlanning

BUILT_IN: dict[str, Callable[[CheckEnvironment], Planning]] = {
    **{name: lambda env, name=name: PLANNERS[name](20, 0.3) for name in PLANNERS},  # type: ignore[misc]
    "sweeping by change": lambda env: PrioritisedSweeping(20, priority="change"),
    "uniform, samples": lambda env: UniformUpdates(20, updates="sample"),
    "backward, samples": lambda env: BackwardUpdates(20, updates="sample"),
    "trajectories from starts": lambda env: TrajectorySampling(20, begin="start", epsilon=0.5),
    "nothing": lambda env: UniformPlanning(0),
    "base": lambda env: Planning(),
    "few sweeps": lambda env: DynamicProgramming(max_sweeps=500),
}


SEARCHES: dict[str, Callable[[CheckEnvironment], Planning]] = {
    "tree": lambda env: TreeSearchPlanning(200, depth=20),
    "forward": lambda env: ForwardPlanning(200),
    "sparse": lambda env: SparsePlanning(2, 30),
    "Monte Carlo": lambda env: MonteCarloPlanning(20, depth=20),
    "TD": lambda env: TDPlanning(20, depth=20),
    "Dyna-2": lambda env: TDPlanning(20, depth=20, permanent=True),
}


@pytest.mark.parametrize("name", sorted(SEARCHES))
def test_search_planners_pass(name: str) -> None:
    check_planner(SEARCHES[name])


def test_forward_search_is_optimal() -> None:
    check_planner(SEARCHES["forward"], promises=frozenset({"optimal_search"}))
    near = planner_report(lambda env: ForwardPlanning(3), promises=frozenset({"optimal_search"}))
    assert near.failures == ["search_values_are_optimal"]


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_background_planners_pass(name: str) -> None:
    promises = frozenset[str]() if name in ("nothing", "base") else None
    report = check_planner(BUILT_IN[name], promises=promises)
    kept = len(report.named("passed"))
    assert kept >= (15 if promises is not None else 17)


def test_expected_sweeping_converges_in_expectation() -> None:
    assert "values_converge_to_expectation" in check_planner(
        lambda env: PrioritisedSweeping(20)
    ).named("passed")
    report = planner_report(
        lambda env: UniformPlanning(20),
        promises=frozenset({"converges", "converges_in_expectation"}),
    )
    assert report.failures == ["values_converge_to_expectation"]


def test_planner_with_other_model() -> None:
    check_planner(
        lambda env: PrioritisedSweeping(20),
        model=lambda env: LatestOutcome(env.num_states, env.num_actions),
        promises=frozenset({"converges", "tracks_changes"}),
    )


# -- a correct planner, and wrong ones ----------------------------------------------------------


class Correct(Planning):
    """Correct planner: it solves the model when it plans, and again when it searches."""

    needs = frozenset({"distribution"})
    promises = frozenset(PLANNER_PROMISES)
    num_recorded: int

    def __init__(self) -> None:
        self.num_recorded = 0

    def record_transition(self, values: Any, model: Any, transitions: Transitions) -> None:
        self.num_recorded += transitions.action.size

    def solved(self, model: Any) -> np.ndarray:
        return value_iteration(SparseMDP.of_model(model), 0.9, tolerance=1e-9).action_values

    def plan(self, values: Any, model: Any, rng: np.random.Generator) -> None:
        values.q[...] = self.solved(model) + self.tail(rng)

    def tail(self, rng: np.random.Generator) -> float:
        return 1e-6 * rng.random() + 1e-6 * self.num_recorded

    def action_values(
        self, values: Any, model: Any, observations: Any, rng: Any, *, learning: bool = False
    ) -> np.ndarray:
        return self.solved(model)[observations] + self.tail(rng)

    def get_state(self) -> dict[str, Any]:
        return {"num_recorded": self.num_recorded}

    def set_state(self, state: dict[str, Any]) -> None:
        self.num_recorded = int(state["num_recorded"])


WRONG: dict[str, type[Correct]] = {}


def wrong(check: str) -> Any:
    """Register the planner that only this check catches."""

    def register(cls: type[Correct]) -> type[Correct]:
        WRONG[check] = cls
        return cls

    return register


@wrong("needs_are_valid")
class Demanding(Correct):
    needs = frozenset({"distribution", "clairvoyance"})


@wrong("transitions_are_unchanged")
class Eater(Correct):
    def record_transition(self, values: Any, model: Any, transitions: Transitions) -> None:
        super().record_transition(values, model, transitions)
        transitions.reward[:] = 0.0


@wrong("planning_does_not_update_model")
class Teacher(Correct):
    def plan(self, values: Any, model: Any, rng: np.random.Generator) -> None:
        super().plan(values, model, rng)
        model.table.visits[-1] += 1


@wrong("planning_without_experience")
class Hasty(Correct):
    def plan(self, values: Any, model: Any, rng: np.random.Generator) -> None:
        _ = 1 // self.num_recorded
        super().plan(values, model, rng)


@wrong("values_stay_finite")
class Exploding(Correct):
    def plan(self, values: Any, model: Any, rng: np.random.Generator) -> None:
        super().plan(values, model, rng)
        if self.num_recorded == 12:
            values.q[4, 0] = np.inf  # of the terminal state, which no other check reads


@wrong("planning_is_reproducible")
class Wilful(Correct):
    own = np.random.default_rng(0)

    def action_values(self, *given: Any, learning: bool = False) -> np.ndarray:
        found = super().action_values(*given, learning=learning)
        odd = len(given[2]) == 2 and given[2][1] == 2 and given[3].random() < 1
        return found + (1e-6 * self.own.random() if odd else 0.0)


@wrong("global_generators_are_unused")
class Careless(Correct):
    def plan(self, values: Any, model: Any, rng: np.random.Generator) -> None:
        super().plan(values, model, rng)
        random.random()


@wrong("planners_share_no_state")
class Sharing(Correct):
    most: ClassVar[list[int]] = [0]

    def plan(self, values: Any, model: Any, rng: np.random.Generator) -> None:
        super().plan(values, model, rng)
        if self.num_recorded == 24:  # two runs of 12 transitions, as only that check has
            self.most[0] += 1
        values.q[...] += 1e-6 * self.most[0] if self.num_recorded == 12 else 0.0


@wrong("search_keeps_values")
class Scribbling(Correct):
    def action_values(self, values: Any, *given: Any, learning: bool = False) -> np.ndarray:
        if given[1][0] == 0 and len(given[1]) == 2 and given[1][1] == 1:
            values.q[4, 2] += 1e-7
        return super().action_values(values, *given, learning=learning)


@wrong("search_keeps_planner")
class Curious(Correct):
    def action_values(self, values: Any, *given: Any, learning: bool = False) -> np.ndarray:
        if list(given[1]) == [2, 0]:
            self.num_recorded += 1
        return super().action_values(values, *given, learning=learning)


@wrong("search_value_shapes")
class Single(Correct):
    def action_values(self, *given: Any, learning: bool = False) -> np.ndarray:
        found = super().action_values(*given, learning=learning)
        return found[0] if len(given[2]) == 1 and given[2][0] == 1 and not learning else found


@wrong("state_restores_planner")
class Forgetful(Correct):
    def set_state(self, state: dict[str, Any]) -> None:
        self.num_recorded = 0


@wrong("state_is_copy")
class Open(Correct):
    def __init__(self) -> None:
        super().__init__()
        self.kept = np.zeros(1)

    def record_transition(self, values: Any, model: Any, transitions: Transitions) -> None:
        super().record_transition(values, model, transitions)
        self.kept[0] = self.num_recorded

    def get_state(self) -> dict[str, Any]:
        return {**super().get_state(), "kept": self.kept}


@wrong("state_is_plain_data")
class Pickled(Correct):
    def get_state(self) -> dict[str, Any]:
        return {**super().get_state(), "more": (1, 2)}


@wrong("deep_copy_is_independent")
class Attached(Correct):
    def __deepcopy__(self, memo: Any) -> Attached:
        return self


@wrong("values_converge")
class Lazy(Correct):
    def plan(self, values: Any, model: Any, rng: np.random.Generator) -> None:
        before = values.q.copy()
        super().plan(values, model, rng)
        if self.num_recorded <= 12:
            values.q[0, 0] = before[0, 0]


@wrong("values_converge_to_expectation")
class Optimist(Correct):
    def solved(self, model: Any) -> np.ndarray:
        found = super().solved(model)
        return found + isinstance(model, MaximumLikelihood) * 0.01


@wrong("values_track_change")
class Stubborn(Correct):
    def solved(self, model: Any) -> np.ndarray:
        found = super().solved(model)
        changed = isinstance(model, LatestOutcome) and model.table.reward[0] == 2.0
        return found + 0.01 * changed


@wrong("search_values_are_optimal")
class ShortSighted(Correct):
    def action_values(self, *given: Any, learning: bool = False) -> np.ndarray:
        found = super().action_values(*given, learning=learning)
        return 0.9 * found if len(found) == 4 else found


def test_correct_planner_passes() -> None:
    report = check_planner(lambda env: Correct(), phases=2)
    assert report.named("passed") == list(PLANNER_CHECKS)


def test_each_check_has_wrong_planner() -> None:
    assert set(WRONG) == set(PLANNER_CHECKS)
    assert len(PLANNER_CHECKS) >= 16


@pytest.mark.parametrize("check", sorted(PLANNER_CHECKS))
def test_wrong_planner_fails_own_check(check: str) -> None:
    report = planner_report(lambda env: WRONG[check](), phases=2)
    assert report.failures == [check], str(report)


def test_failure_raises_with_report() -> None:
    with pytest.raises(PlannerCheckError, match=r"1 checks failed(.|\n)*needs_are_valid"):
        check_planner(lambda env: Demanding(), phases=2)


def test_expected_failure_must_happen() -> None:
    reason = {"needs_are_valid": "it wants too much"}
    report = check_planner(lambda env: Demanding(), expected_failures=reason, phases=2)
    assert report.named("expected failure") == ["needs_are_valid"]
    assert planner_report(lambda env: Correct(), expected_failures=reason, phases=2).failures
    with pytest.raises(ValueError, match="did you mean 'needs_are_valid'"):
        planner_report(lambda env: Correct(), expected_failures={"need_are_valid": ""})
    with pytest.raises(ValueError, match="promise 'setles'"):
        planner_report(lambda env: Correct(), promises=frozenset({"setles"}))
