"""Ready-made agents: Q-learning, Dyna-Q and Dyna-Q+.

Differences from the boxes of Sutton & Barto (2018):

1. The default model stores the latest outcome, as in the box; other models may be plugged in.
2. Dyna-Q+ treats a pair that was never tried as tried at time 0.
"""

from __future__ import annotations

from typing import Any

import gymnasium as gym

from dynamaze.common.validation import did_you_mean

from .agent import Agent, EnvLike, make_env, spaces_of
from .core.encoders import DISCRETE
from .core.rng import Seed, as_sequence
from .core.spaces import Spaces, TableRows, count_actions
from .exploration import ActionTimeBonus, EpsilonGreedy, Exploration
from .models import Model, NullModel, TimeBonus, model_for
from .planning import make_planning
from .planning.base import Planning, UniformPlanning
from .values import LEARNING_RATES, make_values
from .values.table import TableValues, Values

BONUSES = ("planning", "action")


class QLearning(Agent):
    """One-step Q-learning with an epsilon-greedy policy (Sutton & Barto 2018, section 6.5).

    Args:
        env: environment or its id.
        learning_rate: step size alpha, in (0, 1]; None: 0.1, or 0.001 with a network.
        gamma: discount factor, in [0, 1].
        epsilon: probability of a random action, in [0, 1].
        values: "table", "tile_coding" (linear), "network", or an object; an object has its own
            `learning_rate`, `gamma` and `initial_value`, and these arguments are not used.
        initial_value: initial action value.
        seed: determines every random number; see `Agent`.

    Raises:
        ValueError: for a number outside its range or unknown values.
        TypeError: for spaces that the values do not support.
    """

    def __init__(
        self,
        env: EnvLike,
        *,
        learning_rate: float | None = None,
        gamma: float = 0.95,
        epsilon: float = 0.1,
        values: str | Values = "table",
        initial_value: float = 0.0,
        seed: Seed = None,
    ) -> None:
        config = {
            "learning_rate": _rate(learning_rate, values),
            "gamma": gamma,
            "epsilon": epsilon,
            "values": values if isinstance(values, str) else None,
            "initial_value": initial_value,
        }
        seed = as_sequence(seed) if seed is not None else None
        env, learned = _with_values(env, values, config, seed)
        super().__init__(
            env,
            values=learned,
            model=NullModel(),
            planning=UniformPlanning(0),
            exploration=EpsilonGreedy(epsilon),
            seed=seed,
            config=config,
        )


class DynaQ(Agent):
    """Dyna-Q: Q-learning from real and from simulated experience (section 8.2, p. 164).

    Args:
        env: environment or its id.
        learning_rate: step size alpha, in (0, 1]; 1 is right in a table of a deterministic
            environment. None: 0.1, or 0.001 with a network.
        gamma: discount factor, in [0, 1].
        epsilon: probability of a random action, in [0, 1].
        planning_steps: n, simulated updates after each real step.
        model: a name of `dynamaze.agents.MODELS`, or a model object; None: "latest_outcome", or
            "stored_experience" where the values are not a table. Where they are not a table, only
            "stored_experience" and models that generalise are allowed.
        planning: a name of `dynamaze.agents.PLANNERS`, or a planner object, which has its own
            number of planning steps. All names but "uniform" (the box's planning) need a table.
        values: "table", "tile_coding" (linear), "network", or an object; an object has its own
            `learning_rate`, `gamma` and `initial_value`, and these arguments are not used.
        initial_value: initial action value. Where rewards are sparse and values generalise, half
            the goal's reward makes the agent explore everywhere.
        seed: determines every random number; see `Agent`.

    Raises:
        ValueError: for a number outside its range, an unknown model, planner or values, or a model
            that lacks a capability of the planner's `needs`.
        TypeError: for spaces that the values do not support, or a model or planner that does not
            support these spaces or values.
    """

    def __init__(
        self,
        env: EnvLike,
        *,
        learning_rate: float | None = None,
        gamma: float = 0.95,
        epsilon: float = 0.1,
        planning_steps: int = 10,
        model: str | Model | None = None,
        planning: str | Planning = "uniform",
        values: str | Values = "table",
        initial_value: float = 0.0,
        seed: Seed = None,
    ) -> None:
        if model is None:
            model = "latest_outcome" if _observe_rows(values) else "stored_experience"
        config = {
            "learning_rate": _rate(learning_rate, values),
            "gamma": gamma,
            "epsilon": epsilon,
            "planning_steps": planning_steps,
            "model": model if isinstance(model, str) else None,
            "planning": planning if isinstance(planning, str) else None,
            "values": values if isinstance(values, str) else None,
            "initial_value": initial_value,
        }
        seed = as_sequence(seed) if seed is not None else None
        env, learned = _with_values(env, values, config, seed)
        spaces = spaces_of(env)
        super().__init__(
            env,
            values=learned,
            model=model_for(
                model,
                spaces.observation,
                count_actions(spaces.action)[0],
                observes=getattr(learned, "observes", DISCRETE),
                seed=seed,
            ),
            planning=make_planning(planning, planning_steps, epsilon),
            exploration=EpsilonGreedy(epsilon),
            seed=seed,
            config=config,
        )


class DynaQPlus(Agent):
    """Dyna-Q+ with an exploration bonus for pairs not tried for long (section 8.3, p. 168).

    A pair that was last tried tau real steps ago gets the bonus kappa * sqrt(tau). With
    `bonus="planning"` it is added to simulated rewards, and untried actions of visited states are
    sampled, too. With `bonus="action"` it is added to the values when an action is chosen, and
    planning is that of Dyna-Q (exercise 8.4).

    Args:
        env: environment or its id.
        learning_rate: step size alpha, in (0, 1]; 1 is right in a deterministic environment.
        gamma: discount factor, in [0, 1].
        epsilon: probability of a random action, in [0, 1].
        planning_steps: n, simulated updates after each real step.
        kappa: weight of the bonus. If kappa sqrt(tau) / (1 - gamma) exceeds the environment's
            rewards, the agent only explores: 1e-3 works in the mazes, 1e-2 does not.
        bonus: "planning" or "action".
        model: a name of `dynamaze.agents.MODELS`, or a model object (which samples untried actions
            if it was made with `include_untried`).
        initial_value: initial action value.
        seed: determines every random number; see `Agent`.

    Raises:
        ValueError: for a number outside its range, an unknown model or bonus.
        TypeError: for spaces that a table does not support.
    """

    def __init__(
        self,
        env: EnvLike,
        *,
        learning_rate: float = 0.1,
        gamma: float = 0.95,
        epsilon: float = 0.1,
        planning_steps: int = 10,
        kappa: float = 1e-3,
        bonus: str = "planning",
        model: str | Model = "latest_outcome",
        initial_value: float = 0.0,
        seed: Seed = None,
    ) -> None:
        if bonus not in BONUSES:
            raise ValueError(
                f"bonus={bonus!r}; expected one of {list(BONUSES)}{did_you_mean(bonus, BONUSES)}"
            )
        config = {
            "learning_rate": learning_rate,
            "gamma": gamma,
            "epsilon": epsilon,
            "planning_steps": planning_steps,
            "kappa": kappa,
            "bonus": bonus,
            "model": model if isinstance(model, str) else None,
            "initial_value": initial_value,
        }
        seed = as_sequence(seed) if seed is not None else None
        env, values = _with_table(env, config)
        size = values.q.shape
        in_planning = bonus == "planning"
        learned = model_for(
            model,
            spaces_of(env).observation,
            size[1],
            observes=DISCRETE,
            include_untried=in_planning,
            seed=seed,
        )
        exploration: Exploration = EpsilonGreedy(epsilon)
        if in_planning:
            learned = TimeBonus(learned, *size, kappa=kappa)
        else:
            exploration = ActionTimeBonus(*size, epsilon=epsilon, kappa=kappa)
        super().__init__(
            env,
            values=values,
            model=learned,
            planning=UniformPlanning(planning_steps),
            exploration=exploration,
            seed=seed,
            config=config,
        )


def _rate(learning_rate: float | None, values: Any) -> float:
    """Return the given learning rate, or the default of these values."""
    if learning_rate is not None:
        return learning_rate
    return LEARNING_RATES.get(values, 0.1) if isinstance(values, str) else 0.1


def _observe_rows(values: Any) -> bool:
    return (
        values == "table"
        if isinstance(values, str)
        else getattr(values, "observes", DISCRETE) == DISCRETE
    )


def _with_values(
    env: EnvLike, values: str | Values, config: dict[str, Any], seed: Seed
) -> tuple[gym.Env[Any, Any] | Spaces, Values]:
    """Return the environment, made if an id was given, and the action values."""
    made = env if isinstance(env, Spaces) else make_env(env)
    learned = make_values(
        values,
        spaces_of(made),
        learning_rate=config["learning_rate"],
        gamma=config["gamma"],
        initial_value=config["initial_value"],
        seed=as_sequence(seed),
    )
    return made, learned


def _with_table(
    env: EnvLike, config: dict[str, Any]
) -> tuple[gym.Env[Any, Any] | Spaces, TableValues]:
    """Return the environment, made if an id was given, and a table of action values."""
    made = env if isinstance(env, Spaces) else make_env(env)
    spaces = spaces_of(made)
    values = TableValues(
        TableRows(spaces.observation).size,
        count_actions(spaces.action)[0],
        learning_rate=config["learning_rate"],
        gamma=config["gamma"],
        initial_value=config["initial_value"],
    )
    return made, values
