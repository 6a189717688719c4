"""Fixtures that every suite shares."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def real_archive() -> Path:
    """A real archive of 14 positions, where the machine has one beside the checkout; else skip."""
    shared = Path(os.environ.get("SXESLAKE_SHARED", Path(__file__).parents[2] / "shared"))
    path = shared / "data" / "test.plzip"
    if not path.is_file():
        pytest.skip("the real archive is not on this machine; set SXESLAKE_SHARED to the folder that holds data/test.plzip")
    return path
