"""Sessions of a shell in Markdown: ```` ```console ```` blocks, their commands run, their output compared."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

_BLOCK = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Step:
    """One `$ sxeslake …` line and the output below it; `…` stands for any text in a line, alone for any lines.

    `# exit code 3` behind the command says how it ends.
    """

    line: str
    expected: tuple[str, ...]

    @property
    def words(self) -> list[str]:
        """The arguments behind `sxeslake`."""
        program, *words = shlex.split(self.line, comments=True)
        assert program == "sxeslake", f"only sxeslake runs in a session: {self.line}"
        return words

    @property
    def exit_code(self) -> int:
        """The exit code that the line announces; else 0."""
        said = re.search(r"# exit code (\d+)$", self.line)
        return int(said[1]) if said else 0

    def fits(self, output: str) -> bool:
        """Whether the shown output is what came; a step without output shows none."""
        if not self.expected:
            return True
        pattern = "".join(map(_pattern, self.expected))
        return re.fullmatch(pattern, output.strip() + "\n") is not None


def _pattern(line: str) -> str:
    """A shown line as a regular expression; `…` alone is any number of lines."""
    if line.strip() == "…":
        return r"(?:.*\n)*"
    return ".*".join(map(re.escape, line.rstrip().split("…"))) + r"[ ]*\n"


def steps(page: str) -> Iterator[Step]:
    """The steps of a page in their order."""
    for block in _BLOCK.findall(page):
        line = ""
        shown: list[str] = []
        for text in block.splitlines():
            if text.startswith("$ "):
                if line:
                    yield Step(line, tuple(shown))
                line, shown = text[2:], []
            elif text.strip():
                shown.append(text)
        if line:
            yield Step(line, tuple(shown))
