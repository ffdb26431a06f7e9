"""Monte-Carlo tree search: UCT, on any model and in copies of the environment.

Kocsis and Szepesvari 2006, "Bandit based Monte-Carlo planning"; Sutton & Barto 2018, section 8.11.

Differences from the paper:

1. With `transpositions`, ways that reach the same state at the same time share a node.
2. What the search has found below the chosen action stays when the agent has moved (`reuse`), if
   the model still believes the same. Returns from before the move looked fewer steps ahead, by one
   for each move since; nothing else differs.
"""

from __future__ import annotations

from typing import Any

from dynamaze.common.arrays import FloatArray

from ...core.rng import Seed
from ...models import Model
from ...values.table import Values
from ..agent import (
    EnvLike,
    SearchAgent,
    check_simulates,
    gamma_of,
    search_parts,
    steps_ahead,
)
from ..monte_carlo import check_enough
from .planning import TreeSearchPlanning
from .tree_beliefs import tried_in


class TreeSearch(SearchAgent):
    """Searches a tree of simulations before each action: UCT.

        from dynamaze.agents import TreeSearch

        agent = TreeSearch("DynaMaze-v0", model="true", simulations=500, seed=0)
        action, _ = agent.predict(observation, deterministic=True)

    Args:
        env: an environment or its id.
        model: "true", the world's own probabilities; "copies", of the environment; a name of
            `dynamaze.agents.MODELS`, which is then learned on the way; or a model.
        simulations: for each decision, at least one for each action.
        exploration_constant: c of UCB1, in units of returns: about the difference between a good
            and a bad one.
        depth: steps of a simulation; None for as many as matter at the discount.
        leaf: what follows a new node: "rollout", the return of a random policy up to the depth, or
            "values", the best learned value there.
        untried_value: what a pair that the model has never seen is believed to be worth, all that
            follows included. The best possible return has the agent try everything that might be
            worth it. None for what the model believes, mostly that nothing happens; the agent then
            finds new ways only by chance, or by `epsilon`.
        transpositions: whether ways that reach the same state at the same time share a node.
        reuse: whether the tree below the chosen action stays; only of tables.
        max_nodes: most nodes of a tree; None for room for four decisions, and at least 1024.
        outcome_widening: (factor, exponent) of progressive widening, for continuous worlds: an
            action with n visits has about factor * n ** exponent outcomes.
        values: "table", "tile_coding", "network", or an object: what is learned in real
            experience by Q-learning, if `leaf` asks for it.
        learning_rate: of these values, in (0, 1]; None for 0.1, and for 0.001 with a network.
        gamma: discount, in [0, 1].
        epsilon: probability of an action at random, in [0, 1].
        initial_value: what every learned value begins with.
        seed: settles every random number; see `Agent`.

    Raises:
        ValueError: for a number outside its range, an unknown name, more actions than simulations,
            or no depth and no discount.
        TypeError: for spaces that the values cannot serve, or a model that cannot be simulated.
    """

    planning: TreeSearchPlanning

    def __init__(  # noqa: PLR0913  # what a user may want to say
        self,
        env: EnvLike,
        *,
        model: str | Model = "true",
        simulations: int = 200,
        exploration_constant: float = 1.0,
        depth: int | None = None,
        leaf: str = "rollout",
        untried_value: float | None = None,
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
        search_numbers: dict[str, Any] = {
            "simulations": simulations,
            "exploration_constant": exploration_constant,
            "depth": depth,
            "leaf": leaf,
            "untried_value": untried_value,
            "transpositions": transpositions,
            "reuse": reuse,
            "max_nodes": max_nodes,
            "outcome_widening": outcome_widening,
        }
        planning = TreeSearchPlanning(**search_numbers)
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
            **search_numbers,
        )
        check_simulates(parts["model"])
        steps_ahead(planning.depth, gamma_of(parts["values"]))
        if planning.untried_value is not None:
            tried_in(parts["model"])
        super().__init__(**parts)
        check_enough(planning.simulations, self.num_actions)

    def action_probabilities(self, observations: Any) -> FloatArray:
        """(batch, actions) the shares of the root's visits: what to distil.

        Args:
            observations: one observation of the space, or a batch of them.
        """
        rows: Any = self.encoder.many(observations)[0]
        visits = self.planning.visits(self.values, self.model, rows, self.predict_rng)
        shares: FloatArray = visits / visits.sum(axis=1, keepdims=True)
        return shares
