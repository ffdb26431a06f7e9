"""UCT through any simulator, with progressive widening for continuous states or actions.

Where every outcome is new, as with continuous noise, no node would be visited twice. Progressive
widening bounds the number of an action's outcomes by k_o n(s, a)^alpha_o, and of a node's actions
by k_a n(s)^alpha_a; both together are double progressive widening (Couetoux, Hoock, Sokolovska,
Teytaud and Bonnard 2011, "Continuous upper confidence trees"; in the form of Sunberg and
Kochenderfer 2018, algorithm 1). Beyond the bound an outcome is sampled from those already there, in
proportion to their counts.

The record of the nodes and the rules of selection and backup are those of the compiled search.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, NamedTuple

import numpy as np

from dynamaze.common.arrays import FloatArray, IntArray
from dynamaze.common.compiled import compiled
from dynamaze.common.validation import checked_number

from ...core.rng import load, sample_columns, state_words, store
from ..simulators import Simulator
from .uct import NONE, ROOT, SearchTree, add_node, select_action, update_mean

DrawAction = Callable[[np.random.Generator], Any]
"""Sampler of actions that are not numbered."""


class SimulatedSearch:
    """One search from a state.

    Args:
        simulator: the simulator.
        settings: the settings.
        rng: source of all randomness.
    """

    def __init__(
        self, simulator: Simulator, settings: SimulatedSettings, rng: np.random.Generator
    ) -> None:
        self.simulator, self.settings, self.rng = simulator, settings, rng
        self._words = state_words(rng)
        self._columns = simulator.num_actions
        if settings.draw_action is not None:
            widening = settings.action_widening
            assert widening is not None  # set by the caller
            self._columns = 1 + int(widening.factor * settings.simulations**widening.exponent)
        self._tree = SearchTree.empty(settings.simulations + 1, self._columns, settings.depth)
        self._states: list[Any] = []
        self._actions: list[list[Any]] = []
        self._nodes: dict[Hashable, int] = {}
        self._outcomes: dict[int, list[SimulatedOutcome]] = {}
        self._counts: dict[int, list[int]] = {}

    def run(self, observation: Any) -> SearchResult:
        """Search from the state of an encoded observation."""
        self._tree.numbers[ROOT] = self._add(self.simulator.begin(observation), 0, NONE)
        for _ in range(self.settings.simulations):
            self._simulate()
        actions = self._actions[0]
        visits = self._tree.visits[: len(actions)].copy()
        values = np.where(visits > 0, self._tree.value[: len(actions)], -np.inf)
        return SearchResult(actions, visits, values)

    def _simulate(self) -> None:
        settings, tree, node, leaf_value, steps = self.settings, self._tree, 0, 0.0, 0
        while True:
            action = self._select(node)
            edge = node * self._columns + action
            tree.nodes[steps], tree.edges[steps] = node, edge
            outcome, is_new = self._follow(node, action, edge, steps + 1)
            tree.rewards[steps] = outcome.reward
            steps += 1
            if outcome.terminated:
                break
            if is_new or outcome.node < 0 or steps == settings.depth:
                leaf_value = self._estimate(outcome.state, settings.depth - steps)
                break
            node = outcome.node
        back_up_once(tree, steps, leaf_value, settings.gamma)

    def _select(self, node: int) -> int:
        actions, settings = self._actions[node], self.settings
        if settings.draw_action is not None and settings.action_widening is not None:
            has_room = len(actions) < self._columns
            if has_room and settings.action_widening.allows(
                len(actions), int(self._tree.total[node])
            ):
                actions.append(settings.draw_action(self.rng))
                return len(actions) - 1  # a new action is tried at once
        return int(
            select_once(
                self._tree,
                node,
                self._columns,
                len(actions),
                settings.exploration_constant,
                self._words,
            )
        )

    def _follow(
        self, node: int, action: int, edge: int, time: int
    ) -> tuple[SimulatedOutcome, bool]:
        """Sample an outcome of an edge; return it, and whether its node is new."""
        widening = self.settings.outcome_widening
        known, counts = self._outcomes.setdefault(edge, []), self._counts.setdefault(edge, [])
        visits = int(self._tree.visits[edge])
        if widening is not None and not widening.allows(len(known), visits):
            which = int(sample_columns(np.array([counts]), self.rng)[0])
            counts[which] += 1
            return known[which], False
        chosen = self._actions[node][action]
        state, reward, terminated = self.simulator.step(self._states[node], chosen, self.rng)
        child, is_new = NONE, False
        if not terminated and time < self.settings.depth:
            child, is_new = self._node(state, time, edge)
        outcome = SimulatedOutcome(child, state, reward, terminated)
        if widening is not None:
            known.append(outcome)
            counts.append(1)
        return outcome, is_new

    def _node(self, state: Any, time: int, edge: int) -> tuple[int, bool]:
        key = (self.simulator.key(state), time if self.settings.transpositions else edge)
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
            numbered = self.settings.draw_action is None
            self._actions.append(list(range(self._columns)) if numbered else [])
        return node

    def _estimate(self, state: Any, left: int) -> float:
        """Return the value of a leaf with `left` steps to go."""
        settings = self.settings
        if settings.leaf_value is not None:
            return settings.leaf_value(self.simulator.observation(state))
        returned, discount = 0.0, 1.0
        for _ in range(left):
            state, reward, terminated = self.simulator.step(state, self._any_action(), self.rng)
            returned += discount * reward
            discount *= settings.gamma
            if terminated:
                break
        return returned

    def _any_action(self) -> Any:
        if self.settings.draw_action is not None:
            return self.settings.draw_action(self.rng)
        return int(self.rng.integers(self._columns))


@compiled
def select_once(tree, node, num_actions, count, exploration_constant, words):
    """Apply the rule of `select_action`."""
    action, rng = select_action(tree, node, num_actions, count, exploration_constant, load(words))
    store(words, rng)
    return action


@compiled
def back_up_once(tree, steps, returned, gamma):
    """Update the means of all edges of a simulation, the last one first."""
    for step in range(steps - 1, -1, -1):
        returned = tree.rewards[step] + gamma * returned  # G_t = R_{t+1} + gamma G_{t+1}
        update_mean(tree, tree.nodes[step], tree.edges[step], returned)


@compiled
def add_once(tree, num_actions, state, time, parent):
    """Apply the rule of `add_node`."""
    return add_node(tree, num_actions, state, time, parent)


class Widening(NamedTuple):
    """Bound of progressive widening: about `factor` * n ** `exponent` children at n visits."""

    factor: float
    exponent: float

    @classmethod
    def read(cls, name: str, given: Any) -> Widening | None:
        """Return the widening of an argument: a pair of numbers, or None.

        Raises:
            TypeError: for another type.
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
        """Return whether one more child may be added to `children` after a number of visits."""
        bound: float = self.factor * visits**self.exponent
        return children <= bound


class SimulatedSettings(NamedTuple):
    """Settings of a search through a simulator."""

    simulations: int
    depth: int
    gamma: float
    exploration_constant: float
    transpositions: bool  # whether paths to the same state and time share a node
    leaf_value: Callable[[Any], float] | None  # of an encoded observation; None for rollouts
    outcome_widening: Widening | None
    action_widening: Widening | None
    draw_action: DrawAction | None  # None where actions are numbered


class SimulatedOutcome(NamedTuple):
    """Child of an edge."""

    node: int  # -1 after a terminal transition, or without room
    state: Any
    reward: float
    terminated: bool


class SearchResult(NamedTuple):
    """Statistics of a search's root."""

    actions: list[Any]
    visits: IntArray  # (actions,)
    values: FloatArray  # (actions,) mean returns; -inf where an action was never chosen
