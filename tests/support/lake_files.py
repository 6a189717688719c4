"""A small lake on disk that tests open by `sxeslake://` URLs."""

from __future__ import annotations

import io
import random
import zipfile
from pathlib import Path

from support.small_lakes import group, zip_of
from sxeslake.lake import init

TABLE = "a,b\n" + "".join(f"{number},{number * number}\n" for number in range(5000))
LARGE = random.Random(1).randbytes((9 << 20) + 17)  # three chunks


def make_lake(folder: Path) -> str:
    """Samples `2019/map` (two versions, the first tagged `paper`) and `t`; the lake's address."""
    url = str(folder / "lake")
    with init(url) as lake:
        lake.ingest(zip_of(folder / "1" / "m.plzip", group(1, 3)), sample="2019/map")
        lake.ingest(zip_of(folder / "2" / "m.plzip", group(1, 4)), sample="2019/map")
        lake.tag("2019/map@1", "paper")
        contents = {"sub/table.csv": TABLE.encode(), "large.bin": LARGE, "empty": b"", "Größe/日本.txt": b"25"}
        lake.ingest(zip_of(folder / "t.zip", contents))
    return url


def names_in(data: bytes) -> list[str]:
    """The names in a zip, by Python's own reader, which checks every byte of it."""
    with zipfile.ZipFile(io.BytesIO(data)) as judge:
        assert judge.testzip() is None
        return judge.namelist()
