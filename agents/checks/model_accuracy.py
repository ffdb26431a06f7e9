"""Truth, change and doubt: what is believed against what happened."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from ..core.transitions import Transitions
from .environments import TERMINAL, Case, Row, deterministic_rows, must
from .registry import needs

DRAWS = 4000
CHANCES = {1: 0.5, 2: 0.3, 3: 0.2}


@needs("sample", "exact_when_deterministic")
def samples_of_a_deterministic_world_are_true(case: Case) -> None:
    """Reward and next state of each draw are those of its pair."""
    truth = {row[:2]: row for row in deterministic_rows()}
    model = case.taught()
    for state, action, reward, following, _ in _rows(case, case.sample(model, 100)):
        if (state, action) in truth:
            _, _, paid, goes_to, _ = truth[state, action]
            near = abs(reward - paid) <= case.tolerance
            must(
                near and following == goes_to,
                f"drew reward {reward:g} and state {following} for {(state, action)}; "
                f"the truth is {paid:g} and {goes_to}",
            )


@needs("predict", "exact_when_deterministic")
def predictions_of_a_deterministic_world_are_true(case: Case) -> None:
    """Reward and next state of each pair that was seen."""
    model = case.taught()
    for state, action, paid, goes_to, _ in deterministic_rows():
        reward, following, _ = case.belief(model, state, action)
        must(
            abs(reward - paid) <= case.tolerance and following == goes_to,
            f"predicts reward {reward:g} and state {following} for {(state, action)}; "
            f"the truth is {paid:g} and {goes_to}",
        )


@needs("predict", "exact_when_deterministic")
def the_end_is_predicted(case: Case) -> None:
    """Termination is an output of the model."""
    model = case.taught()
    for state, action, _, _, ended in deterministic_rows():
        chance = case.belief(model, state, action).terminated
        must(
            abs(chance - ended) <= max(case.tolerance, 1e-12),
            f"predicts the end after {(state, action)} with probability {chance:g}",
        )


@needs("sample", "exact_when_deterministic")
def the_end_is_drawn(case: Case) -> None:
    """What led to the end does so in every draw, and nothing else does."""
    ends = {row[:2]: row[4] for row in deterministic_rows()}
    for state, action, _, _, ended in _rows(case, case.sample(case.taught(), 300)):
        if (state, action) in ends:
            must(ended == ends[state, action], f"drew terminated={ended} for {(state, action)}")


@needs("sample")
def nothing_steps_out_of_a_terminal_state(case: Case) -> None:
    """No draw begins where nothing can follow."""
    drawn = _rows(case, case.sample(case.taught(), 400))
    begun = {state for state, *_ in drawn}
    must(TERMINAL not in begun, "drew a step out of a terminal state")


@needs("sample", "samples_only_seen")
def only_seen_pairs_are_drawn(case: Case) -> None:
    """Search control draws from what was seen."""
    rows = [row for row in deterministic_rows() if row[:2] not in ((0, 1), (2, 2))]
    drawn = _rows(case, case.sample(case.teach(case.make(), rows), 400))
    strange = {row[:2] for row in drawn} - {row[:2] for row in rows}
    must(not strange, f"drew {sorted(strange)}, which were never seen")


@needs("sample", "samples_all_seen")
def all_seen_pairs_are_drawn(case: Case) -> None:
    """Nothing that was seen is left out for ever."""
    missing = {row[:2] for row in deterministic_rows()} - {
        row[:2] for row in _rows(case, case.sample(case.taught(), DRAWS))
    }
    must(not missing, f"never drew {sorted(missing)} in {DRAWS} draws")


@needs("sample", "represents_chance")
def outcomes_are_drawn_by_their_frequency(case: Case) -> None:
    """Within six standard deviations of what happened."""
    drawn = _rows(case, case.sample(case.teach(case.make(), _chance_rows()), DRAWS))
    found = Counter(row[3] for row in drawn)
    for state, chance in CHANCES.items():
        spread = 6 * np.sqrt(chance * (1 - chance) / DRAWS) + case.tolerance
        must(
            abs(found[state] / DRAWS - chance) <= spread,
            f"drew state {state} in {found[state] / DRAWS:.3f} of all cases; it happened in "
            f"{chance}",
        )


@needs("predict", "represents_chance")
def the_predicted_reward_is_the_mean(case: Case) -> None:
    """Where rewards vary, a prediction is their mean."""
    found = case.belief(case.teach(case.make(), _chance_rows()), 0, 0).reward
    mean = sum(chance * following for following, chance in CHANCES.items())
    must(
        abs(found - mean) <= max(case.tolerance, 1e-9),
        f"predicts reward {found:g}; the mean was {mean:g}",
    )


@needs("predict", "order_does_not_matter")
def the_order_does_not_matter(case: Case) -> None:
    """The same transitions in another order teach the same."""
    rows = [*deterministic_rows(), (0, 0, 1.0, 0, False), (0, 0, 0.25, 0, False)] * 2
    forth, back = case.teach(case.make(), rows), case.teach(case.make(), rows[::-1])
    left, right = (np.array(case.beliefs(model)) for model in (forth, back))
    must(np.allclose(left, right, atol=max(case.tolerance, 1e-9)), "another order taught otherwise")


@needs("sample", "adapts")
def a_change_is_followed(case: Case) -> None:
    """After so many visits most draws of a changed pair are of what happens now."""
    model = case.teach(case.make(), [(0, 0, 0.0, 1, False)] * 30)
    case.teach(model, [(0, 0, 1.0, 2, False)] * case.adapts_within)
    following = Counter(row[3] for row in _rows(case, case.sample(model, 400)))
    must(
        following[2] > following[1],
        f"{case.adapts_within} visits after a change the old outcome is drawn {following[1]} "
        f"times, the new one {following[2]} times",
    )


@needs("predict", "visits")
def visits_are_counted(case: Case) -> None:
    """Exactly, and 0 for what was never tried."""
    model = case.make()
    if case.world.vectors:
        model.update(case.world.batch([(0, 0, 0.0, 1, False)] * 5 + [(0, 1, 0.0, 2, False)] * 2))
    else:
        case.teach(model, [(0, 0, 0.0, 1, False)] * 5 + [(0, 1, 0.0, 2, False)] * 2)
    for (state, action), visits in {(0, 0): 5, (0, 1): 2, (0, 2): 0, (1, 0): 0}.items():
        found = int(case.predict(model, state, action).visits[0])
        must(found == visits, f"counts {found} visits of {(state, action)}; there were {visits}")


@needs("predict", "knows_uncertainty")
def the_unknown_is_more_doubtful_than_the_known(case: Case) -> None:
    """What was never seen against what was seen often."""
    model = case.teach(case.make(), [(0, 0, 0.5, 1, False), (1, 1, 0.5, 2, False)] * 10)
    known, unknown = case.uncertainty(model, 0, 0), case.uncertainty(model, 3, 2)
    must(unknown > known, f"doubt {unknown:g} of a pair never seen; {known:g} of one seen often")


@needs("predict", "knows_uncertainty")
def more_visits_leave_no_more_doubt(case: Case) -> None:
    """One visit against ten in a world without chance."""
    doubts = []
    for visits in (1, 10):
        model = case.make()
        model.update(case.world.batch([(0, 0, 0.5, 1, False)] * visits))
        doubts.append(case.uncertainty(model, 0, 0))
    must(doubts[1] <= doubts[0] + 1e-9, f"doubt grew with visits from {doubts[0]} to {doubts[1]}")


def _chance_rows() -> list[Row]:
    """One pair of three outcomes, each as often as `CHANCES` says, mixed."""
    rows: list[Row] = []
    for _ in range(4):
        for state, chance in CHANCES.items():
            rows += [(0, 0, float(state), state, False)] * round(10 * chance)
    return rows


def _rows(case: Case, drawn: Transitions) -> list[tuple[Any, ...]]:
    return list(
        zip(
            case.world.states(drawn.observation).tolist(),
            drawn.action.tolist(),
            drawn.reward.tolist(),
            case.world.states(drawn.next_observation).tolist(),
            drawn.terminated.tolist(),
            strict=True,
        )
    )
