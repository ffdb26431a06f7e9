"""The planner of actions that are vectors, and how it explores."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import FloatArray
from dynamaze.common.validation import checked_number

from ...core.actions import VectorActions
from ...core.transitions import Transitions
from ...models import Model
from ...models.vector_memory import VectorMemory, check_vectors
from ...planning.base import Planning, checked_steps
from ...values.table import Values
from ..monte_carlo_search_worlds import make_worlds
from .optimisers import ActionBox, PlanSettings, search_plan
from .state_values import TiledStateValues

CANDIDATES = 16
"""So many actions are tried in order to find out what a state is worth."""


class PlanSearch(Planning):
    """Searches a plan before each action, takes its first action and goes on from the rest.

    In the background, states that were seen are updated towards what the best of some random
    actions is worth in the model: so the values that plans end with reach further than plans do.

    Args:
        box: the bounds of actions.
        size: d, the numbers of an observation.
        settings: how plans are searched for.
        planning_steps: so many states are updated after each real step, at least 0; only values
            that are learned.

    Raises:
        ValueError: if it is negative.
    """

    def __init__(
        self, box: ActionBox, size: int, settings: PlanSettings, *, planning_steps: int = 0
    ) -> None:
        self.box, self.settings = box, settings
        self.planning_steps = checked_steps(planning_steps)
        self.memory = VectorMemory(size, VectorActions(len(box.low)))
        self.plan_ahead = self._nothing_planned()
        self._following: FloatArray | None = None  # None: an episode must begin

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
        """(batch, size) the actions themselves, where those of other planners are numbered."""
        worlds = make_worlds(model)
        if learning:
            if self._following is None or not np.array_equal(self._following, observations[0]):
                self.plan_ahead = self._nothing_planned()
            begin = self.plan_ahead
        else:
            begin = self._nothing_planned()
        found = [
            search_plan(
                worlds,
                worlds.begin(observation[None]),
                values.values,
                begin,
                self.box,
                self.settings,
                rng,
            )
            for observation in observations
        ]
        if learning:
            self.plan_ahead = np.concatenate((found[0][1:], self.box.middle[None]))
        return np.array([plan[0] for plan in found])

    def note(self, values: Values, model: Model, transitions: Transitions) -> None:
        """Remember where the agent was, and where it came to."""
        checked = check_vectors(transitions, self.memory.size, self.memory.actions)
        if self.planning_steps:
            self.memory.add(checked)
        self._following = None if checked.terminated[-1] else checked.next_observation[-1]

    def plan(self, values: Any, model: Any, rng: np.random.Generator) -> None:
        """Update states that were seen."""
        if not self.planning_steps or not isinstance(values, TiledStateValues):
            return
        seen = self.memory.draw(self.planning_steps, rng).observation
        worlds = make_worlds(model)
        actions = rng.uniform(
            self.box.low, self.box.high, (len(seen) * CANDIDATES, len(self.box.low))
        )
        # Pairs are tried in the order of the states, each with all its actions.
        following, reward, terminated = worlds.step(np.repeat(seen, CANDIDATES, 0), actions, rng)
        worth = values.values(worlds.observations(following))
        targets = reward + np.where(terminated, 0.0, values.gamma) * worth
        values.move(seen, targets.reshape(len(seen), CANDIDATES).max(axis=1))

    def _nothing_planned(self) -> FloatArray:
        return np.tile(self.box.middle, (self.settings.horizon, 1))

    # -- checkpoints ---------------------------------------------------------------------------

    def get_state(self) -> dict[str, Any]:
        """The plan ahead, where it begins, and what was seen."""
        memory = {f"memory.{name}": part for name, part in self.memory.get_state().items()}
        state = {**memory, "plan_ahead": self.plan_ahead.copy()}
        if self._following is not None:
            state["following"] = self._following.copy()
        return state

    def set_state(self, state: dict[str, Any]) -> None:
        """Go back to what `get_state` returned.

        Raises:
            ValueError: for a plan of another shape.
        """
        plan = state["plan_ahead"]
        if plan.shape != self.plan_ahead.shape or not np.isfinite(plan).all():
            raise ValueError(f"plan_ahead {plan!r}; expected shape {self.plan_ahead.shape}")
        prefix = "memory."
        self.memory.set_state(
            {name[len(prefix) :]: part for name, part in state.items() if name.startswith(prefix)}
        )
        self.plan_ahead = plan.copy()
        following = state.get("following")
        self._following = None if following is None else following.copy()


class GaussianNoise:
    """Takes the action that is proposed, with normal noise, within the bounds.

    Args:
        box: the bounds of actions.
        noise: standard deviation, as a share of an action's range, at least 0.
        dtype: of the actions that the environment takes.

    Raises:
        ValueError: for a negative noise.
    """

    def __init__(self, box: ActionBox, noise: float, dtype: Any) -> None:
        self.box, self.dtype = box, np.dtype(dtype)
        self.noise = checked_number("noise", noise, 0)

    def choose(self, values: FloatArray, observation: Any, rng: np.random.Generator) -> Any:
        """The (size,) action."""
        drawn = values + self.noise * self.box.range * rng.standard_normal(len(values))
        return self.within(drawn)

    def within(self, actions: FloatArray) -> npt.NDArray[Any]:
        """Actions inside the bounds, of the environment's dtype."""
        return np.clip(actions, self.box.low, self.box.high).astype(self.dtype)

    def probabilities(self, values: FloatArray, observations: Any) -> FloatArray:
        """There is no number of actions.

        Raises:
            TypeError: always.
        """
        raise TypeError("actions that are vectors have no probabilities, one by one")

    def update(self, transitions: Transitions) -> None:
        """It remembers nothing."""

    def get_state(self) -> dict[str, Any]:
        """Nothing."""
        return {}

    def set_state(self, state: dict[str, Any]) -> None:
        """Nothing."""
