"""Model wrapper that lowers its planning weight where its predictions fail."""

from __future__ import annotations

import logging
from typing import Any, ClassVar, NamedTuple

import numpy as np

from dynamaze.common.arrays import FloatArray, IntArray
from dynamaze.common.deprecation import renamed_arguments
from dynamaze.common.validation import checked_number

from ..core.encoders import DISCRETE, VECTORS
from ..core.features import TileCoding
from ..core.kernels import has_rule, outcome_probability
from ..core.normal import tail_probability
from ..core.records import Stateful
from ..core.transitions import Transitions, check_transitions
from ..core.vectors import check_vectors
from .protocol import Outcomes, Prediction
from .scores import (
    MAX_REDRAWS,
    NO_COUNT_CHECK,
    CountCheck,
    ScoredTable,
    Scores,
    change_probability,
    estimated_change_rate,
    model_confidence,
    record_outcome,
)
from .table import sample_table, update_table
from .wrapper import ModelWrapper

logger = logging.getLogger(__name__)

LOW_CONFIDENCE, HIGH_CONFIDENCE = 0.5, 0.9
"""Thresholds of the confidence at which the log reports its loss and its return."""


class ScoredModel(ModelWrapper):
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
    deviation, with the bins of `VectorScorer` as pairs.

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

    Attributes:
        scores: the record of all scores.
        count_check: the `CountCheck`; None without one.

    Raises:
        ValueError: for a number outside its range, a model without the needed capabilities, or a
            count check of a model of vectors.
    """

    state_fields: ClassVar = {
        "model": "model.",
        "scorer": "scorer.",
        "count_check": "count_check.",
        "scores": "scores.",
        "_is_confident": "is_confident",  # False between a logged loss of confidence and its return
    }

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
        super().__init__(model)
        self.scorer: DiscreteScorer | VectorScorer
        if getattr(model, "observes", DISCRETE) == VECTORS:
            if count_check:
                raise ValueError(
                    f"count_check=True for {type(model).__name__}, a model of vectors; expected "
                    "a model of discrete states, whose outcomes can be counted"
                )
            _must_declare(model, {"sample", "predict", "uncertainty"})
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
        self.count_check = CountCheck(*self.scorer.shape) if count_check else None
        self._counts = self.count_check or NO_COUNT_CHECK
        self._is_compiled = "compiled" in model.capabilities and has_rule(
            outcome_probability, model.table
        )
        self._is_confident = True

    @property
    def capabilities(self) -> frozenset[str]:
        """Capabilities of the inner model; "compiled" only if its predictive probabilities are."""
        own = super().capabilities | {"pair_uncertainty"}
        return own if self._is_compiled else own - {"compiled"}

    @property
    def promises(self) -> frozenset[str]:
        """Promises of the inner model, and an uncertainty that decreases with visits."""
        return super().promises | {"knows_uncertainty"}

    @property
    def table(self) -> ScoredTable:
        """Record of the compiled inner model with its scores."""
        return ScoredTable(self.model.table, self.scores, self._counts.record)

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
            update_table(self, transitions)
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
        next_state, after = 0, 0.0
        if self.count_check is not None:
            self.count_check.counts.reserve(1)
            next_state = int(row.next_observation[0])
            after = self.scorer.outcome_probability(row).probability
        record_outcome(
            self.scores,
            self._counts.record,
            self.scorer.shape[1],
            pair,
            row.reward[0],
            next_state,
            row.terminated[0],
            predicted,
            after,
        )

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
            return sample_table(self, n, rng)
        drawn = super().sample(n, rng)
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
        if self.count_check is not None:
            self.count_check.counts.reserve(transitions)

    # -- files ---------------------------------------------------------------------------------

    def set_state(self, state: dict[str, Any]) -> None:
        """Restore the state of `get_state`, or of version 0.1.

        Raises:
            ValueError: if something is missing or does not fit.
        """
        super().set_state({_current_name(name): value for name, value in state.items()})


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


# -- predictive probabilities --------------------------------------------------------------------

# A model of discrete states gives the probability of each outcome. A model of vectors gives a mean
# and a standard deviation; the observed outcome is classified by the central region of that normal
# distribution in which it lies: the inner 90%, up to 99.9%, or outside. The region is a box: all
# coordinates of the next vector, and the reward, must lie within. Termination is judged by its
# predicted probability.

OUTSIDE_PROBABILITIES = (0.1, 0.001)
"""Probabilities of lying outside the inner and the outer region."""

TILES, MAX_TILED = 8, 3
"""Vectors of up to `MAX_TILED` dimensions are binned by tiles, `TILES` along each axis."""

EQUAL = 1e-5
"""Smallest standard deviation: differences within single precision are not errors."""


class OutcomeProbability(NamedTuple):
    """Predictive probability of a real outcome before the model learned from it."""

    probability: float  # 0 if it is below that of an unseen outcome
    entropy: float  # of the predictive distribution, in nats
    num_outcomes: float  # outcomes of the pair so far


class DiscreteScorer(Stateful):
    """Scorer of models of discrete states; each state is a bin.

    Args:
        model: one that declares "distribution".
        num_states: number of states.
        num_actions: number of actions.
    """

    def __init__(self, model: Any, num_states: int, num_actions: int) -> None:
        self.model, self.shape = model, (num_states, num_actions)

    def pairs(self, observations: IntArray, actions: IntArray) -> IntArray:
        """Return the (batch,) pairs of states and actions."""
        return np.asarray(observations) * self.shape[1] + np.asarray(actions)

    def check(self, transitions: Transitions) -> Transitions:
        """Return the transitions if they are inside the table.

        Raises:
            TypeError, ValueError: if they are not.
        """
        check_transitions(transitions, *self.shape)
        return transitions

    def outcome_probability(self, row: Transitions) -> OutcomeProbability:
        """Return the probability by the model's distribution; equal outcomes are added up."""
        count = float(self.model.predict(row.observation, row.action).visits[0])
        predicted: Outcomes = self.model.distribution(int(row.observation[0]), int(row.action[0]))
        outcomes, which = np.unique(
            predicted.next_observation * 2 + predicted.terminated, return_inverse=True
        )
        probabilities = np.bincount(which, weights=predicted.probability).astype(np.float64)
        happened = outcomes == row.next_observation[0] * 2 + row.terminated[0]
        return _thresholded(float(probabilities[happened].sum()), _entropy(probabilities), count)

    def record(self, row: Transitions) -> None:
        """Do nothing: the model itself counts visits."""


class VectorScorer(Stateful):
    """Scorer of models of vectors; the bins are tiles of their box, or a single one.

    Continuous actions are not distinguished.

    Args:
        model: one that declares "uncertainty", with `size`, `num_actions`, optional bounds `low`
            and `high`, and `actions` if these are continuous.

    Attributes:
        visits: (bins * actions,) number of outcomes of each pair.
    """

    state_fields: ClassVar = {"visits": "visits"}

    def __init__(self, model: Any) -> None:
        self.model = model
        self._actions = getattr(model, "actions", model.num_actions)
        self._tiles = _tiles(model)
        bins = 1 if self._tiles is None else self._tiles.num_features
        self.shape = bins, max(1, model.num_actions)
        self.visits = np.zeros(bins * self.shape[1], dtype=np.int64)

    def pairs(self, observations: FloatArray, actions: Any) -> IntArray:
        """Return the (batch,) pairs of tiles and discrete actions."""
        bins = np.zeros(len(observations), dtype=np.int64)
        if self._tiles is not None:
            bins = self._tiles.active(observations)[:, 0]
        return bins * self.shape[1] + np.asarray(actions) if self.model.num_actions else bins

    def check(self, transitions: Transitions) -> Transitions:
        """Return the transitions if their vectors have the right size.

        Raises:
            TypeError, ValueError: if they are not.
        """
        return check_vectors(transitions, self.model.size, self._actions)

    def outcome_probability(self, row: Transitions) -> OutcomeProbability:
        """Return the probability by the model's mean and standard deviation."""
        predicted: Prediction = self.model.predict(row.observation, row.action)
        region = _region(predicted, row)
        end = float(predicted.terminated[0])
        probability = float(REGIONS[region]) * (end if row.terminated[0] else 1.0 - end)
        entropy = _entropy(REGIONS) + _entropy(np.array([end, 1.0 - end]))
        (pair,) = self.pairs(row.observation, row.action)
        return _thresholded(probability, entropy, float(self.visits[pair]))

    def record(self, row: Transitions) -> None:
        """Count a visit of the pair."""
        self.visits[self.pairs(row.observation, row.action)] += 1


REGIONS = -np.diff((1.0, *OUTSIDE_PROBABILITIES, 0.0))
"""Predicted probabilities (3,) of the inner region, the ring around it, and the outside."""


def _region(predicted: Prediction, row: Transitions) -> int:
    """Return the index of the region of `REGIONS` that contains a real transition."""
    if predicted.next_spread is None or predicted.reward_spread is None:
        raise ValueError("a prediction without spreads by a model that declares 'uncertainty'")
    errors = np.append(
        row.next_observation[0] - predicted.next_observation[0], row.reward[0] - predicted.reward[0]
    )
    spreads = np.append(predicted.next_spread[0], predicted.reward_spread[0])
    probability = tail_probability(errors / np.maximum(spreads, EQUAL))
    return sum(probability < level for level in OUTSIDE_PROBABILITIES)


def _tiles(model: Any) -> TileCoding | None:
    size = int(model.size)
    low, high = (
        np.broadcast_to(np.asarray(getattr(model, name, edge), dtype=np.float64), (size,))
        for name, edge in (("low", -np.inf), ("high", np.inf))
    )
    if size > MAX_TILED or not (np.isfinite(high - low).all() and (low < high).all()):
        return None
    return TileCoding(low, high, tiles=TILES, tilings=1)


def _thresholded(probability: float, entropy: float, count: float) -> OutcomeProbability:
    """Return the outcome's probability, set to 0 if it is below that of an unseen outcome."""
    # Laplace's rule: an unseen outcome has probability 1 / (count + 2).
    is_new = probability * (count + 1.0) < 1.0
    return OutcomeProbability(0.0 if is_new else probability, entropy, count)


def _entropy(probabilities: FloatArray) -> float:
    some = probabilities[probabilities > 0.0]
    return float(-(some * np.log(some)).sum())
