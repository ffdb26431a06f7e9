"""Dyna-Q, Dyna-Q+ and Q-learning: ready-made compositions of the parts of an `Agent`.

The loop, the box of tabular Dyna-Q (Sutton & Barto 2018, section 8.2, p. 164), is `Agent.steps` in
`agent.py`. Its parts are here:

- (b) epsilon-greedy action: `EpsilonGreedy`
- (d) direct learning: `TableValues.update`, or values of another name
- (e) model learning: `LatestOutcome.update`, or another model
- (f) n planning steps: `UniformPlanning.plan`, or another planner

Differences from the boxes of Sutton & Barto (2018):

1. The default model stores the latest outcome, as in the box; other models may be plugged in.
2. Dyna-Q+ treats a pair that was never tried as tried at time 0.
"""

from __future__ import annotations

from dynamaze.common.validation import checked_choice

from .agent import Agent, EnvLike, resolve_env, spaces_of
from .core.encoders import DISCRETE
from .core.rng import Seed, as_sequence
from .core.spaces import TableRows, count_actions
from .exploration import ActionTimeBonus, EpsilonGreedy, Exploration
from .models.bonus import TimeBonus
from .models.protocol import Model, NullModel
from .models.registry import model_for
from .planning.base import Planning
from .planning.registry import make_planning
from .planning.uniform import UniformPlanning
from .values.registry import default_learning_rate, make_values
from .values.table import TableValues, Values

BONUSES = ("planning", "action")


class DynaQ(Agent):
    """Dyna-Q: Q-learning from real and from simulated experience (section 8.2, p. 164).

    Suited to environments where real steps cost more than computation, and that do not change, or
    change for the worse; it seldom finds a path that has become shorter.

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
        if learning_rate is None:
            learning_rate = default_learning_rate(values)
        seed = None if seed is None else as_sequence(seed)
        env = resolve_env(env)
        spaces = spaces_of(env)
        learned = make_values(
            values,
            spaces,
            learning_rate=learning_rate,
            gamma=gamma,
            initial_value=initial_value,
            seed=seed,
        )
        observes = getattr(learned, "observes", DISCRETE)
        if model is None:
            model = "latest_outcome" if observes == DISCRETE else "stored_experience"
        super().__init__(
            env,
            values=learned,
            model=model_for(
                model,
                spaces.observation,
                count_actions(spaces.action)[0],
                observes=observes,
                seed=seed,
            ),
            planning=make_planning(planning, planning_steps, epsilon),
            exploration=EpsilonGreedy(epsilon),
            seed=seed,
            config={"learning_rate": learning_rate, "model": model},
        )


class DynaQPlus(Agent):
    """Dyna-Q+ with an exploration bonus for pairs not tried for long (section 8.3, p. 168).

    Suited to environments that change, above all where something better may appear.

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
        in_planning = checked_choice("bonus", bonus, BONUSES) == "planning"
        env = resolve_env(env)
        spaces = spaces_of(env)
        size = TableRows(spaces.observation).size, count_actions(spaces.action)[0]
        learned = model_for(
            model,
            spaces.observation,
            size[1],
            observes=DISCRETE,
            include_untried=in_planning,
            seed=None if seed is None else as_sequence(seed),
        )
        exploration: Exploration = EpsilonGreedy(epsilon)
        if in_planning:
            learned = TimeBonus(learned, *size, kappa=kappa)
        else:
            exploration = ActionTimeBonus(*size, epsilon=epsilon, kappa=kappa)
        super().__init__(
            env,
            values=TableValues(
                *size, learning_rate=learning_rate, gamma=gamma, initial_value=initial_value
            ),
            model=learned,
            planning=UniformPlanning(planning_steps),
            exploration=exploration,
            seed=seed,
        )


class QLearning(Agent):
    """One-step Q-learning with an epsilon-greedy policy (Sutton & Barto 2018, section 6.5).

    Suited to comparisons: it has no model, and shows what planning adds.

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
        if learning_rate is None:
            learning_rate = default_learning_rate(values)
        env = resolve_env(env)
        super().__init__(
            env,
            values=make_values(
                values,
                spaces_of(env),
                learning_rate=learning_rate,
                gamma=gamma,
                initial_value=initial_value,
                seed=seed,
            ),
            model=NullModel(),
            planning=UniformPlanning(0),
            exploration=EpsilonGreedy(epsilon),
            seed=seed,
            config={"learning_rate": learning_rate},
        )
