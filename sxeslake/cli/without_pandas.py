"""Keep pandas from being loaded by libraries that could use it, unless a command needs it."""

from __future__ import annotations

import sys
from importlib.abc import MetaPathFinder


class _WithoutPandas(MetaPathFinder):
    """pyarrow loads pandas, where it is installed, for the first array of all: 0.3 s for frames that few commands make.

    None in `sys.modules` would not do: libraries take that for the module.
    """

    def find_spec(self, name: str, path: object, target: object = None) -> None:  # noqa: ARG002 - importlib's words
        if name == "pandas":
            raise ModuleNotFoundError("this command needs no pandas", name=name)


def keep_pandas_out() -> None:
    """Let nobody import pandas."""
    sys.meta_path.insert(0, _WithoutPandas())


def let_pandas_in() -> None:
    """Let it be imported again, by xarray and HyperSpy, which need it."""
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, _WithoutPandas)]
