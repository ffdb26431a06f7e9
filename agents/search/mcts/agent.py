"""Monte-Carlo tree search (UCT) on any model, or in copies of the environment.

Kocsis and Szepesvari 2006, "Bandit based Monte-Carlo planning"; Sutton & Barto 2018, section 8.11.

Differences from the paper:

1. With `transpositions`, paths that reach the same state at the same time share a node.
2. The subtree below the chosen action is kept after the step (`reuse`), if the model's predictions
   are unchanged. Returns from before the step looked fewer steps ahead, by one for each step since.
"""

from __future__ import annotations

from typing import Any

from dynamaze.common.arrays import FloatArray
from dynamaze.common.deprecation import renamed_arguments

from ...agent import EnvLike
from ...core.rng import Seed
from ...models import Model
from ...values.table import Values
from ..agent import (
    SearchAgent,
    check_can_simulate,
    gamma_of,
    search_depth,
    search_parts,
)
from ..monte_carlo import check_simulation_count
from .planning import TreeSearchPlanning, visit_counts


class TreeSearch(SearchAgent):
    """Agent that acts by Monte-Carlo tree search: UCT.

        from dynamaze.agents import TreeSearch

        agent = TreeSearch("DynaMaze-v0", model="true", simulations=500, seed=0)
        action, _ = agent.predict(observation, deterministic=True)

    Args:
        env: environment or its id.
        model: "true", the environment's own transition probabilities; "simulator", copies of the
            environment; a name of `dynamaze.agents.MODELS`, learned online; or a model.
        simulations: number for each decision, at least one for each action.
        exploration_constant: c of UCB1, in units of returns: about the difference between a good
            and a bad return.
        depth: steps of a simulation; None: until rewards are discounted to 0.1%.
        leaf_value: value of a new node: "rollout", the return of a random policy up to the depth,
            or "values", the best learned value.
        first_play_urgency: assumed return of a pair that the model has never seen, all later
            rewards included. The highest possible return makes the agent try every pair that might
            be good. None: the model's own prediction, mostly the same state and reward 0; new paths
            are then found only by chance, or by `epsilon`.
        transpositions: whether paths that reach the same state at the same time share a node.
        reuse: whether the subtree below the chosen action is kept; only of tables.
        max_nodes: largest number of nodes of a tree; None: 4 * simulations, and at least 1024.
        outcome_widening: (factor, exponent) of progressive widening, for continuous states: an
            action with n visits has about factor * n ** exponent outcomes.
        values: "table", "tile_coding", "network", or an object: values that Q-learning learns from
            real experience, if `leaf_value` uses them.
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

    @renamed_arguments(leaf="leaf_value", untried_value="first_play_urgency")
    def __init__(  # noqa: PLR0913  # all settings of a search
        self,
        env: EnvLike,
        *,
        model: str | Model = "true",
        simulations: int = 200,
        exploration_constant: float = 1.0,
        depth: int | None = None,
        leaf_value: str = "rollout",
        first_play_urgency: float | None = None,
        transpositions: bool = False,
        reuse: bool = True,
        max_nodes: int | None = None,
        outcome_widening: tuple[float, float] | None = None,
        values: str | Values = "table",
        learning_rate: float | None = None,
        gamma: float = 0.95,
        epsilon: float = 0.0,
        initial_value: float = 0.0,
        seed: Seed = None,
    ) -> None:
        settings: dict[str, Any] = {
            "simulations": simulations,
            "exploration_constant": exploration_constant,
            "depth": depth,
            "leaf_value": leaf_value,
            "first_play_urgency": first_play_urgency,
            "transpositions": transpositions,
            "reuse": reuse,
            "max_nodes": max_nodes,
            "outcome_widening": outcome_widening,
        }
        planning = TreeSearchPlanning(**settings)
        parts = search_parts(
            env,
            planning,
            model=model,
            values=values,
            seed=seed,
            learning_rate=learning_rate,
            gamma=gamma,
            epsilon=epsilon,
            initial_value=initial_value,
            **settings,
        )
        check_can_simulate(parts["model"])
        search_depth(planning.depth, gamma_of(parts["values"]))
        if planning.first_play_urgency is not None:
            visit_counts(parts["model"])
        super().__init__(**parts)
        check_simulation_count(planning.simulations, self.num_actions)

    def action_probabilities(self, observations: Any) -> FloatArray:
        """Return the (batch, actions) visit distribution of the root, for distillation.

        Args:
            observations: one observation of the space, or a batch of them.
        """
        rows: Any = self.encoder.many(observations)[0]
        visits = self.planning.visits(self.values, self.model, rows, self.predict_rng)
        shares: FloatArray = visits / visits.sum(axis=1, keepdims=True)
        return shares
