"""What every planner does, and leaves alone."""

from __future__ import annotations

import copy
import random  # noqa: TID251  # to see that nobody else draws from it

import numpy as np

from ..models import CAPABILITIES
from .environments import deterministic_rows, generator, must, same
from .planner_cases import STATES, Life, PlannerCase
from .registry import needs


def needs_are_known(case: PlannerCase) -> None:
    """What it needs of a model is something that a model can declare."""
    unknown = sorted(case.factory(case.world).needs - set(CAPABILITIES))
    must(not unknown, f"it needs {unknown}, which no model can declare")


def transitions_are_left_alone(case: PlannerCase) -> None:
    """Real experience is the agent's."""
    life = case.life()
    given = case.world.batch(deterministic_rows())
    before = copy.deepcopy(given)
    life.planner.note(life.values, life.model, given)
    must(same(given, before), "note changed the transitions")


def planning_teaches_the_model_nothing(case: PlannerCase) -> None:
    """A model learns from real experience alone."""
    life = case.life()
    before = copy.deepcopy(life.model.get_state())
    life.plan(3)
    life.look([0, 1], generator(1))
    must(same(life.model.get_state(), before), "the model's state is another after planning")


def an_unseen_world_is_survived(case: PlannerCase) -> None:
    """Before anything was seen it does nothing, looks, or raises RuntimeError."""
    life = case.life([])
    try:
        life.plan(2)
        found = life.look([0], generator(1))
    except RuntimeError:
        return
    must(np.isfinite(life.values.q).all(), "values are not finite")
    must(not np.isnan(found).any(), "what it found is not a number")


def values_stay_finite(case: PlannerCase) -> None:
    """No update leaves NaN or infinity behind."""
    life = case.life(phases=20)
    must(np.isfinite(life.values.q).all(), "values are not finite")


def planning_follows_its_generator(case: PlannerCase) -> None:
    """All its randomness comes from the generator that it is given."""
    first, second = case.life(phases=3), case.life(phases=3)
    must(same(first.values.q, second.values.q), "one generator gave two tables of values")
    looks = [life.look([0, 2], generator(4)) for life in (first, second)]
    must(same(*looks), "one generator gave two looks ahead")


def global_generators_are_left_alone(case: PlannerCase) -> None:
    """Neither NumPy's nor Python's is drawn from or seeded."""
    before = np.random.get_state(), random.getstate()  # noqa: NPY002  # the one that is left alone
    life = case.life(phases=2)
    life.look([0], generator(1))
    after = np.random.get_state(), random.getstate()  # noqa: NPY002
    must(same(after, before), "a global generator has moved")


def planners_share_no_memory(case: PlannerCase) -> None:
    """What one has noted, another has not."""
    alone = case.life(phases=2)
    other = case.life(deterministic_rows()[::-1] * 2, phases=3)
    again = case.life(phases=2)
    must(same(alone.values.q, again.values.q), "a new planner plans otherwise beside another")
    del other


def looking_leaves_the_values_alone(case: PlannerCase) -> None:
    """What is found by looking ahead is not written into what was learned."""
    life = case.life()
    before = life.values.q.copy()
    life.look([0, 1], generator(1))
    must(same(life.values.q, before), "looking ahead changed the learned values")


def looking_leaves_the_planner_alone(case: PlannerCase) -> None:
    """Unless the agent is there itself, nothing is kept of a look."""
    life, other = case.life(), case.life()
    life.look([2, 0], generator(1))
    must(same(life.planner.get_state(), other.planner.get_state()), "its state is another")
    for each in (life, other):
        _go_on(each)
    must(same(life.values.q, other.values.q), "it plans otherwise after a look")
    looks = [each.look([1], generator(3)) for each in (life, other)]
    must(same(*looks), "it looks otherwise after a look")


def found_values_have_their_form(case: PlannerCase) -> None:
    """(batch, actions) float64, for one and for several, and as the caller's own array."""
    life = case.life()
    for states in ([1], [0, 1, 2]):
        found = life.look(states, generator(1))
        shape = (len(states), case.world.num_actions)
        must(np.shape(found) == shape, f"{len(states)} observations gave shape {np.shape(found)}")
        must(found.dtype == np.float64, f"it gave {found.dtype}; expected float64")
    kept = life.look([1], generator(1), learning=True)
    before = kept.copy()
    life.live(deterministic_rows()[:3])
    life.look([2], generator(2), learning=True)
    must(same(kept, before), "an array that it gave has changed later")


# -- states and copies -------------------------------------------------------------------------


def a_state_gives_the_planner_again(case: PlannerCase) -> None:
    """A new planner with the state of another goes on alike."""
    life = case.life(phases=1)
    planner = case.factory(case.world)
    planner.set_state(copy.deepcopy(life.planner.get_state()))
    _must_go_on_alike(life, planner, "set_state(get_state())")


def a_state_is_a_copy(case: PlannerCase) -> None:
    """What is noted later is not in it."""
    life = case.life()
    state = life.planner.get_state()
    before = copy.deepcopy(state)
    _go_on(life)
    must(same(state, before), "a state changed after it was handed out")


def a_state_is_arrays_and_numbers(case: PlannerCase) -> None:
    """So that it can be written without pickle."""
    for name, value in case.life(phases=1).planner.get_state().items():
        plain = isinstance(value, (bool, int, float, str)) or (
            isinstance(value, np.ndarray) and value.dtype.kind in "biufU"
        )
        must(plain, f"{name!r} is a {type(value).__name__}")


def a_deep_copy_goes_on_alike_and_alone(case: PlannerCase) -> None:
    """A copy shares nothing."""
    life = case.life(phases=1)
    _must_go_on_alike(life, copy.deepcopy(life.planner), "a deep copy")
    life = case.life(phases=1)
    before = copy.deepcopy(life.planner.get_state())
    other = copy.deepcopy(life)
    other.planner = copy.deepcopy(life.planner)
    _go_on(other)
    must(same(life.planner.get_state(), before), "a copy's planning changed the original")


def _go_on(life: Life) -> None:
    life.rng = generator(9)
    life.live(deterministic_rows()[::-1])
    life.plan(2)


def _must_go_on_alike(life: Life, planner: object, what: str) -> None:
    other = copy.deepcopy(life)
    other.planner = planner  # type: ignore[assignment]
    for each in (life, other):
        _go_on(each)
    must(same(life.values.q, other.values.q), f"{what} plans otherwise")
    looks = [each.look([0, 1], generator(3)) for each in (life, other)]
    must(same(*looks), f"{what} looks otherwise")


# -- promises ----------------------------------------------------------------------------------


@needs("settles")
def values_settle_in_a_deterministic_world(case: PlannerCase) -> None:
    """Where those of dynamic programming do."""
    _must_be_optimal(case, case.life(phases=case.phases))


@needs("expects")
def values_settle_where_chance_rules(case: PlannerCase) -> None:
    """Of a pair with two outcomes, at their expectation."""
    rows = [*deterministic_rows(), (0, 1, 3.0, 3, False)]
    _must_be_optimal(case, case.life(rows, phases=case.phases, by_chance=True))


@needs("follows_changes")
def values_follow_a_change(case: PlannerCase) -> None:
    """The model's belief of two pairs turns round, and so do the values."""
    life = case.life(phases=case.phases)
    changed = [(0, 0, 2.0, 0, False), (3, 2, 0.0, 0, False)]
    life.live(changed)
    life.plan(case.phases)
    _must_be_optimal(case, life)


@needs("looks_far")
def what_is_found_is_optimal(case: PlannerCase) -> None:
    """In every state, each action's value."""
    life = case.life(phases=case.phases)
    found, truth = life.look(STATES.tolist(), generator(1)), life.optimal()[STATES]
    _must_be_close(case, found, truth)


def _must_be_optimal(case: PlannerCase, life: Life) -> None:
    _must_be_close(case, life.values.q[STATES], life.optimal()[STATES])


def _must_be_close(case: PlannerCase, found: np.ndarray, truth: np.ndarray) -> None:
    wrong = np.unravel_index(np.abs(found - truth).argmax(), truth.shape)
    state, action = (int(place) for place in wrong)
    must(
        np.abs(found - truth).max() <= case.tolerance,
        f"state {state}, action {action} has the value {found[wrong]:.6g}; expected "
        f"{truth[wrong]:.6g} within {case.tolerance:g}",
    )
