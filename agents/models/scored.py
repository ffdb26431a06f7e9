"""A model that finds out that it is wrong."""

from __future__ import annotations

import logging
from typing import Any, NamedTuple

import numpy as np

from dynamaze.compiled import compiled
from dynamaze.messages import checked_number

from ..dispatch import believe, doubt, draw, has_rule, observe, rule, share
from ..records import flatten, restore
from ..rng import high_unit, next_word, state_words
from ..transitions import (
    FloatArray,
    IntArray,
    Transitions,
    check_integers,
    check_transitions,
    outside_table,
)
from .protocol import Outcomes, Prediction
from .scores import Scores, note_score, overall_trust, pair_doubt, world_change_rate
from .table import draw_batch, observe_batch

logger = logging.getLogger(__name__)

DISTRUST, RETURN = 0.5, 0.9
"""The log tells when trust falls below the first, and when it is above the second again."""

TRIES = 20
"""How often another pair is drawn where those drawn are not trusted."""


class ScoredTable(NamedTuple):
    """A model's record and its scores."""

    model: Any
    scores: Scores


class ScoredModel:
    """Scores a model's predictions on each real transition before the model learns from it.

    What it then does (the scores are explained in `dynamaze.agents.models.scores`):

    - `share_of_planning`, in [0, 1], is the trust in the model as a whole. Planning takes so many
      of its n steps: where the model is wrong, the agent learns model-free.
    - A pair whose own predictions failed is drawn the less often, below a trust of 1/2 not at all,
      until it predicts well again: selective planning (Abbas, Sokota, Talvitie and White 2020), by
      errors that were seen. Its value is then learned model-free.
    - `doubt` says of each pair how likely the world has changed since it was last tried. It grows
      with time, and the faster the more changes were met. `UncertaintyBonus` pays for it.
    - It tells of the loss and the return of trust in the log "dynamaze.agents.models.scored".

    In a world that never surprises it, it gives the bits of the model inside.

    Args:
        model: any model of numbered states and actions that can "sample" and give a
            "distribution".
        num_states: how many states.
        num_actions: how many actions in each.
        rate: step size of the moving average over all steps, in (0, 1].
        pair_rate: step size of each pair's moving average, in (0, 1].
        change_rate: changes of the world per step that are expected beforehand, in (0, 1).
        certainty: how many steps of experience this expectation is worth.

    Raises:
        ValueError: for a number outside its range, or a model that cannot do what is needed.
    """

    def __init__(
        self,
        model: Any,
        num_states: int,
        num_actions: int,
        *,
        rate: float = 0.05,
        pair_rate: float = 0.1,
        change_rate: float = 1e-3,
        certainty: float = 3000,
    ) -> None:
        missing = sorted({"sample", "distribution"} - model.capabilities)
        if missing:
            raise ValueError(
                f"{type(model).__name__} does not declare {missing}; a model that is scored must"
            )
        self.model = model
        self.num_states, self.num_actions = num_states, num_actions
        self.scores = Scores.begin(
            num_states,
            num_actions,
            rate=checked_number("rate", rate, 0, 1, above=True),
            pair_rate=checked_number("pair_rate", pair_rate, 0, 1, above=True),
            change_rate=checked_number("change_rate", change_rate, 0, 1, above=True),
            certainty=checked_number("certainty", certainty, 0, above=True),
        )
        self._is_compiled = "compiled" in model.capabilities and has_rule(
            believe, type(model.table)
        )
        self._trusted = True

    @property
    def capabilities(self) -> frozenset[str]:
        """What the model inside can do; compiled only where its beliefs are."""
        inside: frozenset[str] = self.model.capabilities
        return (inside | {"doubt"}) - (set() if self._is_compiled else {"compiled"})

    @property
    def promises(self) -> frozenset[str]:
        """What the model inside promises, and doubt that shrinks where something is tried."""
        return frozenset(getattr(self.model, "promises", frozenset()) | {"knows_uncertainty"})

    @property
    def adapts_within(self) -> int:
        """That of the model inside."""
        return int(getattr(self.model, "adapts_within", 1))

    @property
    def table(self) -> ScoredTable:
        """The record of a compiled model with its scores."""
        return ScoredTable(self.model.table, self.scores)

    @property
    def share_of_planning(self) -> float:
        """The trust in the model as a whole, in [0, 1]."""
        return float(overall_trust(self.scores))

    @property
    def world_change_rate(self) -> float:
        """Changes per real step, as estimated by now."""
        return float(world_change_rate(self.scores))

    def update(self, transitions: Transitions) -> None:
        """Score the model's predictions and let it learn, transition after transition.

        Raises:
            ValueError: as the model inside; then nothing is scored.
        """
        if self._is_compiled:
            self.model.reserve(transitions.action.size)
            check_integers(transitions)
            wrong = observe_batch(self.table, self.num_states, self.num_actions, transitions)
            if wrong >= 0:
                raise outside_table(transitions, wrong, self.num_states, self.num_actions)
        else:
            self._update_one_by_one(transitions)
        self._tell()

    def _update_one_by_one(self, transitions: Transitions) -> None:
        check_transitions(transitions, self.num_states, self.num_actions)
        for i in range(transitions.action.size):
            columns: Any = [column[i : i + 1] for column in transitions]
            row = Transitions(*columns)
            state, action = int(row.observation[0]), int(row.action[0])
            count = float(self.model.predict(row.observation, row.action).visits[0])
            believed = self.model.distribution(state, action)
            probability, entropy = _belief(believed, row)
            self.model.update(row)
            note_score(self.scores, state * self.num_actions + action, probability, entropy, count)

    def _tell(self) -> None:
        """Log when trust is lost, and when it is found again."""
        trust = self.share_of_planning
        if self._trusted and trust < DISTRUST:
            self._trusted = False
            logger.info(
                "step %d: %s predicts badly, planning is down to %.0f%%",
                int(self.scores.times.clock[0]),
                type(self.model).__name__,
                100 * trust,
            )
        elif not self._trusted and trust > RETURN:
            self._trusted = True
            logger.info(
                "step %d: %s predicts well again",
                int(self.scores.times.clock[0]),
                type(self.model).__name__,
            )

    def sample(self, n: int, rng: np.random.Generator) -> Transitions:
        """Draw n simulated transitions, of distrusted pairs the fewer, all randomness from `rng`.

        Raises:
            RuntimeError: if nothing was seen yet.
        """
        if self._is_compiled:
            if self.model.is_empty:
                return self.model.sample(n, rng)  # type: ignore[no-any-return]  # it raises
            return Transitions(*draw_batch(self.table, n, self.num_actions, state_words(rng)))
        drawn: Transitions = self.model.sample(n, rng)
        for _ in range(TRIES - 1):
            deserved = self.share_of_pairs(drawn.observation, drawn.action)
            (again,) = np.nonzero(deserved < 1.0)
            again = again[rng.random(again.size) >= deserved[again]]
            if not again.size:
                break
            others = self.model.sample(again.size, rng)
            columns: Any = [column.copy() for column in drawn]
            for column, other in zip(columns, others, strict=True):
                column[again] = other
            drawn = Transitions(*columns)
        return drawn

    def predict(self, observations: IntArray, actions: IntArray) -> Prediction:
        """What the model inside predicts."""
        return self.model.predict(observations, actions)  # type: ignore[no-any-return]

    def distribution(self, observation: int, action: int) -> Outcomes:
        """What the model inside believes."""
        return self.model.distribution(observation, action)  # type: ignore[no-any-return]

    def share_of_pairs(self, observations: IntArray, actions: IntArray) -> FloatArray:
        """(batch,) the share of its draws that each pair deserves, in [0, 1]."""
        found: FloatArray = self.scores.pair_share[observations * self.num_actions + actions]
        return found

    def doubt(self, observations: IntArray, actions: IntArray) -> FloatArray:
        """(batch,) how likely the world has changed since a pair was last tried, in [0, 1]."""
        pairs = np.asarray(observations) * self.num_actions + np.asarray(actions)
        return np.array([pair_doubt(self.scores, pair) for pair in pairs], dtype=np.float64)

    def reserve(self, transitions: int) -> None:
        """Make room in the model inside."""
        self.model.reserve(transitions)

    def get_state(self) -> dict[str, Any]:
        """The model's state and the scores."""
        inside = {f"model.{name}": value for name, value in self.model.get_state().items()}
        return {**inside, **flatten(self.scores, "scores.")}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go back to what `get_state` returned.

        Raises:
            ValueError: if something is missing or does not fit.
        """
        scores = restore(self.scores, state, "scores.")
        inside = "model."
        self.model.set_state(
            {name[len(inside) :]: state[name] for name in state if name.startswith(inside)}
        )
        self.scores = scores
        self._trusted = self.share_of_planning >= DISTRUST


def _belief(believed: Outcomes, row: Transitions) -> tuple[float, float]:
    """How likely a model held a real outcome, and its entropy; equal outcomes are added up."""
    outcomes, which = np.unique(
        believed.next_observation * 2 + believed.terminated, return_inverse=True
    )
    chances = np.bincount(which, weights=believed.probability)
    happened = outcomes == row.next_observation[0] * 2 + row.terminated[0]
    return float(chances[happened].sum()), float(-(chances * np.log(chances)).sum())


@rule(observe, ScoredTable)
@compiled
def observe_scored(table, num_actions, state, action, reward, next_state, terminated):
    """Score the model's prediction, then let it learn."""
    pair = state * num_actions + action
    probability, entropy, count = believe(table.model, num_actions, pair, next_state, terminated)
    note_score(table.scores, pair, probability, entropy, count)
    observe(table.model, num_actions, state, action, reward, next_state, terminated)


@rule(draw, ScoredTable)
@compiled
def draw_scored(table, num_actions, rng):
    """A simulated transition of the model inside, of a distrusted pair the less likely."""
    deserved = table.scores.pair_share
    pair, reward, next_state, terminated, rng = draw(table.model, num_actions, rng)
    for _ in range(TRIES - 1):
        if deserved[pair] >= 1.0:
            break
        word, rng = next_word(rng)
        if high_unit(word) < deserved[pair]:
            break
        pair, reward, next_state, terminated, rng = draw(table.model, num_actions, rng)
    return pair, reward, next_state, terminated, rng


@rule(doubt, ScoredTable)
@compiled
def doubt_scored(table, num_actions, pair):
    """How likely the world has changed since the pair was last tried."""
    return pair_doubt(table.scores, pair)


@rule(share, ScoredTable)
@compiled
def share_scored(table):
    """The trust in the model as a whole."""
    return overall_trust(table.scores)
