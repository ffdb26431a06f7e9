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
from dynamaze.common.deprecation import grouped_arguments

from ...agent import EnvLike
from ...core.rng import Seed
from ...models.protocol import Model
from ...values.table import Values
from ..agent import SearchAgent
from .planning import TreeSearchPlanning, TreeSettings


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
        settings: TreeSettings = TreeSettings(),  # noqa: B008  # frozen
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
