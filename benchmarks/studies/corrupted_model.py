"""Models that are wrong on purpose, by a dial, and how wrong they are.

A wrong model is a good one that is misinformed: real transitions reach it changed. So it plans,
predicts and is scored as the good one is, and at 0 on the dial it is the good one, bit for bit.

1. Noise: some pairs are always said to lead to a cell at random, and to pay what arriving there
   pays (`random_lies`).
2. A missed change: some cells are always said to be as the maze was at first (`old_lies`).
3. Too little capacity: the cells of a block share one memory, in which each action has the outcomes
   that it had anywhere in the block (`blocks`). Values stay those of single cells.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from dynamaze.agents.core.kernels import (
    expected_backup,
    outcome_probability,
    rule,
    sample_outcome,
    sample_transition,
    update_model,
)
from dynamaze.agents.core.records import flatten, part_of, prefixed, restore
from dynamaze.agents.core.rng import state_words
from dynamaze.agents.core.transitions import Transitions
from dynamaze.agents.models.protocol import Outcomes, Prediction
from dynamaze.agents.models.table import TableModel, sample_batch, update_batch
from dynamaze.agents.models.visited_pairs import VisitedPairs, add_pair, sample_pair
from dynamaze.common.arrays import BoolArray, FloatArray, IntArray
from dynamaze.common.compiled import compiled
from dynamaze.envs.mazes.mdp import FiniteMDP


class Lies(NamedTuple):
    """What a model is told of each pair whatever happens; the pairs are (states * actions,)."""

    is_told: BoolArray  # of which pairs; of the others it is told the truth
    next_state: IntArray
    reward: FloatArray
    terminated: BoolArray

    @classmethod
    def none(cls, pairs: int) -> Lies:
        """The truth."""
        flags = np.zeros(pairs, dtype=np.bool_)
        return cls(flags, np.zeros(pairs, dtype=np.int64), np.zeros(pairs), flags.copy())


class WrongTable(NamedTuple):
    """The record."""

    inside: Any  # of the model that is misinformed
    seen: VisitedPairs
    visits: IntArray  # (states * actions,)
    kept_as: IntArray  # (states * actions,) the pair whose memory a pair shares
    lies: Lies


class WrongModel:
    """A table model that is misinformed.

    Args:
        model: one whose memory is a record, and which has seen nothing yet.
        lies: what it is told; None for the truth.
        shared: (states,) the state whose memory each state shares; None for its own.
    """

    promises: frozenset[str] = frozenset()

    def __init__(
        self, model: TableModel[Any], *, lies: Lies | None = None, shared: IntArray | None = None
    ) -> None:
        self.model = model
        self.num_states, self.num_actions = model.num_states, model.num_actions
        pairs = self.num_states * self.num_actions
        rows = np.arange(self.num_states) if shared is None else shared
        self._seen = VisitedPairs.begin(self.num_states, self.num_actions, False)
        self._visits = np.zeros(pairs, dtype=np.int64)
        self._kept_as = (rows[:, None] * self.num_actions + np.arange(self.num_actions)).ravel()
        self._lies = Lies.none(pairs) if lies is None else lies

    @property
    def capabilities(self) -> frozenset[str]:
        """What the model inside can do."""
        found: frozenset[str] = self.model.capabilities
        return found

    @property
    def table(self) -> WrongTable:
        """The record."""
        return WrongTable(self.model.table, self._seen, self._visits, self._kept_as, self._lies)

    @property
    def is_empty(self) -> bool:
        """Whether nothing was seen yet."""
        return self.model.is_empty

    @property
    def tried(self) -> IntArray:
        """The numbers of the pairs that were tried, in order."""
        return np.flatnonzero(self._visits)

    def update(self, transitions: Transitions) -> None:
        """Let the model inside learn what it is told.

        Raises:
            ValueError: if a transition is outside the table.
        """
        self.reserve(transitions.action.size)
        wrong = update_batch(self.table, self.num_states, self.num_actions, transitions)
        if wrong >= 0:
            raise ValueError(f"transition {wrong} of {transitions}; expected one of the table")

    def sample(self, n: int, rng: np.random.Generator) -> Transitions:
        """N simulated transitions of pairs that were tried."""
        return Transitions(*sample_batch(self.table, n, self.num_actions, state_words(rng)))

    def distribution(self, observation: int, action: int) -> Outcomes:
        """What the model inside believes of the pair whose memory this one shares."""
        kept = self._kept_as[observation * self.num_actions + action]
        if not self.model.table.visits[kept]:
            return Outcomes.unknown(observation)
        return self.model.distribution(*divmod(int(kept), self.num_actions))

    def predict(self, observations: IntArray, actions: IntArray) -> Prediction:
        """What the model inside predicts of the pairs whose memories these share."""
        kept = self._kept_as[observations * self.num_actions + actions]
        return self.model.predict(kept // self.num_actions, kept % self.num_actions)

    def reserve(self, transitions: int) -> None:
        """Make room in the model inside."""
        self.model.reserve(transitions)

    def get_state(self) -> dict[str, Any]:
        """That of the model inside, and what was tried."""
        inside = prefixed("model", self.model.get_state())
        return {**inside, **flatten(_Kept(self._seen, self._visits))}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go back to what `get_state` returned.

        Raises:
            ValueError: if something is missing or does not fit.
        """
        kept = restore(_Kept(self._seen, self._visits), state)
        self.model.set_state(part_of("model", state))
        self._seen, self._visits = kept


class _Kept(NamedTuple):
    """What is kept beside the model inside."""

    seen: VisitedPairs
    visits: IntArray


# -- on the dial -------------------------------------------------------------------------------


def visitable(mdp: FiniteMDP) -> IntArray:
    """The states in which an agent may have to act, in order; of a world where any is reached."""
    found = mdp.start > 0
    while True:
        goes_on = (mdp.probability[found] > 0) & ~mdp.terminated[found]
        before = int(found.sum())
        found[mdp.next_state[found][goes_on]] = True
        if found.sum() == before:
            return np.flatnonzero(found)


def random_lies(mdp: FiniteMDP, share: float, rng: np.random.Generator) -> Lies:
    """That a share of the pairs lead elsewhere: to another cell at random, which may be the goal.

    Args:
        mdp: a deterministic world.
        share: of the pairs, in [0, 1], to the nearest pair.
        rng: draws pairs and cells.
    """
    states, num_actions = visitable(mdp), mdp.next_state.shape[1]
    pairs = (states[:, None] * num_actions + np.arange(num_actions)).ravel()
    truth = _deterministic(mdp)
    # A way to each cell, of which the pay is taken.
    cells, ways = np.unique(truth.next_state[pairs], return_index=True)
    lies = Lies.none(truth.next_state.size)
    for pair in rng.permutation(pairs)[: round(share * pairs.size)]:
        others = np.flatnonzero(cells != truth.next_state[pair])
        _tell(lies, truth, pair, pairs[ways[rng.choice(others)]])
    return lies


def old_lies(old: FiniteMDP, share: float, rng: np.random.Generator) -> Lies:
    """That a share of the cells are as they were.

    Args:
        old: the deterministic world as it was.
        share: of its cells, in [0, 1], to the nearest cell.
        rng: draws the cells.
    """
    states, num_actions = visitable(old), old.next_state.shape[1]
    truth = _deterministic(old)
    lies = Lies.none(truth.next_state.size)
    for state in rng.permutation(states)[: round(share * states.size)]:
        for pair in range(state * num_actions, (state + 1) * num_actions):
            _tell(lies, truth, pair, pair)
    return lies


def _deterministic(mdp: FiniteMDP) -> Lies:
    """All there is to tell of a deterministic world."""
    outcome = mdp.probability.argmax(axis=2)[..., None]
    columns: Any = [
        np.take_along_axis(np.asarray(column), outcome, axis=2).ravel()
        for column in (mdp.next_state, mdp.reward, mdp.terminated)
    ]
    return Lies(np.ones(outcome.size, dtype=np.bool_), *columns)


def _tell(lies: Lies, truth: Lies, pair: int, like: int) -> None:
    """Tell of a pair that it does what another one does."""
    for mine, its in zip(lies, truth, strict=True):
        mine[pair] = its[like]


def blocks(rows: int, columns: int, side: int) -> IntArray:
    """(rows * columns,) of each cell the first of its block; blocks are `side` cells wide and high.

    Cells are numbered row by row; the last blocks may be smaller.
    """
    row, column = np.divmod(np.arange(rows * columns), columns)
    first: IntArray = (row - row % side) * columns + column - column % side
    return first


def model_error(model: WrongModel, mdp: FiniteMDP) -> float:
    """The probability that a model gives to what is not so, on average over the pairs it has seen.

    It is half the sum of |what the model believes - what is| over next cells, ends apart from them
    (total variation), of the pairs that were tried and can be tried now.
    """
    width = model.num_states
    can_be = np.isin(model.tried // model.num_actions, visitable(mdp))
    errors = []
    for pair in model.tried[can_be]:
        state, action = divmod(int(pair), model.num_actions)
        believed = model.distribution(state, action)
        difference = np.zeros(2 * width)
        places = believed.next_observation + width * believed.terminated
        np.add.at(difference, places, believed.probability)
        places = mdp.next_state[state, action] + width * mdp.terminated[state, action]
        np.subtract.at(difference, places, mdp.probability[state, action])
        errors.append(np.abs(difference).sum() / 2)
    return float(np.mean(errors))


# -- compiled ----------------------------------------------------------------------------------


@rule(update_model, WrongTable)
@compiled
def observe_wrongly(table, num_actions, state, action, reward, next_state, terminated):
    """Note what was tried, and let the model inside learn what it is told of it."""
    pair = state * num_actions + action
    add_pair(table.seen, num_actions, state, action, table.visits[pair] == 0)
    table.visits[pair] += 1
    kept, lies = table.kept_as[pair], table.lies
    if lies.is_told[pair]:
        reward, next_state, terminated = (
            lies.reward[pair],
            lies.next_state[pair],
            lies.terminated[pair],
        )
    update_model(
        table.inside,
        num_actions,
        kept // num_actions,
        kept % num_actions,
        reward,
        next_state,
        terminated,
    )


@rule(sample_outcome, WrongTable)
@compiled
def follow_wrongly(table, num_actions, pair, rng):
    """An outcome of the pair whose memory it shares."""
    return sample_outcome(table.inside, num_actions, table.kept_as[pair], rng)


@rule(sample_transition, WrongTable)
@compiled
def draw_wrongly(table, num_actions, rng):
    """Draw a pair that was tried, and an outcome."""
    pair, rng = sample_pair(table.seen, num_actions, rng)
    reward, next_state, terminated, rng = follow_wrongly(table, num_actions, pair, rng)
    return pair, reward, next_state, terminated, rng


@rule(expected_backup, WrongTable)
@compiled
def expect_wrongly(table, num_actions, pair, q, gamma):
    """What the pair whose memory it shares is worth."""
    return expected_backup(table.inside, num_actions, table.kept_as[pair], q, gamma)


@rule(outcome_probability, WrongTable)
@compiled
def believe_wrongly(table, num_actions, pair, next_state, terminated):
    """What is held of the pair whose memory it shares."""
    return outcome_probability(
        table.inside, num_actions, table.kept_as[pair], next_state, terminated
    )
