"""Model wrapper that lowers its planning weight where its predictions fail."""

from __future__ import annotations

import logging
from typing import Any, NamedTuple

import numpy as np

from dynamaze.common.arrays import FloatArray, IntArray
from dynamaze.common.deprecation import renamed_arguments, warn_renamed
from dynamaze.common.validation import checked_number

from ..core.encoders import DISCRETE, VECTORS
from ..core.kernels import has_rule, outcome_probability
from ..core.records import flatten, part_of, prefixed, restore
from ..core.rng import state_words
from ..core.transitions import Transitions, check_integers, outside_table
from .predictive_probabilities import DiscreteScorer, OutcomeScorer, VectorScorer
from .protocol import Outcomes, Prediction
from .scores import (
    MAX_REDRAWS,
    CountCheck,
    ScoredTable,
    Scores,
    change_probability,
    estimated_change_rate,
    model_confidence,
    record_score,
)
from .table import sample_batch, update_batch

logger = logging.getLogger(__name__)

LOW_CONFIDENCE, HIGH_CONFIDENCE = 0.5, 0.9
"""Thresholds of the confidence at which the log reports its loss and its return."""


class ScoredModel:
    """Model wrapper that scores each prediction on the real transition before learning from it.

    The scores (`dynamaze.agents.models.scores`) have these effects:

    - `confidence()`, in [0, 1], is the confidence in the model as a whole: planning takes this
      fraction of its steps. Where the model is wrong, the agent learns model-free.
    - A pair whose own predictions failed is sampled less, and not at all once its confidence is 0,
      until it is predicted well again: selective planning (Abbas, Sokota, Talvitie and White 2020)
      by observed errors. Planners skip pairs whose confidence is below
      `dynamaze.agents.core.kernels.CONFIDENCE_THRESHOLD`; their values are learned model-free.
    - `pair_uncertainty` is the probability that the model is wrong about a pair: that the
      environment has changed since the pair was last tried, or, for a model that declares
      "uncertainty", that the pair is not `known`. `UncertaintyBonus` turns it into a reward.
    - Loss and return of confidence are logged by "dynamaze.agents.models.scored".

    A model that generalises, or cannot distinguish pairs, may predict a pair vaguely, which its
    excess loss does not show. `count_check` detects that from the counts of the pair's own
    outcomes (`CountCheck`). For a model that itself counts outcomes it adds nothing.

    Without a prediction error the wrapper is bit-identical to the inner model. Models of discrete
    states are judged by their outcome probabilities, models of vectors by their predictive standard
    deviation (`dynamaze.agents.models.predictive_probabilities`), with the bins of `VectorScorer`
    as pairs.

    Args:
        model: one that declares "sample" and "distribution", or, if it observes vectors, "sample",
            "predict" and "uncertainty".
        num_states: number of states; None for the model's own, or for a model of vectors.
        num_actions: number of actions; None for the model's own.
        rate: step size of the moving average over all steps, in (0, 1].
        pair_rate: step size of each pair's moving average, in (0, 1].
        change_rate: prior expectation of the changes per step, in (0, 1).
        prior_strength: weight of this prior, in steps of experience.
        count_check: compare the model with the counts of each pair's own outcomes; for discrete
            states only.

    Raises:
        ValueError: for a number outside its range, a model without the needed capabilities, or a
            count check of a model of vectors.
    """

    @renamed_arguments(second_opinion="count_check", certainty="prior_strength")
    def __init__(
        self,
        model: Any,
        num_states: int | None = None,
        num_actions: int | None = None,
        *,
        rate: float = 0.05,
        pair_rate: float = 0.1,
        change_rate: float = 1e-3,
        prior_strength: float = 3000,
        count_check: bool = False,
    ) -> None:
        self.model = model
        self.scorer: OutcomeScorer
        if getattr(model, "observes", DISCRETE) == VECTORS:
            if count_check:
                raise ValueError(
                    f"count_check=True for {type(model).__name__}, a model of vectors; expected "
                    "a model of discrete states, whose outcomes can be counted"
                )
            _must_declare(model, {"sample", "predict", "uncertainty"})
            self.observes, self.size, self.num_actions = VECTORS, model.size, model.num_actions
            self.scorer = VectorScorer(model)
        else:
            _must_declare(model, {"sample", "distribution"})
            self.num_states = model.num_states if num_states is None else num_states
            self.num_actions = model.num_actions if num_actions is None else num_actions
            self.scorer = DiscreteScorer(model, self.num_states, self.num_actions)
        self.scores = Scores.begin(
            *self.scorer.shape,
            rate=checked_number("rate", rate, 0, 1, above=True),
            pair_rate=checked_number("pair_rate", pair_rate, 0, 1, above=True),
            change_rate=checked_number("change_rate", change_rate, 0, 1, above=True),
            prior_strength=checked_number("prior_strength", prior_strength, 0, above=True),
        )
        counted = self.scorer.shape if count_check else (0, 0)
        self._count_check = CountCheck(*counted)
        self._is_compiled = "compiled" in model.capabilities and has_rule(
            outcome_probability, model.table
        )
        self._is_confident = True

    @property
    def capabilities(self) -> frozenset[str]:
        """Capabilities of the inner model; "compiled" only if its predictive probabilities are."""
        inner: frozenset[str] = self.model.capabilities
        return (inner | {"pair_uncertainty"}) - (set() if self._is_compiled else {"compiled"})

    @property
    def promises(self) -> frozenset[str]:
        """Promises of the inner model, and an uncertainty that decreases with visits."""
        return frozenset(getattr(self.model, "promises", frozenset()) | {"knows_uncertainty"})

    @property
    def adapts_within(self) -> int:
        """Number of visits within which the inner model adapts."""
        return int(getattr(self.model, "adapts_within", 1))

    @property
    def table(self) -> ScoredTable:
        """Record of the compiled inner model with its scores."""
        return ScoredTable(self.model.table, self.scores, self._count_check.record)

    @property
    def planning_share(self) -> float:
        """Old name of `confidence()`, until 0.3."""
        warn_renamed("ScoredModel.planning_share", "ScoredModel.confidence()")
        return float(self.confidence())

    def pair_confidence(self, observations: Any, actions: Any) -> FloatArray:
        """Return `confidence(observations, actions)`: its old name, until 0.3."""
        warn_renamed("ScoredModel.pair_confidence", "ScoredModel.confidence")
        found: FloatArray = self.confidence(observations, actions)
        return found

    @property
    def estimated_change_rate(self) -> float:
        """Estimated number of changes of the environment per real step."""
        return float(estimated_change_rate(self.scores))

    # -- learning ------------------------------------------------------------------------------

    def update(self, transitions: Transitions) -> None:
        """Score the model's predictions and update it, one transition after the other.

        Raises:
            TypeError, ValueError: as the inner model; then nothing is scored or learned.
        """
        if self._is_compiled:
            self.reserve(transitions.action.size)
            check_integers(transitions)
            wrong = update_batch(self.table, self.num_states, self.num_actions, transitions)
            if wrong >= 0:
                raise outside_table(transitions, wrong, self.num_states, self.num_actions)
        else:
            self._update_one_by_one(self.scorer.check(transitions))
        self._log_confidence()

    def _update_one_by_one(self, transitions: Transitions) -> None:
        before = self.get_state() if len(transitions.action) > 1 else None
        try:
            for i in range(len(transitions.action)):
                columns: Any = [column[i : i + 1] for column in transitions]
                self._update_one(Transitions(*columns))
        except BaseException:
            if before is not None:
                self.set_state(before)
            raise

    def _update_one(self, row: Transitions) -> None:
        predicted = self.scorer.outcome_probability(row)
        self.model.update(row)
        self.scorer.record(row)
        (pair,) = self.scorer.pairs(row.observation, row.action)
        record_score(self.scores, pair, *predicted)
        if self._count_check.is_enabled:
            after = self.scorer.outcome_probability(row).probability
            self._count_check.record_outcome(row, self.scores, pair, predicted.probability, after)

    def _log_confidence(self) -> None:
        """Log a loss of confidence, and its return."""
        confidence = self.confidence()
        step = int(self.scores.times.clock[0])
        if self._is_confident and confidence < LOW_CONFIDENCE:
            self._is_confident = False
            logger.info(
                "step %d: %s predicts badly, planning is down to %.0f%%",
                step,
                _name(self.model),
                100 * confidence,
            )
        elif not self._is_confident and confidence > HIGH_CONFIDENCE:
            self._is_confident = True
            logger.info("step %d: %s predicts well again", step, _name(self.model))

    # -- predictions -----------------------------------------------------------------------------

    def sample(self, n: int, rng: np.random.Generator) -> Transitions:
        """Sample n simulated transitions, with fewer of pairs of low confidence.

        Raises:
            RuntimeError: if nothing was seen yet.
        """
        if self._is_compiled:
            if self.model.is_empty:
                return self.model.sample(n, rng)  # type: ignore[no-any-return]  # it raises
            return Transitions(*sample_batch(self.table, n, self.num_actions, state_words(rng)))
        drawn: Transitions = self.model.sample(n, rng)
        for _ in range(MAX_REDRAWS - 1):
            confidence = self.confidence(drawn.observation, drawn.action)
            # Rejection sampling: a pair is accepted with its confidence as probability.
            (again,) = np.nonzero(confidence < 1.0)
            again = again[rng.random(again.size) >= confidence[again]]
            if not again.size:
                break
            others = self.model.sample(again.size, rng)
            columns: Any = [column.copy() for column in drawn]
            for column, other in zip(columns, others, strict=True):
                column[again] = other
            drawn = Transitions(*columns)
        return drawn

    def predict(self, observations: Any, actions: IntArray) -> Prediction:
        """Return the predictions of the inner model."""
        return self.model.predict(observations, actions)  # type: ignore[no-any-return]

    def distribution(self, observation: int, action: int) -> Outcomes:
        """Return the outcome distribution of the inner model."""
        return self.model.distribution(observation, action)  # type: ignore[no-any-return]

    def confidence(self, observations: Any = None, actions: Any = None) -> Any:
        """Return the confidence in the model as a whole, or (batch,) in each pair, in [0, 1]."""
        if observations is None:
            return float(model_confidence(self.scores))
        return self.scores.pair_confidence[self.scorer.pairs(observations, actions)]

    def pair_uncertainty(self, observations: Any, actions: IntArray) -> FloatArray:
        """Return the (batch,) probability in [0, 1] that the model is wrong about a pair."""
        pairs = self.scorer.pairs(observations, actions)
        changed = np.array(
            [change_probability(self.scores, pair) for pair in pairs], dtype=np.float64
        )
        if "uncertainty" not in self.model.capabilities:
            return changed
        # P(wrong) = 1 - P(known) P(not changed)
        right: FloatArray = self.model.predict(observations, actions).known * (1.0 - changed)
        return 1.0 - right

    def reserve(self, transitions: int) -> None:
        """Reserve capacity in the inner model and in the count check."""
        self.model.reserve(transitions)
        if self._count_check.is_enabled:
            self._count_check.counts.reserve(transitions)

    # -- files ---------------------------------------------------------------------------------

    def get_state(self) -> dict[str, Any]:
        """Return the state of the model and the scores."""
        return {
            **prefixed("model", self.model.get_state()),
            **prefixed("scorer", self.scorer.get_state()),
            **prefixed("count_check", self._count_check.get_state()),
            **flatten(_ScoredState(self.scores, self._is_confident)),
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Restore the state of `get_state`, or of version 0.1.

        Raises:
            ValueError: if something is missing or does not fit.
        """
        state = {_current_name(name): value for name, value in state.items()}
        kept = restore(_ScoredState(self.scores, self._is_confident), state)
        parts: dict[str, Any] = {
            "scorer": self.scorer,
            "count_check": self._count_check,
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
        self.scores, self._is_confident = kept


RENAMED_STATE = (
    ("beliefs.", "scorer."),
    ("opinion.", "count_check."),
    ("scores.pair_share", "scores.pair_confidence"),
    ("scores.certainty", "scores.prior_strength"),
    ("is_trusted", "is_confident"),
)
"""Prefixes of names in the state of version 0.1, and those of today."""


def _current_name(name: str) -> str:
    for old, new in RENAMED_STATE:
        if name.startswith(old):
            return new + name[len(old) :]
    return name


class _ScoredState(NamedTuple):
    """State beside that of the inner model."""

    scores: Scores
    is_confident: bool  # False between a logged loss of confidence and its return


def _must_declare(model: Any, needed: set[str]) -> None:
    missing = sorted(needed - model.capabilities)
    if missing:
        raise ValueError(
            f"{type(model).__name__} does not declare {missing}; a model that is scored must"
        )


def _name(model: Any) -> str:
    """Return the name of a model, with that of its inner model or learner."""
    inner = getattr(model, "model", None) or getattr(model, "learner", None)
    own = type(model).__name__
    return own if inner is None else f"{own}({_name(inner)})"
