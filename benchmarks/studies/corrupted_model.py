"""Models corrupted on purpose, at several levels, and their error.

A corrupted model wraps a good one and changes the real transitions before they reach it. So it
plans, predicts and is scored as the good one, and at level 0 it is bit-identical to it.

1. Noise: some pairs always lead to a random cell, with the reward of reaching it
   (`random_corruption`).
2. A missed change: some cells always are as the maze was at first (`stale_corruption`).
3. Too little capacity: the cells of a block share one memory, in which each action has the outcomes
   that it had anywhere in the block (`block_representatives`). Values stay those of single cells.
"""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

import numpy as np

from dynamaze.agents import LatestOutcome, MaximumLikelihood
from dynamaze.agents.core.kernels import (
    expected_backup,
    outcome_probability,
    rules,
    sample_outcome,
    update_model,
)
from dynamaze.agents.core.transitions import Transitions
from dynamaze.agents.models.protocol import Outcomes, Prediction
from dynamaze.agents.models.table import (
    TableModel,
    VisitedPairs,
    add_pair,
    sample_table,
    sample_visited,
    update_table,
)
from dynamaze.agents.models.wrapper import ModelWrapper
from dynamaze.common.arrays import BoolArray, FloatArray, IntArray
from dynamaze.common.compiled import compiled
from dynamaze.envs.mazes.mdp import FiniteMDP, MarkovChain


class Corruption(NamedTuple):
    """Fixed outcomes that replace those of some pairs; arrays are (states * actions,)."""

    is_corrupted: BoolArray  # the other pairs keep their real outcomes
    next_state: IntArray
    reward: FloatArray
    terminated: BoolArray

    @classmethod
    def none(cls, pairs: int) -> Corruption:
        """Return a corruption of no pair."""
        flags = np.zeros(pairs, dtype=np.bool_)
        return cls(flags, np.zeros(pairs, dtype=np.int64), np.zeros(pairs), flags.copy())


class CorruptedModel(ModelWrapper):
    """Table model that learns from corrupted transitions.

    Args:
        model: a model whose memory is a record, and which is empty.
        corruption: the outcomes that it sees; None for the real ones.
        representatives: (states,) the state whose memory each state shares; None for its own.
    """

    promises: frozenset[str] = frozenset()
    state_fields: ClassVar = {"model": "model.", "_seen": "seen.", "_visits": "visits"}

    def __init__(
        self,
        model: TableModel,
        *,
        corruption: Corruption | None = None,
        representatives: IntArray | None = None,
    ) -> None:
        super().__init__(model)
        pairs = self.num_states * self.num_actions
        rows = np.arange(self.num_states) if representatives is None else representatives
        self._seen = VisitedPairs.begin(self.num_states, self.num_actions, False)
        self._visits = np.zeros(pairs, dtype=np.int64)
        self._source_pair = (rows[:, None] * self.num_actions + np.arange(self.num_actions)).ravel()
        self._corruption = Corruption.none(pairs) if corruption is None else corruption

    @property
    def table(self) -> CorruptedTable:
        """Return the record."""
        return CorruptedTable(
            self.model.table, self._seen, self._visits, self._source_pair, self._corruption
        )

    @property
    def tried(self) -> IntArray:
        """Return the numbers of the visited pairs, in order."""
        return np.flatnonzero(self._visits)

    def update(self, transitions: Transitions) -> None:
        """Update the wrapped model with the corrupted transitions.

        Raises:
            ValueError: if a transition is outside the table.
        """
        update_table(self, transitions)

    def sample(self, n: int, rng: np.random.Generator) -> Transitions:
        """Sample n simulated transitions of visited pairs."""
        return sample_table(self, n, rng)

    def distribution(self, observation: int, action: int) -> Outcomes:
        """Return the wrapped model's outcomes of the pair whose memory this one shares."""
        pair = int(self._source_pair[observation * self.num_actions + action])
        if not self.model.table.visits[pair]:
            return Outcomes.unknown(observation)
        found: Outcomes = self.model.distribution(*divmod(pair, self.num_actions))
        return found

    def predict(self, observations: IntArray, actions: IntArray) -> Prediction:
        """Return the wrapped model's predictions for the pairs whose memories these share."""
        pairs = self._source_pair[observations * self.num_actions + actions]
        states, actions = np.divmod(pairs, self.num_actions)
        found: Prediction = self.model.predict(states, actions)
        return found


# -- corruption at a level ---------------------------------------------------------------------


def reachable_states(mdp: FiniteMDP) -> IntArray:
    """Return the non-terminal states that can be reached from the start, in order."""
    moves = np.nonzero((mdp.probability > 0) & ~mdp.terminated)
    chain = MarkovChain(moves[0], mdp.next_state[moves], mdp.probability[moves])
    return np.flatnonzero(chain.reachable(mdp.start))


def random_corruption(mdp: FiniteMDP, fraction: float, rng: np.random.Generator) -> Corruption:
    """Return a corruption in which pairs lead to another cell at random, which may be the goal.

    Args:
        mdp: a deterministic environment.
        fraction: of the pairs that are corrupted, in [0, 1], rounded to the nearest pair.
        rng: draws pairs and cells.
    """
    states, num_actions = reachable_states(mdp), mdp.next_state.shape[1]
    pairs = (states[:, None] * num_actions + np.arange(num_actions)).ravel()
    truth = _true_outcomes(mdp)
    # A pair that leads to each cell, whose reward and termination are taken.
    cells, sources = np.unique(truth.next_state[pairs], return_index=True)
    corruption = Corruption.none(truth.next_state.size)
    for pair in rng.permutation(pairs)[: round(fraction * pairs.size)]:
        others = np.flatnonzero(cells != truth.next_state[pair])
        _corrupt(corruption, truth, pair, pairs[sources[rng.choice(others)]])
    return corruption


def stale_corruption(old: FiniteMDP, fraction: float, rng: np.random.Generator) -> Corruption:
    """Return a corruption in which cells are as they were before a change.

    Args:
        old: the deterministic environment before the change.
        fraction: of its cells that stay as they were, in [0, 1], rounded to the nearest cell.
        rng: draws the cells.
    """
    states, num_actions = reachable_states(old), old.next_state.shape[1]
    truth = _true_outcomes(old)
    corruption = Corruption.none(truth.next_state.size)
    for state in rng.permutation(states)[: round(fraction * states.size)]:
        for pair in range(state * num_actions, (state + 1) * num_actions):
            _corrupt(corruption, truth, pair, pair)
    return corruption


def _true_outcomes(mdp: FiniteMDP) -> Corruption:
    """Return the outcomes of all pairs of a deterministic environment."""
    outcome = mdp.probability.argmax(axis=2)[..., None]
    columns: Any = [
        np.take_along_axis(np.asarray(column), outcome, axis=2).ravel()
        for column in (mdp.next_state, mdp.reward, mdp.terminated)
    ]
    return Corruption(np.ones(outcome.size, dtype=np.bool_), *columns)


def _corrupt(corruption: Corruption, truth: Corruption, pair: int, source: int) -> None:
    """Give a pair the true outcome of another one."""
    for changed, true in zip(corruption, truth, strict=True):
        changed[pair] = true[source]


def block_representatives(rows: int, columns: int, side: int) -> IntArray:
    """Return the first cell of each cell's block, (rows * columns,).

    Blocks are `side` cells wide and high. Cells are numbered row by row; the last blocks may be
    smaller.
    """
    row, column = np.divmod(np.arange(rows * columns), columns)
    first: IntArray = (row - row % side) * columns + column - column % side
    return first


def total_variation_error(model: CorruptedModel, mdp: FiniteMDP) -> float:
    """Return the mean total variation distance from the true outcomes over the visited pairs.

    It is half the sum of |predicted - true probability| over next cells, terminal ones counted
    separately, of the visited pairs that can be tried now.
    """
    width = model.num_states
    is_reachable = np.isin(model.tried // model.num_actions, reachable_states(mdp))
    errors = []
    for pair in model.tried[is_reachable]:
        state, action = divmod(int(pair), model.num_actions)
        predicted = model.distribution(state, action)
        difference = np.zeros(2 * width)
        places = predicted.next_observation + width * predicted.terminated
        np.add.at(difference, places, predicted.probability)
        places = mdp.next_state[state, action] + width * mdp.terminated[state, action]
        np.subtract.at(difference, places, mdp.probability[state, action])
        errors.append(np.abs(difference).sum() / 2)
    return float(np.mean(errors))


# -- compiled ----------------------------------------------------------------------------------


class CorruptedTable(NamedTuple):
    """Record of a corrupted model."""

    # No rule is forwarded to it: a pair may share the memory of another one.
    wrapped: Any  # record of the wrapped model
    seen: VisitedPairs
    visits: IntArray  # (states * actions,)
    source_pair: IntArray  # (states * actions,) the pair whose memory a pair shares
    corruption: Corruption


@compiled
def update_corrupted(table, num_actions, state, action, reward, next_state, terminated):
    """Record the visit, and update the wrapped model with the corrupted transition."""
    pair = state * num_actions + action
    add_pair(table.seen, num_actions, state, action, table.visits[pair] == 0)
    table.visits[pair] += 1
    source, corruption = table.source_pair[pair], table.corruption
    if corruption.is_corrupted[pair]:
        reward, next_state, terminated = (
            corruption.reward[pair],
            corruption.next_state[pair],
            corruption.terminated[pair],
        )
    update_model(
        table.wrapped,
        num_actions,
        source // num_actions,
        source % num_actions,
        reward,
        next_state,
        terminated,
    )


@compiled
def sample_corrupted_outcome(table, num_actions, pair, rng):
    """Sample an outcome of the pair whose memory this one shares."""
    return sample_outcome(table.wrapped, num_actions, table.source_pair[pair], rng)


@compiled
def backup_corrupted(table, num_actions, pair, q, gamma):
    """Return the expected backup of the pair whose memory this one shares."""
    return expected_backup(table.wrapped, num_actions, table.source_pair[pair], q, gamma)


@compiled
def corrupted_probability(table, num_actions, pair, next_state, terminated):
    """Return the outcome's probability at the pair whose memory this one shares."""
    return outcome_probability(
        table.wrapped, num_actions, table.source_pair[pair], next_state, terminated
    )


rules(
    CorruptedTable,
    update_model=update_corrupted,
    sample_outcome=sample_corrupted_outcome,
    sample_transition=sample_visited,
    expected_backup=backup_corrupted,
    outcome_probability=corrupted_probability,
)


# -- kinds of corruption -----------------------------------------------------------------------

CLOSED = """\
.......#G
..#....#.
S.#....#.
..#..##..
.....#...
.........
"""
"""The path of 14 steps is blocked; one of 16 is left."""

OPENED = """\
.......#G
..#....#.
S.#....#.
..#..##..
.........
.........
"""
"""The same path is blocked, and another one of 14 steps opens."""


class CorruptionKind(NamedTuple):
    """A kind of corruption and its levels."""

    title: str
    level_name: str  # meaning of the levels
    levels: tuple[float, ...]
    model_type: type[TableModel]  # of the wrapped model
    changed_layout: str | None = None  # the maze after half of the steps; None for no change


CELL_FRACTIONS = (0.0, 0.25, 0.5, 0.75, 1.0)
KINDS = {
    "noise": CorruptionKind(
        "Noise", "fraction of the pairs", (0.0, 0.05, 0.1, 0.3, 0.5), LatestOutcome
    ),
    "closed": CorruptionKind(
        "A missed change: a path closes",
        "fraction of the cells",
        CELL_FRACTIONS,
        LatestOutcome,
        CLOSED,
    ),
    "opened": CorruptionKind(
        "A missed change: a path closes, another opens",
        "fraction of the cells",
        CELL_FRACTIONS,
        LatestOutcome,
        OPENED,
    ),
    "capacity": CorruptionKind(
        "Too little capacity", "side of a block", (1, 2, 3, 6), MaximumLikelihood
    ),
}
