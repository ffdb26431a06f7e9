"""Model predictive control of continuous actions by trajectory optimisation (CEM or MPPI).

The loop, the parts and the files are those of `Agent`, with two differences: the planner returns
the action itself, where other planners return the values of numbered actions; and values are state
values.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
import numpy.typing as npt
from gymnasium import spaces
from gymnasium.wrappers import TransformAction

from dynamaze.common.arrays import FloatArray
from dynamaze.common.deprecation import find_method, grouped_arguments, renamed_method, warn_renamed
from dynamaze.common.validation import checked_choice, checked_number

from ...agent import Agent, EnvLike, make_env, resolve_env, spaces_of
from ...core.encoders import VECTORS, VectorActions, Vectors
from ...core.features import SparseFeatures
from ...core.records import Stateful
from ...core.rng import Seed, as_sequence
from ...core.spaces import Spaces, describe_box, read_box
from ...core.transitions import Transitions
from ...models.registry import LEARNED_MODELS
from ...values.linear import tiles
from ..agent import ENV_MODELS, SIMULATOR, TRUE, renamed_model, set_model_env
from ..env_copies import EnvCopies
from ..simulators import make_batch_simulator
from .planning import ActionBox, TrajectoryOptimisationPlanning, TrajectorySettings
from .state_values import FunctionStateValues, TiledStateValues

VALUES = ("tile_coding", "zero")
"""Names of state values."""

StateValuesLike = str | Callable[[Any], Any]
"""One of `VALUES`, or a function: (batch, d) vectors -> (batch,) values."""

PLACEHOLDER_ACTIONS = spaces.Discrete(1)
"""Action space for `Agent` and its files, which expect numbered actions."""


def _action_bounds_in_spaces(constructor: Callable[..., None]) -> Callable[..., None]:
    """Accept the argument `action_bounds` of version 0.2: the actions of `Spaces` without them."""

    @wraps(constructor)
    def construct(self: Any, env: Any, **given: Any) -> None:
        if "action_bounds" in given:
            warn_renamed("action_bounds=", "env=Spaces(observation, Box(...))")
            bounds = given.pop("action_bounds")
            env = env if bounds is None else _with_bounds(resolve_env(env), bounds)
        constructor(self, env, **given)

    def without(given: dict[str, Any]) -> dict[str, Any]:
        grouped = constructor.new_arguments(given)  # type: ignore[attr-defined]
        return {name: value for name, value in grouped.items() if name != "action_bounds"}

    construct.new_arguments = without  # type: ignore[attr-defined]
    return construct


class TrajectoryOptimisation(Agent):
    """Agent that optimises a sequence of continuous actions before each action, by CEM or MPPI.

    Suited to continuous actions, with a model that can be simulated for many sequences at once.

        from dynamaze.agents import TrajectoryOptimisation

        agent = TrajectoryOptimisation("DynaMazeContinuous-v0", model="gaussian_process", seed=0)
        agent.learn(2000)
        action, _ = agent.predict(observation, deterministic=True)

    A plan looks `horizon` steps ahead, which rarely includes a sparse reward. The value of its last
    state then guides the search: values learned from visited states, or a function. The search is
    random in any case; with `deterministic=True`, `predict` leaves out the exploration noise.

    Args:
        env: environment or its id; its actions must be a bounded `Box`.
        model: "true", of an environment with `sample_transitions`; "simulator", copies of any
            environment, which is slow; a name of `dynamaze.agents.LEARNED_MODELS`, learned online;
            or a model of vectors with `update` and `sample_transitions`.
        method: "cem", the cross-entropy method, or "mppi".
        horizon: steps of a plan.
        settings: of the optimisation and of the exploration noise.
        values: "tile_coding", learned; "zero"; or a function, (n, d) vectors -> (n,) values.
        learning_rate: step size of learned values, in (0, 1].
        planning_steps: states that are updated after each real step; only learned values. Must be
            0 for these with model="simulator", whose copies cannot be set to visited observations.
        initial_value: initial state value. Where rewards are sparse, half the goal's reward makes
            the agent explore everywhere.
        gamma: discount factor, in [0, 1].
        seed: determines every random number; see `Agent`.

    Attributes:
        action_space: space of the actions.

    Raises:
        ValueError: for a number outside its range, an unknown name, unbounded actions, or planning
            on learned values with a model that only simulates from the present state.
        TypeError: for actions that are not a `Box`, observations that cannot be tiled, or a model
            that cannot be simulated.
    """

    @_action_bounds_in_spaces
    @grouped_arguments(
        "settings",
        TrajectorySettings,
        correlation="temporal_correlation",
        noise="action_noise_std",
        plans="num_candidates",
        spread="init_std",
    )
    def __init__(
        self,
        env: EnvLike,
        *,
        model: Any = "gaussian_process",
        method: str = "cem",
        horizon: int = 12,
        settings: TrajectorySettings = TrajectorySettings(),  # noqa: B008  # frozen
        values: StateValuesLike = "tile_coding",
        learning_rate: float = 0.3,
        planning_steps: int = 20,
        initial_value: float = 0.5,
        gamma: float = 0.95,
        seed: Seed = None,
    ) -> None:
        model = renamed_model(model)
        made = resolve_env(env)
        given = spaces_of(made)
        action_space = _checked_box(given.action)
        box = ActionBox(*(_vector(edge) for edge in (action_space.low, action_space.high)))
        vectors = Vectors(given.observation)
        seed = as_sequence(seed) if seed is not None else None
        learned = _make_values(
            values,
            vectors,
            len(box.low),
            gamma=gamma,
            learning_rate=learning_rate,
            initial_value=initial_value,
        )
        dynamics = _make_model(model, made, vectors, len(box.low), seed)
        planning = TrajectoryOptimisationPlanning(
            box,
            vectors.size,
            method=method,
            horizon=horizon,
            settings=settings,
            planning_steps=planning_steps,
        )
        _check_planning(planning, dynamics, learned)
        super().__init__(
            Spaces(given.observation, PLACEHOLDER_ACTIONS),
            values=learned,
            model=dynamics,
            planning=planning,
            exploration=GaussianNoise(box, settings.action_noise_std, action_space.dtype),
            seed=seed,
            config={"model": model, "action_bounds": describe_box(action_space)},
        )
        self.action_space = action_space
        self.env = None if isinstance(made, Spaces) else made

    def _actions(self, values: Any, rows: Any, deterministic: bool) -> Any:
        # Here the "values" are the actions themselves.
        exploration: Any = self.exploration
        if deterministic:
            actions = exploration.within(values)
        else:
            actions = np.array(
                [exploration.choose(each, None, self.predict_rng) for each in values]
            )
        return actions.reshape(len(rows), -1)

    @classmethod
    def from_stored(cls, spaces: Spaces, arguments: dict[str, Any]) -> TrajectoryOptimisation:
        """Return an agent made of the spaces and arguments in a checkpoint.

        Its spaces hold the placeholder; the actions themselves are among the arguments.
        """
        others = {name: value for name, value in arguments.items() if name != "action_bounds"}
        return super().from_stored(_with_actions(spaces, arguments["action_bounds"]), others)

    def set_env(self, env: str | gym.Env[Any, Any]) -> None:
        """Continue learning in another environment, beginning with a new episode.

        Raises:
            ValueError: if its spaces differ.
            TypeError: if the model is the environment itself, and this one has no
                `sample_transitions`.
        """
        made, wanted = make_env(env), Spaces(self.spaces.observation, self.action_space)
        if spaces_of(made) != wanted:
            raise ValueError(f"an environment with {spaces_of(made)}; expected {wanted}")
        set_model_env(self.model, made)
        self.env, self.observation = made, None


class GaussianNoise(Stateful):
    """Exploration that adds normal noise to the planner's action, within the bounds.

    Args:
        box: bounds of the actions.
        std: standard deviation, as a fraction of an action's range, at least 0.
        dtype: of the environment's actions.

    Raises:
        ValueError: for a negative standard deviation.
    """

    def __init__(self, box: ActionBox, std: float, dtype: Any) -> None:
        self.box, self.dtype = box, np.dtype(dtype)
        self.std = checked_number("action_noise_std", std, 0)

    def choose(self, values: FloatArray, observation: Any, rng: np.random.Generator) -> Any:
        """Return the (size,) action."""
        drawn = values + self.std * self.box.range * rng.standard_normal(len(values))
        return self.within(drawn)

    def within(self, actions: FloatArray) -> npt.NDArray[Any]:
        """Return actions clipped to the bounds, in the environment's dtype."""
        return np.clip(actions, self.box.low, self.box.high).astype(self.dtype)

    def probabilities(self, values: FloatArray, observations: Any) -> FloatArray:
        """Refuse: vector actions have densities, not probabilities.

        Raises:
            TypeError: always.
        """
        raise TypeError("vector actions have no probabilities")

    def update(self, transitions: Transitions) -> None:
        """Do nothing; the noise has no memory."""


# -- parts of the agent ------------------------------------------------------------------------


def _vector(edge: Any) -> FloatArray:
    flat: FloatArray = edge.astype(np.float64).ravel()
    return flat


def _checked_box(space: spaces.Space[Any]) -> spaces.Box:
    """Return the box of actions.

    Raises:
        TypeError: for another space.
        ValueError: for an unbounded one.
    """
    if not isinstance(space, spaces.Box) or np.dtype(space.dtype).kind != "f":
        raise TypeError(f"action space {space}; expected a Box of real numbers")
    if len(space.shape) != 1 or not space.is_bounded():
        raise ValueError(f"action space {space}; expected (size,) actions with bounds")
    return space


def _with_actions(given: Spaces, bounds: dict[str, Any]) -> Spaces:
    """Return the spaces with actions in a box of which "low", "high" and "dtype" are given."""
    return Spaces(given.observation, read_box(bounds))


def _with_bounds(env: gym.Env[Any, Any] | Spaces, bounds: dict[str, Any]) -> Any:
    """Return an environment, or spaces, with other bounds of the actions."""
    if isinstance(env, Spaces):
        return _with_actions(env, bounds)
    box = read_box(bounds)
    return env if env.action_space == box else TransformAction(env, lambda action: action, box)


def _make_values(
    values: StateValuesLike, vectors: Vectors, size: int, *, gamma: float, **learning: float
) -> Any:
    if not isinstance(values, str):
        if not callable(values):
            raise TypeError(f"values={values!r}; expected one of {list(VALUES)} or a function")
        return FunctionStateValues(values, gamma=gamma)
    if checked_choice("values", values, VALUES, otherwise="a function") == "zero":
        return FunctionStateValues(None, gamma=gamma)
    features = tiles(vectors)
    if not isinstance(features, SparseFeatures):
        raise TypeError(f"observation space {vectors.space}; expected a Box to be tiled")
    actions = VectorActions(size)
    return TiledStateValues(features, actions, size=vectors.size, gamma=gamma, **learning)


def _make_model(
    model: Any, env: gym.Env[Any, Any] | Spaces, vectors: Vectors, size: int, seed: Any
) -> Any:
    known = [*ENV_MODELS, *sorted(LEARNED_MODELS)]
    if isinstance(model, str):
        checked_choice("model", model, known, otherwise="a model")
    if model == TRUE:
        return TrueVectorModel(env)
    if model == SIMULATOR:
        return EnvCopies(env, observes=VECTORS)
    if isinstance(model, str):
        return LEARNED_MODELS[model].on_vectors(vectors, VectorActions(size), seed)
    make_batch_simulator(model)
    for name in ("capabilities", "update"):
        if not hasattr(model, name):
            raise TypeError(f"model={model!r} has no {name!r}; expected one of {known} or a model")
    return model


def _check_planning(planning: TrajectoryOptimisationPlanning, model: Any, values: Any) -> None:
    """Check that the model can simulate from the stored observations that planning updates.

    Raises:
        ValueError: if it cannot.
    """
    plans = bool(planning.planning_steps) and isinstance(values, TiledStateValues)
    if plans and isinstance(model, EnvCopies):
        raise ValueError(
            f'planning_steps={planning.planning_steps} with model="simulator": copies of the '
            "environment start at its present state, not at stored observations; expected "
            'planning_steps=0, or a model with `sample_transitions`, such as model="true" or a '
            "learned one"
        )


class TrueVectorModel(Stateful):
    """Model of vectors that is the environment itself.

    The environment has `env.unwrapped.sample_transitions(observations, actions, rng)`, which
    returns for (batch, ...) observations and actions the next observations, (batch,) rewards and
    (batch,) terminated, and does not change the environment.

    Args:
        env: the environment; or its `Spaces`, if `set_env` follows.

    Raises:
        TypeError: for an environment without `sample_transitions`.
    """

    observes = VECTORS
    capabilities: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, env: gym.Env[Any, Any] | Spaces) -> None:
        space = env.observation if isinstance(env, Spaces) else env.observation_space
        self._vectors = Vectors(space)
        self._sample: Callable[..., Any] | None = None
        if not isinstance(env, Spaces):
            self.set_env(env)

    def set_env(self, env: gym.Env[Any, Any]) -> None:
        """Set another environment with the same spaces.

        Raises:
            TypeError: if it has no `sample_transitions`.
        """
        self._sample = find_method(env.unwrapped, "sample_transitions", "imagine")
        if self._sample is None:
            raise TypeError(
                f"{type(env.unwrapped).__name__} has no `sample_transitions(observations, actions, "
                'rng)`; expected one that has, or model="simulator", which copies any environment'
            )

    def update(self, transitions: Transitions) -> None:
        """Do nothing; there is nothing to learn."""

    def sample(self, n: int, rng: np.random.Generator) -> Transitions:
        """Refuse to sample pairs; none are stored.

        Raises:
            RuntimeError: always.
        """
        raise RuntimeError("the true model stores no pairs to sample from")

    def sample_transitions(
        self, observations: FloatArray, actions: npt.NDArray[Any], rng: np.random.Generator
    ) -> Transitions:
        """Sample the transitions of (batch, d) vectors and (batch, size) actions.

        Raises:
            RuntimeError: without an environment.
        """
        if self._sample is None:
            raise RuntimeError("there is no environment yet; set one with set_env")
        encoded = self._vectors.observations(observations)
        following, reward, terminated = self._sample(encoded, actions, rng)
        vectors, _ = self._vectors.many(following)
        return Transitions(observations, actions, reward, vectors, terminated)

    imagine = renamed_method("imagine", "sample_transitions")
