"""Mutants of a Python source: small edits that a good test notices.

The operators are those of the literature (Jia and Harman 2011, "An analysis and survey of the
development of mutation testing", section 3), one edit each:

- comparisons: a moved boundary (`<` and `<=`), or the opposite (`==`, `is`, `in`);
- arithmetic, bitwise and boolean operators: the opposite one; signs and `not` removed;
- integers one more and one less, other numbers one more, `True` and `False` swapped;
- bounds of slices one later, unless they are integers;
- `min`, `any`, `argmin` and their like: the opposite one;
- conditions negated, the two values of a conditional expression swapped;
- statements removed: calls, raises, assignments to attributes and items, `x += y`; `break` and
  `continue` swapped; `None` returned.

Not mutated: annotations, decorators, assertions, texts and what they format, and the arguments of
a `raise`, so that no mutant only changes the words of an error.

Libraries were tried first. mutmut 3 calls each mutant through a wrapper, which Numba cannot
compile. cosmic-ray 8 has no removed statements, returned values or slices; two thirds of its
mutants replace one binary operator by any of the eleven others, also in annotations: most are
errors of type, which every test kills, and which would hide what the share is to show.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

COMPARISONS: dict[type[ast.cmpop], tuple[str, str]] = {
    ast.Lt: ("<", "<="),
    ast.LtE: ("<=", "<"),
    ast.Gt: (">", ">="),
    ast.GtE: (">=", ">"),
    ast.Eq: ("==", "!="),
    ast.NotEq: ("!=", "=="),
    ast.Is: ("is", "is not"),
    ast.IsNot: ("is not", "is"),
    ast.In: ("in", "not in"),
    ast.NotIn: ("not in", "in"),
}

BOUNDARIES = (ast.Lt, ast.LtE, ast.Gt, ast.GtE)

ARITHMETIC: dict[type[ast.operator], tuple[str, str]] = {
    ast.Add: ("+", "-"),
    ast.Sub: ("-", "+"),
    ast.Mult: ("*", "/"),
    ast.Div: ("/", "*"),
    ast.FloorDiv: ("//", "*"),
    ast.Mod: ("%", "*"),
    ast.Pow: ("**", "*"),
    ast.BitAnd: ("&", "|"),
    ast.BitOr: ("|", "&"),
    ast.BitXor: ("^", "&"),
    ast.LShift: ("<<", ">>"),
    ast.RShift: (">>", "<<"),
}

OPPOSITE_NAMES = {
    one: other
    for pair in (
        *(("min", "max"), ("any", "all"), ("minimum", "maximum"), ("argmin", "argmax")),
        *(("floor", "ceil"), ("zeros", "ones"), ("zeros_like", "ones_like")),
    )
    for one, other in (pair, pair[::-1])
}

MODULE = "<module>"
"""Name of the function of code outside all functions."""


@dataclass(frozen=True)
class Mutant:
    """An edit of a source file.

    Attributes:
        path: of the file, from the root of the checkout.
        function: qualified name of the function that contains it; `MODULE` outside.
        kind: the operator.
        line: the number of the first changed line, from 1.
        before, after: the changed lines, their white space reduced to single spaces.
    """

    path: str
    function: str
    kind: str
    line: int
    before: str
    after: str
    _start: int = field(repr=False)  # in bytes
    _end: int = field(repr=False)
    _replacement: bytes = field(repr=False)

    @property
    def key(self) -> str:
        """The identity of the mutant among those of one state of the file."""
        return f"{self.path}:{self._start}-{self._end}:{self._replacement.decode()}"

    def apply(self, text: bytes) -> bytes:
        """Return the file's bytes with the edit."""
        return text[: self._start] + self._replacement + text[self._end :]


def mutants_of(path: str, text: bytes) -> list[Mutant]:
    """Return all mutants of a source, in the order of the text.

    Args:
        path: of the file, from the root of the checkout.
        text: its bytes, in UTF-8.
    """
    finder = _Finder(path, text)
    finder.visit(ast.parse(text))
    return sorted(finder.found, key=lambda mutant: (mutant._start, mutant._end, mutant.after))


def mutant_of_line(path: str, text: bytes, function: str, before: str, after: str) -> Mutant:
    """Return the mutant that replaces one line of a function.

    Args:
        path: of the file, from the root of the checkout.
        text: its bytes.
        function: the qualified name of the function.
        before, after: the line, without its indentation.

    Raises:
        ValueError: if the function has not exactly one such line.
    """
    finder = _Finder(path, text)
    finder.visit(ast.parse(text))
    first, last = finder.functions.get(function, (1, 0))
    lines = text.splitlines(keepends=True)
    numbers = [n for n in range(first, last + 1) if lines[n - 1].strip() == before.encode()]
    if len(numbers) != 1:
        raise ValueError(f"{path}, {function}: {len(numbers)} lines {before!r}; expected one")
    column = len(lines[numbers[0] - 1]) - len(lines[numbers[0] - 1].lstrip())
    start = sum(map(len, lines[: numbers[0] - 1])) + column
    return finder.edit(start, start + len(before.encode()), after, "line", function)


class _Finder(ast.NodeVisitor):
    """Visitor that collects the mutants of a source."""

    def __init__(self, path: str, text: bytes) -> None:
        self.found: list[Mutant] = []
        self.functions: dict[str, tuple[int, int]] = {}  # first and last line
        self._path, self._text = path, text
        self._line_starts = [0]
        for line in text.splitlines(keepends=True):
            self._line_starts.append(self._line_starts[-1] + len(line))
        self._scopes: list[str] = []
        self._function = MODULE

    # -- edits -----------------------------------------------------------------------------------

    def edit(self, start: int, end: int, new: str, kind: str, function: str) -> Mutant:
        """Return the mutant that replaces a range of bytes."""
        first = self._text.rfind(b"\n", 0, start) + 1
        last = self._text.find(b"\n", end)
        last = len(self._text) if last < 0 else last
        old, replacement = self._text[first:last], new.encode()
        changed = self._text[first:start] + replacement + self._text[end:last]
        before, after = (" ".join(each.decode().split()) for each in (old, changed))
        line = self._text.count(b"\n", 0, start) + 1
        return Mutant(self._path, function, kind, line, before, after, start, end, replacement)

    def _range(self, node: ast.expr | ast.stmt) -> tuple[int, int]:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return (
            self._line_starts[node.lineno - 1] + node.col_offset,
            self._line_starts[node.end_lineno - 1] + node.end_col_offset,
        )

    def _source(self, node: ast.expr) -> str:
        start, end = self._range(node)
        return self._text[start:end].decode()

    def _replace(self, node: ast.expr | ast.stmt, new: str, kind: str) -> None:
        self.found.append(self.edit(*self._range(node), new, kind, self._function))

    def _replace_between(
        self, left: ast.expr, right: ast.expr, old: str, new: str, kind: str
    ) -> None:
        """Replace an operator, whose place is not in the tree, between two operands."""
        start, end = self._range(left)[1], self._range(right)[0]
        pattern = rb"(?:#[^\n]*|[\s()\\])*?(" + rb"\s+".join(map(_escaped, old.split())) + rb")"
        match = re.compile(pattern).match(self._text, start, end)
        assert match is not None, (self._path, self._text[start:end])
        self.found.append(self.edit(*match.span(1), new, kind, self._function))

    # -- what is not mutated ---------------------------------------------------------------------

    def _skip(self, node: ast.AST) -> None:
        pass

    visit_JoinedStr = visit_Assert = visit_Import = visit_ImportFrom = _skip  # noqa: N815

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        """Visit the body alone."""
        self._scopes.append(node.name)
        self._visit_all(node.body)
        self._scopes.pop()

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        """Visit the defaults, which belong to what is outside, and the body."""
        self._visit_all([*node.args.defaults, *(each for each in node.args.kw_defaults if each)])
        outer, scopes = self._function, self._scopes
        self._function = ".".join([*scopes, node.name])
        self._scopes = [self._function, "<locals>"]
        assert node.end_lineno is not None
        self.functions[self._function] = node.lineno, node.end_lineno
        self._visit_all(node.body)
        self._function, self._scopes = outer, scopes

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        """Visit the value alone; remove the assignment of an attribute."""
        if node.value is not None:
            if isinstance(node.target, ast.Attribute):
                self._replace(node, "pass", "removed statement")
            self.visit(node.value)

    def _visit_all(self, nodes: list[ast.stmt] | list[ast.expr]) -> None:
        for node in nodes:
            self.visit(node)

    # -- statements ------------------------------------------------------------------------------

    def visit_Raise(self, node: ast.Raise) -> None:
        """Remove it; its text is left alone."""
        self._replace(node, "pass", "removed statement")

    def visit_Expr(self, node: ast.Expr) -> None:
        """Remove a call."""
        if isinstance(node.value, ast.Call):
            self._replace(node, "pass", "removed statement")
        self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> None:
        """Remove it, unless it makes a name."""
        if all(isinstance(each, ast.Attribute | ast.Subscript) for each in node.targets):
            self._replace(node, "pass", "removed statement")
        self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        """Remove it, or use the opposite operator."""
        self._replace(node, "pass", "removed statement")
        if type(node.op) in ARITHMETIC:
            old, new = ARITHMETIC[type(node.op)]
            self._replace_between(node.target, node.value, f"{old}=", f"{new}=", "arithmetic")
        self.generic_visit(node)

    def visit_Return(self, node: ast.Return) -> None:
        """Return None."""
        if node.value is None:
            self._replace(node, "pass", "removed statement")
        elif not (isinstance(node.value, ast.Constant) and node.value.value is None):
            self._replace(node, "return None", "return value")
        self.generic_visit(node)

    def visit_Break(self, node: ast.Break) -> None:
        """Continue instead."""
        self._replace(node, "continue", "loop")

    def visit_Continue(self, node: ast.Continue) -> None:
        """Break instead."""
        self._replace(node, "break", "loop")

    def visit_If(self, node: ast.If) -> None:
        """Negate the condition."""
        self._negate(node.test)
        self.generic_visit(node)

    # -- expressions -----------------------------------------------------------------------------

    def visit_IfExp(self, node: ast.IfExp) -> None:
        """Negate the condition, which swaps the values."""
        self._negate(node.test)
        self.generic_visit(node)

    def _negate(self, test: ast.expr) -> None:
        is_opposite = isinstance(test, ast.Compare) and not isinstance(test.ops[0], BOUNDARIES)
        if not is_opposite and not isinstance(test, ast.UnaryOp):  # those have their own mutants
            self._replace(test, f"not ({self._source(test)})", "condition")

    def visit_Compare(self, node: ast.Compare) -> None:
        """Move a boundary, or ask for the opposite."""
        operands = [node.left, *node.comparators]
        for left, op, right in zip(operands, node.ops, node.comparators, strict=False):
            self._replace_between(left, right, *COMPARISONS[type(op)], "comparison")
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        """Use the opposite operator; at the module's level `|` joins types."""
        is_union = isinstance(node.op, ast.BitOr) and self._function == MODULE
        if type(node.op) in ARITHMETIC and not is_union:
            self._replace_between(node.left, node.right, *ARITHMETIC[type(node.op)], "arithmetic")
        self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        """Swap `and` and `or`."""
        old, new = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
        for left, right in zip(node.values, node.values[1:], strict=False):
            self._replace_between(left, right, old, new, "boolean")
        self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        """Remove a sign or `not`."""
        self._replace(node, f"({self._source(node.operand)})", "unary")
        if not (isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Constant)):
            self.generic_visit(node)  # of -1 only the sign is mutated

    def visit_Subscript(self, node: ast.Subscript) -> None:
        """Move the bounds of slices."""
        parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        for part in parts:
            if isinstance(part, ast.Slice):
                for bound in (part.lower, part.upper):
                    if bound is not None and not isinstance(bound, ast.Constant):
                        self._replace(bound, f"{self._source(bound)} + 1", "slice")
        self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> None:
        """Use the opposite function."""
        if node.id in OPPOSITE_NAMES and isinstance(node.ctx, ast.Load):
            self._replace(node, OPPOSITE_NAMES[node.id], "function")

    def visit_Attribute(self, node: ast.Attribute) -> None:
        """Use the opposite function or method."""
        if node.attr in OPPOSITE_NAMES and isinstance(node.ctx, ast.Load):
            _, end = self._range(node)
            start = end - len(node.attr)
            new = OPPOSITE_NAMES[node.attr]
            self.found.append(self.edit(start, end, new, "function", self._function))
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        """Change a number by one, and swap True and False."""
        for new in _other_constants(node.value):
            self._replace(node, new, "constant")


def _escaped(word: str) -> bytes:
    return re.escape(word).encode()


def _other_constants(value: object) -> Iterator[str]:
    if isinstance(value, bool):
        yield str(not value)
    elif isinstance(value, int):
        yield str(value + 1)
        yield str(value - 1) if value else "(-1)"
    elif isinstance(value, float):
        yield repr(value + 1.0 if value + 1.0 != value else 2.0 * value)
