"""Temporal-difference search and Dyna-2: Sarsa(lambda) on simulated episodes.

Silver, Sutton and Mueller 2012, "Temporal-difference search in computer Go", algorithm 1; the same
authors 2008, "Sample-based learning and search with permanent and transient memories", algorithm 1
(episodic Dyna-2). Where Monte-Carlo search averages returns, TD search bootstraps, so that a
simulation informs all others through the same states. Dyna-2 acts by the sum of a permanent memory,
learned from real experience, and a transient one, learned by TD search near the present state and
cleared when a real episode begins.

Differences from the papers:

1. The memories are tables. The papers' are linear in features.
2. The simulated policy is epsilon-greedy with a fixed epsilon; so the values are those of that
   policy, and near the optimal ones for a small epsilon.
3. The permanent memory learns by one-step Q-learning, the rule of all tables here; the paper's by
   Sarsa(lambda). So without simulations Dyna-2 is bit-identical to `QLearning`.
4. The model may be learned online, as in the paper's general algorithm, or be the true one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np

from dynamaze.common.arrays import FloatArray, IntArray
from dynamaze.common.compiled import compiled, compiled_with_arrays
from dynamaze.common.configuration import set_checked
from dynamaze.common.deprecation import grouped_arguments
from dynamaze.common.validation import checked_count, checked_number

from ..agent import EnvLike
from ..core.kernels import sample_outcome
from ..core.rng import Seed, load, state_words, store
from ..core.transitions import Transitions
from ..exploration import epsilon_greedy
from ..models.protocol import Model
from ..values.table import TableValues, Values
from .agent import Query, SearchAgent, SearchPlanning, checked_table, search_depth, search_table

NEGLIGIBLE_TRACE = 1e-3
"""Eligibility below which a trace is cut."""

NO_STATE = -1
"""Expected row where there is none: the next decision begins an episode."""


@compiled_with_arrays
def search_by_td(model, search, permanent, transient, row, num_actions, gamma, words):
    """Learn from simulated episodes that start in a row.

    Args:
        model: record of a table.
        search: `EpisodeSettings`.
        permanent: (states * actions,) values that are not changed.
        transient: (states * actions,) values that are added to them and learned.
        row: start of the episodes.
        num_actions: int64.
        gamma: discount factor.
        words: state of the random number generator.

    Returns:
        Number of simulated steps.
    """
    trace = EpisodeTrace(
        np.empty(search.depth, dtype=np.uint64),
        np.zeros(transient.size, dtype=np.int64),
        np.empty(num_actions),
    )
    rng, steps = load(words), 0
    for _ in range(search.episodes):
        taken, rng = _episode(
            model, search, permanent, transient, row, num_actions, gamma, trace, steps, rng
        )
        steps += taken
    store(words, rng)
    return steps


@compiled
def _episode(model, search, permanent, transient, row, num_actions, gamma, trace, before, rng):
    """Simulate an episode and learn from it; return its steps and the generator's state."""
    columns, state = np.uint64(num_actions), np.uint64(row)
    action, rng = _choose(search, permanent, transient, state, columns, trace.total, rng)
    for step in range(search.depth):
        pair = state * columns + np.uint64(action)
        trace.pairs[step], trace.latest[pair] = pair, before + step + 1
        reward, following, terminated, rng = sample_outcome(model, columns, pair, rng)
        # delta = R + gamma Q(S', A') - Q(S, A), with Q the sum of the two memories
        error = reward - permanent[pair] - transient[pair]
        if not terminated:
            state = np.uint64(following)
            action, rng = _choose(search, permanent, transient, state, columns, trace.total, rng)
            next_pair = state * columns + np.uint64(action)
            error += gamma * (permanent[next_pair] + transient[next_pair])
        _learn(search, transient, trace, before, step, error, gamma)
        if terminated:
            return step + 1, rng
    return search.depth, rng


@compiled
def _choose(search, permanent, transient, state, columns, total, rng):
    """Choose epsilon-greedily by the sum of the two memories."""
    first = state * columns
    for action in range(columns):
        total[action] = permanent[first + action] + transient[first + action]
    return epsilon_greedy(total, 0, total.size, search.epsilon, rng)


@compiled
def _learn(search, transient, trace, before, step, error, gamma):
    """Update the pairs of an episode by a TD error, each in proportion to its replacing trace."""
    change = search.learning_rate * error
    least = NEGLIGIBLE_TRACE * abs(change)
    place = step
    while place >= 0 and abs(change) > least:
        pair = trace.pairs[place]
        if trace.latest[pair] == before + place + 1:  # replacing trace: not visited again since
            transient[pair] += change  # alpha * delta * e(s, a), with e = (gamma lambda)^k
        change *= gamma * search.trace_decay
        place -= 1


class EpisodeSettings(NamedTuple):
    """Settings of the simulated episodes and of learning from them, for compiled code."""

    episodes: int
    depth: int  # largest number of steps of an episode
    epsilon: float
    learning_rate: float
    trace_decay: float


class EpisodeTrace(NamedTuple):
    """Work space of a simulated episode."""

    pairs: Any  # (depth,) uint64, of the episode, in order
    latest: IntArray  # (states * actions,) number of the last step that visited each pair
    total: FloatArray  # (actions,) permanent plus transient values of a state


@dataclass(frozen=True, kw_only=True)
class TDSettings:
    """Settings of temporal-difference search.

    Raises:
        ValueError: for a number outside its range.
    """

    search_rate: float = 0.3
    """Step size of the transient memory, in (0, 1]."""
    search_epsilon: float = 0.1
    """Probability of a random action in simulated episodes, in [0, 1]."""
    trace_decay: float = 0.5
    """Lambda of the transient memory, in [0, 1]."""

    def __post_init__(self) -> None:
        set_checked(
            self,
            search_rate=checked_number("search_rate", self.search_rate, 0, 1, above=True),
            search_epsilon=checked_number("search_epsilon", self.search_epsilon, 0, 1),
            trace_decay=checked_number("trace_decay", self.trace_decay, 0, 1),
        )


class TDPlanning(SearchPlanning):
    """Planner of `TDSearch` and `Dyna2`: Sarsa(lambda) on simulated episodes before each decision.

    Results are kept in a transient memory until the real episode ends. A new episode is recognised
    by the observation: the last real transition terminated, or led elsewhere. (Where a time limit
    ends an episode in the very state in which the next one begins, this is not recognised, and the
    memory is kept.)

    Args:
        simulations: episodes for each decision, at least 1, or 0 for no search.
        depth: largest number of steps of an episode; None: until rewards are discounted to 0.1%.
        settings: of learning from the episodes.
        permanent: whether the learned values are added (Dyna-2); otherwise zero.

    Attributes:
        transient: (states * actions,) the memory; None before the first decision.
        num_simulated: number of steps simulated while learning.

    Raises:
        ValueError: for a number outside its range.
    """

    needs_table = True
    state_fields: ClassVar = {
        "_following": "following",
        "num_simulated": "num_simulated",
        "transient": "transient",
    }
    optional_fields = ("transient",)

    @grouped_arguments("settings", TDSettings)
    def __init__(
        self,
        simulations: int,
        *,
        depth: int | None = None,
        settings: TDSettings = TDSettings(),
        permanent: bool = False,
    ) -> None:
        super().__init__(depth)
        self.simulations = checked_count("simulations", simulations, 0)
        self.settings = settings
        self.permanent = self.learns_directly = permanent
        self.needs = frozenset({"distribution"}) if self.simulations else frozenset()
        self.transient: FloatArray | None = None
        self.num_simulated = 0
        self._following = NO_STATE

    def check(self, values: Values, model: Any, num_actions: int) -> None:
        """Check that the planner can search with these values and this model.

        Raises:
            ValueError, TypeError: as `SearchPlanning.check`.
        """
        if self.simulations:
            super().check(values, model, num_actions)

    def record_transition(self, values: Values, model: Model, transitions: Transitions) -> None:
        """Record the next state of the last real transition."""
        if len(transitions.action):
            ended = bool(transitions.terminated[-1])
            self._following = NO_STATE if ended else int(transitions.next_observation[-1])

    def root_values(self, query: Query) -> FloatArray:
        """Return the (batch, actions) sums of both memories, after a search from each row."""
        table, rows = checked_table(query.values), query.observations
        if query.learning:
            memory = self._memory_for(table, int(rows[0]))
            self.num_simulated += self._search(table, memory, query.model, int(rows[0]), query.rng)
            values_of_row: FloatArray = self._total(table, memory)[rows]
            return values_of_row
        found = []
        for row in rows.tolist():
            memory = np.zeros(table.q.size) if self.transient is None else self.transient.copy()
            self._search(table, memory, query.model, row, query.rng)
            found.append(self._total(table, memory)[row])
        return np.array(found).reshape(-1, table.q.shape[1])

    def _memory_for(self, table: TableValues, row: int) -> FloatArray:
        """Return the transient memory, cleared where an episode begins."""
        if self.transient is None:
            self.transient = np.zeros(table.q.size)
        elif row != self._following:
            self.transient[:] = 0.0
        self._following = row
        return self.transient

    def _total(self, table: TableValues, memory: FloatArray) -> FloatArray:
        transient = memory.reshape(table.q.shape)
        return table.q + transient if self.permanent else transient.copy()

    def _search(
        self, table: TableValues, memory: FloatArray, model: Any, row: int, rng: np.random.Generator
    ) -> int:
        """Simulate and learn; return the number of simulated steps."""
        if not self.simulations:
            return 0
        depth = search_depth(self.depth, table.gamma)
        permanent = table.q if self.permanent else np.zeros_like(table.q)
        settings = self.settings
        search = EpisodeSettings(
            self.simulations,
            depth,
            settings.search_epsilon,
            settings.search_rate,
            settings.trace_decay,
        )
        steps: int = search_by_td(
            search_table(model, table.q.shape, np.array([row]), depth),
            search,
            permanent.reshape(-1),
            memory,
            row,
            table.q.shape[1],
            table.gamma,
            state_words(rng),
        )
        return steps

    def check_state(self, restored: dict[str, Any]) -> None:
        """Check a restored transient memory.

        Raises:
            ValueError: if it is not an (n,) array of finite numbers.
        """
        memory = restored["transient"]
        if memory is not None and (
            memory.dtype != np.float64 or memory.ndim != 1 or not np.isfinite(memory).all()
        ):
            raise ValueError(f"transient memory {memory!r}; expected (n,) finite numbers")


class TDSearch(SearchAgent):
    """Agent that acts by temporal-difference search.

    Suited to long episodes with few simulations, since every simulation informs the others.

        from dynamaze.agents import TDSearch

        agent = TDSearch("DynaMaze-v0", model="true", simulations=100, seed=0)
        agent.learn(1000)

    Args:
        env: environment or its id.
        model: "true", the environment's own transition probabilities; a name of
            `dynamaze.agents.MODELS`, learned online; or a model. It must know distributions.
        simulations: episodes for each decision, at least 1.
        depth: largest number of steps of an episode; None: until rewards are discounted to 0.1%.
        settings: of learning from the episodes.
        gamma: discount factor, in [0, 1].
        epsilon: probability of a random action in the environment, in [0, 1].
        seed: determines every random number; see `Agent`.

    Raises:
        ValueError: for a number outside its range, no depth and no discounting, an unknown model,
            or a model without distributions.
        TypeError: for spaces that a table does not support.
    """

    @grouped_arguments("settings", TDSettings)
    def __init__(
        self,
        env: EnvLike,
        *,
        model: str | Model = "true",
        simulations: int = 100,
        depth: int | None = None,
        settings: TDSettings = TDSettings(),
        gamma: float = 0.95,
        epsilon: float = 0.0,
        seed: Seed = None,
    ) -> None:
        checked = checked_count("simulations", simulations)
        planning = TDPlanning(checked, depth=depth, settings=settings)
        super().__init__(env, planning, model=model, gamma=gamma, epsilon=epsilon, seed=seed)


class Dyna2(SearchAgent):
    """Dyna-2: Q-learning from real experience, and TD search on top of the learned values.

    Suited to learning and planning at once, where the present state deserves values of its own.

        from dynamaze.agents import Dyna2

        agent = Dyna2("DynaMaze-v0", model="maximum_likelihood", simulations=20, seed=0)
        agent.learn(1000)

    Args:
        env: environment or its id.
        model: "true", the environment's own transition probabilities; a name of
            `dynamaze.agents.MODELS`, learned online; or a model. It must know distributions.
        simulations: episodes for each decision; 0 is Q-learning.
        depth: largest number of steps of an episode; None: until rewards are discounted to 0.1%.
        settings: of learning from the episodes.
        learning_rate: step size of the permanent memory, in (0, 1].
        gamma: discount factor, in [0, 1].
        epsilon: probability of a random action in the environment, in [0, 1].
        initial_value: initial value of the permanent memory.
        seed: determines every random number; see `Agent`.

    Raises:
        ValueError: for a number outside its range, no depth and no discounting, an unknown model,
            or a model without distributions.
        TypeError: for spaces that a table does not support.
    """

    @grouped_arguments("settings", TDSettings)
    def __init__(
        self,
        env: EnvLike,
        *,
        model: str | Model = "maximum_likelihood",
        simulations: int = 20,
        depth: int | None = None,
        settings: TDSettings = TDSettings(),
        learning_rate: float = 0.1,
        gamma: float = 0.95,
        epsilon: float = 0.1,
        initial_value: float = 0.0,
        seed: Seed = None,
    ) -> None:
        super().__init__(
            env,
            TDPlanning(simulations, depth=depth, settings=settings, permanent=True),
            model=model,
            learning_rate=learning_rate,
            gamma=gamma,
            epsilon=epsilon,
            initial_value=initial_value,
            seed=seed,
        )
