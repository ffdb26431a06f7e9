"""Conformance suite of action values: built-in and correct ones, and a wrong one for each check."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pytest

from dynamaze.agents import LinearValues, NetworkValues, TableValues, TileCoding, Transitions
from dynamaze.agents.checks import (
    VALUES_CHECKS,
    VALUES_PROMISES,
    CheckEnvironment,
    ValuesCheckError,
    check_values,
    values_report,
)
from dynamaze.agents.core.features import Identity

from .wrong import ACTIONS, STATES, CheckedInput, WrongImplementations

GAMMA = 0.9


def test_table_values_pass() -> None:
    report = check_values(
        lambda env: TableValues(env.num_states, env.num_actions, learning_rate=0.5, gamma=env.gamma)
    )
    assert len(report.named("passed")) == len(VALUES_CHECKS)


@pytest.mark.parametrize("features", ["one-hot", "tiles"])
def test_linear_values_pass(features: str) -> None:
    def factory(env: CheckEnvironment) -> LinearValues:
        made: Any = Identity(env.size)
        if features == "tiles":
            made = TileCoding(env.low, env.high, tiles=2, tilings=1)
        return LinearValues(
            made, env.num_actions, learning_rate=0.5, gamma=env.gamma, size=env.size
        )

    report = check_values(factory, vectors=True, tolerance=1e-3)
    assert len(report.named("passed")) == len(VALUES_CHECKS) - 1


def test_network_values_pass() -> None:
    pytest.importorskip("torch")

    def factory(env: CheckEnvironment) -> NetworkValues:
        return NetworkValues(
            env.low,
            env.high,
            env.num_actions,
            rng=np.random.default_rng(1),
            learning_rate=3e-3,
            gamma=env.gamma,
            batch_size=12,
        )

    report = check_values(
        factory,
        vectors=True,
        promises=frozenset({"converges"}),
        tolerance=0.5,
        sweeps=2000,
        repeats=2,
    )
    assert len(report.named("passed")) == len(VALUES_CHECKS) - 2


# -- a correct table, and wrong ones -----------------------------------------------------------


class Correct(CheckedInput):
    """Correct table of values, in plain Python."""

    promises = frozenset(VALUES_PROMISES)
    learning_rate = 0.5

    def __init__(self) -> None:
        self.q = np.zeros((STATES, ACTIONS))

    def values(self, observations: Any) -> Any:
        return self.q[observations]

    def update(self, transitions: Transitions) -> None:
        self.check_transitions(transitions)
        for row in zip(*transitions, strict=False):
            self.update_one(*row)

    def update_one(self, s: Any, a: Any, reward: Any, following: Any, end: Any) -> None:
        target = reward + (0.0 if end else GAMMA * self.q[following].max())
        self.q[s, a] += self.learning_rate * (target - self.q[s, a])

    def get_state(self) -> dict[str, Any]:
        return {"q": self.q.copy()}

    def set_state(self, state: dict[str, Any]) -> None:
        self.q = state["q"].copy()


wrong = WrongImplementations()


@wrong("value_shapes")
class Flat(Correct):
    def values(self, observations: Any) -> Any:
        found = super().values(observations)
        return found.ravel() if len(found) == 0 else found


@wrong("value_dtype")
class Short(Correct):
    def values(self, observations: Any) -> Any:
        found = super().values(observations)
        return found.astype(np.float32) if len(found) == 2 else found


@wrong("values_are_finite")
class Exploding(Correct):
    """The value of the terminal state, to which no other check looks, overflows after 15 sweeps."""

    def __init__(self) -> None:
        super().__init__()
        self.num_updates = 0

    def update(self, transitions: Transitions) -> None:
        super().update(transitions)
        self.num_updates += len(transitions.action) == 1
        if self.num_updates > 15 * 12:
            self.q[4, 0] = np.inf


@wrong("values_keep_inputs")
class Eater(Correct):
    def values(self, observations: Any) -> Any:
        found = super().values(observations)
        if len(observations) == 3:
            observations[:] = 0
        return found


@wrong("values_are_copies")
class Exposed(Correct):
    def values(self, observations: Any) -> Any:
        everything = len(observations) == STATES and not isinstance(observations, slice)
        return self.q if everything else super().values(observations)


@wrong("values_do_not_learn")
class Forgetful(Correct):
    """The fifth query of an object is answered a little lower, once."""

    def __init__(self) -> None:
        super().__init__()
        self.num_queries = 0

    def values(self, observations: Any) -> Any:
        self.num_queries += 1
        found = super().values(observations)
        return found - 1e-6 if self.num_queries == 5 and len(observations) == STATES else found

    def update(self, transitions: Transitions) -> None:
        super().update(transitions)
        self.num_queries = 0


@wrong("value_batch_equals_rows")
class Sorted(Correct):
    def values(self, observations: Any) -> Any:
        odd = len(observations) == 4 and observations[0] > observations[1]
        return super().values(np.sort(observations) if odd else observations)


@wrong("update_keeps_inputs")
class RewardEater(Correct):
    def update(self, transitions: Transitions) -> None:
        super().update(transitions)
        if len(transitions.reward) == 12:
            transitions.reward[:] = 0.0


@wrong("update_copies_inputs")
class Lazy(Correct):
    """It adds the last batch's first reward, as it is now, to the value of the terminal state."""

    last: Any = None

    def update(self, transitions: Transitions) -> None:
        super().update(transitions)
        self.last = transitions.reward if len(transitions.reward) == 12 else None

    def values(self, observations: Any) -> Any:
        found = super().values(observations)
        if self.last is not None and len(found) == STATES:
            found[4, 0] = self.last[0]
        return found


@wrong("updates_are_reproducible")
class Wilful(Correct):
    """The terminal state's value is random after the episode's end, until (0, 0) leads to 2."""

    own = np.random.default_rng(0)

    def update_one(self, s: Any, a: Any, reward: Any, following: Any, end: Any) -> None:
        super().update_one(s, a, reward, following, end)
        if end and not self.q[4, 1]:
            self.q[4, 1] = self.own.random()
        if (s, a, following) == (0, 0, 2):
            self.q[4, 1] = 0.0


@wrong("global_generators_are_unused")
class Careless(Correct):
    def update(self, transitions: Transitions) -> None:
        super().update(transitions)
        np.random.random()  # noqa: NPY002


@wrong("values_share_no_state")
class Shared(Correct):
    """The terminal state's value is 1 once an untrained object was updated with (0, 0) to 3."""

    is_shared: ClassVar = [False]

    def __init__(self) -> None:
        super().__init__()
        self.is_shared[0] = False

    def update_one(self, s: Any, a: Any, reward: Any, following: Any, end: Any) -> None:
        if (s, a, following) == (0, 0, 3) and not self.q[3, 2]:
            self.is_shared[0] = True
        super().update_one(s, a, reward, following, end)

    def values(self, observations: Any) -> Any:
        found = super().values(observations)
        if self.is_shared[0] and len(found) == STATES:
            found[4, 2] = 1.0
        return found


@wrong("empty_update_changes_nothing")
class Restless(Correct):
    def update(self, transitions: Transitions) -> None:
        super().update(transitions)
        if len(transitions.action) == 0:
            self.q[0, 0] += 1.0


@wrong("update_batch_equals_rows")
class AtOnce(Correct):
    """Repeated pairs of a batch are all updated from the values before it."""

    def update(self, transitions: Transitions) -> None:
        before = self.q.copy()
        super().update(transitions)
        if len(transitions.action) == 16:
            self.q[0, 0] = before[0, 0]


@wrong("rewards_raise_values")
class Contrary(Correct):
    """Batches of eight equal terminal transitions lower the value."""

    def update(self, transitions: Transitions) -> None:
        before = self.q.copy()
        super().update(transitions)
        if len(transitions.action) == 8:
            self.q = 2 * before - self.q


@wrong("values_converge")
class Timid(Correct):
    def update_one(self, s: Any, a: Any, reward: Any, following: Any, end: Any) -> None:
        super().update_one(s, a, reward - 0.01 * (s == 2), following, end)


@wrong("termination_ends_return")
class Endless(Correct):
    def update_one(self, s: Any, a: Any, reward: Any, following: Any, end: Any) -> None:
        super().update_one(s, a, reward, following, end and following != 1)


@wrong("other_pairs_keep_values")
class Generous(Correct):
    def update_one(self, s: Any, a: Any, reward: Any, following: Any, end: Any) -> None:
        super().update_one(s, a, reward, following, end)
        if reward == 5.0:
            self.q[0, 0] += 0.1


@wrong("state_restores_values")
class Lossy(Correct):
    def get_state(self) -> dict[str, Any]:
        return {"q": self.q.round(1)}


@wrong("state_is_copy")
class Leaking(Correct):
    def get_state(self) -> dict[str, Any]:
        return {"q": self.q}


@wrong("state_is_plain_data")
class Objects(Correct):
    def get_state(self) -> dict[str, Any]:
        return {**super().get_state(), "self": object}


@wrong("deep_copy_is_independent")
class Twin(Correct):
    def __deepcopy__(self, memo: Any) -> Any:
        return self


@wrong("nan_reward_is_rejected")
class AcceptsNaN(Correct):
    def check_nan(self, transitions: Transitions) -> None:
        if len(transitions.reward) > 1:
            super().check_nan(transitions)


@wrong("infinite_reward_is_rejected")
class AcceptsInfinity(Correct):
    def check_infinite(self, transitions: Transitions) -> None:
        pass


@wrong("invalid_action_is_rejected")
class FromTheEnd(Correct):
    def check_actions(self, actions: Any) -> None:
        if not all(-ACTIONS <= action < ACTIONS for action in actions):
            raise ValueError("no such action")


@wrong("invalid_observation_is_rejected")
class AnyObservation(Correct):
    def check_observations(self, observations: Any) -> None:
        observations %= STATES


@wrong("unequal_columns_are_rejected")
class AnyLength(Correct):
    def check_lengths(self, transitions: Transitions) -> None:
        pass


@wrong("rejected_batch_changes_nothing")
class Halfway(Correct):
    def update(self, transitions: Transitions) -> None:
        if len(transitions.action) == 3 and np.isnan(transitions.reward[2]):
            super().update(Transitions(*(column[:2] for column in transitions)))  # type: ignore[arg-type]
        super().update(transitions)


def test_correct_values_pass() -> None:
    report = check_values(lambda env: Correct())
    assert len(report.named("passed")) == len(VALUES_CHECKS)


def test_every_check_has_wrong_values() -> None:
    assert set(wrong) == set(VALUES_CHECKS)


@pytest.mark.filterwarnings("ignore:invalid value")
@pytest.mark.parametrize("check", sorted(VALUES_CHECKS))
def test_wrong_values_fail_own_check(check: str) -> None:
    assert values_report(lambda env: wrong[check]()).failures == [check]


def test_check_values_raises_with_report() -> None:
    with pytest.raises(ValuesCheckError, match=r"1 checks failed\n(.|\n)*value_dtype +FAILED"):
        check_values(lambda env: Short())


def test_unknown_promise_is_rejected() -> None:
    with pytest.raises(ValueError, match=r"promise='converge'.*did you mean 'converges'"):
        values_report(lambda env: Correct(), promises=frozenset({"converge"}))
