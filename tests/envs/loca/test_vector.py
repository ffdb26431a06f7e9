"""Native vector environments of LoCA compared with SyncVectorEnv of the single ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

from dynamaze.envs import cycle, every, poisson

from ..helpers import Same, actions_of, both, step_both, walk_both

GRID, POINT = "DynaMazeLoCA-v0", "DynaMazeLoCAContinuous-v0"
CONFIGS: list[tuple[str, dict[str, Any]]] = [
    (GRID, {"changes": {20: {"task": "B", "starts": "T1"}, 45: {"starts": "all"}}}),
    (GRID, {"changes": {"episode 2": {"task": "B"}}, "change_info": "cells"}),
    (GRID, {"slip_probability": 0.9, "starts": "T1", "observation": "planes"}),
    (GRID, {"slip_probability": 0.0, "task": "B"}),
    (POINT, {"changes": {20: {"task": "B", "starts": "T1"}, 45: {"starts": "all"}}}),
    (GRID, {"changes": [poisson(0.05, cycle({"task": "B", "starts": "T1"}, {"task": "A"}))]}),
    (POINT, {"changes": every(20, cycle({"task": "B", "starts": "T1"}, {"starts": "all"}))}),
    (POINT, {"action": "continuous", "step_size": 2.0, "noise": 0.0, "observation": "rays"}),
    (POINT, {"noise": 1.0, "starts": "T1", "change_info": "change"}),
]


@pytest.mark.parametrize(("env_id", "arguments"), CONFIGS)
@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_vector_equals_sync(
    mode: AutoresetMode, env_id: str, arguments: dict[str, Any], same: Same
) -> None:
    native, sync = both(mode, env_id, max_episode_steps=25, **arguments)
    walk_both(native, sync, 60, mode, same)
    assert native.get_attr("task") == sync.get_attr("task")


@pytest.mark.parametrize("env_id", [GRID, POINT])
@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_phases_equal_sync(mode: AutoresetMode, env_id: str, same: Same) -> None:
    native, sync = both(mode, env_id, max_episode_steps=25)
    mask = np.array([True, False, True, False, False])
    for seed, options in (
        (4, {"task": "B", "starts": "T1"}),
        (None, {"task": "A", "reset_mask": mask}),
        (None, {"starts": "all", "world_step": 3}),
    ):
        same(*(env.reset(seed=seed, options=dict(options)) for env in (native, sync)))
        for actions in actions_of(native, 10):
            step_both(native, sync, actions, mode, same)
    for env in (native, sync):
        env.call("set_task", "B")
        env.call("change", {"slip_probability": 0.5, "start": (0, 3)})
    for actions in actions_of(native, 20):
        step_both(native, sync, actions, mode, same)
    same(*(env.reset() for env in (native, sync)))
    same(*(env.get_attr(name) for name in ("task",) for env in (native, sync)))


def test_both_exits_pay_their_rewards() -> None:
    for env_id in (GRID, POINT):
        native, _ = both(AutoresetMode.SAME_STEP, env_id, max_episode_steps=-1)
        native.reset(seed=0)
        paid = {reward for action in (1, 3) for _ in range(60) for reward in step(native, action)}
        assert paid == {0.0, 2.0, 4.0}


def step(native: Any, action: int) -> list[float]:
    """Return the rewards of one action everywhere."""
    rewards: list[float] = native.step(np.full(native.num_envs, action))[1].tolist()
    return rewards


def test_unknown_phase_changes_nothing() -> None:
    native, _ = both(AutoresetMode.NEXT_STEP, GRID)
    native.reset(seed=0)
    before = native.unwrapped.get_state()
    with pytest.raises(ValueError, match="task='C'"):
        native.reset(seed=1, options={"task": "C"})
    assert native.unwrapped.get_state() == before
