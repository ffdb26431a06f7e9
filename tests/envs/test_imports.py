"""Modules that a step of the plain maze loads, counted in a fresh process."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

MOST_MODULES = 35

STEP = """
import json, sys
import gymnasium as gym
import dynamaze
env = gym.make("DynaMaze-v0", render_mode={mode!r})
env.reset(seed=0)
env.step(0)
{more}
print(json.dumps(sorted(name for name in sys.modules if name.split(".")[0] == "dynamaze")))
"""

NOT_FOR_A_STEP = ("rendering", "scene", "svg", "video", "window", "loca", "generation", "viewer")


def loaded_modules(mode: str | None = None, more: str = "") -> list[str]:
    code = STEP.format(mode=mode, more=more)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    names: list[str] = json.loads(done.stdout.splitlines()[-1])
    return names


def test_step_loads_few_modules() -> None:
    names = loaded_modules()
    assert "dynamaze.envs.maze" in names
    assert len(names) <= MOST_MODULES, "\n".join(names)


def test_step_loads_no_renderer() -> None:
    names = loaded_modules(mode="rgb_array")
    offending = [name for name in names if any(part in name for part in NOT_FOR_A_STEP)]
    assert not offending, offending


@pytest.mark.parametrize(
    ("mode", "more", "module"),
    [
        ("rgb_array", "env.render()", "dynamaze.envs.rendering"),
        (None, "env.unwrapped.set_overlay(values=[0.0] * 54)", "dynamaze.envs.rendering"),
        (None, "env.unwrapped.regret()", "dynamaze.envs.mazes.regret"),
    ],
)
def test_use_loads_module(mode: str | None, more: str, module: str) -> None:
    assert module in loaded_modules(mode, more)
    assert module not in loaded_modules(mode)
