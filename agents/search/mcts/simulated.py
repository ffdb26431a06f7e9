"""UCT through any simulator, with progressive widening where states or actions are continuous.

Where every outcome is new, as in a continuous world with noise, no node would ever be met a second
time. Progressive widening bounds the number of children by a power of the visits: of an action's
outcomes (k_o n(s, a)^alpha_o) and of a node's actions (k_a n(s)^alpha_a). Both together are double
progressive widening (Couetoux, Hoock, Sokolovska, Teytaud and Bonnard 2011, "Continuous upper
confidence trees"; in the form of Sunberg and Kochenderfer 2018, algorithm 1). An outcome that is
not new is one of those already there, each as likely as it came up.

The nodes' numbers stand in the same record as those of the compiled search, and the same rules
choose and back up.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, NamedTuple

import numpy as np

from dynamaze.common.arrays import FloatArray, IntArray
from dynamaze.common.compiled import compiled
from dynamaze.common.validation import checked_number

from ...core.rng import load, state_words, store
from ..simulators import Simulator
from .tree import NONE, ROOT, SearchTree, add_node, select, take

DrawAction = Callable[[np.random.Generator], Any]
"""Draws an action where they are not numbered."""


class Widening(NamedTuple):
    """A node of n visits may have more than `factor` * n ** `exponent` children by one."""

    factor: float
    exponent: float

    @classmethod
    def read(cls, name: str, given: Any) -> Widening | None:
        """What an argument says: a pair of numbers, or None.

        Raises:
            TypeError: for something else.
            ValueError: for a factor that is not above 0, or an exponent outside [0, 1].
        """
        if given is None:
            return None
        try:
            factor, exponent = given
        except (TypeError, ValueError):
            raise TypeError(
                f"{name}={given!r}; expected a pair of factor and exponent, or None"
            ) from None
        return cls(
            checked_number(f"factor of {name}", factor, 0, above=True),
            checked_number(f"exponent of {name}", exponent, 0, 1),
        )

    def allows(self, children: int, visits: int) -> bool:
        """Whether there may be one more."""
        bound: float = self.factor * visits**self.exponent
        return children <= bound


class SimulatedRule(NamedTuple):
    """What settles a search through a simulator."""

    simulations: int
    depth: int
    gamma: float
    exploration_constant: float
    merges: bool  # ways that reach a state at the same time
    leaf_values: Callable[[Any], float] | None  # of an encoded observation; None rolls out
    outcomes: Widening | None
    actions: Widening | None
    draw_action: DrawAction | None  # None where actions are numbered


class Outcome(NamedTuple):
    """A child of an edge."""

    node: int  # -1 where the episode ended, or there was no room
    state: Any
    reward: float
    terminated: bool


class Found(NamedTuple):
    """What a search says of its root."""

    actions: list[Any]
    visits: IntArray  # (actions,)
    values: FloatArray  # (actions,) mean returns; -inf where an action was never chosen


class SimulatedSearch:
    """One search, from a state.

    Args:
        simulator: what is stepped through.
        rule: how.
        rng: for all randomness.
    """

    def __init__(self, simulator: Simulator, rule: SimulatedRule, rng: np.random.Generator) -> None:
        self.simulator, self.rule, self.rng = simulator, rule, rng
        self._words = state_words(rng)
        self._columns = simulator.num_actions
        if rule.draw_action is not None:
            widening = rule.actions
            assert widening is not None  # settled by who asks
            self._columns = 1 + int(widening.factor * rule.simulations**widening.exponent)
        self._tree = SearchTree.begin(rule.simulations + 1, self._columns, rule.depth)
        self._states: list[Any] = []
        self._actions: list[list[Any]] = []
        self._nodes: dict[Hashable, int] = {}
        self._outcomes: dict[int, list[Outcome]] = {}
        self._counts: dict[int, list[int]] = {}

    def run(self, observation: Any) -> Found:
        """Simulate from where an encoded observation is."""
        self._tree.numbers[ROOT] = self._add(self.simulator.begin(observation), 0, NONE)
        for _ in range(self.rule.simulations):
            self._simulate()
        actions = self._actions[0]
        visits = self._tree.visits[: len(actions)].copy()
        values = np.where(visits > 0, self._tree.value[: len(actions)], -np.inf)
        return Found(actions, visits, values)

    def _simulate(self) -> None:
        rule, tree, node, gained, steps = self.rule, self._tree, 0, 0.0, 0
        while True:
            action = self._select(node)
            edge = node * self._columns + action
            tree.nodes[steps], tree.edges[steps] = node, edge
            outcome, is_new = self._follow(node, action, edge, steps + 1)
            tree.paid[steps] = outcome.reward
            steps += 1
            if outcome.terminated:
                break
            if is_new or outcome.node < 0 or steps == rule.depth:
                gained = self._estimate(outcome.state, rule.depth - steps)
                break
            node = outcome.node
        back_up_once(tree, steps, gained, rule.gamma)

    def _select(self, node: int) -> int:
        actions, rule = self._actions[node], self.rule
        if rule.draw_action is not None and rule.actions is not None:
            has_room = len(actions) < self._columns
            if has_room and rule.actions.allows(len(actions), int(self._tree.total[node])):
                actions.append(rule.draw_action(self.rng))
                return len(actions) - 1  # what is new is tried at once
        return int(
            select_once(
                self._tree,
                node,
                self._columns,
                len(actions),
                rule.exploration_constant,
                self._words,
            )
        )

    def _follow(self, node: int, action: int, edge: int, time: int) -> tuple[Outcome, bool]:
        """What follows an edge, and whether it has only now become a node."""
        widening = self.rule.outcomes
        known, counts = self._outcomes.setdefault(edge, []), self._counts.setdefault(edge, [])
        visits = int(self._tree.visits[edge])
        if widening is not None and not widening.allows(len(known), visits):
            below = np.cumsum(counts)
            which = int(np.searchsorted(below, self.rng.random() * below[-1], side="right"))
            counts[which] += 1
            return known[which], False
        chosen = self._actions[node][action]
        state, reward, terminated = self.simulator.step(self._states[node], chosen, self.rng)
        child, is_new = NONE, False
        if not terminated and time < self.rule.depth:
            child, is_new = self._node(state, time, edge)
        outcome = Outcome(child, state, reward, terminated)
        if widening is not None:
            known.append(outcome)
            counts.append(1)
        return outcome, is_new

    def _node(self, state: Any, time: int, edge: int) -> tuple[int, bool]:
        key = (self.simulator.key(state), time if self.rule.merges else edge)
        if key in self._nodes:
            return self._nodes[key], False
        node = self._add(state, time, edge)
        if node >= 0:
            self._nodes[key] = node
        return node, True

    def _add(self, state: Any, time: int, edge: int) -> int:
        node = int(add_once(self._tree, self._columns, len(self._states), time, edge))
        if node >= 0:
            self._states.append(state)
            numbered = self.rule.draw_action is None
            self._actions.append(list(range(self._columns)) if numbered else [])
        return node

    def _estimate(self, state: Any, left: int) -> float:
        """What follows a leaf with so many steps to go."""
        rule = self.rule
        if rule.leaf_values is not None:
            return rule.leaf_values(self.simulator.observation(state))
        gained, discount = 0.0, 1.0
        for _ in range(left):
            state, reward, terminated = self.simulator.step(state, self._any_action(), self.rng)
            gained += discount * reward
            discount *= rule.gamma
            if terminated:
                break
        return gained

    def _any_action(self) -> Any:
        if self.rule.draw_action is not None:
            return self.rule.draw_action(self.rng)
        return int(self.rng.integers(self._columns))


@compiled
def select_once(tree, node, num_actions, count, exploration_constant, words):
    """The rule of `select`."""
    action, rng = select(tree, node, num_actions, count, exploration_constant, load(words))
    store(words, rng)
    return action


@compiled
def back_up_once(tree, steps, gained, gamma):
    """The rule of `take` for each edge of a simulation, the last one first."""
    for step in range(steps - 1, -1, -1):
        gained = tree.paid[step] + gamma * gained
        take(tree, tree.nodes[step], tree.edges[step], gained)


@compiled
def add_once(tree, num_actions, state, time, parent):
    """The rule of `add_node`."""
    return add_node(tree, num_actions, state, time, parent)
