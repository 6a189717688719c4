"""Make the screenshots of the documentation from the demo facility: `python tests/browser/pictures.py [FOLDER]`.

With `--looks` also in the dark, on a narrow window and for print, which is for looking at, not for keeping.
"""

from __future__ import annotations

import argparse
import io
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.web_pages import Visitor, browser, served, visitor

MAP = "2019%2Fchalcopyrite+map@1"
PAGES = {
    "find": "find?kv=5&kind=map",
    "archive": f"archive?of={MAP}",
    "analysis": f"analysis?of={MAP}&analysis=1&low=500&high=520&unit=eV",
    "position": f"position?of={MAP}:20",
    "compare": f"compare?p={MAP}:20&p={MAP}:44&standards=1&normalise=max",
    "questions": "questions",
    "question": "question?q=maps-by-beam-condition&kv=5",
    "sql": "sql?sql=SELECT+grating,+count(*)+AS+maps+FROM+analyses+GROUP+BY+grating",
    "lake": "overview",
}
KEPT = ("find", "archive", "analysis", "position", "compare", "question", "lake")
LOOKS: dict[str, dict[str, Any]] = {
    "dark": {"color_scheme": "dark"},
    "narrow": {"viewport": {"width": 360, "height": 780}},
}


def shoot(seen: Visitor, address: str, out: Path, *, full: bool) -> None:
    """One page as an indexed PNG, which takes a third of the room."""
    from PIL import Image  # noqa: PLC0415 - comes with matplotlib; only pictures need it

    seen.go(address)
    seen.page.wait_for_timeout(400)  # the plots have drawn
    data = seen.page.screenshot(full_page=full)
    Image.open(io.BytesIO(data)).convert("RGB").quantize(128).save(out, optimize=True)


def main() -> None:
    """Make them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=Path(__file__).parents[2] / "docs" / "pictures")
    parser.add_argument("--looks", action="store_true", help="all pages, whole, light, dark and narrow")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    with served("demo", "--serve") as address, browser() as chromium:
        base = f"{address}demo/"
        if not given.looks:
            with visitor(chromium, base) as seen:
                for name in KEPT:
                    shoot(seen, PAGES[name], given.folder / f"web-{name}.png", full=False)
            return
        for look, options in {"light": {}, **LOOKS}.items():
            with visitor(chromium, base, **options) as seen:
                for name, page in PAGES.items():
                    shoot(seen, page, given.folder / f"{name}-{look}.png", full=True)


if __name__ == "__main__":
    main()
