"""Checkpoints of agents: atomic, validated, and resumed bit-identically."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import dynamaze  # noqa: F401
from dynamaze.agents import (
    Agent,
    DynaQ,
    DynaQPlus,
    EpsilonGreedy,
    LatestOutcome,
    QLearning,
    TableValues,
    UniformPlanning,
)
from dynamaze.common.storage import CheckpointError, read_checkpoint, write_checkpoint


def make_env(limit: int = 90) -> gym.Env[Any, Any]:
    return gym.make(
        "DynaMaze-v0",
        layout="blocking",
        changes={500: "shortcut"},
        slip_probability=0.2,
        max_episode_steps=limit,
    )


@pytest.mark.parametrize("stop", [1, 250, 499, 500, 701])
def test_agent_resumes_bit_identically(
    make_agent: Callable[..., Agent],
    same_bits: Callable[[Agent, Agent], None],
    tmp_path: Path,
    stop: int,
) -> None:
    agent = make_agent(make_env(), seed=3).learn(stop)
    agent.save(tmp_path / "agent.npz")
    resumed = type(agent).load(tmp_path / "agent.npz", env=make_env())
    same_bits(agent.learn(300), resumed.learn(300))


def test_loaded_agent_predicts_without_env(tmp_path: Path) -> None:
    agent = DynaQ("DynaMaze-v0", seed=0).learn(2000)
    agent.save(tmp_path / "agent.npz")
    loaded = DynaQ.load(tmp_path / "agent.npz")
    np.testing.assert_array_equal(
        loaded.predict(np.arange(54), deterministic=True)[0],
        agent.predict(np.arange(54), deterministic=True)[0],
    )


def test_load_begins_episode_without_env_state(tmp_path: Path) -> None:
    agent = DynaQ("Taxi-v4", seed=0).learn(150)
    agent.save(tmp_path / "agent.npz")
    loaded = DynaQ.load(tmp_path / "agent.npz", env="Taxi-v4")
    assert loaded.observation is None
    assert loaded.learn(50).num_timesteps == 200


def test_load_requires_model_object(tmp_path: Path) -> None:
    agent = DynaQ("DynaMaze-v0", model=LatestOutcome(54, 4), seed=0).learn(100)
    agent.save(tmp_path / "agent.npz")
    with pytest.raises(CheckpointError, match="model="):
        DynaQ.load(tmp_path / "agent.npz")
    loaded = DynaQ.load(tmp_path / "agent.npz", model=LatestOutcome(54, 4))
    assert not loaded.model.is_empty  # type: ignore[attr-defined]


def test_agent_of_parts_loads_with_them(tmp_path: Path) -> None:
    def parts() -> dict[str, Any]:
        return {
            "values": TableValues(54, 4, learning_rate=0.5, gamma=0.9),
            "model": LatestOutcome(54, 4),
            "planning": UniformPlanning(3),
            "exploration": EpsilonGreedy(0.1),
        }

    agent = Agent("DynaMaze-v0", seed=0, **parts()).learn(200)
    assert agent.config == dict.fromkeys(parts())
    agent.save(tmp_path / "agent.npz")
    with pytest.raises(CheckpointError, match=r"saved with a \w+ object; pass one"):
        Agent.load(tmp_path / "agent.npz")
    loaded = Agent.load(tmp_path / "agent.npz", "DynaMaze-v0", **parts())
    np.testing.assert_array_equal(loaded.learn(50).values.q, agent.learn(50).values.q)  # type: ignore[attr-defined]


def test_config_resolves_defaults() -> None:
    agent = DynaQ("DynaMaze-v0", planning=UniformPlanning(2), gamma=0.9)
    assert agent.config == {
        "learning_rate": 0.1,
        "gamma": 0.9,
        "epsilon": 0.1,
        "planning_steps": 10,
        "model": "latest_outcome",
        "planning": None,
        "values": "table",
        "initial_value": 0.0,
    }
    assert agent.get_params()["learning_rate"] is None
    short = "DynaQ(env='DynaMaze-v0', gamma=0.9, planning=UniformPlanning(planning_steps=2))"
    assert repr(agent) == short


def test_subclass_with_keywords_loads(tmp_path: Path) -> None:
    class Fast(DynaQ):
        def __init__(self, env: Any, **more: Any) -> None:
            super().__init__(env, **more)

    Fast("DynaMaze-v0", planning_steps=3, seed=0).learn(20).save(tmp_path / "agent.npz")
    assert Fast.load(tmp_path / "agent.npz").config["planning_steps"] == 3


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "agent.npz"
    DynaQPlus("DynaMazeBlocking-v0", seed=0).learn(400).save(path)
    return path


def test_load_rejects_truncated_file(saved: Path) -> None:
    content = saved.read_bytes()
    for length in [0, 1, 10, *range(100, len(content), len(content) // 20), len(content) - 1]:
        saved.write_bytes(content[:length])
        with pytest.raises(CheckpointError, match=r"agent\.npz"):
            DynaQPlus.load(saved)


def test_read_checkpoint_detects_damage(saved: Path) -> None:
    content = saved.read_bytes()
    arrays, _ = read_checkpoint(saved)
    rng = np.random.default_rng(0)
    num_detected = 0
    for place in rng.integers(len(content), size=150):
        damaged = bytearray(content)
        damaged[place] ^= 0x10
        saved.write_bytes(damaged)
        try:
            found, _ = read_checkpoint(saved)
        except CheckpointError:
            num_detected += 1
        else:  # a byte of the archive without meaning, such as a date
            assert all(np.array_equal(found[name], arrays[name]) for name in arrays)
    assert num_detected > 120


def test_load_rejects_other_agent(saved: Path) -> None:
    with pytest.raises(CheckpointError, match="holds a DynaQPlus; expected a QLearning"):
        QLearning.load(saved)


def test_load_rejects_foreign_file(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="cannot be read"):
        DynaQ.load(tmp_path / "none.npz")
    np.savez(tmp_path / "foreign.npz", a=np.ones(3))
    with pytest.raises(CheckpointError, match=r"foreign\.npz"):
        DynaQ.load(tmp_path / "foreign.npz")


def rewrite(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change a checkpoint's document and update its digest."""
    from dynamaze.common import storage

    arrays, document = read_checkpoint(path)
    change(document)
    text = json.dumps(document).encode()
    digest = storage._digest(arrays, text)
    members = {"__document__": text, "__sha256__": digest}
    content = io.BytesIO()
    np.savez(content, **arrays, **{k: np.frombuffer(v, np.uint8) for k, v in members.items()})
    path.write_bytes(content.getvalue())


def test_load_rejects_other_format(saved: Path) -> None:
    rewrite(saved, lambda document: document.update(format=99))
    with pytest.raises(CheckpointError, match="format 99; expected 1"):
        DynaQPlus.load(saved)


@pytest.mark.parametrize("lost", ["config", "spaces", "numbers", "counters", "streams"])
def test_load_rejects_missing_part(saved: Path, lost: str) -> None:
    rewrite(saved, lambda document: document.pop(lost))
    with pytest.raises(CheckpointError, match=lost):
        DynaQPlus.load(saved)


def test_load_rejects_pickle_and_bomb(tmp_path: Path) -> None:
    class Payload:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(tmp_path / "ran"),)

    np.savez(tmp_path / "pickle.npz", a=np.array([Payload()], dtype=object))
    bomb = io.BytesIO()
    np.save(bomb, np.zeros(10_000_000))
    with zipfile.ZipFile(tmp_path / "bomb.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", bomb.getvalue())
    huge = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        huge, {"descr": "<f8", "fortran_order": False, "shape": (10**14,)}
    )
    with zipfile.ZipFile(tmp_path / "huge.npz", "w") as archive:
        archive.writestr("a.npy", huge.getvalue())
    for name in ("pickle", "bomb", "huge"):
        with pytest.raises(CheckpointError, match=name):
            DynaQ.load(tmp_path / f"{name}.npz")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("failing", ["replace", "fsync"])
def test_failed_write_keeps_old_file(
    saved: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    before = saved.read_bytes()

    def fail(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, failing, fail)
    with pytest.raises(OSError, match="No space"):
        DynaQ("DynaMaze-v0").save(saved)
    assert saved.read_bytes() == before
    assert list(saved.parent.iterdir()) == [saved]


def test_killed_writer_leaves_readable_file(tmp_path: Path) -> None:
    path = tmp_path / "agent.npz"
    code = f"""
import dynamaze
from dynamaze.agents import QLearning
agent = QLearning("DynaMaze-v0", seed=0)
while True:
    agent.save({str(path)!r})
    print(flush=True)
"""
    rng = np.random.default_rng(0)
    for _ in range(5):
        with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(rng.random() / 50)
            process.send_signal(signal.SIGKILL)
        QLearning.load(path)


# -- forged but whole --------------------------------------------------------------------------


def forge(path: Path, change: Callable[[dict[str, Any], dict[str, Any]], None]) -> None:
    """Change a checkpoint's arrays and document, and write it with a valid digest."""
    arrays, document = read_checkpoint(path)
    change(arrays, document)
    write_checkpoint(path, arrays, document)


def _set(place: str, *keys: str, to: Any) -> Callable[[dict[str, Any], dict[str, Any]], None]:
    def change(arrays: dict[str, Any], document: dict[str, Any]) -> None:
        inner = arrays if place == "arrays" else document[place]
        for key in keys[:-1]:
            inner = inner[key]
        inner[keys[-1]] = to

    return change


def _fill(name: str, number: float) -> Callable[[dict[str, Any], dict[str, Any]], None]:
    return lambda arrays, document: arrays[name].__setitem__(..., number)


FORGED = {
    "nan": _fill("values.q", np.nan),
    "infinite": _fill("values.q", np.inf),
    "negative_clock": _fill("model.times.clock", -1),
    "negative_visits": _fill("model.model.visits", -5),
    "index": _fill("model.model.next_state", 10**9),
    "dtype": lambda arrays, document: arrays.update({"values.q": arrays["values.q"].astype("f4")}),
    "text": lambda arrays, document: arrays.update({"values.q": np.array("q")}),
    "missing": lambda arrays, document: arrays.pop("values.q"),
    "timesteps": _set("counters", "num_timesteps", to=-1),
    "episodes": _set("counters", "num_episodes", to=1e300),
    "episode_return": _set("counters", "episode_return", to=float("nan")),
    "env_seed": _set("counters", "env_seed", to="0"),
    "rng_words": _set("streams", "rng", "state", "state", to=[2**70, 0, 0, 0]),
    "rng_length": _set("streams", "rng", "state", "state", to=[1]),
    "rng_kind": _set("streams", "rng", "bit_generator", to="PCG64"),
    "rng_half": _set("streams", "rng", "uinteger", to=2**40),
    "rng": _set("streams", "predict_rng", to=None),
    "many_states": _set("spaces", "shape", to=[5 * 10**8]),
    "more_states": _set("spaces", "shape", to=[2**80]),
    "many_actions": _set("spaces", "num_actions", to=10**9),
    "no_states": _set("spaces", "shape", to=[]),
    "space": _set("spaces", "observation", to="Graph"),
    "start": _set("spaces", "start", to=["a"]),
    "network": _set("config", "values", to="network"),
    "argument": _set("config", "gamma", to=float("nan")),
    "unknown_argument": _set("config", "gama", to=1),
    "config": lambda arrays, document: document.update(config=[1]),
    "numbers": lambda arrays, document: document.update(numbers=[1]),
    "counters": lambda arrays, document: document.update(counters=5),
    "agent": lambda arrays, document: document.update(agent={"DynaQ": 1}),
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("trained") / "agent.npz"
    DynaQPlus("DynaMazeBlocking-v0", seed=0).learn(100).save(path)
    return path.read_bytes()


@pytest.mark.parametrize("name", FORGED)
def test_load_rejects_forged_file(trained: bytes, tmp_path: Path, name: str) -> None:
    path = tmp_path / "agent.npz"
    path.write_bytes(trained)
    forge(path, FORGED[name])
    with pytest.raises(CheckpointError, match=r"agent\.npz") as caught:
        DynaQPlus.load(path)
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize(
    "change",
    [
        lambda arrays, document: document.update(world={"state": 1}),
        lambda arrays, document: document.update(world=5),
        lambda arrays, document: document["world"]["state"].pop("rng"),
        lambda arrays, document: document.update(observation=10**9),
        lambda arrays, document: document.update(observation=[[1], [2, 3]]),
    ],
)
def test_load_rejects_forged_environment(trained: bytes, tmp_path: Path, change: Any) -> None:
    path = tmp_path / "agent.npz"
    path.write_bytes(trained)
    forge(path, change)
    with pytest.raises(CheckpointError, match=r"agent\.npz"):
        DynaQPlus.load(path, env="DynaMazeBlocking-v0")


def test_message_has_no_control_characters(tmp_path: Path) -> None:
    path = tmp_path / "red\x1b[31m.npz"
    write_checkpoint(path, {}, {"agent": "\x1b[31m" * 1000})
    with pytest.raises(CheckpointError, match="expected a QLearning") as caught:
        QLearning.load(path)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 1000
