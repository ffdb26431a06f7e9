"""Export to C: one header with constant weights, without allocation."""

from __future__ import annotations

import json
import os
import re
from typing import Any, NamedTuple

import numpy as np

from dynamaze.common.atomic_files import write_atomically

from ...core.distributions import Bounds
from ...core.gaussian_actions import LOG_STD
from ...core.map_state import known_grid
from ...core.observations import KERNEL, MAX_BRIGHTNESS
from ..common import operations as ops
from ..common.students import describe_kind, operations_of
from . import map_templates, templates
from .small_source import small_logits
from .templates import bounds_table, literal, reward_sum, table, tanh_function


def export_c(
    path: str | os.PathLike[str],
    student: Any,
    observation: Any,
    *,
    name: str = "student",
    small: bool = False,
) -> None:
    """Write a student as a C header (C99), atomically.

    It has `int NAME_act(const float *observation)`, which returns the best action, the first of
    equal ones, and `int NAME_logits(const float *observation, float *logits)`, which returns 0;
    observations are row-major. A value iteration network and a convolution of planes are written
    for mazes of one size; their functions return -1 if no cell is marked as the agent's. The
    functions of a GRU take `float *memory` after the observation: `NAME_MEMORY` numbers that the
    caller keeps, zeros at an episode's start; those of a student that plans on its own map outlive
    episodes (the header says how), and are written for the maze of its `grid`. All work arrays are
    on the stack; for a convolution of images these are all units of all layers.

    For a `GaussianStudent` they are `int NAME_gaussian(const float *observation, float *means,
    float *log_deviations)`, the logarithms of the deviations clipped to [-20, 2], and `int
    NAME_act(const float *observation, float *action)`, the action of the means: `NAME_DIMENSIONS`
    numbers each. Both return 0, or -1 as above.

    Args:
        path: the file.
        student: a student, or a policy of `load_policy`: an MLP, linear, a convolution, a GRU, a
            value iteration network, also on its own map, a tree, a `GaussianStudent` with one of
            these, but a tree, inside, or a student of a class with a method `operations()`. Of an
            `ActorCritic` the actor is written.
        observation: a single one as the environment returns it; only its shape matters, and whether
            it is uint8: then it is `const unsigned char *observation`.
        name: prefix of all names in the header.
        small: write a hardened value iteration network with ternary weights for size: weights as
            two bits, whole numbers, less code. It chooses the same action in every cell from which
            a path leads to a goal, in planes of 0 and 1, and takes more time (see `small_source`).

    Raises:
        TypeError: for another kind of student.
        ValueError: for a name that C does not take, an observation that does not fit, weights that
            are not finite, bounds of squashed actions that float32 does not hold, or `small` for a
            student that is not hardened and ternary.
        OSError: if the file cannot be written; an older one stays as it was.
    """
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise ValueError(f"name={name!r}; expected one that C takes, such as 'student'")
    operations, seen = operations_of(student), np.asarray(observation)
    if operations is None:
        raise TypeError(
            f"a student {describe_kind(student)}; expected an MLP, linear, a convolution, a GRU, a "
            "value iteration network, a tree or one with a method operations(), which can be "
            "written as C, or export_onnx, which writes the other networks"
        )
    kind = "unsigned char" if seen.dtype == np.uint8 else "float"
    source = _Source(operations, seen)
    text = (source.small_header if small else source.header)(guard=f"{name.upper()}_H")
    write_atomically(path, text.replace("INPUT", kind).replace("NAME", name).encode())


class _Input(NamedTuple):
    """C expressions of the vector that the next operation reads."""

    array: str
    run: str  # numbers in a run
    runs: int = 0  # 0 for one without a loop over runs
    wide: int = 0  # from one run to the next
    first: int = 0  # offset of the first run
    map: ops.Size = ()  # whose cells are read one after another; empty for a vector
    is_state: bool = False

    def expressions(self) -> dict[str, str]:
        """Return the entries of the templates that read it number by number."""
        if not self.runs:
            return {"array": self.array, "run": self.run, "each_row": "", "at": "i", "place": "i"}
        return {
            "array": self.array,
            "run": self.run,
            "each_row": f"    for (int row = 0; row < {self.runs}; row++)\n",
            "at": f"row * {self.wide} + {self.first} + i",
            "place": f"row * {self.run} + i",
        }


class _Source:
    """C source of a student that grows by one operation after the other.

    Args:
        operations: of the student.
        observation: a single one.

    Raises:
        ValueError: for an observation that does not fit, or weights that are not finite.
    """

    def __init__(self, operations: ops.Operations, observation: Any) -> None:
        self.sizes = ops.sizes_of(operations, observation.shape)
        self.bounds = ops.bounds_of(operations)
        self.operations = operations if self.bounds is None else operations[:-1]
        self.observation, first = observation, ops.first_of(operations)
        self.may_fail = None in first.observation_shape
        self.memory = ops.memory_width(operations)
        self.word = "logits" if self.bounds is None else "outputs"
        self.defines, self.says_more = "", templates.SAYS_MEMORY if self.memory else ""
        self.says = templates.SAYS_PLANES if self.may_fail else templates.SAYS_ALWAYS
        self.tables: list[str] = []
        self.helpers: list[str] = []
        self.steps: list[str] = []
        is_image = observation.dtype == np.uint8 and first.is_image
        self.times = f" / {MAX_BRIGHTNESS:.0f}.0f" if is_image else ""  # of the next input
        self.input = _Input("observation", "")
        for number in range(len(self.operations)):
            self._add(number)
        if self.input.array != self.word:
            self._copy(self.word, self.sizes[-1][0])

    def header(self, *, guard: str) -> str:
        """Return the whole header, with NAME and INPUT."""
        memory = {
            "takes": ", float *memory" if self.memory else "",
            "gives": ", memory" if self.memory else "",
        }
        body = templates.FUNCTION.format(
            defines=f"#define NAME_MEMORY {self.memory}\n{self.defines}\n" if self.memory else "",
            tables="\n".join(self.tables),
            helpers="".join(f"{helper}\n\n" for helper in self.helpers),
            word=self.word,
            says=self.says,
            says_more=self.says_more,
            takes=memory["takes"],
            steps="".join(self.steps),
        )
        if self.bounds is None:
            return self._discrete(body, guard=guard, **memory)
        body = self._continuous(body, self.bounds, **memory)
        out = f"a Gaussian of {self.bounds.dimensions} numbers"
        return self._header(body, guard=guard, out=out)

    def small_header(self, *, guard: str) -> str:
        """Return the whole header of a hardened value iteration network, written for size.

        Raises:
            ValueError: for another student.
        """
        body = small_logits(self.operations, self.observation.shape)
        return self._discrete(body, guard=guard, takes="", gives="")

    def _discrete(self, body: str, *, guard: str, takes: str, gives: str) -> str:
        """Return the header with the best action, after the function of the logits."""
        actions = self.sizes[-1][0]
        body = templates.DISCRETE.format(body=body, actions=actions, takes=takes, gives=gives)
        return self._header(body, guard=guard, out=f"one of {actions} actions")

    def _header(self, body: str, *, guard: str, out: str) -> str:
        seen = self.observation
        return templates.HEADER.format(
            guard=guard,
            inputs=seen.size,
            shape=" x ".join(str(n) for n in seen.shape),
            out=out,
            body=body,
        )

    def _continuous(self, body: str, bounds: Bounds, *, takes: str, gives: str) -> str:
        """Return functions of continuous actions, after that of the network's outputs."""
        ask = f"NAME_outputs(observation{gives}, outputs)"
        sample = "middle[d] + half_range[d] * tanhf(outputs[d])"
        sides = ops.Gaussian(bounds).sides().items()
        return templates.CONTINUOUS.format(
            dimensions=bounds.dimensions,
            about=templates.ABOUT.format(document=json.dumps(bounds.to_json())),
            body=body,
            takes=takes,
            ask=f"if ({ask} < 0) return -1;" if self.may_fail else f"{ask};",
            says=templates.FAILS if self.may_fail else templates.SAYS_ALWAYS,
            smallest=LOG_STD[0],
            largest=LOG_STD[1],
            least=literal(LOG_STD[0]),
            most=literal(LOG_STD[1]),
            way="squashed and scaled" if bounds.squashed else "clipped",
            tables="\n".join(bounds_table(name, side) for name, side in sides),
            sample=sample if bounds.squashed else "outputs[d]",
        )

    # -- operations ----------------------------------------------------------------------------

    def _add(self, number: int) -> None:
        """Write an operation down."""
        operation = self.operations[number]
        before, after = self.sizes[number], self.sizes[number + 1]
        array = f"units_{number - 1}"  # of the operation before
        match operation:
            case ops.Vector():
                self.input = _Input("observation", str(after[0]))
            case ops.Image() | ops.Planes():
                self._load(after, operation.strides(*after))
            case ops.ValueIteration():
                self._value_iteration(operation, number)
            case ops.MapValueIteration():
                self._map_value_iteration(operation, number)
            case ops.Tree():
                self._tree(operation, number)
            case ops.Conv3x3():
                self._convolution(operation, number)
            case ops.MarkedCells():
                wide = self._map(number - 1).wide * after[0]
                self.input = _Input(array, str(after[0]), runs=1, wide=wide)
            case ops.Flatten():
                rows, cols, channels = before
                wide = self._map(number - 1).wide * channels
                self.input = _Input(
                    array, str(cols * channels), rows, wide, first=wide + channels, map=before
                )
            case ops.Dense():
                self._linear(operation, number)
            case ops.GRUCell():
                self._gru(operation, number)

    def _linear(self, layer: ops.Dense, number: int) -> None:
        given, weight = self.input, ops.cell_by_cell(layer.weight, self.input.map)
        self._add_tables({f"weight_{number}": weight.T, f"bias_{number}": layer.bias})
        squash = "tanhf" if layer.tanh else ""
        about = {**self._output(number), "number": number}
        if given.runs or given.is_state:
            text = templates.READ + (templates.SQUASH if layer.tanh else "")
            self._step(text, **about, **given.expressions())
        else:
            self._step(templates.LAYER, **about, **given._asdict(), times=self.times, squash=squash)
        self.times = ""

    def _gru(self, cell: ops.GRUCell, number: int) -> None:
        if self.input.runs:
            self._copy("flat", self.sizes[number][0])
        given = self.input
        tables = cell.arrays()
        inwards = ops.cell_by_cell(cell.inwards, given.map)
        self._add_tables({**tables, "inwards": inwards.T, "backwards": cell.backwards.T})
        self._step(templates.GRU, **given._asdict(), width=cell.memory_width, times=self.times)
        self.times = ""
        self.input = _Input("memory", "WIDTH", is_state=True)

    def _tree(self, tree: ops.Tree, number: int) -> None:
        self._add_tables(tree.arrays())
        self._step(templates.TREE, **self._output(number))

    def _value_iteration(self, network: ops.ValueIteration, number: int) -> None:
        _, rows, cols = self.observation.shape
        about = {
            **self._output(number),
            "rows": rows,
            "cols": cols,
            "top": literal(network.top),
            "sharpness": literal(network.sharpness),
        }
        if network.crossing is None:
            self._add_tables(network.arrays())
            iterations = network.iterations_for(rows, cols)
            self._step(templates.VALUE_ITERATION, **about, iterations=iterations)
            return
        pairs = zip(network.bias, network.reward.reshape(-1, 2, KERNEL), strict=True)
        sums = (reward_sum(*pair) for pair in pairs)
        lines = (f"            rewards[at][{m}] = {each};\n" for m, each in enumerate(sums))
        crossing = literal(network.crossing)
        self._step(templates.VALUE_WAVE, **about, rewards="".join(lines), crossing=crossing)

    def _map_value_iteration(self, network: ops.MapValueIteration, number: int) -> None:
        rows, cols = known_grid(network.grid)
        self.defines = map_templates.MAP_DEFINES.format(rows=rows, cols=cols)
        self.says = map_templates.SAYS_CELLS
        self.says_more = map_templates.SAYS_MAP
        self.helpers.append(map_templates.PRESENT)
        self._add_tables(network.arrays())
        self._step(
            map_templates.MAP_VALUE_ITERATION,
            **self._output(number),
            rows=rows,
            cols=cols,
            iterations=network.iterations_for,
            bias=literal(network.bias),
            sharpness=literal(network.sharpness),
        )

    def _load(self, size: ops.Size, strides: tuple[int, int, int]) -> None:
        """Copy the observation to a map; find the marked cell in planes."""
        (rows, cols, inputs), here = size, self._map(0)
        down, right, deeper = strides
        self._step(
            templates.MAP,
            find=templates.FIND if self.may_fail else "",
            rows=rows,
            cols=cols,
            inputs=inputs,
            size=here.high * here.wide * inputs,
            each_row=here.each_row,
            each_col=here.each_col,
            into=_offset(here.into, here.wide, inputs),
            at=f"row * {down} + col * {right} + i * {deeper}",
            times=self.times,
        )
        self.times = ""

    def _convolution(self, layer: ops.Conv3x3, number: int) -> None:
        before, here = self._map(number - 1), self._map(number)
        channels, inputs = layer.weight.shape[:2]
        by_input = layer.weight.transpose(2, 3, 1, 0).reshape(-1, channels)
        self._add_tables({f"weight_{number}": by_input, f"bias_{number}": layer.bias})
        if layer.tanh and tanh_function() not in self.helpers:
            self.helpers.append(tanh_function())
        about = {"number": number, "run": 3 * inputs, "outputs": channels}
        tanh = "NAME_tanh" if layer.tanh else ""
        self.helpers.append(templates.CELL.format(**about, wide=before.wide * inputs, tanh=tanh))
        self._step(
            templates.STEP,
            **about,
            before=number - 1,
            size=here.high * here.wide * channels,
            each_row=here.each_row,
            each_col=here.each_col,
            source=_offset(here.source, before.wide, inputs),
            into=_offset(here.into, here.wide, channels),
        )

    # -- parts ---------------------------------------------------------------------------------

    def _copy(self, into: str, size: int) -> None:
        """Copy the input of an operation to one run."""
        declare = "" if into == self.word else f"    float {into}[{size}];\n"
        self._step(templates.COPY, into=into, declare=declare, **self.input.expressions())
        self.input = _Input(into, str(size), map=self.input.map)

    def _output(self, number: int) -> dict[str, Any]:
        """Return the entries of the templates for the output of an operation, the next input."""
        is_last = number == len(self.operations) - 1
        outputs = self.sizes[number + 1][0]
        into = self.word if is_last else f"units_{number}"
        self.input = _Input(into, str(outputs))
        declare = "" if is_last else f"    float {into}[{outputs}];\n"
        return {"into": into, "outputs": outputs, "declare": declare}

    def _step(self, template: str, **entries: Any) -> None:
        self.steps.append(template.format(**entries))

    def _add_tables(self, arrays: dict[str, Any]) -> None:
        self.tables += [table(name, array) for name, array in arrays.items()]

    def _map(self, number: int) -> _Map:
        """Return the map that an operation writes."""
        operation, later = self.operations[number], self.operations[number + 1 :]
        if self.may_fail:
            return _around(sum(isinstance(each, ops.Conv3x3) for each in later))
        stride = operation.stride if isinstance(operation, ops.Conv3x3) else 1
        rows, cols, _ = self.sizes[number + 1]
        return _whole(rows, cols, stride)


class _Map(NamedTuple):
    """C expressions for the cells of one map; (row, col) is a cell of the maze or image."""

    high: int  # rows of the map, with its border
    wide: int  # columns of the map, with its border
    each_row: str  # header of the loop over cells
    each_col: str
    into: tuple[str, str]  # row and column of a cell in this map
    source: tuple[str, str]  # in the previous map, of the first of its nine inputs


def _around(reach: int) -> _Map:
    """Return the map of the agent's cell and of the cells up to `reach` away in each direction."""
    row, col = (
        f"int {way} = agent_{way} > {reach} ? agent_{way} - {reach} : 0; "
        f"{way} < {sides} && {way} <= agent_{way} + {reach}; {way}++"
        for way, sides in (("row", "ROWS"), ("col", "COLS"))
    )
    place = f"row - agent_row + {reach}", f"col - agent_col + {reach}"
    return _Map(2 * reach + 1, 2 * reach + 1, row, col, place, place)


def _whole(rows: int, cols: int, stride: int) -> _Map:
    """Return the map of all cells, with a border of one, for a convolution of some stride."""
    row, col = (
        f"int {way} = 0; {way} < {side}; {way}++" for way, side in (("row", rows), ("col", cols))
    )
    source = f"{stride} * row", f"{stride} * col"
    return _Map(rows + 2, cols + 2, row, col, ("row + 1", "col + 1"), source)


def _offset(place: tuple[str, str], wide: int, channels: int) -> str:
    row, col = place
    return f"(({row}) * {wide} + {col}) * {channels}"
