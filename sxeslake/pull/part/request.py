"""A request for a part: of which versions, what of them, and whether one archive or a merged group comes of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from sxeslake.errors import UsageError
from sxeslake.model import Progress
from sxeslake.pull.part.run import PartPull, PartTarget
from sxeslake.pull.part.selection import Budget, SelectionReport
from sxeslake.pull.part.wanted import Chosen, PartSpec, said
from sxeslake.vault import refs
from sxeslake.vault.log.state import LogState, Version
from sxeslake.vault.vault import Vault


class CatalogChoice(NamedTuple):
    """Positions that the catalogue chooses of some versions, and the options that say which."""

    by: str
    positions: Callable[[Sequence[Version]], list[Chosen]]


def pull_part(
    vault: Vault,
    names: Sequence[str],
    wanted: PartSpec,
    output: PartTarget,
    budget: Budget,
    *,
    choice: CatalogChoice | None = None,
    merge: bool = False,
    dry_run: bool = False,
    planned: Callable[[SelectionReport], None] | None = None,
    tool: str,
    progress: Progress | None = None,
) -> SelectionReport:
    """Write a part of one version, or one group of parts of many, within the budget; a dry run only plans it."""
    versions = _candidates(vault.state, names)
    if not wanted and choice is None and not merge and (not names or len(versions) < 2):
        raise UsageError("no part is named.", hint="Name positions, analyses, types or members.")
    single = versions[0] if len(versions) == 1 and names and not merge else None
    if not dry_run:
        output.check(single)
    by, chosen = ("the filters", None) if choice is None else (choice.by, choice.positions(versions))
    job = PartPull(vault, wanted, chosen, by, budget, tool, progress)
    assembly = job.of_many(versions, asked=bool(names)) if single is None else job.of_one(single)
    return job.deliver(assembly, output, single, dry_run=dry_run, planned=planned)


def options_given(*, where: str | None, query: str | None, sql: str | None) -> str:
    """The options that choose positions, in words for an error; UsageError for a blank one."""
    given = {"--where": where, "--query": query, "--sql": sql}
    for option, text in given.items():
        said(option, None if text is None else [text])
    return " ".join(option for option, text in given.items() if text) or "the filters"


def _candidates(state: LogState, names: Sequence[str]) -> list[Version]:
    """The versions of those names; without names the newest of every sample that is a group."""
    if names:
        return refs.find_all(state, names)
    newest = {version.sample: version for version in state.versions()}
    return [version for version in newest.values() if version.archive.kind == "sxes"]
