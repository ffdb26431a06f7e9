"""`dynamaze watch --policy`: a student from its file."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from dynamaze.app.watch import Watch, main, make_watched_env
from dynamaze.distill.export.load import open_policy
from dynamaze.distill.export.onnx_graph.writer import export_onnx
from dynamaze.distill.files.card import Card
from dynamaze.distill.files.students import save_student
from dynamaze.distill.students.composite import GaussianStudent
from dynamaze.distill.students.registry import make_student
from dynamaze.viewer.environment import Camera
from dynamaze.viewer.overlays import overlays_of
from dynamaze.viewer.policies import FixedPolicyAgent, MapPolicyAgent
from dynamaze.viewer.statistics import RecordStatistics

from ...distill.exact_map_planner import expert_student
from ...distill.exact_value_iteration import exact_value_iteration as exact_network

GENERATED = Card(environment={"id": "DynaMazeGenerated-v0", "size": 11})


@pytest.fixture(params=["safetensors", "onnx"])
def file(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A planner that solves every maze."""
    path = tmp_path / f"planner.{request.param}"
    if request.param == "onnx":
        pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")
        export_onnx(path, exact_network(), np.zeros((3, 11, 11), np.float32), card=GENERATED)
    else:
        save_student(path, exact_network(), card=GENERATED)
    return str(path)


def watch(capsys: pytest.CaptureFixture[str], **options: Any) -> str:
    main(Watch(**{"steps": 100, "fps": 0, "seed": 3, **options}))
    return capsys.readouterr().out.splitlines()[-1]


def test_policy_acts_in_own_environment(
    pygame: Any, file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    summary = watch(capsys, policy=file)
    assert summary.startswith(f"{Path(file).name} in DynaMazeGenerated-v0: 100 steps")
    assert summary.endswith("regret 0")
    env = make_watched_env(Watch(policy=file), open_policy(file))
    assert env.observation_space.shape == (3, 11, 11)


@pytest.mark.parametrize("env_id", ["DynaMaze-v0", "DynaMazeShortcut-v0", "DynaMazeGenerated-v0"])
def test_policy_gets_its_observations(
    pygame: Any, file: str, env_id: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert watch(capsys, policy=file, env_id=env_id).endswith("regret 0")


def test_policy_without_environment_uses_default(
    pygame: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_student(tmp_path / "s.safetensors", exact_network())
    summary = watch(capsys, policy=str(tmp_path / "s.safetensors"))
    assert "s.safetensors in DynaMazeShortcut-v0: 100 steps" in summary
    assert summary.endswith("regret 0")


def test_policy_in_custom_layout(
    pygame: Any, file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "maze.txt").write_text("S.#\n#..\nG#.\n...\n")
    options = {"env_id": "DynaMaze-v0", "layout": str(tmp_path / "maze.txt")}
    assert watch(capsys, policy=file, steps=16, **options).endswith("regret 0")


def test_policy_of_other_environment(
    pygame: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "cart.safetensors"
    save_student(
        path,
        make_student("mlp", observation_shape=(4,), num_actions=2),
        card=Card(environment={"id": "CartPole-v1"}),
    )
    assert "cart.safetensors in CartPole-v1: 100 steps" in watch(capsys, policy=str(path))


def test_recurrent_policy_resets_each_episode(tmp_path: Path) -> None:
    path = tmp_path / "gru.safetensors"
    save_student(path, make_student("gru", observation_shape=(4,), num_actions=2))
    policy = open_policy(path).policy
    resets: list[int] = []
    reset = policy.reset
    policy.reset = lambda: (resets.append(len(steps)), reset())
    steps: list[Any] = []
    for step in FixedPolicyAgent(gym.make("CartPole-v1"), policy, "gru", 0).steps():
        steps.append(step)
        if len(steps) == 60:
            break
    ends = [n for n, step in enumerate(steps, 1) if step.terminated or step.truncated]
    assert resets == [0, *(end for end in ends if end < 60)]


@pytest.mark.parametrize("suffix", ["safetensors", "onnx"])
@pytest.mark.parametrize("squashed", [False, True])
def test_policy_with_continuous_actions(
    pygame: Any, tmp_path: Path, squashed: bool, suffix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def save(path: Path, student: Any) -> None:
        if suffix == "onnx":
            pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")
            export_onnx(path, student, np.zeros(2, np.float32), card=card)
        else:
            save_student(path, student, card=card)

    inner = make_student("mlp", observation_shape=(2,), num_actions=4, width=4)
    card = Card(environment={"id": "DynaMazeContinuous-v0", "noise": 0.0})
    path = tmp_path / f"g.{suffix}"
    student = GaussianStudent(inner, [-1, -1], [1, 1], squashed=squashed)
    save(path, student)
    assert f"g.{suffix} in DynaMazeContinuous-v0: 20 steps" in watch(
        capsys, policy=str(path), steps=20
    )
    env = make_watched_env(Watch(policy=str(path)), open_policy(path))
    step = next(FixedPolicyAgent(env, open_policy(path).policy, "g", seed=0).steps())
    np.testing.assert_allclose(step.action, student.act(step.observation), rtol=1e-5)
    save(path, GaussianStudent(inner, [-1, -1], [2, 2]))
    with pytest.raises(ValueError, match=r"does not fit DynaMazeContinuous-v0: .* to \[2.0, 2.0\]"):
        watch(capsys, policy=str(path))


# -- policies that do not fit ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"env_id": "FrozenLake-v1"}, r"planner\.\w+ does not fit FrozenLake-v1: observations of"),
        ({"env_id": "DynaMazeContinuous-v0"}, "observation='planes'; expected one of"),
        ({"env_id": "CartPole-v1"}, r"does not fit CartPole-v1: observations of shape \(1, 4\)"),
        ({"env_id": "Pendulum-v1"}, "does not fit Pendulum-v1: .* categorical actions where"),
    ],
)
def test_policy_rejects_unfit_environment(
    pygame: Any, file: str, options: dict[str, Any], match: str
) -> None:
    with pytest.raises(ValueError, match=match) as caught:
        main(Watch(policy=file, steps=3, **options))
    assert "\n" not in str(caught.value)


def test_policy_rejects_unfit_spaces(pygame: Any, tmp_path: Path) -> None:
    path = tmp_path / "s.safetensors"
    save_student(path, make_student("mlp", observation_shape=(3, 6, 9), num_actions=5))
    with pytest.raises(ValueError, match="does not fit DynaMaze-v0: it has 5 actions; expected 4"):
        main(Watch("DynaMaze-v0", policy=str(path), steps=3))
    save_student(path, make_student("mlp", observation_shape=(3, 11, 11), num_actions=4))
    with pytest.raises(ValueError, match=r"s\.safetensors does not fit DynaMaze-v0: .*3, 11, 11"):
        main(Watch("DynaMaze-v0", policy=str(path), steps=3))


def run_watch(folder: Path, *options: str) -> Any:
    hidden = ("DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER")
    return subprocess.run(
        [sys.executable, "-m", "dynamaze", "watch", *options],
        env={name: value for name, value in os.environ.items() if name not in hidden},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def test_video_without_display(file: str, tmp_path: Path) -> None:
    run = run_watch(tmp_path, "--policy", file, "--steps", "12", "--save", "video.gif")
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines()[-1] == "saved video.gif"
    assert (tmp_path / "video.gif").read_bytes()[:6] == b"GIF89a"


def test_invalid_policy_file_message(tmp_path: Path) -> None:
    (tmp_path / "s.safetensors").write_bytes(b"\x08\0\0\0")
    video = ("--steps", "3", "--save", "video.gif")
    for name, reason in (
        ("s.safetensors", "not a whole safetensors file"),
        ("no.onnx", "cannot be read: No such file"),
        ("s.pt", "expected a policy in .safetensors or .onnx"),
    ):
        run = run_watch(tmp_path, "--policy", name, *video)
        assert run.returncode == 1
        line = run.stderr.splitlines()[-1]
        assert line.startswith(f"dynamaze: {name} ")
        assert reason in line
        assert "Traceback" not in run.stderr
        assert not (tmp_path / "video.gif").exists()


def test_policy_with_map_finds_goal_in_the_dark(
    pygame: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(tmp_path / "map.safetensors")
    save_student(path, expert_student())
    options = {"policy": path, "steps": 500, "overlay": ["belief", "values"]}
    summary = watch(capsys, env_id="DynaMazeShortcut-v0", **options)
    episodes = int(summary.partition(" steps, ")[2].partition(" ")[0])
    assert 25 <= episodes <= 500 // 16  # the shortest path has 16 steps
    assert "map.safetensors in DynaMazeAdaptation-v0" in watch(
        capsys, env_id="DynaMazeAdaptation-v0", **options
    )
    with pytest.raises(ValueError, match=r"map.safetensors does not fit CartPole-v1: expected a"):
        watch(capsys, env_id="CartPole-v1", policy=path)


@pytest.mark.parametrize(
    ("name", "env_id", "least"),
    [
        ("value_iteration", "DynaMazeShortcut-v0", 31),  # 500 steps of 16
        ("value_iteration_ternary", "DynaMazeGenerated-v0", 5),
        ("map_value_iteration", "DynaMazeShortcut-v0", 20),
        ("map_value_iteration_int8", "DynaMazeAdaptation-v0", 10),
    ],
)
def test_builtin_student_reaches_goals(
    pygame: Any, name: str, env_id: str, least: int, capsys: pytest.CaptureFixture[str]
) -> None:
    summary = watch(capsys, agent=f"builtin:{name}", env_id=env_id, steps=500)
    assert summary.startswith(f"builtin:{name} in {env_id}: 500 steps, ")
    assert int(summary.partition(" steps, ")[2].partition(" ")[0]) >= least


def test_student_of_planes_refuses_unseen_maze(pygame: Any) -> None:
    with pytest.raises(ValueError) as caught:
        main(Watch("DynaMazeAdaptation-v0", agent="builtin:value_iteration", steps=3))
    assert str(caught.value).startswith(
        "builtin:value_iteration does not fit DynaMazeAdaptation-v0: observation='planes'; expected"
    )


def test_map_overlays_show_belief() -> None:
    student = expert_student()
    env = gym.make(
        "DynaMazeAdaptation-v0",
        size=5,
        run_steps=60,
        observation="index",
        render_mode="rgb_array",
    )
    camera = Camera(env, (300, 300))
    recorded = RecordStatistics(env, camera, gamma=0.95)
    agent = MapPolicyAgent(recorded, student, "student", seed=0)
    overlays = overlays_of(agent, camera.maze, recorded)
    steps = agent.steps()
    for _ in range(12):
        next(steps)
    belief = overlays.arrays(["belief", "values"])
    assert list(belief) == ["belief"]  # a torch module does not tell its values
    assert camera.maze is not None
    walls = camera.maze.layout.walls
    known = ~np.isnan(belief["belief"])
    np.testing.assert_array_equal(belief["belief"][known], walls[known])
    assert 5 < known.sum() < 25
    assert overlays.unavailable("belief") == ""
    assert overlays.unavailable("q") == "student has a map and no action values"
    for _ in range(58):  # into the next run, in another maze
        next(steps)
    assert student.memory is not None
    assert student.memory[0, 50] < 40  # its clock
