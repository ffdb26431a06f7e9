"""Temporal-difference search: values of the states near the present one, learned by simulation.

Silver, Sutton and Mueller 2012, "Temporal-difference search in computer Go", algorithm 1. Where
Monte-Carlo search averages returns, Sarsa(lambda) bootstraps: what one simulation has found serves
all that come through the same states.

Differences from the paper:

1. The memory is a table. The paper's is linear in features.
2. The simulated policy is epsilon-greedy with a fixed epsilon; so the values are those of that
   policy, and near the optimal ones for a small epsilon.
"""

from __future__ import annotations

from typing import Any

from ..core.rng import Seed
from ..models import Model
from .agent import EnvLike, SearchAgent, check_positive, search_parts, steps_ahead
from .dyna_2_planning import TDPlanning


class TDSearch(SearchAgent):
    """Learns by simulated episodes from where it is, before each action.

        from dynamaze.agents import TDSearch

        agent = TDSearch("DynaMaze-v0", model="true", simulations=100, seed=0)
        agent.learn(1000)

    Args:
        env: an environment or its id.
        model: "true", the world's own probabilities; a name of `dynamaze.agents.MODELS`, which is
            then learned on the way; or a model. It must know distributions.
        simulations: episodes for each decision, at least 1.
        depth: most steps of an episode; None for as many as matter at the discount.
        search_rate: step size, in (0, 1].
        search_epsilon: probability of an action at random in simulated episodes, in [0, 1].
        trace_decay: lambda, in [0, 1].
        gamma: discount, in [0, 1].
        epsilon: probability of an action at random in the world, in [0, 1].
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
        model: str | Model = "true",
        simulations: int = 100,
        depth: int | None = None,
        search_rate: float = 0.3,
        search_epsilon: float = 0.1,
        trace_decay: float = 0.5,
        gamma: float = 0.95,
        epsilon: float = 0.0,
        seed: Seed = None,
    ) -> None:
        search: dict[str, Any] = {
            "simulations": check_positive("simulations", simulations),
            "depth": depth,
            "search_rate": search_rate,
            "search_epsilon": search_epsilon,
            "trace_decay": trace_decay,
        }
        planning = TDPlanning(**search)
        parts = search_parts(
            env, planning, model=model, seed=seed, gamma=gamma, epsilon=epsilon, **search
        )
        steps_ahead(planning.depth, gamma)
        super().__init__(**parts)
