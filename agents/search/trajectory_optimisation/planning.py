"""Planner that optimises sequences of vector actions, and Gaussian exploration noise."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import FloatArray
from dynamaze.common.validation import checked_number

from ...core.encoders import VectorActions
from ...core.records import part_of, prefixed
from ...core.transitions import Transitions
from ...core.vectors import check_vectors
from ...models import Model
from ...models.vector_memory import VectorMemory
from ...planning.base import Planning, checked_steps
from ...values.table import Values
from ..simulators import make_batch_simulator
from .optimisers import ActionBox, OptimiserSettings, optimise_plan
from .state_values import TiledStateValues

NUM_BACKUP_ACTIONS = 16
"""Random actions that approximate the maximum in a state's backup."""


class TrajectoryOptimisationPlanning(Planning):
    """Planner that optimises a plan before each action (receding horizon control, MPC).

    It takes the plan's first action and continues from the rest at the next step. In the
    background, values of visited states are updated towards the best of some random actions
    in the model, so that the values at the end of plans carry information from beyond the horizon.

    Args:
        box: bounds of the actions.
        size: d, length of an observation.
        settings: of the optimisation.
        planning_steps: states that are updated after each real step, at least 0; only learned
            values.

    Raises:
        ValueError: if it is negative.
    """

    def __init__(
        self, box: ActionBox, size: int, settings: OptimiserSettings, *, planning_steps: int = 0
    ) -> None:
        self.box, self.settings = box, settings
        self.planning_steps = checked_steps(planning_steps)
        self.memory = VectorMemory(size, VectorActions(len(box.low)))
        self.plan_ahead = self._initial_plan()
        self._following: FloatArray | None = None  # expected observation; None: a new episode

    # -- what an agent calls -------------------------------------------------------------------

    def action_values(
        self,
        values: Any,
        model: Any,
        observations: Any,
        rng: np.random.Generator,
        *,
        learning: bool = False,
    ) -> FloatArray:
        """Return the (batch, size) actions themselves, not values of numbered actions."""
        simulator = make_batch_simulator(model)
        if learning:
            if self._following is None or not np.array_equal(self._following, observations[0]):
                self.plan_ahead = self._initial_plan()
            begin = self.plan_ahead
        else:
            begin = self._initial_plan()
        found = [
            optimise_plan(
                simulator,
                simulator.begin(observation[None]),
                values.values,
                begin,
                self.box,
                self.settings,
                rng,
            )
            for observation in observations
        ]
        if learning:
            # warm start of the next step: shift the plan by one, append the centre
            self.plan_ahead = np.concatenate((found[0][1:], self.box.middle[None]))
        return np.array([plan[0] for plan in found])

    def record_transition(self, values: Values, model: Model, transitions: Transitions) -> None:
        """Store the visited state, and the expected next observation."""
        checked = check_vectors(transitions, self.memory.size, self.memory.actions)
        if self.planning_steps:
            self.memory.add(checked)
        self._following = None if checked.terminated[-1] else checked.next_observation[-1]

    def plan(self, values: Any, model: Any, rng: np.random.Generator) -> None:
        """Update the learned values of visited states, drawn at random."""
        if not self.planning_steps or not isinstance(values, TiledStateValues):
            return
        visited = self.memory.draw(self.planning_steps, rng).observation
        simulator = make_batch_simulator(model)
        actions = rng.uniform(
            self.box.low, self.box.high, (len(visited) * NUM_BACKUP_ACTIONS, len(self.box.low))
        )
        # v(s) <- max over random a of r + gamma v(s'); rows are ordered by state, then action.
        roots = simulator.pick(
            simulator.begin(visited), np.repeat(np.arange(len(visited)), NUM_BACKUP_ACTIONS)
        )
        following, reward, terminated = simulator.step(roots, actions, rng)
        next_values = values.values(simulator.observations(following))
        targets = reward + np.where(terminated, 0.0, values.gamma) * next_values
        values.update_towards(
            visited, targets.reshape(len(visited), NUM_BACKUP_ACTIONS).max(axis=1)
        )

    def _initial_plan(self) -> FloatArray:
        return np.tile(self.box.middle, (self.settings.horizon, 1))

    # -- checkpoints ---------------------------------------------------------------------------

    def get_state(self) -> dict[str, Any]:
        """Return the plan, the observation it starts at, and the visited states."""
        memory = prefixed("memory", self.memory.get_state())
        state = {**memory, "plan_ahead": self.plan_ahead.copy()}
        if self._following is not None:
            state["following"] = self._following.copy()
        return state

    def set_state(self, state: dict[str, Any]) -> None:
        """Restore a state of `get_state`.

        Raises:
            ValueError: for a plan of another shape.
        """
        plan = state["plan_ahead"]
        if plan.shape != self.plan_ahead.shape or not np.isfinite(plan).all():
            raise ValueError(f"plan_ahead {plan!r}; expected shape {self.plan_ahead.shape}")
        self.memory.set_state(part_of("memory", state))
        self.plan_ahead = plan.copy()
        following = state.get("following")
        self._following = None if following is None else following.copy()


class GaussianNoise:
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

    def get_state(self) -> dict[str, Any]:
        """Return an empty state."""
        return {}

    def set_state(self, state: dict[str, Any]) -> None:
        """Do nothing."""
