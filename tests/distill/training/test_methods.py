"""What the loop gives to methods: parts, updates, taps, sources and teachers."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from dynamaze.common.storage import CheckpointError
from dynamaze.distill.core.dataset import Dataset, make_batch
from dynamaze.distill.data.source import FunctionSource
from dynamaze.distill.students.mlp import MLP
from dynamaze.distill.students.value_iteration import ValueIterationNetwork
from dynamaze.distill.training.distiller import Distiller
from dynamaze.distill.training.method import Method, Update, make_method, weight_at

TEACHER = MLP((2,), 3, 8, seed=3)


def sample(rng: np.random.Generator, progress: float) -> Any:
    return rng.normal(size=(8, 2)).astype(np.float32)


def source(teacher: Any = TEACHER) -> FunctionSource:
    return FunctionSource(teacher, sample)


def students() -> dict[str, MLP]:
    return {"a": MLP((2,), 3, 4, seed=1), "b": MLP((2,), 3, 5, seed=2)}


def loop(method: Any, given: Any = None, **kwargs: Any) -> Distiller:
    settings = {"total_steps": 6, "learning_rate": 0.02, "device": "cpu", **kwargs}
    return Distiller(students(), given or source(), method, **settings)


@dataclass
class Projected(Method):
    """A projection of an inner layer onto the teacher's, with a stale copy of the first student."""

    needs = frozenset({"layers"})
    path: str = "layers.0"
    weight: float = 1.0

    def setup(self, loop):
        self.taps = {name: loop.tap(name, self.path) for name in loop.students}
        self.of_teacher = loop.tap("teacher", self.path)
        for name, student in loop.students.items():
            projection = nn.Linear(student.sizes[1], 8, bias=False)
            nn.init.zeros_(projection.weight)
            loop.add(f"projection of {name}", projection, learning_rate=0.01, betas=(0.5, 0.9))
        loop.add("stale", MLP((2,), 3, 4, seed=1), learning_rate=0)

    def step(self, loop):
        batch = loop.draw()
        loop.teacher_logits(batch.observations)
        wanted = self.of_teacher.output.detach()
        for name in loop.students:
            outputs = loop.answers(name, batch.observations)
            projected = loop.answers(f"projection of {name}", self.taps[name].output)[-1].logits
            hints = self.weight * (projected - wanted).square().mean()
            terms = {"soft": loop.supervised(name, outputs, batch), "hints": hints}
            yield Update((name, f"projection of {name}"), terms)
        if loop.step % 2:
            loop.copy_weights("stale", "a")


def bits(trained: Distiller) -> dict[str, Any]:
    return {
        f"{name}.{key}": weight.clone()
        for name, part in trained.parts.items()
        for key, weight in part.module.state_dict().items()
    }


def assert_same(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert one.keys() == other.keys()
    for name, weight in one.items():
        assert torch.equal(weight, other[name]), name


def test_first_loss_of_hints_is_that_of_the_layers():
    recorded: list[Any] = []
    loop(Projected()).distil(1, recorded.append)
    rng = np.random.default_rng(np.random.SeedSequence(0).spawn(1)[0])
    layer = TEACHER.layers[0](torch.from_numpy(sample(rng, 0.0)))
    expected = float(layer.detach().square().mean())  # the projections are zero
    for name in "ab":
        assert recorded[0].terms[f"{name}+projection of {name}/hints"] == pytest.approx(expected)
        total = sum(value for key, value in recorded[0].terms.items() if key.startswith(name))
        assert recorded[0].losses[name] == pytest.approx(total)


def test_all_parts_are_trained_and_resumed(tmp_path):
    whole, first, second = (loop(Projected()) for _ in range(3))
    before = bits(whole)
    whole.distil()
    for name, weight in bits(whole).items():
        assert not torch.equal(weight, before[name]), name
    first.distil(3)
    first.save(tmp_path / "c")
    assert_same(bits(second.resume(tmp_path / "c").distil()), bits(whole))


def test_stale_copy_is_of_the_last_odd_step():
    trained = loop(Projected()).distil(5)
    stale, later = trained.parts["stale"].module, trained.parts["a"].module
    assert not torch.equal(stale.layers[0].weight, later.layers[0].weight)
    trained.distil(1)  # the sixth step, number 5
    assert torch.equal(stale.layers[0].weight, later.layers[0].weight)


def test_hooks_are_gone_after_training():
    trained = loop(Projected()).distil()
    modules = [*trained.students.values(), TEACHER]
    assert not any(layer._forward_hooks for each in modules for layer in each.modules())
    with pytest.raises(RuntimeError, match=r"layer 'layers.0' of a has no output in this step"):
        assert trained.method.taps["a"].output


class Cross(Method):
    """A loss of both students' outputs, of which only the first takes a step."""

    def step(self, loop):
        batch = loop.draw_unlabelled()
        one, other = (loop.answers(name, batch.observations)[-1].logits for name in "ab")
        yield Update(("a",), {"distance": (one - other).square().mean()})


def test_gradient_goes_to_named_parts_only():
    trained = loop(Cross(), source(None))
    before = bits(trained)
    trained.distil()
    after = bits(trained)
    for name in before:
        assert torch.equal(before[name], after[name]) == name.startswith("b"), name
    assert all(weight.grad is None for weight in trained.students["b"].parameters())


# -- sources and teachers --------------------------------------------------------------------------


def test_unlabelled_batches_are_labelled_by_the_teacher():
    labelled = loop("soft").distil()
    unlabelled = loop("soft", source(None), teacher=TEACHER).distil()
    assert_same(bits(labelled), bits(unlabelled))


def test_batch_without_labels_is_refused():
    with pytest.raises(TypeError, match="a batch of FunctionSource without labels; expected"):
        loop("soft", source(None)).distil()
    rows = make_batch(np.zeros((4, 2), np.float32), None)
    with pytest.raises(TypeError, match="a batch of Dataset without labels; expected"):
        loop("soft", Dataset(rows)).distil()


def test_method_without_source():
    class Generated(Method):
        takes_source = False

        def step(self, loop):
            seen = torch.from_numpy(sample(loop.rng, loop.progress))
            wanted = loop.label(seen).logits
            for name in loop.students:
                found = loop.answers(name, seen)[-1].logits
                yield Update((name,), {"square": (found - wanted).square().mean()})

    steps: list[Any] = []
    made = Distiller(students(), None, Generated(), total_steps=200, teacher=TEACHER)
    made.distil(callback=steps.append)
    assert steps[-1].losses["a"] < steps[0].losses["a"]
    with pytest.raises(TypeError, match="Method without a source; expected a batch source"):
        Distiller(students(), None, Method(), total_steps=2)


def test_several_sources_are_drawn_by_name():
    class Shards(Method):
        def step(self, loop):
            batches = {name: loop.draw(name) for name in loop.students}
            for name, batch in batches.items():
                outputs = loop.answers(name, batch.observations)
                yield Update((name,), {"soft": loop.supervised(name, outputs, batch)})

    whole = loop(Shards(), {"a": source(), "b": source()}).distil()
    assert list(whole.sources) == ["a", "b"]
    with pytest.raises(ValueError, match="source='b'; expected one of"):
        loop(Shards(), {"a": source()}).distil()


@pytest.mark.parametrize(
    ("needs", "teacher", "message"),
    [
        ("module", lambda seen: seen @ np.ones((2, 3)), "Demanding with the teacher <lambda>; exp"),
        ("layers", None, "Demanding with no teacher; expected a network"),
        ("values", TEACHER, "Demanding with the teacher MLP; expected a teacher with state_values"),
        ("reward", TEACHER, "Demanding with the source; expected one with rewards"),
        ("luck", TEACHER, "has .'luck'.; expected some of"),
    ],
)
def test_missing_needs_are_refused_at_construction(needs, teacher, message):
    method = type("Demanding", (Method,), {"needs": frozenset({needs})})()
    with pytest.raises((TypeError, ValueError), match=message):
        loop(method, source(teacher))


# -- bad input -------------------------------------------------------------------------------------


def test_unknown_layer_names_the_known_ones():
    with pytest.raises(ValueError, match=r"layer 'blocks.9' of a; expected one of its layers: la"):
        loop(Projected("blocks.9"))


def test_parts_are_added_in_setup_with_weights_of_their_own():
    trained = loop("soft")
    with pytest.raises(RuntimeError, match=r"part 'late' added after setup; expected it in Method"):
        trained.add("late", nn.Linear(1, 1))

    class Twice(Method):
        def setup(self, loop):
            loop.add("again", nn.Sequential(loop.students["a"].layers[0]))

    with pytest.raises(ValueError, match=r"parts 'a' and 'again' share 0.weight; expected"):
        loop(Twice())


def test_network_in_a_method_that_is_no_part_is_refused():
    class Hidden(Method):
        def __init__(self):
            self.projection = nn.Linear(4, 4)

    with pytest.raises(TypeError, match=r"method.projection of type Linear has 20 numbers that"):
        loop(Hidden())


@pytest.mark.parametrize(
    ("update", "message"),
    [
        (lambda loss: Update((), {"loss": loss}), "without parts or terms"),
        (lambda loss: Update(("a",), {}), "without parts or terms"),
        (lambda loss: Update(("c",), {"loss": loss}), "part='c'; expected one of"),
        (lambda loss: Update(("a",), {"loss": loss * np.inf}), "the loss of student 'a' in step 1"),
    ],
)
def test_wrong_updates_are_refused(update, message):
    class Wrong(Method):
        def step(self, loop):
            batch = loop.draw()
            yield update(loop.supervised("a", loop.answers("a", batch.observations), batch))

    trained = loop(Wrong())
    before = bits(trained)
    with pytest.raises(ValueError, match=message):
        trained.distil()
    assert_same(before, bits(trained))


def test_checkpoint_of_another_method_or_teacher_is_refused(tmp_path):
    loop(Projected()).distil(2).save(tmp_path / "c")
    others = {
        "of the method": loop("soft"),
        "'weight': 1.0": loop(Projected(weight=0.5)),
        "of the teacher": loop(Projected(), source(MLP((2,), 3, 8, seed=4))),
    }
    for message, other in others.items():
        before = bits(other)
        with pytest.raises(CheckpointError, match=message):
            other.resume(tmp_path / "c")
        assert_same(before, bits(other))
        assert other.step == 0


def test_make_method():
    assert make_method("soft", temperature=2.0).config == {"temperature": 2.0}
    with pytest.raises(ValueError, match=r"method='sort'; expected .*soft"):
        make_method("sort")
    with pytest.raises(TypeError, match=r"method 'soft': .*heat"):
        make_method("soft", heat=2.0)
    with pytest.raises(ValueError, match="temperature=2 of the loss 'mse'; expected"):
        loop(make_method("soft", temperature=2.0), loss="mse")
    with pytest.raises(ValueError, match=r"weight=-1.0; expected"):
        weight_at(lambda progress: -1.0, 0.5)


# -- restarts --------------------------------------------------------------------------------------


def test_restart_draws_new_weights_and_forgets_moments():
    trained = loop("soft").distil(3)
    before = bits(trained)
    trained.restart("a")
    assert not torch.equal(before["a.layers.0.weight"], bits(trained)["a.layers.0.weight"])
    assert not trained.parts["a"].optimizer.state_dict()["state"]
    assert trained.parts["b"].optimizer.state_dict()["state"]
    again = loop("soft").distil(3)
    again.restart("a")
    assert_same(bits(trained), bits(again))


def test_restart_of_kinds_of_networks():
    class Plain(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(2))

    class Holds(Method):
        def setup(self, loop):
            loop.add("sequence", nn.Sequential(nn.Linear(2, 2), nn.ReLU()))
            loop.add("iteration", ValueIterationNetwork(4))
            loop.add("plain", Plain())

    trained = loop(Holds())
    for name in ("sequence", "iteration"):
        before = bits(trained)
        trained.restart(name)
        changed = {
            key for key, weight in bits(trained).items() if not torch.equal(weight, before[key])
        }
        assert changed, name
        assert all(key.startswith(name) for key in changed)
    with pytest.raises(TypeError, match="layer '' of type Plain has no reset_parameters; expected"):
        trained.restart("plain")
