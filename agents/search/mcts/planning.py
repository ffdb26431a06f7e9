"""Monte-Carlo tree search as the planning of an agent.

See `tree` for how an action is chosen, `kernel` for what a node and a simulation are,
`tree_moves` for what stays after a move, `simulated` for worlds that are no tables.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dynamaze.common.arrays import FloatArray, IntArray
from dynamaze.common.validation import checked_number

from ...core.rng import state_words
from ...core.transitions import Transitions
from ...models import Model
from ...planning.base import Planning
from ...values.table import TableValues, Values
from ..agent import (
    believed_table,
    check_positive,
    checked_depth,
    checked_name,
    gamma_of,
    has_table,
    steps_ahead,
)
from ..monte_carlo import check_enough
from ..simulators import make_simulator
from .kernel import SearchRule, search
from .simulated import SimulatedRule, SimulatedSearch, Widening
from .tree import NONE, ROOT, SearchTree
from .tree_beliefs import belief_in, tried_in
from .tree_files import read_tree, tree_state
from .tree_moves import advance, plant

LEAVES = ("rollout", "values")


class TreeSearchPlanning(Planning):
    """Chooses by the mean returns of simulations that mind what earlier ones have found.

    Args:
        simulations: for each decision, at least one for each action.
        exploration_constant: c of UCB1, in units of returns: about the difference between a good
            and a bad one; sqrt(2) is the paper's for returns in [0, 1].
        depth: steps of a simulation; None for as many as matter at the discount.
        leaf: what follows a new node: "rollout", the return of a random policy up to the depth, or
            "values", the best learned value there.
        untried_value: what a pair that the model has never seen is believed to be worth, all that
            follows included; None for what the model itself believes, mostly that nothing happens.
            The best possible return has the agent try everything that might be worth it.
        transpositions: whether ways that reach the same state at the same time share a node. Each
            node then rests on more returns, but the means above still hold those from when less was
            known. It helps where few states are met over and over, and not in the mazes.
        reuse: whether the tree below the chosen action stays; only of tables.
        max_nodes: most nodes of a tree; None for room for four decisions, and at least 1024. Before
            a decision nodes that were simulated the least make room; where there is none,
            simulations go on and grow the tree no more.
        outcome_widening: (factor, exponent): an action with n visits has about
            factor * n ** exponent outcomes; for worlds that are no tables. None for no bound.

    Raises:
        ValueError: for a number outside its range or another leaf.
        TypeError: for a widening that is no pair.
    """

    def __init__(
        self,
        simulations: int,
        *,
        exploration_constant: float = 1.0,
        depth: int | None = None,
        leaf: str = "rollout",
        untried_value: float | None = None,
        transpositions: bool = False,
        reuse: bool = True,
        max_nodes: int | None = None,
        outcome_widening: tuple[float, float] | None = None,
    ) -> None:
        self.simulations = check_positive("simulations", simulations)
        self.exploration_constant = checked_number("exploration_constant", exploration_constant, 0)
        self.depth = checked_depth(depth)
        self.leaf = checked_name("leaf", leaf, LEAVES)
        self.untried_value = (
            None if untried_value is None else checked_number("untried_value", untried_value)
        )
        self.transpositions, self.reuse = bool(transpositions), bool(reuse)
        if max_nodes is None:
            self.max_nodes = max(4 * self.simulations, 1024)
        else:
            self.max_nodes = check_positive("max_nodes", max_nodes)
        self.outcome_widening = Widening.read("outcome_widening", outcome_widening)
        self.learns_directly = leaf == "values"
        self._kept: SearchTree | None = None  # the tree of the agent's own decisions
        self._scratch: SearchTree | None = None  # that of questions
        self._rule: SearchRule | None = None  # of the kept tree
        self._belief: Any = None  # with which it was grown

    # -- what an agent calls -------------------------------------------------------------------

    def action_values(
        self,
        values: Values,
        model: Any,
        observations: Any,
        rng: np.random.Generator,
        *,
        learning: bool = False,
    ) -> FloatArray:
        """(batch, actions) mean returns of the simulations that begin with each action.

        Raises:
            ValueError: if there are more actions than simulations, or no depth and no discount.
            TypeError: for a model that cannot be simulated.
        """
        return self.look(values, model, observations, rng, learning=learning)[0]

    def visits(
        self, values: Values, model: Any, observations: Any, rng: np.random.Generator
    ) -> IntArray:
        """(batch, actions) how many simulations begin with each action; what to distil.

        Raises:
            ValueError, TypeError: as `action_values`.
        """
        return self.look(values, model, observations, rng)[1]

    def look(
        self,
        values: Values,
        model: Any,
        observations: Any,
        rng: np.random.Generator,
        *,
        learning: bool = False,
    ) -> tuple[FloatArray, IntArray]:
        """What `action_values` and `visits` give, of one search."""
        depth = steps_ahead(self.depth, gamma_of(values))
        if isinstance(values, TableValues) and has_table(model):
            return self._in_table(values, model, observations, depth, rng, learning)
        if self.untried_value is not None:
            raise TypeError(
                f"untried_value with {type(model).__name__}; expected a model of a table, which "
                "knows what was tried, or untried_value=None"
            )
        simulator = make_simulator(model)
        check_enough(self.simulations, simulator.num_actions)
        rule = self._simulated_rule(values, depth)
        found = [SimulatedSearch(simulator, rule, rng).run(each) for each in observations]
        return np.array([each.values for each in found]), np.array([each.visits for each in found])

    def note(self, values: Values, model: Model, transitions: Transitions) -> None:
        """Keep what is below the real transition, if the model believes what it believed."""
        tree, rule = self._kept, self._rule
        if tree is None or rule is None or tree.numbers[ROOT] == NONE:
            return
        stays = False
        if transitions.action.size == 1 and not transitions.terminated[0]:
            state = int(transitions.observation[0])
            is_here = tree.state[tree.numbers[ROOT]] == state
            believes_so = self._belief is not None and belief_in(model, state) == self._belief
            if is_here and believes_so:
                room = min(self.simulations, self.max_nodes // 2)
                action, following = transitions.action[0], transitions.next_observation[0]
                stays = bool(advance(tree, rule, int(action), int(following), room))
        if not stays:
            tree.numbers[ROOT] = NONE

    # -- searching -----------------------------------------------------------------------------

    def _in_table(
        self,
        values: TableValues,
        model: Any,
        rows: IntArray,
        depth: int,
        rng: np.random.Generator,
        learning: bool,
    ) -> tuple[FloatArray, IntArray]:
        num_states, num_actions = values.q.shape
        check_enough(self.simulations, num_actions)
        rule = SearchRule(
            num_states,
            num_actions,
            self.simulations,
            depth,
            values.gamma,
            self.exploration_constant,
            self.leaf == "rollout",
            self.transpositions,
            self.untried_value is not None,
            0.0 if self.untried_value is None else self.untried_value,
        )
        table = believed_table(model, values.q.shape, rows, depth)
        tried = np.zeros(0, dtype=np.int64) if self.untried_value is None else tried_in(model)
        found, visits = np.empty((len(rows), num_actions)), np.empty((len(rows), num_actions), int)
        words = state_words(rng)
        for place, row in enumerate(np.asarray(rows).tolist()):
            if learning and self.reuse:
                tree = self._kept_tree(rule, model, row, words)
            else:
                tree = self._scratch = _fitting(self._scratch, rule, self.max_nodes)
                plant(tree, rule, row, words)
            search(tree, rule, table, values.q.reshape(-1), tried, words)
            first = int(tree.numbers[ROOT]) * num_actions
            visits[place] = tree.visits[first : first + num_actions]
            means = tree.value[first : first + num_actions]
            found[place] = np.where(visits[place] > 0, means, -np.inf)
        return found, visits

    def _kept_tree(self, rule: SearchRule, model: Any, row: int, words: Any) -> SearchTree:
        """The tree that grew so far if it may grow on from here, or a new one."""
        tree = _fitting(self._kept, rule, self.max_nodes)
        root = int(tree.numbers[ROOT])
        stays = tree is self._kept and root != NONE and tree.state[root] == row
        belief = belief_in(model, row)
        if not stays or (isinstance(belief, str) and belief != self._belief):
            plant(tree, rule, row, words)
        self._kept, self._rule, self._belief = tree, rule, belief
        return tree

    def _simulated_rule(self, values: Any, depth: int) -> SimulatedRule:
        def best(observation: Any) -> float:
            return float(values.values(np.array([observation])).max())

        return SimulatedRule(
            self.simulations,
            depth,
            gamma_of(values),
            self.exploration_constant,
            self.transpositions,
            best if self.leaf == "values" else None,
            self.outcome_widening,
            None,
            None,
        )

    # -- checkpoints ---------------------------------------------------------------------------

    def get_state(self) -> dict[str, Any]:
        """The tree that stays for the next decision; nothing where there is none."""
        tree = self._kept
        if tree is None or self._rule is None or tree.numbers[ROOT] == NONE:
            return {}
        belief = self._belief if isinstance(self._belief, str) else ""
        return {**tree_state(tree, self._rule), "belief": belief}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go back to what `get_state` returned.

        Raises:
            ValueError: if something is missing, of another shape, or leads outside the tree.
        """
        if "belief" not in state:
            self._kept = self._rule = self._belief = None
            return
        self._kept, self._rule = read_tree(state, self.max_nodes)
        self._belief = str(state["belief"])


def _fitting(tree: SearchTree | None, rule: SearchRule, max_nodes: int) -> SearchTree:
    """The tree, if it has the size that is needed, or another one."""
    sizes = (max_nodes * rule.num_actions, rule.depth)
    if tree is not None and (tree.value.size, tree.paid.size) == sizes:
        return tree
    return SearchTree.begin(max_nodes, rule.num_actions, rule.depth)
