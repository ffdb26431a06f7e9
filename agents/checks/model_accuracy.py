"""Conformance checks of models: accuracy, adaptation to changes, and uncertainty."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from dynamaze.common.conformance import needs, require

from ..core.transitions import Transitions
from .environments import TERMINAL, Row, deterministic_rows, generator
from .learning import LearnerCase

DRAWS = 4000
CHANCES = {1: 0.5, 2: 0.3, 3: 0.2}


@dataclass(frozen=True)
class ModelCase(LearnerCase):
    """Factory of a model and the tolerances of its checks."""

    adapts_within: int

    def sample(self, model: Any, n: int = 60, seed: int = 0) -> Transitions:
        """Sample with a generator of this seed."""
        drawn: Transitions = model.sample(n, generator(seed))
        return drawn

    def predict(self, model: Any, state: int, action: int) -> Any:
        """Return the model's own prediction of one pair."""
        return model.predict(self.env.observations([state]), np.array([action]))

    def prediction(self, model: Any, state: int, action: int) -> PairPrediction:
        """Return the prediction of one pair as plain numbers."""
        prediction = self.predict(model, state, action)
        return PairPrediction(
            float(prediction.reward[0]),
            int(self.env.states(prediction.next_observation)[0]),
            float(prediction.terminated[0]),
        )

    def predictions(self, model: Any) -> Any:
        """Return the predictions of all deterministic pairs; without "predict", a fixed sample."""
        if "predict" in model.capabilities:
            return [self.prediction(model, row[0], row[1]) for row in deterministic_rows()]
        return [column.copy() for column in self.sample(model, 30)]

    def uncertainty(self, model: Any, state: int, action: int) -> float:
        """Return the model's uncertainty about a pair."""
        observations, actions = self.env.observations([state]), np.array([action])
        if hasattr(model, "pair_uncertainty"):
            return float(model.pair_uncertainty(observations, actions)[0])
        return 1.0 - float(model.predict(observations, actions).known[0])


class PairPrediction(NamedTuple):
    """A model's prediction of one pair, as plain numbers."""

    reward: float
    next_state: int
    terminated: float


@needs("sample", "exact_when_deterministic")
def deterministic_samples_are_exact(case: ModelCase) -> None:
    """Sampled rewards and next states equal those of a deterministic environment."""
    exact = {row[:2]: row for row in deterministic_rows()}
    model = case.trained()
    for state, action, reward, following, _ in _rows(case, case.sample(model, 100)):
        if (state, action) in exact:
            _, _, expected_reward, expected_state, _ = exact[state, action]
            near = abs(reward - expected_reward) <= case.tolerance
            require(
                near and following == expected_state,
                f"sampled reward {reward:g} and state {following} for {(state, action)}; "
                f"expected {expected_reward:g} and {expected_state}",
            )


@needs("predict", "exact_when_deterministic")
def deterministic_predictions_are_exact(case: ModelCase) -> None:
    """Predicted rewards and next states equal those of a deterministic environment."""
    model = case.trained()
    for state, action, expected_reward, expected_state, _ in deterministic_rows():
        reward, following, _ = case.prediction(model, state, action)
        require(
            abs(reward - expected_reward) <= case.tolerance and following == expected_state,
            f"predicts reward {reward:g} and state {following} for {(state, action)}; "
            f"expected {expected_reward:g} and {expected_state}",
        )


@needs("predict", "exact_when_deterministic")
def termination_is_predicted(case: ModelCase) -> None:
    """Termination is an output of the model."""
    model = case.trained()
    for state, action, _, _, ended in deterministic_rows():
        chance = case.prediction(model, state, action).terminated
        require(
            abs(chance - ended) <= max(case.tolerance, 1e-12),
            f"predicts termination after {(state, action)} with probability {chance:g}; "
            f"expected {float(ended):g}",
        )


@needs("sample", "exact_when_deterministic")
def termination_is_sampled(case: ModelCase) -> None:
    """Exactly the terminal outcomes are sampled as such."""
    ends = {row[:2]: row[4] for row in deterministic_rows()}
    for state, action, _, _, ended in _rows(case, case.sample(case.trained(), 300)):
        if (state, action) in ends:
            require(
                ended == ends[state, action], f"sampled terminated={ended} for {(state, action)}"
            )


@needs("sample")
def no_sample_from_terminal_state(case: ModelCase) -> None:
    """No sampled transition starts in a terminal state."""
    drawn = _rows(case, case.sample(case.trained(), 400))
    starts = {state for state, *_ in drawn}
    require(TERMINAL not in starts, "sampled a transition that starts in a terminal state")


@needs("sample", "samples_only_seen")
def only_seen_pairs_are_sampled(case: ModelCase) -> None:
    """Samples contain seen pairs only."""
    rows = [row for row in deterministic_rows() if row[:2] not in ((0, 1), (2, 2))]
    drawn = _rows(case, case.sample(case.train(case.make(), rows), 400))
    unseen = {row[:2] for row in drawn} - {row[:2] for row in rows}
    require(not unseen, f"sampled {sorted(unseen)}, which were never seen")


@needs("sample", "samples_all_seen")
def all_seen_pairs_are_sampled(case: ModelCase) -> None:
    """Samples contain every seen pair."""
    missing = {row[:2] for row in deterministic_rows()} - {
        row[:2] for row in _rows(case, case.sample(case.trained(), DRAWS))
    }
    require(not missing, f"never sampled {sorted(missing)} in {DRAWS} draws")


@needs("sample", "represents_chance")
def outcome_frequencies(case: ModelCase) -> None:
    """Outcomes are sampled by their frequency, within six standard deviations."""
    drawn = _rows(case, case.sample(case.train(case.make(), _chance_rows()), DRAWS))
    found = Counter(row[3] for row in drawn)
    for state, chance in CHANCES.items():
        spread = 6 * np.sqrt(chance * (1 - chance) / DRAWS) + case.tolerance
        require(
            abs(found[state] / DRAWS - chance) <= spread,
            f"sampled state {state} with frequency {found[state] / DRAWS:.3f}; expected {chance}",
        )


@needs("predict", "represents_chance")
def predicted_reward_is_mean(case: ModelCase) -> None:
    """The predicted reward is the mean of varying rewards."""
    found = case.prediction(case.train(case.make(), _chance_rows()), 0, 0).reward
    mean = sum(chance * following for following, chance in CHANCES.items())
    require(
        abs(found - mean) <= max(case.tolerance, 1e-9),
        f"predicts reward {found:g}; expected the mean {mean:g}",
    )


@needs("predict", "order_does_not_matter")
def update_order_is_irrelevant(case: ModelCase) -> None:
    """The order of the transitions does not change the model."""
    rows = [*deterministic_rows(), (0, 0, 1.0, 0, False), (0, 0, 0.25, 0, False)] * 2
    forth, back = case.train(case.make(), rows), case.train(case.make(), rows[::-1])
    left, right = (np.array(case.predictions(model)) for model in (forth, back))
    require(
        np.allclose(left, right, atol=max(case.tolerance, 1e-9)),
        "another order of the transitions gives different predictions",
    )


@needs("sample", "adapts")
def change_is_tracked(case: ModelCase) -> None:
    """Most samples of a changed pair have its new outcome after `adapts_within` visits."""
    model = case.train(case.make(), [(0, 0, 0.0, 1, False)] * 30)
    case.train(model, [(0, 0, 1.0, 2, False)] * case.adapts_within)
    following = Counter(row[3] for row in _rows(case, case.sample(model, 400)))
    require(
        following[2] > following[1],
        f"{case.adapts_within} visits after a change the old outcome is sampled {following[1]} "
        f"times, the new one {following[2]} times",
    )


@needs("predict", "visits")
def visits_are_counted(case: ModelCase) -> None:
    """Visits are counted exactly, and are 0 for untried pairs."""
    model = case.make()
    if case.env.vectors:
        model.update(case.env.batch([(0, 0, 0.0, 1, False)] * 5 + [(0, 1, 0.0, 2, False)] * 2))
    else:
        case.train(model, [(0, 0, 0.0, 1, False)] * 5 + [(0, 1, 0.0, 2, False)] * 2)
    for (state, action), visits in {(0, 0): 5, (0, 1): 2, (0, 2): 0, (1, 0): 0}.items():
        found = int(case.predict(model, state, action).visits[0])
        require(found == visits, f"counts {found} visits of {(state, action)}; expected {visits}")


@needs("predict", "knows_uncertainty")
def unseen_pairs_are_more_uncertain(case: ModelCase) -> None:
    """Unseen pairs are more uncertain than pairs seen often."""
    model = case.train(case.make(), [(0, 0, 0.5, 1, False), (1, 1, 0.5, 2, False)] * 10)
    known, unknown = case.uncertainty(model, 0, 0), case.uncertainty(model, 3, 2)
    require(
        unknown > known,
        f"uncertainty {unknown:g} of an unseen pair; expected more than {known:g}, that of a pair "
        "seen often",
    )


@needs("predict", "knows_uncertainty")
def visits_do_not_add_uncertainty(case: ModelCase) -> None:
    """Ten visits leave no more uncertainty than one in a deterministic environment."""
    found = []
    for visits in (1, 10):
        model = case.make()
        model.update(case.env.batch([(0, 0, 0.5, 1, False)] * visits))
        found.append(case.uncertainty(model, 0, 0))
    require(
        found[1] <= found[0] + 1e-9, f"uncertainty grew with visits from {found[0]} to {found[1]}"
    )


def _chance_rows() -> list[Row]:
    """Return transitions of one pair with the three outcomes of `CHANCES`, mixed."""
    rows: list[Row] = []
    for _ in range(4):
        for state, chance in CHANCES.items():
            rows += [(0, 0, float(state), state, False)] * round(10 * chance)
    return rows


def _rows(case: ModelCase, drawn: Transitions) -> list[tuple[Any, ...]]:
    return list(
        zip(
            case.env.states(drawn.observation).tolist(),
            drawn.action.tolist(),
            drawn.reward.tolist(),
            case.env.states(drawn.next_observation).tolist(),
            drawn.terminated.tolist(),
            strict=True,
        )
    )
