"""The commands of distillation, run small, and what they judge by."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from dynamaze.benchmarks.distillation import adapt, frontier, student, teacher
from dynamaze.benchmarks.distillation import reinforce as directly
from dynamaze.benchmarks.distillation import single_maze as known_maze
from dynamaze.benchmarks.distillation.checkpoints import checkpoint
from dynamaze.benchmarks.distillation.frontier_students import ENTRIES, Alone, EveryCell, seed_of
from dynamaze.benchmarks.distillation.judging import GAMMA, judge, kept_of
from dynamaze.benchmarks.distillation.mazes import HELD_OUT, TRAINING, Held, Mazes, held_out_recipes
from dynamaze.benchmarks.harness.table import rows_where
from dynamaze.distill import check_disjoint
from dynamaze.distill.files.students import load_card, load_student
from dynamaze.distill.students.mlp import MLP
from dynamaze.envs.generation import MazeGenerator
from dynamaze.envs.generation.planes import ShortestPathPolicy, split_queries
from dynamaze.envs.mazes.schedule import PRESETS, Schedule


class Constant:
    """Goes up, always."""

    def action_probabilities(self, observations):
        answers = int((np.asarray(observations)[:, 1] > 0.5).sum())
        return np.tile([1.0, 0.0, 0.0, 0.0], (answers, 1))


def test_the_best_policy_keeps_everything_and_going_up_only_what_lies_above():
    held = Held.of(MazeGenerator(5, "empty"), 3)
    best = judge(ShortestPathPolicy(), held, chunk=2)
    assert (best.success, best.kept, best.agreement) == (1.0, 1.0, 1.0)
    up = judge(Constant(), held)
    shares = []
    for planes in held.planes:
        row, _ = np.argwhere(planes[2] > 0.5)[0]
        below = GAMMA ** np.arange(4 - row)
        distances = np.abs(np.indices((5, 5)) - np.argwhere(planes[2] > 0.5)[0][:, None, None])
        best_returns = GAMMA ** (distances.sum(axis=0) - 1.0)
        best_returns[planes[2] > 0.5] = 0.0
        shares.append(below.sum() / best_returns.sum())
    np.testing.assert_allclose(up.by_maze, shares, rtol=1e-12)
    assert up.kept == pytest.approx(np.mean(shares))
    assert kept_of(up).low <= up.kept <= kept_of(up).high


def test_training_levels_and_held_out_ones_are_apart():
    check_disjoint((TRAINING,), (HELD_OUT,))
    mazes = replace(Mazes(), cells=300)
    rng = np.random.default_rng(0)
    for progress in (0.0, 0.5, 1.0):
        planes = mazes(rng, progress)
        assert planes.shape[0] == max(2, 300 // planes[0, 0].size)
    growing = replace(mazes, growing=True)
    assert {growing(rng, 0.0).shape[2] for _ in range(20)} == {5}
    assert {growing(rng, 1.0).shape[2] for _ in range(60)} == {5, 7, 9, 11, 13, 15}


def test_a_student_that_sees_one_agent_is_asked_about_every_cell():
    planes = Held.of(MazeGenerator(5), 2).planes
    inner = MLP((3, 5, 5), 4, 3)
    alone = inner.action_logits(split_queries(planes))
    np.testing.assert_allclose(EveryCell(inner).action_logits(planes), alone, rtol=1e-5)
    np.testing.assert_allclose(Alone(inner).action_logits(planes), alone, rtol=1e-5)


def test_a_teacher_is_made_and_a_run_that_was_stopped_ends_alike(tmp_path):
    config = teacher.Teacher(tmp_path / "t.safetensors", steps=6, channels=2, blocks=1, mazes=2)
    teacher.main(config)
    whole = load_student(config.output)
    card = load_card(config.output)
    assert (card.training, card.held_out) == ((TRAINING,), (HELD_OUT,))
    assert "dynamaze distill teacher --steps 6" in (tmp_path / "t.md").read_text()
    stopped = replace(config, output=tmp_path / "s.safetensors")

    class Killed(BaseException):
        pass

    class Bar:
        def __init__(self, steps, *_, **__):
            self.steps = steps

        def __iter__(self):
            for step in self.steps:
                yield step
                if step.step == 4:
                    raise Killed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(teacher, "track", Bar)
        patch.setattr(teacher, "KEPT_EVERY", 3)
        with pytest.raises(Killed):
            teacher.main(stopped)
    assert checkpoint(stopped.output).exists()
    teacher.main(stopped)
    assert not checkpoint(stopped.output).exists()
    resumed = load_student(stopped.output)
    for one, other in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(one, other)


def test_a_student_is_made_from_a_teachers_file(tmp_path, capsys):
    taught = teacher.Teacher(tmp_path / "t.safetensors", steps=2, channels=2, blocks=1, mazes=2)
    teacher.main(taught)
    config = student.StudentConfig(
        taught.output, tmp_path / "s.safetensors", steps=10, beginnings=2, mazes=2
    )
    student.main(config)
    assert load_student(config.output).num_parameters == 113
    card = load_card(config.output)
    assert card.size.parameters == 113
    assert card.size.multiply_adds > 100_000
    told = capsys.readouterr().out
    assert "31x31" in told
    assert "rounded (8, 121 bytes)" in told
    assert "rounded (ternary, 33 bytes)" in told
    assert "t.safetensors" in (tmp_path / "s.md").read_text()


def test_a_frontier_tells_every_student_and_floor(tmp_path):
    names = ("planner, 4 maps", "perceptron, 4 units", "convolutional, 8 x 8")
    config = frontier.Frontier(tmp_path, runs=2, steps=4, mazes=2, students=names, workers=1)
    tables = frontier.run(config)
    rows, sizes = tables["frontier"], tables["frontier_sizes"]
    told = {*names, frontier.TABLE, frontier.EXACT, frontier.DIRECT}
    assert set(sizes["student"].tolist()) == told
    assert set(rows["student"].tolist()) == told | {frontier.STALE}
    stale = rows_where(rows, "student", frontier.STALE)
    assert set(stale["mazes"].tolist()) == {frontier.CHANGING}
    exact = rows["kept"][rows["student"] == frontier.EXACT]
    assert (exact == 1.0).all()
    larger = np.isin(rows["mazes"], [*frontier.LARGER])
    assert "perceptron, 4 units" not in rows["student"][larger].tolist()
    by_name = dict(zip(sizes["student"].tolist(), sizes["parameters"].tolist(), strict=True))
    assert by_name["planner, 4 maps"] == 113
    assert by_name["perceptron, 4 units"] == 363 * 4 + 4 + 4 * 4 + 4
    assert frontier.plot(tables, config).axes
    assert len(frontier.summary(tables, config)) == 2
    again = frontier.run(config)["frontier"]
    np.testing.assert_array_equal(again["kept"], rows["kept"])


def test_students_of_one_pass_are_asked_of_one_teacher(tmp_path):
    """A batch costs one pass of the teacher for all students, those that are only tried too."""

    class Counted(ShortestPathPolicy):
        asked = 0

        def action_probabilities(self, observations):
            Counted.asked += 1
            return super().action_probabilities(observations)

    planner, convolution = "planner, 4 maps", "convolutional, 8 x 8"
    config = frontier.Frontier(tmp_path, steps=10, students=(planner, convolution))
    frontier.taught(config, Counted(), 0, any_size=True)
    assert Counted.asked == 10 + round(student.TRIED * 10)


def test_seeds_differ_by_run_and_beginning():
    seeds = {seed_of(run, beginning) for run in range(20) for beginning in range(5)}
    assert len(seeds) == 100
    assert {entry.any_size for entry in ENTRIES.values()} == {True, False}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"runs": 1}, "runs=1; expected at least 2"),
        ({"steps": 0}, "steps=0; expected"),
        ({"mazes": 0}, "mazes=0; expected"),
        ({"students": ("planner 4",)}, "students: 'planner 4'; expected some of"),
    ],
)
def test_a_frontier_that_cannot_be_is_refused(tmp_path, change, told):
    with pytest.raises(ValueError, match=told):
        frontier.main(replace(frontier.Frontier(tmp_path), **change))


def test_files_that_are_no_teachers_are_refused(tmp_path):
    (tmp_path / "no.safetensors").write_bytes(b"nothing")
    with pytest.raises(ValueError, match=r"no\.safetensors"):
        frontier.main(frontier.Frontier(tmp_path, teacher=tmp_path / "no.safetensors"))
    with pytest.raises(ValueError, match=r"no\.safetensors"):
        student.main(student.StudentConfig(tmp_path / "no.safetensors", tmp_path / "s.safetensors"))
    assert not (tmp_path / "s.safetensors").exists()


# -- learning directly -------------------------------------------------------------------------


def test_play_earns_what_walking_earns():
    """With the best actions every agent earns gamma to the power of its way, at every step."""
    held = Held.of(MazeGenerator(7), 3)
    policy = ShortestPathPolicy().action_probabilities(held.planes).astype(np.float32)
    rows, actions, gains = directly.play(held.planes, policy, 60, np.random.default_rng(0))
    maze = np.nonzero(held.planes[:, 1] > 0.5)[0]
    returns = GAMMA ** (held.shortest - 1.0)
    mean = np.bincount(maze, returns) / np.bincount(maze)
    np.testing.assert_allclose(gains, returns[rows] - mean[maze[rows]], rtol=1e-5, atol=1e-6)
    assert (actions == policy.argmax(axis=1)[rows]).all()
    assert len(rows) == held.shortest.sum()


def test_learning_directly_does_better_than_chance():
    """In tiny mazes without a teacher: of 10 seeds all kept at least 0.9, the untrained 0.2."""
    mazes = Mazes(recipes=(MazeGenerator(3, "empty"),), cells=90)
    network = MLP((3, 3, 3), 4, 16)
    held = Held.of(MazeGenerator(3, "empty"), 20)
    wrapped = EveryCell(network)
    before = judge(wrapped, held).kept
    directly.Directly(wrapped, mazes, steps=300, learning_rate=0.02).learn()
    assert judge(wrapped, held).kept > max(0.8, before)


# -- after a change ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("curve", "steps"),
    [
        ([1, 1], 0),
        ([0, 0.5, 0.99, 1], 2),
        ([0, 1, 0.98, 1], 3),
        ([0, 0.9], np.inf),
        ([1, 0], np.inf),
    ],
)
def test_how_long_a_student_is_worse(curve, steps):
    assert adapt.worse_for(curve) == steps


def test_what_is_kept_from_the_start_of_the_books_mazes():
    before, after = Schedule.from_text(PRESETS["shortcut"]).layouts
    for layout in (before, after):
        logits = known_maze.everywhere(
            layout, ShortestPathPolicy().action_probabilities(known_maze.asked(layout))
        )
        assert known_maze.kept(layout, logits) == 1.0
    old = known_maze.everywhere(
        before, ShortestPathPolicy().action_probabilities(known_maze.asked(before))
    )
    assert known_maze.kept(after, old) == pytest.approx(GAMMA**6)  # 16 steps where 10 would do
    assert known_maze.kept(after, np.zeros((54, 4))) == 0.0


def test_students_are_worse_after_a_change_until_they_are_distilled_again(tmp_path):
    config = adapt.Adapt(tmp_path, runs=2, steps=25, life=60, gradient_steps=(8,), workers=1)
    tables = adapt.run(config)
    rows = tables["adapt"]
    stale = rows["kept"][(rows["student"] == adapt.NEVER) & (rows["world"] == "blocking")]
    assert (stale == 0).all()
    once = np.isin(rows["world"], adapt.ONE_CHANGE) & (rows["step"] == 25)
    anew = rows["kept"][(rows["student"] == adapt.told(8)) & once]
    assert (anew == 1.0).all()
    assert adapt.plot(tables, config).axes
    told = adapt.summary(tables, config)
    assert [len(lines) for lines in told.values()] == [1 + 4, 1 + 2]


def test_while_walls_drift_one_that_sees_them_is_never_worse_and_one_by_the_first_map_is(tmp_path):
    config = adapt.Adapt(tmp_path, life=120, drift=0.1)
    first = Schedule.from_text(PRESETS["dyna"]).layouts[0]

    class Exact:
        def action_logits(self, planes):
            return ShortestPathPolicy().action_probabilities(planes)

    class ByFirstMap(adapt.Seeing):
        def logits(self, layout):
            return super().logits(first)

    sees = adapt.drifting(adapt.Seeing(Exact()), config, 0)
    assert sees == [1.0] * 120
    stale = adapt.drifting(ByFirstMap(Exact()), config, 0)
    assert stale[0] == 1.0
    assert np.mean(stale) < 0.9


@pytest.mark.parametrize(
    ("curve", "lengths"), [([1, 1], []), ([0, 1, 0.5, 0.9, 1], [1, 2]), ([1, 0, 0], [2])]
)
def test_spells_are_stretches_below_enough(curve, lengths):
    assert adapt.spells(curve) == lengths


def test_a_planner_that_sees_the_walls_follows_at_once(tmp_path):
    from dynamaze.distill.files.students import save_student

    from ..distill.exact_value_iteration import exact_value_iteration

    save_student(tmp_path / "p.safetensors", exact_value_iteration())
    config = adapt.Adapt(
        tmp_path,
        student=tmp_path / "p.safetensors",
        runs=2,
        steps=1,
        life=30,
        drift=0.2,
        gradient_steps=(),
        workers=1,
    )
    rows = adapt.run(config)["adapt"]
    assert (rows["kept"][rows["student"] == adapt.PLANNER] == 1.0).all()


@pytest.mark.parametrize(
    "change",
    [{"drift": 0.0}, {"drift": 1.5}, {"life": 0}, {"steps": -1}, {"gradient_steps": (0,)}],
)
def test_adapting_that_cannot_be_is_refused(tmp_path, change):
    with pytest.raises(ValueError, match=f"{next(iter(change))}="):
        adapt.main(replace(adapt.Adapt(tmp_path), **change))
    assert not list(tmp_path.iterdir())


def test_held_out_recipes_are_of_every_kind():
    assert {recipe.shape for recipe in held_out_recipes(9).values()} == {(9, 9)}
    assert [*held_out_recipes(9)] == ["perfect", "loops", "obstacles"]
