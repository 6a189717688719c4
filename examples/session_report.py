"""Write the report of a session as one HTML file: its conditions, its place on the stage, its spectra.

python examples/session_report.py LAKE "map@2" -o session.html

The pictures are embedded, so that the file can be mailed. Needs the extra `plot`. A lake to try it on:
`sxeslake demo --keep FOLDER`, then LAKE is FOLDER/lake.
"""

from __future__ import annotations

import argparse
import base64
import io
from collections import Counter
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import sxeslake

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STYLE = """body { font: 15px/1.5 sans-serif; max-width: 60em; margin: 2em auto; padding: 0 1em; color: #222 }
table { border-collapse: collapse } td, th { padding: .3em .8em; border-bottom: 1px solid #ccc; text-align: left }
img { max-width: 100% } figure { margin: 1.5em 0 } figcaption { color: #555 }"""
COLUMNS = ("positions", "kV", "nA", "spectrometer", "grating", "frames", "instrument", "operator")


def embedded(figure: Figure, caption: str) -> str:
    """A figure as an element of HTML that holds its own bytes."""
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=120)
    data = base64.b64encode(file.getvalue()).decode()
    text = escape(caption)
    return f'<figure><img alt="{text}" src="data:image/png;base64,{data}"><figcaption>{text}</figcaption></figure>'


def conditions(rows: list[sxeslake.Measured]) -> str:
    """A line for each condition that occurs, with the number of its positions."""
    counted = Counter(
        (row.accelerating_voltage_kv, None if row.probe_current_na is None else round(row.probe_current_na, 1),
         row.spectrometer, row.grating, row.accumulation, row.instrument, row.operator)
        for row in rows
    )  # fmt: skip
    head = "".join(f"<th>{name}</th>" for name in COLUMNS)
    lines = []
    for values, count in counted.most_common():
        cells = [count, *("" if value is None else value for value in values)]
        lines.append("".join(f"<td>{escape(str(cell))}</td>" for cell in cells))
    return f"<table><tr>{head}</tr>" + "".join(f"<tr>{line}</tr>" for line in lines) + "</table>"


def main() -> None:
    """Everything comes from the lake; names and comments are escaped, for people wrote them."""
    parser = argparse.ArgumentParser(description="Write the report of a session as one HTML file.")
    parser.add_argument("lake", help="folder, URL or name of a lake")
    parser.add_argument("sample", help="a version, such as map@2")
    parser.add_argument("--most", type=int, default=6, help="how many positions are drawn (default: 6)")
    parser.add_argument("--lines", default="", help="elements whose X-ray lines are marked, such as N,O")
    parser.add_argument("-o", "--out", default="session.html", help="the report (default: session.html)")
    args = parser.parse_args()

    with sxeslake.open(args.lake) as lake:
        info = lake.show(args.sample)
        name = f"{info.sample}@{info.version}"
        rows = list(lake.measured(name))
        # Some positions, evenly through the session; numbers count through all analyses from 1.
        step = max(1, -(-len(rows) // args.most))
        chosen = [row.position_uuid for row in rows[::step]]
        body = [
            f"<h1>{escape(name)}</h1>",
            f"<p>{len(rows)} positions, {info.members} files, stored {info.ingested_at:%Y-%m-%d} by {escape(info.who)}"
            f" from {escape(info.name)}</p>",
            "<h2>Conditions</h2>", conditions(rows),
            "<h2>On the stage</h2>", embedded(lake.plot.stage(name), f"Positions of {name} on the stage"),
            "<h2>Spectra</h2>",
            embedded(lake.plot.spectrum(name, chosen, lines=args.lines), f"{len(chosen)} spectra of {name}"),
        ]  # fmt: skip
    page = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(name)}</title>'
        f"<style>{STYLE}</style><body>{''.join(body)}</body></html>\n"
    )
    Path(args.out).write_text(page, encoding="utf-8")
    print(f"written: {args.out}, {len(page) / 1000:,.0f} kB")


if __name__ == "__main__":
    main()
