"""Monte-Carlo tree search (UCT) on any model, or in copies of the environment.

Kocsis and Szepesvari 2006, "Bandit based Monte-Carlo planning"; Sutton & Barto 2018, section 8.11.

Differences from the paper:

1. With `transpositions`, paths that reach the same state at the same time share a node.
2. The subtree below the chosen action is kept after the step (`reuse`), if the model's predictions
   are unchanged. Returns from before the step looked fewer steps ahead, by one for each step since.

See `uct` for the search of a table, and `simulated` for models that are not tables.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from dynamaze.common.arrays import FloatArray, IntArray
from dynamaze.common.configuration import set_checked
from dynamaze.common.deprecation import grouped_arguments
from dynamaze.common.validation import (
    MOST_COUNT,
    checked_choice,
    checked_count,
    checked_number,
)

from ...agent import EnvLike
from ...core.records import flatten, part_of, restore
from ...core.rng import Seed, state_words
from ...core.transitions import Transitions
from ...models.latest import LatestTable
from ...models.protocol import Model
from ...values.table import TableValues, Values
from ..agent import (
    Query,
    SearchAgent,
    SearchPlanning,
    check_simulation_count,
    model_version,
    search_depth,
    search_table,
    visit_counts,
)
from ..simulators import make_simulator
from .compiled import TreeRecord
from .simulated import SimulatedSearch, SimulatedSettings, Widening
from .uct import (
    NONE,
    ROOT,
    TIME,
    USED,
    SearchTree,
    UCTSettings,
    index_nodes,
    reroot,
    reset_tree,
    uct_search,
)

LEAF_VALUES = ("rollout", "values")
"""Values of a new node."""

MOST_NODES = 10 * MOST_COUNT
"""Largest number of nodes of a tree, which are allocated at once."""


@dataclass(frozen=True, kw_only=True)
class TreeSettings:
    """Settings of tree search.

    Raises:
        ValueError: for a number outside its range or another leaf_value.
        TypeError: for a widening that is not a pair.
    """

    exploration_constant: float = 1.0
    """c of UCB1, in units of returns: about the difference between a good and a bad return; sqrt(2)
    is the paper's for returns in [0, 1]."""
    leaf_value: str = "rollout"
    """Value of a new node: "rollout", the return of a random policy up to the depth, or "values",
    the best learned value."""
    first_play_urgency: float | None = None
    """Assumed return of a pair that the model has never seen, all later rewards included. The
    highest possible return makes the agent try every pair that might be good. None: the model's own
    prediction, mostly the same state and reward 0; new paths are then found only by chance, or by
    `epsilon`."""
    transpositions: bool = False
    """Whether paths that reach the same state at the same time share a node. Each node then has
    more returns, but the means above still contain those from when less was known. It helps where
    few states are visited often, and not in the mazes."""
    reuse: bool = True
    """Whether the subtree below the chosen action is kept; only of tables."""
    max_nodes: int | None = None
    """Largest number of nodes of a tree; None: 4 * simulations, and at least 1024. Before a
    decision the nodes with the fewest simulations are dropped; where no room is left, simulations
    continue without adding nodes."""
    outcome_widening: tuple[float, float] | None = None
    """(factor, exponent) of progressive widening, for continuous states: an action with n visits
    has about `factor * n ** exponent` outcomes; for models that are not tables. None: no bound."""

    def __post_init__(self) -> None:
        urgency, max_nodes = self.first_play_urgency, self.max_nodes
        set_checked(
            self,
            exploration_constant=checked_number(
                "exploration_constant", self.exploration_constant, 0
            ),
            leaf_value=checked_choice("leaf_value", self.leaf_value, LEAF_VALUES),
            first_play_urgency=(
                None if urgency is None else checked_number("first_play_urgency", urgency)
            ),
            transpositions=bool(self.transpositions),
            reuse=bool(self.reuse),
            max_nodes=(
                None if max_nodes is None else checked_count("max_nodes", max_nodes, 1, MOST_NODES)
            ),
            outcome_widening=Widening.read("outcome_widening", self.outcome_widening),
        )


class TreeSearch(SearchAgent):
    """Agent that acts by Monte-Carlo tree search: UCT.

    Suited to environments with a good model and time to think before each action; it looks where
    its own simulations promise most, so that it can look far ahead.

        from dynamaze.agents import TreeSearch

        agent = TreeSearch("DynaMaze-v0", model="true", simulations=500, seed=0)
        action, _ = agent.predict(observation, deterministic=True)

    Args:
        env: environment or its id.
        model: "true", the environment's own transition probabilities; "simulator", copies of the
            environment; a name of `dynamaze.agents.MODELS`, learned online; or a model.
        simulations: number for each decision, at least one for each action.
        depth: steps of a simulation; None: until rewards are discounted to 0.1%.
        settings: of selection, expansion and reuse of the tree.
        values: "table", "tile_coding", "network", or an object: values that Q-learning learns from
            real experience, if the settings' `leaf_value` uses them.
        learning_rate: step size of these values, in (0, 1]; None: 0.1, or 0.001 with a network.
        gamma: discount factor, in [0, 1].
        epsilon: probability of a random action, in [0, 1].
        initial_value: initial action value.
        seed: determines every random number; see `Agent`.

    Raises:
        ValueError: for a number outside its range, an unknown name, more actions than simulations,
            or no depth and no discounting.
        TypeError: for spaces that the values do not support, or a model that cannot be simulated.
    """

    planning: TreeSearchPlanning

    @grouped_arguments(
        "settings", TreeSettings, leaf="leaf_value", untried_value="first_play_urgency"
    )
    def __init__(
        self,
        env: EnvLike,
        *,
        model: str | Model = "true",
        simulations: int = 200,
        depth: int | None = None,
        settings: TreeSettings = TreeSettings(),
        values: str | Values = "table",
        learning_rate: float | None = None,
        gamma: float = 0.95,
        epsilon: float = 0.0,
        initial_value: float = 0.0,
        seed: Seed = None,
    ) -> None:
        super().__init__(
            env,
            TreeSearchPlanning(simulations, depth=depth, settings=settings),
            model=model,
            values=values,
            learning_rate=learning_rate,
            gamma=gamma,
            epsilon=epsilon,
            initial_value=initial_value,
            seed=seed,
        )

    def action_probabilities(self, observations: Any) -> FloatArray:
        """Return the (batch, actions) visit distribution of the root, for distillation.

        Args:
            observations: one observation of the space, or a batch of them.
        """
        rows: Any = self.encoder.many(observations)[0]
        visits = self.planning.visits(self.values, self.model, rows, self.predict_rng)
        shares: FloatArray = visits / visits.sum(axis=1, keepdims=True)
        return shares


class TreeSearchPlanning(SearchPlanning):
    """Planner that returns the mean returns of UCT simulations.

    Args:
        simulations: number for each decision, at least one for each action.
        depth: steps of a simulation; None: until rewards are discounted to 0.1%.
        settings: further settings.

    Raises:
        ValueError: for a number outside its range.
    """

    @grouped_arguments("settings", TreeSettings)
    def __init__(
        self,
        simulations: int,
        *,
        depth: int | None = None,
        settings: TreeSettings = TreeSettings(),
    ) -> None:
        super().__init__(depth)
        self.simulations = checked_count("simulations", simulations)
        self.settings = settings
        self.max_nodes = (
            max(4 * self.simulations, 1024) if settings.max_nodes is None else settings.max_nodes
        )
        self.learns_directly = settings.leaf_value == "values"
        self._kept: SearchTree | None = None  # tree of the agent's own decisions
        self._scratch: SearchTree | None = None  # tree of other queries
        self._uct: UCTSettings | None = None  # settings of the kept tree
        self._version: Any = None  # model version of the kept tree

    def check(self, values: Values, model: Any, num_actions: int) -> None:
        """Check that the planner can search with these values and this model.

        Raises:
            ValueError, TypeError: as `SearchPlanning.check`; TypeError also for a first-play
                urgency with a model that does not count visits.
        """
        super().check(values, model, num_actions)
        if self.settings.first_play_urgency is not None:
            visit_counts(model)
        check_simulation_count(self.simulations, num_actions)

    # -- searching -----------------------------------------------------------------------------

    def root_values(self, query: Query) -> FloatArray:
        """Return the (batch, actions) mean returns of the simulations that start with an action."""
        return self.search(*query)[0]

    def visits(
        self, values: Values, model: Any, observations: Any, rng: np.random.Generator
    ) -> IntArray:
        """Return (batch, actions) visit counts of the root's actions, for distillation.

        Raises:
            ValueError, TypeError: as `action_values`.
        """
        return self.search(values, model, observations, rng)[1]

    def search(
        self,
        values: Values,
        model: Any,
        observations: Any,
        rng: np.random.Generator,
        learning: bool = False,
    ) -> tuple[FloatArray, IntArray]:
        """Return the results of `action_values` and `visits` of one search.

        Raises:
            ValueError, TypeError: as `action_values`; TypeError also for a first-play urgency with
                a model that is not tabular.
        """
        query = Query(values, model, observations, rng, learning)
        depth = search_depth(self.depth, query.gamma)
        if query.is_tabular:
            return self._in_table(query, depth)
        if self.settings.first_play_urgency is not None:
            raise TypeError(
                f"first_play_urgency with {type(model).__name__}; expected a tabular model, which "
                "counts visits, or first_play_urgency=None"
            )
        simulator = make_simulator(model)
        check_simulation_count(self.simulations, simulator.num_actions)
        settings = self._simulated_settings(query, depth)
        found = [SimulatedSearch(simulator, settings, rng).run(each) for each in observations]
        return np.array([each.values for each in found]), np.array([each.visits for each in found])

    def _in_table(self, query: Query, depth: int) -> tuple[FloatArray, IntArray]:
        values, model, rows = query.values, query.model, np.asarray(query.observations)
        num_states, num_actions = values.q.shape
        check_simulation_count(self.simulations, num_actions)
        uct = self._uct_settings(num_states, num_actions, depth, values.gamma)
        is_optimistic = self.settings.first_play_urgency is not None
        table = search_table(model, values.q.shape, rows, depth)
        tried = visit_counts(model) if is_optimistic else np.zeros(0, dtype=np.int64)
        found, visits = np.empty((len(rows), num_actions)), np.empty((len(rows), num_actions), int)
        words = state_words(query.rng)
        for place, row in enumerate(rows.tolist()):
            if query.learning and self.settings.reuse:
                tree = self._kept_tree(uct, model, row, words)
            else:
                tree = self._scratch = _fitting(self._scratch, uct, self.max_nodes)
                reset_tree(tree, uct, row, words)
            uct_search(tree, uct, table, values.q.reshape(-1), tried, words)
            first = int(tree.numbers[ROOT]) * num_actions
            visits[place] = tree.visits[first : first + num_actions]
            means = tree.value[first : first + num_actions]
            found[place] = np.where(visits[place] > 0, means, -np.inf)
        return found, visits

    def _uct_settings(
        self, num_states: int, num_actions: int, depth: int, gamma: float
    ) -> UCTSettings:
        urgency = self.settings.first_play_urgency
        return UCTSettings(
            num_states,
            num_actions,
            self.simulations,
            depth,
            gamma,
            self.settings.exploration_constant,
            self.settings.leaf_value == "rollout",
            self.settings.transpositions,
            urgency is not None,
            0.0 if urgency is None else urgency,
        )

    # -- compiled runs -------------------------------------------------------------------------

    def reserve(self, values: Any, transitions: int) -> None:
        """Make the record for compiled runs, with a tree of its own."""
        if self.record is None and isinstance(values, TableValues):
            depth = search_depth(self.depth, values.gamma)
            uct = self._uct_settings(*values.q.shape, depth, values.gamma)
            self.record = TreeRecord.begin(uct, self.max_nodes, self.settings.reuse)

    def compiled_obstacle(self, model: Any) -> str:
        """Return why compiled code cannot search in a model that has a record, or "" if it can."""
        obstacle = super().compiled_obstacle(model)
        if obstacle or isinstance(getattr(model, "table", None), LatestTable):
            return obstacle
        return (
            f"{type(self).__name__} with model {type(model).__name__}, whose predictions compiled "
            "code cannot compare; expected LatestOutcome, or run it step by step"
        )

    def _simulated_settings(self, query: Query, depth: int) -> SimulatedSettings:
        def best(observation: Any) -> float:
            return float(query.values.values(np.array([observation])).max())

        return SimulatedSettings(
            self.simulations,
            depth,
            query.gamma,
            self.settings.exploration_constant,
            self.settings.transpositions,
            leaf_value=best if self.settings.leaf_value == "values" else None,
            outcome_widening=Widening.read("outcome_widening", self.settings.outcome_widening),
            action_widening=None,
            draw_action=None,
        )

    # -- reuse of the tree ---------------------------------------------------------------------

    def record_transition(self, values: Values, model: Model, transitions: Transitions) -> None:
        """Keep the subtree of the real transition, if the model's predictions are unchanged."""
        tree, uct = self._own_tree(), self._uct
        if tree is None or uct is None or tree.numbers[ROOT] == NONE:
            return
        stays = False
        if transitions.action.size == 1 and not transitions.terminated[0]:
            state = int(transitions.observation[0])
            is_root = tree.state[tree.numbers[ROOT]] == state
            is_same = self._version is not None and model_version(model, state) == self._version
            if is_root and is_same:
                room = min(self.simulations, self.max_nodes // 2)
                action, following = transitions.action[0], transitions.next_observation[0]
                stays = bool(reroot(tree, uct, int(action), int(following), room))
        if not stays:
            tree.numbers[ROOT] = NONE

    def _kept_tree(self, uct: UCTSettings, model: Any, row: int, words: Any) -> SearchTree:
        """Return the kept tree if its root is this row and its model is unchanged, or a new one."""
        tree = _fitting(self._own_tree(), uct, self.max_nodes)
        root = int(tree.numbers[ROOT])
        stays = tree is self._kept and root != NONE and tree.state[root] == row
        version = model_version(model, row)
        if not stays or (isinstance(version, str) and version != self._version):
            reset_tree(tree, uct, row, words)
        self._kept, self._uct, self._version = tree, uct, version
        return tree

    def _own_tree(self) -> SearchTree | None:
        """Return the kept tree, with room for all its nodes, which a restored one has not yet."""
        tree, uct = self._kept, self._uct
        if tree is not None and uct is not None and tree.state.size < self.max_nodes:
            self._kept, self._uct = read_tree(tree_state(tree, uct), self.max_nodes)
        return self._kept

    # -- checkpoints ---------------------------------------------------------------------------

    def get_state(self) -> dict[str, Any]:
        """Return the tree that is kept for the next decision; empty without one."""
        tree = self._kept
        if tree is None or self._uct is None or tree.numbers[ROOT] == NONE:
            return {}
        version = self._version if isinstance(self._version, str) else ""
        return {**tree_state(tree, self._uct), "model_version": version}

    def set_state(self, state: dict[str, Any]) -> None:
        """Restore a state of `get_state`.

        Raises:
            ValueError: if an entry is missing, has another shape, or is an index outside the tree.
        """
        if "model_version" not in state:
            self._kept = self._uct = self._version = None
            return
        # Room for further nodes is made when it is needed: a file may declare any number.
        nodes = min(np.size(state.get("tree.state", ())), self.max_nodes)
        self._kept, self._uct = read_tree(state, max(nodes, 1))
        self._version = str(state["model_version"])


def _fitting(tree: SearchTree | None, settings: UCTSettings, max_nodes: int) -> SearchTree:
    """Return the tree if it has the required size, or a new one."""
    sizes = (max_nodes * settings.num_actions, settings.depth)
    if tree is not None and (tree.value.size, tree.rewards.size) == sizes:
        return tree
    return SearchTree.empty(max_nodes, settings.num_actions, settings.depth)


# -- checkpoints -------------------------------------------------------------------------------

NODES = ("state", "time", "parent", "total", "choice")
"""Columns with an entry for each node, which are saved for the nodes in use."""

EDGES = ("visits", "value", "width")
"""Columns with an entry for each edge, which are saved for the edges of these nodes."""


def tree_state(tree: SearchTree, settings: UCTSettings) -> dict[str, Any]:
    """Return the arrays and numbers of a tree and its search settings."""
    used = int(tree.numbers[USED])
    sizes = {**dict.fromkeys(NODES, used), **dict.fromkeys(EDGES, used * settings.num_actions)}
    columns = {f"tree.{name}": getattr(tree, name)[:size].copy() for name, size in sizes.items()}
    return {**columns, "tree.numbers": tree.numbers.copy(), **flatten(settings, "rule.")}


def read_tree(state: dict[str, Any], max_nodes: int) -> tuple[SearchTree, UCTSettings]:
    """Restore a tree and its settings from the result of `tree_state`.

    Raises:
        ValueError: if an entry is missing, has another shape, or is an index outside the tree.
    """
    template = UCTSettings(1, 1, 1, 1, 0.0, 0.0, True, True, False, 0.0)
    settings: UCTSettings = restore(template, state, "rule.")
    if min(settings.num_states, settings.num_actions, settings.simulations, settings.depth) < 1:
        raise ValueError(f"a search with {settings}; expected numbers of at least 1")
    tree = SearchTree.empty(max_nodes, settings.num_actions, settings.depth)
    _fill(tree, settings, part_of("tree", state))
    index_nodes(tree, settings)
    return tree, settings


def _fill(tree: SearchTree, settings: UCTSettings, saved: dict[str, Any]) -> None:
    """Copy saved columns into the tree, checked before compiled code uses them as indices.

    Raises:
        ValueError: for a column that does not fit, or an index outside the tables.
    """
    numbers = saved.get("numbers")
    if not isinstance(numbers, np.ndarray) or numbers.shape != tree.numbers.shape:
        raise ValueError(f"numbers {numbers!r} in the planner's state; expected 3 of them")
    used = int(numbers[USED])
    bounds = {
        "state": (0, settings.num_states),
        "parent": (NONE, used * settings.num_actions),
        "choice": (0, settings.num_actions),
        "time": (0, np.inf),
        "total": (0, np.inf),
        "visits": (0, np.inf),
    }
    if not (0 < used <= tree.state.size and 0 <= numbers[ROOT] < used and numbers[TIME] >= 0):
        raise ValueError(f"numbers {numbers} in the planner's state; expected those of a tree")
    for name in (*NODES, *EDGES):
        column, given = getattr(tree, name), saved.get(name)
        size = used * settings.num_actions if name in EDGES else used
        if not isinstance(given, np.ndarray) or (given.shape, given.dtype) != (
            (size,),
            column.dtype,
        ):
            raise ValueError(f"{name} is {given!r} in the planner's state; expected {size} numbers")
        low, high = bounds.get(name, (-np.inf, np.inf))
        if not (given >= low).all() or not (given < high).all():
            raise ValueError(
                f"{name} from {given.min()} to {given.max()} in the planner's state; expected at "
                f"least {low} and below {high}"
            )
        column[:size] = given
    tree.numbers[:] = numbers
