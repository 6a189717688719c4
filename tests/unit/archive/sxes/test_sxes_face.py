"""The public face of `sxeslake.archive`, and that it costs nothing until it is used."""

from __future__ import annotations

import subprocess
import sys

import pytest

from sxeslake import archive


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
