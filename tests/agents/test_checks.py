"""The conformance suite of models: an honest model, and for each check one that only it catches."""

from __future__ import annotations

import copy
from collections import Counter
from typing import Any

import numpy as np
import pytest

from dynamaze.agents import Prediction, Transitions
from dynamaze.agents.checks import (
    CHECKS,
    PROMISES,
    CheckWorld,
    ModelCheckError,
    check_model,
    model_report,
)

STATES, ACTIONS, TERMINAL = 5, 3, 4


def number(value: Any) -> float:
    return float(np.asarray(value).ravel()[0])


class Honest:
    """All that happened, in a dictionary; it promises all that can be promised at once."""

    capabilities = frozenset({"sample", "predict", "visits"})
    promises = frozenset(PROMISES) - {"adapts"}

    def __init__(self) -> None:
        self.memory: dict[tuple[int, int], list[tuple[Any, int, bool]]] = {}

    # -- what is refused

    def refuse_lengths(self, transitions: Transitions) -> None:
        if len({len(column) for column in transitions}) > 1:
            raise ValueError("columns of different lengths")

    def refuse_nan(self, transitions: Transitions) -> None:
        if np.isnan(transitions.reward).any():
            raise ValueError("a reward is NaN")

    def refuse_infinite(self, transitions: Transitions) -> None:
        if np.isinf(transitions.reward).any():
            raise ValueError("a reward is infinite")

    def refuse_actions(self, actions: Any) -> None:
        if not all(0 <= action < ACTIONS for action in actions):
            raise ValueError("no such action")

    def refuse_observations(self, observations: Any) -> None:
        if not all(0 <= state < STATES for state in observations):
            raise ValueError("no such observation")

    def refuse_question(self, observations: Any, actions: Any) -> None:
        Honest.refuse_observations(self, observations)
        Honest.refuse_actions(self, actions)

    # -- what it learns and believes

    def update(self, transitions: Transitions) -> None:
        self.refuse_lengths(transitions)
        self.refuse_nan(transitions)
        self.refuse_infinite(transitions)
        self.refuse_actions(transitions.action)
        self.refuse_observations(transitions.observation)
        self.refuse_observations(transitions.next_observation)
        for i, (s, a, _, following, end) in enumerate(zip(*transitions, strict=False)):
            outcome = (self.kept(transitions.reward, i), int(following), bool(end))
            self.memory.setdefault((int(s), int(a)), []).append(outcome)

    def kept(self, rewards: Any, i: int) -> Any:
        return float(rewards[i])

    def pairs(self) -> list[tuple[int, int]]:
        return sorted(self.memory)

    def outcomes(self, pair: tuple[int, int]) -> list[tuple[Any, int, bool]]:
        return self.memory.get(pair, [(0.0, pair[0], False)])

    def sample(self, n: int, rng: np.random.Generator) -> Transitions:
        if not self.memory:
            raise RuntimeError("nothing was seen yet")
        rows = []
        pairs = self.pairs()
        for _ in range(n):
            pair = pairs[rng.integers(len(pairs))]
            outcomes = self.outcomes(pair)
            reward, following, end = outcomes[rng.integers(len(outcomes))]
            rows.append((*pair, number(reward), following, end))
        columns = zip(*rows, strict=True) if rows else ((),) * 5
        dtypes = (np.int64, np.int64, np.float64, np.int64, np.bool_)
        return Transitions(*(np.array(c, dtype=d) for c, d in zip(columns, dtypes, strict=True)))

    def predict(self, observations: Any, actions: Any) -> Prediction:
        self.refuse_question(observations, actions)
        pairs = [(int(s), int(a)) for s, a in zip(observations, actions, strict=True)]
        believed = [self.outcomes(pair) for pair in pairs]
        return Prediction(
            np.array([np.mean([number(r) for r, _, _ in each]) for each in believed], dtype=float),
            np.array([Counter(s for _, s, _ in e).most_common(1)[0][0] for e in believed], int),
            np.array([np.mean([end for _, _, end in each]) for each in believed], dtype=float),
            np.array([len(self.memory.get(pair, [])) for pair in pairs], dtype=np.int64),
        )

    def doubt(self, observations: Any, actions: Any) -> Any:
        return 1 / np.sqrt(self.predict(observations, actions).visits + 1)

    def get_state(self) -> dict[str, Any]:
        rows = [
            (*pair, number(reward), following, end)
            for pair, outcomes in self.memory.items()
            for reward, following, end in outcomes
        ]
        return {"rows": np.array(rows, dtype=float).reshape(-1, 5)}

    def set_state(self, state: dict[str, Any]) -> None:
        self.memory = {}
        for s, a, reward, following, end in state["rows"]:
            self.memory.setdefault((int(s), int(a)), []).append((reward, int(following), bool(end)))


WRONG: dict[str, type[Honest]] = {}


def wrong(check: str) -> Any:
    """Register the model that only this check catches."""

    def register(cls: type[Honest]) -> type[Honest]:
        WRONG[check] = cls
        return cls

    return register


@wrong("capabilities_are_known_and_there")
class Boastful(Honest):
    capabilities = Honest.capabilities | {"distribution"}


@wrong("update_leaves_its_input_alone")
class RewardEater(Honest):
    def update(self, transitions: Transitions) -> None:
        super().update(transitions)
        transitions.reward[:] = 0


@wrong("predict_leaves_its_input_alone")
class ActionEater(Honest):
    def predict(self, observations: Any, actions: Any) -> Prediction:
        prediction = super().predict(observations, actions)
        actions[:] = 0
        return prediction


@wrong("keeps_no_array_of_the_caller")
class Borrower(Honest):
    def kept(self, rewards: Any, i: int) -> Any:
        return rewards[i, ...]  # a view


class OwnArrays(Honest):
    def kept(self, rewards: Any, i: int) -> Any:
        return np.array([rewards[i]])


@wrong("samples_are_the_callers")
class OpenHanded(OwnArrays):
    def sample(self, n: int, rng: np.random.Generator) -> Transitions:
        drawn = super().sample(n, rng)
        if n != 1:
            return drawn
        memory = self.outcomes((int(drawn.observation[0]), int(drawn.action[0])))[0][0]
        return drawn._replace(reward=memory) if len(self.memory) > 1 else drawn


@wrong("predictions_are_the_callers")
class OpenHearted(OwnArrays):
    def predict(self, observations: Any, actions: Any) -> Prediction:
        found = super().predict(observations, actions)
        if len(actions) != 1:
            return found
        (reward, *_), *others = self.outcomes((int(observations[0]), int(actions[0])))
        is_ours = isinstance(reward, np.ndarray) and not others
        return found._replace(reward=reward) if is_ours else found


@wrong("sampling_teaches_nothing")
class Dreamer(Honest):
    drawn = 0

    def sample(self, n: int, rng: np.random.Generator) -> Transitions:
        self.drawn += n
        return super().sample(n, rng)

    def predict(self, observations: Any, actions: Any) -> Prediction:
        found = super().predict(observations, actions)
        return found._replace(reward=found.reward + self.drawn / 1000)


@wrong("predicting_teaches_nothing")
class Impatient(Honest):
    asked = 0

    def predict(self, observations: Any, actions: Any) -> Prediction:
        self.asked += 1
        found = super().predict(observations, actions)
        return found._replace(reward=found.reward + max(0, self.asked - 48))


@wrong("an_empty_update_is_nothing")
class Forgetful(Honest):
    def update(self, transitions: Transitions) -> None:
        if not len(transitions.action):
            self.memory = {}
        super().update(transitions)


@wrong("an_empty_model_says_so")
class Inventive(Honest):
    def sample(self, n: int, rng: np.random.Generator) -> Transitions:
        if not self.memory:
            zeros = np.zeros(n, dtype=np.int64)
            return Transitions(zeros, zeros, np.zeros(n), zeros, np.zeros(n, dtype=np.bool_))
        return super().sample(n, rng)


@wrong("models_share_no_memory")
class Gossip(Honest):
    last: Any = None

    def update(self, transitions: Transitions) -> None:
        super().update(transitions)
        Gossip.last = self

    def predict(self, observations: Any, actions: Any) -> Prediction:
        found = super().predict(observations, actions)
        other = self if Gossip.last is None else Gossip.last
        return found._replace(visits=Honest.predict(other, observations, actions).visits)


@wrong("samples_follow_the_generator")
class OwnDice(Honest):
    calls = 0

    def sample(self, n: int, rng: np.random.Generator) -> Transitions:
        self.calls += 1
        return super().sample(n, np.random.default_rng([self.calls, int(rng.integers(2**31))]))

    def get_state(self) -> dict[str, Any]:
        return {**super().get_state(), "calls": self.calls}

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.calls = state["calls"]


@wrong("another_generator_gives_another_sample")
class LoadedDice(Honest):
    def sample(self, n: int, rng: np.random.Generator) -> Transitions:
        return super().sample(n, np.random.default_rng(0))


@wrong("global_generators_are_left_alone")
class Meddler(Honest):
    def sample(self, n: int, rng: np.random.Generator) -> Transitions:
        np.random.random()  # noqa: NPY002
        return super().sample(n, rng)


@wrong("samples_have_n_rows")
class AtLeastOne(Honest):
    def sample(self, n: int, rng: np.random.Generator) -> Transitions:
        return super().sample(max(n, 1), rng)


@wrong("samples_have_the_right_dtypes")
class HalfPrecise(Honest):
    def sample(self, n: int, rng: np.random.Generator) -> Transitions:
        drawn = super().sample(n, rng)
        return drawn._replace(reward=drawn.reward.astype(np.float32))


@wrong("predictions_have_the_form_of_the_question")
class Decided(Honest):
    def predict(self, observations: Any, actions: Any) -> Prediction:
        found = super().predict(observations, actions)
        return found._replace(terminated=found.terminated > 0.5)


@wrong("a_row_alone_is_as_in_a_batch")
class Sociable(Honest):
    def predict(self, observations: Any, actions: Any) -> Prediction:
        found = super().predict(observations, actions)
        return found._replace(reward=found.reward + 0.1 * (len(actions) - 1))


@wrong("a_batch_teaches_what_its_rows_teach")
class FancyIndexer(Honest):
    """counts[pairs] += 1 counts equal pairs of a batch once."""

    def update(self, transitions: Transitions) -> None:
        super().update(transitions._replace(reward=transitions.reward.copy()))
        if len(transitions.action) > 1:
            pairs = Counter(zip(transitions.observation, transitions.action, strict=True))
            for pair, times in pairs.items():
                del self.memory[int(pair[0]), int(pair[1])][: times - 1]


@wrong("a_state_gives_the_model_again")
class Amnesiac(Honest):
    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state({"rows": state["rows"] * [1, 1, 0, 1, 1]})


@wrong("a_state_is_a_copy")
class LiveState(Honest):
    def __init__(self) -> None:
        super().__init__()
        self.steps = np.zeros(1)

    def update(self, transitions: Transitions) -> None:
        super().update(transitions)
        self.steps += len(transitions.action)

    def get_state(self) -> dict[str, Any]:
        return {**super().get_state(), "steps": self.steps}

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.steps = state["steps"].copy()


@wrong("a_state_is_arrays_and_numbers")
class Pickled(Honest):
    def get_state(self) -> dict[str, Any]:
        return {**super().get_state(), "names": ["a", "list"]}


@wrong("a_deep_copy_goes_on_alike_and_alone")
class Shallow(Honest):
    def __deepcopy__(self, memo: Any) -> Shallow:
        return copy.copy(self)


@wrong("samples_of_a_deterministic_world_are_true")
class Optimist(Honest):
    def sample(self, n: int, rng: np.random.Generator) -> Transitions:
        drawn = super().sample(n, rng)
        return drawn._replace(reward=drawn.reward + 0.1)


@wrong("predictions_of_a_deterministic_world_are_true")
class Stayer(Honest):
    def predict(self, observations: Any, actions: Any) -> Prediction:
        return super().predict(observations, actions)._replace(next_observation=+observations)


@wrong("the_end_is_predicted")
class Immortal(Honest):
    def predict(self, observations: Any, actions: Any) -> Prediction:
        found = super().predict(observations, actions)
        return found._replace(terminated=0 * found.terminated)


@wrong("the_end_is_drawn")
class Endless(Honest):
    def sample(self, n: int, rng: np.random.Generator) -> Transitions:
        drawn = super().sample(n, rng)
        return drawn._replace(terminated=drawn.terminated & False)


@wrong("nothing_steps_out_of_a_terminal_state")
class Ghost(Honest):
    promises = Honest.promises - {"samples_only_seen"}

    def pairs(self) -> list[tuple[int, int]]:
        ended = any(end for outcomes in self.memory.values() for _, _, end in outcomes)
        return super().pairs() + [(TERMINAL, 0)] * ended


@wrong("only_seen_pairs_are_drawn")
class Curious(Honest):
    promises = Honest.promises - {"represents_chance"}

    def pairs(self) -> list[tuple[int, int]]:
        return [(s, a) for s in sorted({s for s, _ in self.memory}) for a in range(ACTIONS)]


@wrong("all_seen_pairs_are_drawn")
class BlindSpot(Honest):
    def pairs(self) -> list[tuple[int, int]]:
        return super().pairs()[1:] or super().pairs()


@wrong("outcomes_are_drawn_by_their_frequency")
class Egalitarian(Honest):
    def sample(self, n: int, rng: np.random.Generator) -> Transitions:
        distinct = Honest()
        distinct.memory = {pair: sorted(set(rows)) for pair, rows in self.memory.items()}
        return distinct.sample(n, rng)


@wrong("the_predicted_reward_is_the_mean")
class Rosy(Honest):
    def predict(self, observations: Any, actions: Any) -> Prediction:
        found = super().predict(observations, actions)
        pairs = zip(observations, actions, strict=True)
        best = [max(r for r, _, _ in self.outcomes((int(s), int(a)))) for s, a in pairs]
        return found._replace(reward=np.array(best, dtype=float))


@wrong("the_order_does_not_matter")
class FirstImpression(Honest):
    def predict(self, observations: Any, actions: Any) -> Prediction:
        found = super().predict(observations, actions)
        pairs = zip(observations, actions, strict=True)
        first = [self.outcomes((int(s), int(a)))[-1][0] for s, a in pairs]
        return found._replace(reward=np.where(found.visits < 10, first, found.reward))


@wrong("a_change_is_followed")
class Conservative(Honest):
    promises = Honest.promises | {"adapts"}
    adapts_within = 5


@wrong("visits_are_counted")
class CountsToThree(Honest):
    def predict(self, observations: Any, actions: Any) -> Prediction:
        found = super().predict(observations, actions)
        return found._replace(visits=np.minimum(found.visits, 3))


@wrong("the_unknown_is_more_doubtful_than_the_known")
class Sceptic(Honest):
    def doubt(self, observations: Any, actions: Any) -> Any:
        return np.full(len(actions), 0.5)


@wrong("more_visits_leave_no_more_doubt")
class Brooder(Honest):
    def doubt(self, observations: Any, actions: Any) -> Any:
        visits = self.predict(observations, actions).visits
        return np.where(visits == 0, 1.0, visits / 100)


@wrong("a_nan_reward_is_refused")
class TakesNaN(Honest):
    def refuse_nan(self, transitions: Transitions) -> None:
        pass


@wrong("an_infinite_reward_is_refused")
class TakesInfinity(Honest):
    def refuse_infinite(self, transitions: Transitions) -> None:
        pass


@wrong("an_action_that_does_not_exist_is_refused")
class TakesAnyAction(Honest):
    def refuse_actions(self, actions: Any) -> None:
        pass


@wrong("an_observation_that_does_not_exist_is_refused")
class TakesAnyObservation(Honest):
    def refuse_observations(self, observations: Any) -> None:
        pass


@wrong("columns_of_different_lengths_are_refused")
class TakesTheShortest(Honest):
    def refuse_lengths(self, transitions: Transitions) -> None:
        pass

    def kept(self, rewards: Any, i: int) -> Any:
        return super().kept(rewards, i) if i < len(rewards) else 0.0


@wrong("a_bad_batch_leaves_the_model_as_it_was")
class Hasty(Honest):
    def update(self, transitions: Transitions) -> None:
        self.refuse_lengths(transitions)
        for i in range(len(transitions.action)):
            super().update(Transitions(*(column[i : i + 1] for column in transitions)))


@wrong("a_pair_that_does_not_exist_has_no_prediction")
class KnowsEverything(Honest):
    def refuse_question(self, observations: Any, actions: Any) -> None:
        pass


def test_there_are_enough_checks_and_each_has_a_wrong_model() -> None:
    assert len(CHECKS) == 44
    assert WRONG.keys() == CHECKS.keys()
    assert all(check.function.__doc__ for check in CHECKS.values())


def test_an_honest_model_passes_all_that_it_promises() -> None:
    report = check_model(lambda world: Honest())
    assert report.named("not promised") == ["a_change_is_followed"]
    assert len(report.named("passed")) == len(CHECKS) - 1


@pytest.mark.parametrize("name", sorted(CHECKS))
def test_each_wrong_model_fails_its_check_and_no_other(name: str) -> None:
    report = model_report(lambda world: WRONG[name]())
    assert report.failures == [name], str(report)


def test_a_broken_promise_raises_with_the_whole_report() -> None:
    with pytest.raises(
        ModelCheckError,
        match=r"(?s)1 promises are broken.*the_end_is_drawn +FAILED: drew terminated",
    ):
        check_model(lambda world: Endless())


def test_an_expected_failure_has_its_reason_and_must_happen() -> None:
    reason = {"the_end_is_drawn": "it is endless"}
    report = check_model(lambda world: Endless(), expected_failures=reason)
    assert report.named("expected failure") == ["the_end_is_drawn"]
    assert "expected failure: it is endless" in str(report)
    with pytest.raises(ModelCheckError, match="passed, though expected to: it is endless"):
        check_model(lambda world: Honest(), expected_failures=reason)


def test_what_is_not_promised_is_said() -> None:
    report = model_report(lambda world: Honest(), promises=frozenset())
    assert "the_order_does_not_matter" in report.named("not promised")
    assert "not promised: needs order_does_not_matter" in str(report)


def test_a_check_or_promise_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="did you mean 'adapts'"):
        model_report(lambda world: Honest(), promises=frozenset({"adapt"}))
    with pytest.raises(ValueError, match="did you mean 'the_end_is_drawn'"):
        model_report(lambda world: Honest(), expected_failures={"the_end_is_draw": ""})


class NearestTable(Honest):
    """The honest model behind vectors: what a model of vectors looks like to the suite."""

    world = CheckWorld(vectors=True)

    def update(self, transitions: Transitions) -> None:
        for vectors in (transitions.observation, transitions.next_observation):
            if vectors.shape[1:] != (self.world.size,):
                raise ValueError("vectors of another length")
        super().update(
            transitions._replace(
                observation=self.world.states(transitions.observation),
                next_observation=self.world.states(transitions.next_observation),
            )
        )

    def sample(self, n: int, rng: np.random.Generator) -> Transitions:
        drawn = super().sample(n, rng)
        return drawn._replace(
            observation=self.world.observations(drawn.observation),
            next_observation=self.world.observations(drawn.next_observation),
        )

    def predict(self, observations: Any, actions: Any) -> Prediction:
        found = super().predict(self.world.states(observations), actions)
        return found._replace(next_observation=self.world.observations(found.next_observation))

    def doubt(self, observations: Any, actions: Any) -> Any:
        return 1 / np.sqrt(self.predict(observations, actions).visits + 1)


def test_models_of_vectors_are_checked_alike() -> None:
    report = check_model(lambda world: NearestTable(), vectors=True)
    assert len(report.named("passed")) == len(CHECKS) - 1

    class EndlessVectors(NearestTable):
        def sample(self, n: int, rng: np.random.Generator) -> Transitions:
            drawn = super().sample(n, rng)
            return drawn._replace(terminated=drawn.terminated & False)

    assert model_report(lambda world: EndlessVectors(), vectors=True).failures == [
        "the_end_is_drawn"
    ]
