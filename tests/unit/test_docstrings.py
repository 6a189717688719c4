"""The public functions, methods and classes are documented by numpydoc: every parameter, result and error by name."""

from __future__ import annotations

import ast
import builtins
import dataclasses
import importlib
import inspect
import re
import textwrap
from collections.abc import Iterator

import pytest

import sxeslake
from sxeslake import errors

MODULES = ("sxeslake", "sxeslake.archive", "sxeslake.lines", "sxeslake.hyperspy")
FUNCTIONS = {"sxeslake.vendor.classify": ("classify",)}
NOTHING = ("None", "NoReturn", "Never", "")


def public(module: str) -> Iterator[tuple[str, object]]:
    """What a module offers, and the public methods of its classes; those of other packages' bases are theirs."""
    home = importlib.import_module(module)
    for name in FUNCTIONS.get(module) or home.__all__:
        thing = getattr(home, name)
        if not callable(thing):
            continue
        yield f"{module}.{name}", thing
        for base in thing.__mro__ if inspect.isclass(thing) else ():
            if not base.__module__.startswith("sxeslake"):
                continue
            for method, member in vars(base).items():
                if not method.startswith("_") and (function := function_of(member)) is not None:
                    yield f"{base.__module__}.{base.__qualname__}.{method}", function


def function_of(member: object) -> object:
    """The function behind a method; None for what is none."""
    if isinstance(member, staticmethod | classmethod):
        return member.__func__
    return member if inspect.isfunction(member) else None


def fields_of(thing: object) -> list[str]:
    """The public fields of a record."""
    if dataclasses.is_dataclass(thing):
        return [each.name for each in dataclasses.fields(thing) if not each.name.startswith("_")]
    return list(vars(thing).get("_fields", ())) if inspect.isclass(thing) and issubclass(thing, tuple) else []


DOCUMENTED = dict(sorted(pair for module in (*MODULES, *FUNCTIONS) for pair in public(module)))
CALLED = [name for name, thing in DOCUMENTED.items() if inspect.isfunction(inspect.unwrap(thing))]  # type: ignore[arg-type]
RECORDS = [name for name, thing in DOCUMENTED.items() if fields_of(thing)]


def sections(documented: object) -> dict[str, str]:
    """The sections of a docstring, by heading."""
    parts = re.split(r"^(\w[\w ]*)\n-{3,}\n", inspect.getdoc(documented) or "", flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def entries(section: str) -> set[str]:
    """The names that stand before the colon, or alone, at the left edge of a section: `low, high : float`."""
    found = re.findall(r"^(\S.*?)(?: : .*)?$", section, re.MULTILINE)
    return {name.lstrip("*") for line in found for name in line.split(", ")}


def signature(function: object) -> inspect.Signature:
    return inspect.signature(function)  # type: ignore[arg-type]


def parameters(function: object) -> set[str]:
    """Their names; the shared filters stand one by one in the help of the questions that take nothing else."""
    return {name for name in signature(function).parameters if name not in ("self", "cls")}


def raised(function: object) -> Iterator[type[Exception]]:
    """The public errors that a function's own statements raise."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(inspect.unwrap(function))))  # type: ignore[arg-type]
    for node in ast.walk(tree):
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and isinstance(node.exc.func, ast.Name):
            error = getattr(errors, node.exc.func.id, None)
            if error is not None and node.exc.func.id in sxeslake.__all__:
                yield error


@pytest.mark.parametrize("name", DOCUMENTED)
def test_everything_public_is_documented(name: str) -> None:
    assert len((inspect.getdoc(DOCUMENTED[name]) or "").splitlines()[0]) > len("Of it.")


@pytest.mark.parametrize("name", RECORDS)
def test_each_field_of_a_record_is_documented_by_its_name(name: str) -> None:
    missing = set(fields_of(DOCUMENTED[name])) - entries(sections(DOCUMENTED[name]).get("Attributes", ""))
    assert not missing


@pytest.mark.parametrize("name", CALLED)
def test_each_parameter_is_documented_by_its_name(name: str) -> None:
    missing = parameters(DOCUMENTED[name]) - entries(sections(DOCUMENTED[name]).get("Parameters", ""))
    assert not {each for each in missing if not each.startswith("_")}


@pytest.mark.parametrize("name", CALLED)
def test_no_parameter_is_documented_that_is_not_there(name: str) -> None:
    function = DOCUMENTED[name]
    takes_any = any(each.kind is each.VAR_KEYWORD for each in signature(function).parameters.values())
    assert takes_any or entries(sections(function).get("Parameters", "")) <= parameters(function)


@pytest.mark.parametrize("name", CALLED)
def test_what_a_function_gives_is_documented(name: str) -> None:
    function = DOCUMENTED[name]
    if str(signature(function).return_annotation) not in NOTHING:
        assert {"Returns", "Yields"} & sections(function).keys()


@pytest.mark.parametrize("name", CALLED)
def test_the_errors_of_a_function_are_documented(name: str) -> None:
    function = DOCUMENTED[name]
    told = [getattr(errors, error, None) for error in entries(sections(function).get("Raises", ""))]
    for error in raised(function):
        assert any(each is not None and issubclass(error, each) for each in told), error.__name__


@pytest.mark.parametrize("name", CALLED)
def test_the_errors_that_are_documented_can_be_imported_from_the_root(name: str) -> None:
    for error in entries(sections(DOCUMENTED[name]).get("Raises", "")):
        assert error in sxeslake.__all__ or hasattr(builtins, error), error
