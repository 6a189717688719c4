"""No test of this project is one that cannot fail: it asserts something, on what may differ, wherever it ends."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
FILES = sorted(TESTS.rglob("*.py"))

EXPECTS = frozenset(("raises", "warns", "fail", "deprecated_call"))
"""What of pytest fails a test, like an assert."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def tree_of(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def functions(tree: ast.AST) -> Iterator[Function]:
    return (node for node in ast.walk(tree) if isinstance(node, Function))


def called(node: ast.AST) -> set[str]:
    """The last names of all that is called, or handed to a call, somewhere in a node."""
    found = {each.attr for each in ast.walk(node) if isinstance(each, ast.Attribute)}
    return found | {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}


def judges(function: Function) -> bool:
    """Whether a function fails by itself when something is not as it should be."""
    for node in ast.walk(function):
        if isinstance(node, ast.Assert | ast.Raise):
            return True
        if isinstance(node, ast.Attribute) and (node.attr in EXPECTS or node.attr.startswith("assert_")):
            return True
        if isinstance(node, ast.keyword) and node.arg == "check" and ast.unparse(node.value) == "True":
            return True
    return False


def checking_names() -> set[str]:
    """The functions, methods and classes of `tests/` that judge, themselves or by others."""
    uses: dict[str, set[str]] = {}
    judging = set[str]()
    for file in FILES:
        for node in ast.walk(tree_of(file)):
            if not isinstance(node, Function | ast.ClassDef) or node.name.startswith("test_"):
                continue
            uses.setdefault(node.name, set()).update(called(node))
            if any(judges(each) for each in functions(node)):
                judging.add(node.name)
    grown = True
    while grown:
        more = {name for name, used in uses.items() if used & judging} - judging
        judging |= more
        grown = bool(more)
    return judging


CHECKING = checking_names()


def asserts_nothing(function: Function) -> bool:
    return not judges(function) and not called(function) & CHECKING


def is_always_true(test: ast.expr) -> bool:
    """`assert True`, `assert (a, "why")`, `assert x or True`, `assert [x for x in y] or "z"`, `assert f"{x}!"`."""
    if isinstance(test, ast.Constant):
        return bool(test.value)
    if isinstance(test, ast.Tuple | ast.List | ast.Set):
        return bool(test.elts)
    if isinstance(test, ast.BoolOp):
        return (any if isinstance(test.op, ast.Or) else all)(map(is_always_true, test.values))
    return isinstance(test, ast.Lambda | ast.GeneratorExp)


def compares_with_itself(test: ast.expr) -> bool:
    """`assert a.b == a.b`; two calls may differ, so `f(x) == f(x)` is a test of `f`."""
    if not isinstance(test, ast.Compare) or any(isinstance(node, ast.Call) for node in ast.walk(test)):
        return False
    left = ast.dump(test.left)
    return all(ast.dump(right) == left for right in test.comparators)


def is_swallowed(function: Function) -> Iterator[int]:
    """Lines of asserts whose failure an `except` or a `suppress` around them takes."""
    for node in ast.walk(function):
        if isinstance(node, ast.Try):
            caught = [name for handler in node.handlers for name in exceptions_of(handler.type)]
            inner: list[ast.AST] = list(node.body)
            again = any(isinstance(each, ast.Raise) for handler in node.handlers for each in ast.walk(handler))
        elif isinstance(node, ast.With | ast.AsyncWith):
            contexts = [item.context_expr for item in node.items]
            caught = [
                name
                for call in contexts
                if isinstance(call, ast.Call) and ast.unparse(call.func).endswith("suppress")
                for each in call.args
                for name in exceptions_of(each)
            ]
            inner, again = list(node.body), False
        else:
            continue
        if not again and {"", "Exception", "BaseException", "AssertionError"} & set(caught):
            yield from (each.lineno for body in inner for each in ast.walk(body) if isinstance(each, ast.Assert))


def exceptions_of(caught: ast.expr | None) -> list[str]:
    """The names of what an `except` catches; an empty one for all."""
    if caught is None:
        return [""]
    return [ast.unparse(each) for each in (caught.elts if isinstance(caught, ast.Tuple) else [caught])]


def loops_over_nothing(function: Function) -> Iterator[int]:
    """Lines of loops over an empty literal."""
    for node in ast.walk(function):
        over = node.iter if isinstance(node, ast.For | ast.AsyncFor | ast.comprehension) else None
        if isinstance(over, ast.List | ast.Tuple | ast.Set) and not over.elts:
            yield over.lineno
        if isinstance(over, ast.Dict) and not over.keys:
            yield over.lineno


def has_no_cases(function: Function) -> bool:
    """`@pytest.mark.parametrize("x", [])`, which pytest passes over."""
    for mark in function.decorator_list:
        if isinstance(mark, ast.Call) and ast.unparse(mark.func).endswith("parametrize") and len(mark.args) > 1:
            cases = mark.args[1]
            if isinstance(cases, ast.List | ast.Tuple) and not cases.elts:
                return True
    return False


def faults(tree: ast.AST) -> Iterator[str]:
    for function in functions(tree):
        for node in ast.walk(function):
            if isinstance(node, ast.Assert) and is_always_true(node.test):
                yield f"{node.lineno}: is always true"
            if isinstance(node, ast.Assert) and compares_with_itself(node.test):
                yield f"{node.lineno}: compares a value with itself"
        yield from (f"{line}: an exception handler takes the failure of this assert" for line in is_swallowed(function))
        yield from (f"{line}: a loop over nothing" for line in loops_over_nothing(function))
        if function.name.startswith("test_") and asserts_nothing(function):
            yield f"{function.lineno}: {function.name} asserts nothing"
        if has_no_cases(function):
            yield f"{function.lineno}: {function.name} has no cases"


def test_every_test_can_fail() -> None:
    found = [f"{file.relative_to(TESTS)}:{fault}" for file in FILES for fault in dict.fromkeys(faults(tree_of(file)))]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("f(x)", "asserts nothing"),
        ("assert True", "always true"),
        ("assert (x == 1, 'one')", "always true"),
        ("assert x == 1 or True", "always true"),
        ("assert (y for y in x)", "always true"),
        ("assert x.y == x.y", "with itself"),
        ("for y in []:\n        assert y", "loop over nothing"),
        ("assert all(y for y in ())", "loop over nothing"),
        ("try:\n        assert x\n    except Exception:\n        pass", "takes the failure"),
        ("try:\n        assert x\n    except:\n        pass", "takes the failure"),
        ("try:\n        assert x\n    except (ValueError, AssertionError):\n        pass", "takes the failure"),
        ("with contextlib.suppress(AssertionError):\n        assert x", "takes the failure"),
    ],
)
def test_each_kind_is_found(body: str, why: str) -> None:
    (fault,) = faults(ast.parse(f"def test_it(x):\n    {body}\n"))
    assert why in fault


@pytest.mark.parametrize(
    "body",
    [
        "assert f(x) == f(x)",
        "with pytest.raises(ValueError):\n        f(x)",
        "np.testing.assert_array_equal(x, f(x))",
        "try:\n        assert x\n    except ValueError:\n        return",
        "subprocess.run(x, check=True)",
    ],
)
def test_what_can_fail_is_left_alone(body: str) -> None:
    assert not list(faults(ast.parse(f"def test_it(x):\n    {body}\n")))


def test_empty_lists_of_cases_are_found() -> None:
    (fault,) = faults(ast.parse("@pytest.mark.parametrize('x', [])\ndef test_it(x):\n    assert x\n"))
    assert "no cases" in fault


INSIDE = frozenset(("_vault", "_asked", "_close_catalog", "_version"))
"""What a lake keeps to itself."""


def reaches(tree: ast.AST) -> Iterator[int]:
    """The lines that read something of the inside of another object."""
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Attribute) and node.attr in INSIDE and isinstance(node.ctx, ast.Load)):
            continue
        if not (isinstance(node.value, ast.Name) and node.value.id == "self"):
            yield node.lineno


def test_the_inside_of_a_lake_is_reached_in_one_place() -> None:
    """`support.internals` names what tests need; the golden lakes are made by a program of their own time."""
    aside = {TESTS / "support" / "internals.py", TESTS / "golden" / "make_lake.py"}
    found = {str(file.relative_to(TESTS)): list(reaches(tree_of(file))) for file in FILES if file not in aside}
    assert not {file: lines for file, lines in found.items() if lines}
    assert len(list(reaches(tree_of(TESTS / "support" / "internals.py")))) >= len(INSIDE)
