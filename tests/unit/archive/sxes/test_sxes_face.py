"""The public face of `sxeslake.archive`, and that it costs nothing until it is used."""

from __future__ import annotations

import doctest
import inspect
import subprocess
import sys

import pytest

import sxeslake
from sxeslake import archive
from sxeslake.archive.sxes.group import Group
from sxeslake.archive.sxes.outline import Analysis
from sxeslake.archive.sxes.position import Position

SHOWN = [
    archive.ArrayAxis, archive.ArrayFields, archive.ChannelFields, archive.FilePart, archive.MapFields,
    archive.MapFrame, archive.OriginalFile,
    archive.Channel, archive.DescribedArray, archive.FreeDocument, archive.Map, archive.VendorSource,
    archive.Map.add_channel, Analysis.add_map, Analysis.maps, Position.add_array, Position.arrays, Group.add_document,
    Group.add_source,
]  # fmt: skip


def test_all_is_sorted_and_every_name_is_there() -> None:
    assert sorted(archive.__all__) == archive.__all__
    for name in archive.__all__:
        assert getattr(archive, name).__name__ == name
    assert set(archive.__all__) <= set(dir(archive))


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nobody"):
        _ = archive.nobody


def test_neither_import_nor_opening_loads_numpy() -> None:
    code = (
        "import sys; from sxeslake.archive import create_group; create_group().positions; print('numpy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


@pytest.mark.parametrize("shown", SHOWN, ids=lambda shown: getattr(shown, "fget", shown).__qualname__)
def test_the_examples_of_the_extensions_run(shown: object) -> None:
    text = inspect.getdoc(shown) or ""
    test = doctest.DocTestParser().get_doctest(text, {"sxeslake": sxeslake}, str(shown), None, None)
    assert test.examples
    assert doctest.DocTestRunner().run(test).failed == 0


@pytest.mark.parametrize(
    "name", [name for name in archive.__all__ if getattr(archive, name).__module__.count("extensions")]
)
def test_what_the_extensions_give_is_documented(name: str) -> None:
    documented = getattr(archive, name)
    assert documented.__doc__
    assert all(
        member.__doc__
        for member in vars(documented).values()
        if isinstance(member, property) or inspect.isfunction(member)
        if getattr(member, "__name__", "")[:1] != "_"
    )
