"""Whatever happens to an instrument's files: they are converted as far as they can be read, and all come back."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.vendor_session import hashes, session

from sxeslake.archive.sxes.group import open_group
from sxeslake.vendor.writing.convert import convert
from sxeslake.vendor.writing.restoring import restore


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return session(tmp_path_factory.mktemp("whole"))


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_all_files_come_back(whole: Path, data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as made:
        raw = Path(made) / "raw"
        shutil.copytree(whole, raw)
        names = sorted(hashes(raw))
        for name in data.draw(st.lists(st.sampled_from(names), min_size=1, max_size=4, unique=True)):
            damage(raw / name, data)
        report = convert(raw, Path(made) / "made.plzip", level=0)
        assert report.files_proved == report.vendor_files == len(hashes(raw))
        restore(Path(made) / "made.plzip", Path(made) / "back")
        assert hashes(Path(made) / "back") == hashes(raw)
        with open_group(Path(made) / "made.plzip") as group:
            assert len(group.positions) == report.positions
            assert not group.check()


def damage(path: Path, data: st.DataObject) -> None:
    """Cut a file, change it, lengthen it, give it another's content or name, or remove it."""
    content = bytearray(path.read_bytes())
    match data.draw(st.sampled_from(["cut", "change", "lengthen", "other", "rename", "remove"])):
        case "cut":
            del content[data.draw(st.integers(0, len(content))) :]
        case "change" if content:
            for _ in range(data.draw(st.integers(1, 8))):
                content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
        case "lengthen":
            content += data.draw(st.binary(min_size=1, max_size=64))
        case "other":
            content = bytearray(data.draw(st.binary(max_size=200)))
        case "rename":
            path.replace(path.with_suffix(data.draw(st.sampled_from([".xes", ".cnd", ".map", ".qlw", ".msa"]))))
            return
        case "remove":
            path.unlink()
            return
    path.write_bytes(content)
