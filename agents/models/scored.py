"""A model that finds out that it is wrong."""

from __future__ import annotations

import logging
from typing import Any, NamedTuple

import numpy as np

from dynamaze.common.arrays import FloatArray, IntArray
from dynamaze.common.validation import checked_number

from ..core.encoders import ROWS, VECTORS
from ..core.kernels import believe, has_rule
from ..core.records import flatten, restore
from ..core.rng import state_words
from ..core.state import part_of, prefixed
from ..core.transitions import Transitions, check_integers, outside_table
from .predictive_probabilities import Beliefs, RowBeliefs, VectorBeliefs
from .protocol import Outcomes, Prediction
from .scored_table import TRIES, ScoredTable
from .scores import Scores, note_score, overall_trust, pair_doubt, world_change_rate
from .second_opinion import SecondOpinion
from .table import draw_batch, observe_batch

logger = logging.getLogger(__name__)

DISTRUST, RETURN = 0.5, 0.9
"""The log tells when trust falls below the first, and when it is above the second again."""


class ScoredModel:
    """Scores a model's predictions on each real transition before the model learns from it.

    What it then does (the scores are explained in `dynamaze.agents.models.scores`):

    - `share_of_planning`, in [0, 1], is the trust in the model as a whole. Planning takes so many
      of its n steps: where the model is wrong, the agent learns model-free.
    - A pair whose own predictions failed is drawn the less often, below a trust of 1/2 not at all,
      until it predicts well again: selective planning (Abbas, Sokota, Talvitie and White 2020), by
      errors that were seen. Planners leave it alone while it deserves less than half of its draws
      (`dynamaze.agents.core.shares.TRUSTED`). Its value is then learned model-free.
    - `doubt` says of each pair how likely the model is wrong of it: the world has changed since the
      pair was last tried, which grows with time, and the faster the more changes were met; or, of a
      model that declares "uncertainty", the pair is not `known`. `UncertaintyBonus` pays for it.
    - It tells of the loss and the return of trust in the log "dynamaze.agents.models.scored".

    A model that generalises, or cannot tell pairs apart, may be vague of a pair rather than
    surprised, and is then not found out by its excess. A `second_opinion` finds it out: the counts
    of the pair's own outcomes (`dynamaze.agents.models.second_opinion`). Of a model that itself
    counts them it says nothing new.

    In a world that never surprises it, it gives the bits of the model inside. A model of numbered
    states is judged by the probabilities of its outcomes, one of vectors by the spread that it
    states (`dynamaze.agents.models.predictive_probabilities`). There the pairs are those of an
    action and a tile of the vectors' box, eight in each direction, or only an action where there is
    no box, or one of more than three directions; actions that are vectors themselves are not told
    apart.

    Args:
        model: one that can "sample" and give a "distribution", or, of vectors, one that can
            "sample", "predict" and say its "uncertainty".
        num_states: how many states; None for what the model says, or for a model of vectors.
        num_actions: how many actions in each; None for what the model says.
        rate: step size of the moving average over all steps, in (0, 1].
        pair_rate: step size of each pair's moving average, in (0, 1].
        change_rate: changes of the world per step that are expected beforehand, in (0, 1).
        certainty: how many steps of experience this expectation is worth.
        second_opinion: whether each pair's own outcomes are counted beside the model; of numbered
            states alone.

    Raises:
        ValueError: for a number outside its range, a model that cannot do what is needed, or a
            second opinion of vectors.
    """

    def __init__(
        self,
        model: Any,
        num_states: int | None = None,
        num_actions: int | None = None,
        *,
        rate: float = 0.05,
        pair_rate: float = 0.1,
        change_rate: float = 1e-3,
        certainty: float = 3000,
        second_opinion: bool = False,
    ) -> None:
        self.model = model
        self.beliefs: Beliefs
        if getattr(model, "observes", ROWS) == VECTORS:
            if second_opinion:
                raise ValueError(
                    f"second_opinion=True of {type(model).__name__}, a model of vectors; expected "
                    "one of numbered states, whose outcomes can be counted"
                )
            _must_declare(model, {"sample", "predict", "uncertainty"})
            self.observes, self.size, self.num_actions = VECTORS, model.size, model.num_actions
            self.beliefs = VectorBeliefs(model)
        else:
            _must_declare(model, {"sample", "distribution"})
            self.num_states = model.num_states if num_states is None else num_states
            self.num_actions = model.num_actions if num_actions is None else num_actions
            self.beliefs = RowBeliefs(model, self.num_states, self.num_actions)
        self.scores = Scores.begin(
            *self.beliefs.shape,
            rate=checked_number("rate", rate, 0, 1, above=True),
            pair_rate=checked_number("pair_rate", pair_rate, 0, 1, above=True),
            change_rate=checked_number("change_rate", change_rate, 0, 1, above=True),
            certainty=checked_number("certainty", certainty, 0, above=True),
        )
        counted = self.beliefs.shape if second_opinion else (0, 0)
        self._opinion = SecondOpinion(*counted)
        self._is_compiled = "compiled" in model.capabilities and has_rule(
            believe, type(model.table)
        )
        self._is_trusted = True

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
        return ScoredTable(self.model.table, self.scores, self._opinion.record)

    @property
    def share_of_planning(self) -> float:
        """The trust in the model as a whole, in [0, 1]."""
        return float(overall_trust(self.scores))

    @property
    def world_change_rate(self) -> float:
        """Changes per real step, as estimated by now."""
        return float(world_change_rate(self.scores))

    # -- learning ------------------------------------------------------------------------------

    def update(self, transitions: Transitions) -> None:
        """Score the model's predictions and let it learn, transition after transition.

        Raises:
            TypeError, ValueError: as the model inside; then nothing is scored or learned.
        """
        if self._is_compiled:
            self.reserve(transitions.action.size)
            check_integers(transitions)
            wrong = observe_batch(self.table, self.num_states, self.num_actions, transitions)
            if wrong >= 0:
                raise outside_table(transitions, wrong, self.num_states, self.num_actions)
        else:
            self._update_one_by_one(self.beliefs.check(transitions))
        self._tell()

    def _update_one_by_one(self, transitions: Transitions) -> None:
        before = self.get_state() if len(transitions.action) > 1 else None
        try:
            for i in range(len(transitions.action)):
                columns: Any = [column[i : i + 1] for column in transitions]
                self._update_by_one(Transitions(*columns))
        except BaseException:
            if before is not None:
                self.set_state(before)
            raise

    def _update_by_one(self, row: Transitions) -> None:
        held = self.beliefs.held(row)
        self.model.update(row)
        self.beliefs.note(row)
        (pair,) = self.beliefs.pairs(row.observation, row.action)
        note_score(self.scores, pair, *held)
        if self._opinion.is_asked:
            after = self.beliefs.held(row).probability
            self._opinion.note(row, self.scores, pair, held.probability, after)

    def _tell(self) -> None:
        """Log when trust is lost, and when it is found again."""
        trust = self.share_of_planning
        step = int(self.scores.times.clock[0])
        if self._is_trusted and trust < DISTRUST:
            self._is_trusted = False
            logger.info(
                "step %d: %s predicts badly, planning is down to %.0f%%",
                step,
                _name(self.model),
                100 * trust,
            )
        elif not self._is_trusted and trust > RETURN:
            self._is_trusted = True
            logger.info("step %d: %s predicts well again", step, _name(self.model))

    # -- asking --------------------------------------------------------------------------------

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

    def predict(self, observations: Any, actions: IntArray) -> Prediction:
        """What the model inside predicts."""
        return self.model.predict(observations, actions)  # type: ignore[no-any-return]

    def distribution(self, observation: int, action: int) -> Outcomes:
        """What the model inside believes, if it gives a "distribution"."""
        return self.model.distribution(observation, action)  # type: ignore[no-any-return]

    def share_of_pairs(self, observations: Any, actions: IntArray) -> FloatArray:
        """(batch,) the share of its draws that each pair deserves, in [0, 1]."""
        found: FloatArray = self.scores.pair_share[self.beliefs.pairs(observations, actions)]
        return found

    def doubt(self, observations: Any, actions: IntArray) -> FloatArray:
        """(batch,) how likely the model is wrong of a pair, in [0, 1]."""
        pairs = self.beliefs.pairs(observations, actions)
        changed = np.array([pair_doubt(self.scores, pair) for pair in pairs], dtype=np.float64)
        if "uncertainty" not in self.model.capabilities:
            return changed
        right: FloatArray = self.model.predict(observations, actions).known * (1.0 - changed)
        return 1.0 - right

    def reserve(self, transitions: int) -> None:
        """Make room in the model inside, and in the counts beside it."""
        self.model.reserve(transitions)
        if self._opinion.is_asked:
            self._opinion.counts.reserve(transitions)

    # -- files ---------------------------------------------------------------------------------

    def get_state(self) -> dict[str, Any]:
        """The model's state and the scores."""
        return {
            **{f"model.{name}": value for name, value in self.model.get_state().items()},
            **{f"beliefs.{name}": value for name, value in self.beliefs.get_state().items()},
            **prefixed("opinion", self._opinion.get_state()),
            **flatten(_Kept(self.scores, self._is_trusted)),
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Go back to what `get_state` returned.

        Raises:
            ValueError: if something is missing or does not fit.
        """
        kept = restore(_Kept(self.scores, self._is_trusted), state)
        parts: dict[str, Any] = {
            "beliefs": self.beliefs,
            "opinion": self._opinion,
            "model": self.model,
        }
        before = {name: part.get_state() for name, part in parts.items()}
        try:
            for name, part in parts.items():
                part.set_state(part_of(name, state))
        except BaseException:
            for name, part in parts.items():
                part.set_state(before[name])
            raise
        self.scores, self._is_trusted = kept


class _Kept(NamedTuple):
    """What is kept beside the model inside."""

    scores: Scores
    is_trusted: bool  # whether the log has told of no loss of trust since it last returned


def _must_declare(model: Any, needed: set[str]) -> None:
    missing = sorted(needed - model.capabilities)
    if missing:
        raise ValueError(
            f"{type(model).__name__} does not declare {missing}; a model that is scored must"
        )


def _name(model: Any) -> str:
    """The name of a model, with that of what it is made of."""
    inside = getattr(model, "model", None) or getattr(model, "learner", None)
    own = type(model).__name__
    return own if inside is None else f"{own}({_name(inside)})"
