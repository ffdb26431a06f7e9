"""Conformance suite of models: a correct model, and a wrong one for each check."""

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
    CheckEnvironment,
    ModelCheckError,
    check_model,
    model_report,
)

from .wrong import ACTIONS, CheckedInput, WrongImplementations

TERMINAL = 4


def number(value: Any) -> float:
    return float(np.asarray(value).ravel()[0])


class Correct(CheckedInput):
    """Correct model: all transitions in a dictionary, and all promises that can hold together."""

    capabilities = frozenset({"sample", "predict", "visits"})
    promises = frozenset(PROMISES) - {"adapts"}

    def __init__(self) -> None:
        self.memory: dict[tuple[int, int], list[tuple[Any, int, bool]]] = {}

    def check_pair(self, observations: Any, actions: Any) -> None:
        Correct.check_observations(self, observations)
        Correct.check_actions(self, actions)

    # -- learning and predictions

    def update(self, transitions: Transitions) -> None:
        self.check_transitions(transitions)
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
        self.check_pair(observations, actions)
        pairs = [(int(s), int(a)) for s, a in zip(observations, actions, strict=True)]
        predicted = [self.outcomes(pair) for pair in pairs]
        return Prediction(
            np.array([np.mean([number(r) for r, _, _ in each]) for each in predicted], dtype=float),
            np.array([Counter(s for _, s, _ in e).most_common(1)[0][0] for e in predicted], int),
            np.array([np.mean([end for _, _, end in each]) for each in predicted], dtype=float),
            np.array([len(self.memory.get(pair, [])) for pair in pairs], dtype=np.int64),
        )

    def pair_uncertainty(self, observations: Any, actions: Any) -> Any:
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


wrong = WrongImplementations()


@wrong("capabilities_are_valid")
class Boastful(Correct):
    capabilities = Correct.capabilities | {"distribution"}


@wrong("update_keeps_inputs")
class RewardEater(Correct):
    def update(self, transitions: Transitions) -> None:
        super().update(transitions)
        transitions.reward[:] = 0


@wrong("predict_keeps_inputs")
class ActionEater(Correct):
    def predict(self, observations: Any, actions: Any) -> Prediction:
        prediction = super().predict(observations, actions)
        actions[:] = 0
        return prediction


@wrong("update_copies_inputs")
class Borrower(Correct):
    def kept(self, rewards: Any, i: int) -> Any:
        return rewards[i, ...]  # a view


class OwnArrays(Correct):
    def kept(self, rewards: Any, i: int) -> Any:
        return np.array([rewards[i]])


@wrong("samples_are_copies")
class OpenHanded(OwnArrays):
    def sample(self, n: int, rng: np.random.Generator) -> Transitions:
        drawn = super().sample(n, rng)
        if n != 1:
            return drawn
        memory = self.outcomes((int(drawn.observation[0]), int(drawn.action[0])))[0][0]
        return drawn._replace(reward=memory) if len(self.memory) > 1 else drawn


@wrong("predictions_are_copies")
class OpenHearted(OwnArrays):
    def predict(self, observations: Any, actions: Any) -> Prediction:
        found = super().predict(observations, actions)
        if len(actions) != 1:
            return found
        (reward, *_), *others = self.outcomes((int(observations[0]), int(actions[0])))
        is_ours = isinstance(reward, np.ndarray) and not others
        return found._replace(reward=reward) if is_ours else found


@wrong("sample_does_not_learn")
class Dreamer(Correct):
    drawn = 0

    def sample(self, n: int, rng: np.random.Generator) -> Transitions:
        self.drawn += n
        return super().sample(n, rng)

    def predict(self, observations: Any, actions: Any) -> Prediction:
        found = super().predict(observations, actions)
        return found._replace(reward=found.reward + self.drawn / 1000)


@wrong("predict_does_not_learn")
class Impatient(Correct):
    num_queries = 0

    def predict(self, observations: Any, actions: Any) -> Prediction:
        self.num_queries += 1
        found = super().predict(observations, actions)
        return found._replace(reward=found.reward + max(0, self.num_queries - 48))


@wrong("empty_update_changes_nothing")
class Forgetful(Correct):
    def update(self, transitions: Transitions) -> None:
        if not len(transitions.action):
            self.memory = {}
        super().update(transitions)


@wrong("empty_model_raises")
class Inventive(Correct):
    def sample(self, n: int, rng: np.random.Generator) -> Transitions:
        if not self.memory:
            zeros = np.zeros(n, dtype=np.int64)
            return Transitions(zeros, zeros, np.zeros(n), zeros, np.zeros(n, dtype=np.bool_))
        return super().sample(n, rng)


@wrong("models_share_no_state")
class Gossip(Correct):
    last: Any = None

    def update(self, transitions: Transitions) -> None:
        super().update(transitions)
        Gossip.last = self

    def predict(self, observations: Any, actions: Any) -> Prediction:
        found = super().predict(observations, actions)
        other = self if Gossip.last is None else Gossip.last
        return found._replace(visits=Correct.predict(other, observations, actions).visits)


@wrong("sample_is_reproducible")
class OwnDice(Correct):
    calls = 0

    def sample(self, n: int, rng: np.random.Generator) -> Transitions:
        self.calls += 1
        return super().sample(n, np.random.default_rng([self.calls, int(rng.integers(2**31))]))

    def get_state(self) -> dict[str, Any]:
        return {**super().get_state(), "calls": self.calls}

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.calls = state["calls"]


@wrong("sample_depends_on_generator")
class LoadedDice(Correct):
    def sample(self, n: int, rng: np.random.Generator) -> Transitions:
        return super().sample(n, np.random.default_rng(0))


@wrong("global_generators_are_unused")
class Meddler(Correct):
    def sample(self, n: int, rng: np.random.Generator) -> Transitions:
        np.random.random()  # noqa: NPY002
        return super().sample(n, rng)


@wrong("sample_has_n_rows")
class AtLeastOne(Correct):
    def sample(self, n: int, rng: np.random.Generator) -> Transitions:
        return super().sample(max(n, 1), rng)


@wrong("sample_dtypes")
class HalfPrecise(Correct):
    def sample(self, n: int, rng: np.random.Generator) -> Transitions:
        drawn = super().sample(n, rng)
        return drawn._replace(reward=drawn.reward.astype(np.float32))


@wrong("prediction_shapes")
class Decided(Correct):
    def predict(self, observations: Any, actions: Any) -> Prediction:
        found = super().predict(observations, actions)
        return found._replace(terminated=found.terminated > 0.5)


@wrong("predict_batch_equals_rows")
class Sociable(Correct):
    def predict(self, observations: Any, actions: Any) -> Prediction:
        found = super().predict(observations, actions)
        return found._replace(reward=found.reward + 0.1 * (len(actions) - 1))


@wrong("update_batch_equals_rows")
class FancyIndexer(Correct):
    """counts[pairs] += 1 counts equal pairs of a batch once."""

    def update(self, transitions: Transitions) -> None:
        super().update(transitions._replace(reward=transitions.reward.copy()))
        if len(transitions.action) > 1:
            pairs = Counter(zip(transitions.observation, transitions.action, strict=True))
            for pair, times in pairs.items():
                del self.memory[int(pair[0]), int(pair[1])][: times - 1]


@wrong("state_restores_model")
class Amnesiac(Correct):
    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state({"rows": state["rows"] * [1, 1, 0, 1, 1]})


@wrong("state_is_copy")
class LiveState(Correct):
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


@wrong("state_is_plain_data")
class Pickled(Correct):
    def get_state(self) -> dict[str, Any]:
        return {**super().get_state(), "names": ["a", "list"]}


@wrong("deep_copy_is_independent")
class Shallow(Correct):
    def __deepcopy__(self, memo: Any) -> Shallow:
        return copy.copy(self)


@wrong("deterministic_samples_are_exact")
class Optimist(Correct):
    def sample(self, n: int, rng: np.random.Generator) -> Transitions:
        drawn = super().sample(n, rng)
        return drawn._replace(reward=drawn.reward + 0.1)


@wrong("deterministic_predictions_are_exact")
class Stayer(Correct):
    def predict(self, observations: Any, actions: Any) -> Prediction:
        return super().predict(observations, actions)._replace(next_observation=+observations)


@wrong("termination_is_predicted")
class Immortal(Correct):
    def predict(self, observations: Any, actions: Any) -> Prediction:
        found = super().predict(observations, actions)
        return found._replace(terminated=0 * found.terminated)


@wrong("termination_is_sampled")
class Endless(Correct):
    def sample(self, n: int, rng: np.random.Generator) -> Transitions:
        drawn = super().sample(n, rng)
        return drawn._replace(terminated=drawn.terminated & False)


@wrong("no_sample_from_terminal_state")
class Ghost(Correct):
    promises = Correct.promises - {"samples_only_seen"}

    def pairs(self) -> list[tuple[int, int]]:
        ended = any(end for outcomes in self.memory.values() for _, _, end in outcomes)
        return super().pairs() + [(TERMINAL, 0)] * ended


@wrong("only_seen_pairs_are_sampled")
class Curious(Correct):
    promises = Correct.promises - {"represents_chance"}

    def pairs(self) -> list[tuple[int, int]]:
        return [(s, a) for s in sorted({s for s, _ in self.memory}) for a in range(ACTIONS)]


@wrong("all_seen_pairs_are_sampled")
class BlindSpot(Correct):
    def pairs(self) -> list[tuple[int, int]]:
        return super().pairs()[1:] or super().pairs()


@wrong("outcome_frequencies")
class Egalitarian(Correct):
    def sample(self, n: int, rng: np.random.Generator) -> Transitions:
        distinct = Correct()
        distinct.memory = {pair: sorted(set(rows)) for pair, rows in self.memory.items()}
        return distinct.sample(n, rng)


@wrong("predicted_reward_is_mean")
class Rosy(Correct):
    def predict(self, observations: Any, actions: Any) -> Prediction:
        found = super().predict(observations, actions)
        pairs = zip(observations, actions, strict=True)
        best = [max(r for r, _, _ in self.outcomes((int(s), int(a)))) for s, a in pairs]
        return found._replace(reward=np.array(best, dtype=float))


@wrong("update_order_is_irrelevant")
class FirstImpression(Correct):
    def predict(self, observations: Any, actions: Any) -> Prediction:
        found = super().predict(observations, actions)
        pairs = zip(observations, actions, strict=True)
        first = [self.outcomes((int(s), int(a)))[-1][0] for s, a in pairs]
        return found._replace(reward=np.where(found.visits < 10, first, found.reward))


@wrong("change_is_tracked")
class Conservative(Correct):
    promises = Correct.promises | {"adapts"}
    adapts_within = 5


@wrong("visits_are_counted")
class CountsToThree(Correct):
    def predict(self, observations: Any, actions: Any) -> Prediction:
        found = super().predict(observations, actions)
        return found._replace(visits=np.minimum(found.visits, 3))


@wrong("unseen_pairs_are_more_uncertain")
class Sceptic(Correct):
    def pair_uncertainty(self, observations: Any, actions: Any) -> Any:
        return np.full(len(actions), 0.5)


@wrong("visits_do_not_add_uncertainty")
class Brooder(Correct):
    def pair_uncertainty(self, observations: Any, actions: Any) -> Any:
        visits = self.predict(observations, actions).visits
        return np.where(visits == 0, 1.0, visits / 100)


@wrong("nan_reward_is_rejected")
class TakesNaN(Correct):
    def check_nan(self, transitions: Transitions) -> None:
        pass


@wrong("infinite_reward_is_rejected")
class TakesInfinity(Correct):
    def check_infinite(self, transitions: Transitions) -> None:
        pass


@wrong("invalid_action_is_rejected")
class TakesAnyAction(Correct):
    def check_actions(self, actions: Any) -> None:
        pass


@wrong("invalid_observation_is_rejected")
class TakesAnyObservation(Correct):
    def check_observations(self, observations: Any) -> None:
        pass


@wrong("unequal_columns_are_rejected")
class TakesTheShortest(Correct):
    def check_lengths(self, transitions: Transitions) -> None:
        pass

    def kept(self, rewards: Any, i: int) -> Any:
        return super().kept(rewards, i) if i < len(rewards) else 0.0


@wrong("rejected_batch_changes_nothing")
class Hasty(Correct):
    def update(self, transitions: Transitions) -> None:
        self.check_lengths(transitions)
        for i in range(len(transitions.action)):
            super().update(Transitions(*(column[i : i + 1] for column in transitions)))


@wrong("invalid_pair_prediction_is_rejected")
class KnowsEverything(Correct):
    def check_pair(self, observations: Any, actions: Any) -> None:
        pass


def test_each_check_has_wrong_model() -> None:
    assert len(CHECKS) == 44
    assert wrong.keys() == CHECKS.keys()
    assert all(check.function.__doc__ for check in CHECKS.values())


def test_correct_model_passes() -> None:
    report = check_model(lambda env: Correct())
    assert report.named("not promised") == ["change_is_tracked"]
    assert len(report.named("passed")) == len(CHECKS) - 1


@pytest.mark.parametrize("name", sorted(CHECKS))
def test_wrong_model_fails_own_check(name: str) -> None:
    report = model_report(lambda env: wrong[name]())
    assert report.failures == [name], str(report)


def test_failure_raises_with_report() -> None:
    with pytest.raises(
        ModelCheckError,
        match=r"(?s)1 checks failed.*termination_is_sampled +FAILED: sampled terminated",
    ):
        check_model(lambda env: Endless())


def test_expected_failure_must_happen() -> None:
    reason = {"termination_is_sampled": "it is endless"}
    report = check_model(lambda env: Endless(), expected_failures=reason)
    assert report.named("expected failure") == ["termination_is_sampled"]
    assert "expected failure: it is endless" in str(report)
    with pytest.raises(ModelCheckError, match="passed; expected to fail: it is endless"):
        check_model(lambda env: Correct(), expected_failures=reason)


def test_unpromised_checks_reported() -> None:
    report = model_report(lambda env: Correct(), promises=frozenset())
    assert "update_order_is_irrelevant" in report.named("not promised")
    assert "not promised: needs order_does_not_matter" in str(report)


def test_unknown_names_rejected() -> None:
    with pytest.raises(ValueError, match="did you mean 'adapts'"):
        model_report(lambda env: Correct(), promises=frozenset({"adapt"}))
    with pytest.raises(ValueError, match="did you mean 'termination_is_sampled'"):
        model_report(lambda env: Correct(), expected_failures={"termination_is_sample": ""})


class NearestTable(Correct):
    """Adapter of the correct model to vectors, an example of a model of vectors for the suite."""

    env = CheckEnvironment(vectors=True)

    def update(self, transitions: Transitions) -> None:
        for vectors in (transitions.observation, transitions.next_observation):
            if vectors.shape[1:] != (self.env.size,):
                raise ValueError("vectors of another length")
        super().update(
            transitions._replace(
                observation=self.env.states(transitions.observation),
                next_observation=self.env.states(transitions.next_observation),
            )
        )

    def sample(self, n: int, rng: np.random.Generator) -> Transitions:
        drawn = super().sample(n, rng)
        return drawn._replace(
            observation=self.env.observations(drawn.observation),
            next_observation=self.env.observations(drawn.next_observation),
        )

    def predict(self, observations: Any, actions: Any) -> Prediction:
        found = super().predict(self.env.states(observations), actions)
        return found._replace(next_observation=self.env.observations(found.next_observation))

    def pair_uncertainty(self, observations: Any, actions: Any) -> Any:
        return 1 / np.sqrt(self.predict(observations, actions).visits + 1)


def test_vector_models_checked() -> None:
    report = check_model(lambda env: NearestTable(), vectors=True)
    assert len(report.named("passed")) == len(CHECKS) - 1

    class EndlessVectors(NearestTable):
        def sample(self, n: int, rng: np.random.Generator) -> Transitions:
            drawn = super().sample(n, rng)
            return drawn._replace(terminated=drawn.terminated & False)

    assert model_report(lambda env: EndlessVectors(), vectors=True).failures == [
        "termination_is_sampled"
    ]
