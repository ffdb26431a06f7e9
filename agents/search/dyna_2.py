"""Dyna-2: a permanent memory learned from the world, a transient one from simulation.

Silver, Sutton and Mueller 2008, "Sample-based learning and search with permanent and transient
memories", algorithm 1 (episodic Dyna-2). Actions are chosen by the sum of the two. The permanent
memory knows the world in general; the transient one corrects it near the present state, and is
cleared when a real episode begins.

Differences from the paper:

1. Both memories are tables. The paper's are linear in features.
2. The permanent memory learns by one-step Q-learning, the rule of all table values here; the
   paper's by Sarsa(lambda). So without simulations Dyna-2 is `QLearning`, to the bit.
3. The model may be learned on the way, as in the paper's general algorithm, or be the world's own.
"""

from __future__ import annotations

from typing import Any

from ..core.rng import Seed
from ..models import Model
from .agent import EnvLike, SearchAgent, search_parts, steps_ahead
from .dyna_2_planning import TDPlanning


class Dyna2(SearchAgent):
    """Q-learning from real experience, and TD search on top of what it has learned.

        from dynamaze.agents import Dyna2

        agent = Dyna2("DynaMaze-v0", model="maximum_likelihood", simulations=20, seed=0)
        agent.learn(1000)

    Args:
        env: an environment or its id.
        model: "true", the world's own probabilities; a name of `dynamaze.agents.MODELS`, which is
            then learned on the way; or a model. It must know distributions.
        simulations: episodes for each decision; 0 is Q-learning.
        depth: most steps of an episode; None for as many as matter at the discount.
        search_rate: step size of the transient memory, in (0, 1].
        search_epsilon: probability of an action at random in simulated episodes, in [0, 1].
        trace_decay: lambda of the transient memory, in [0, 1].
        learning_rate: step size of the permanent memory, in (0, 1].
        gamma: discount, in [0, 1].
        epsilon: probability of an action at random in the world, in [0, 1].
        initial_value: what every value of the permanent memory begins with.
        seed: settles every random number; see `Agent`.

    Raises:
        ValueError: for a number outside its range, no depth and no discount, or a model that there
            is not or that knows no distribution.
        TypeError: for spaces that a table cannot serve.
    """

    def __init__(
        self,
        env: EnvLike,
        *,
        model: str | Model = "maximum_likelihood",
        simulations: int = 20,
        depth: int | None = None,
        search_rate: float = 0.3,
        search_epsilon: float = 0.1,
        trace_decay: float = 0.5,
        learning_rate: float = 0.1,
        gamma: float = 0.95,
        epsilon: float = 0.1,
        initial_value: float = 0.0,
        seed: Seed = None,
    ) -> None:
        search: dict[str, Any] = {
            "simulations": simulations,
            "depth": depth,
            "search_rate": search_rate,
            "search_epsilon": search_epsilon,
            "trace_decay": trace_decay,
        }
        planning = TDPlanning(**search, permanent=True)
        parts = search_parts(
            env,
            planning,
            model=model,
            seed=seed,
            learning_rate=learning_rate,
            gamma=gamma,
            epsilon=epsilon,
            initial_value=initial_value,
            **search,
        )
        if planning.simulations:
            steps_ahead(planning.depth, gamma)
        super().__init__(**parts)
