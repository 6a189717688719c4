"""The verbs of a lake that make new archives of stored ones, and compare them: what `Lake` inherits.

lake.pull_part("ti-grains", "grain-3.pl7z", positions=["3", "7..9"], types=["qlw"])
lake.pull_part(out="nitrides.pl7z", where="accelerating_voltage_kv = 5", text="nitride")
lake.diff("ti-grains@1", "ti-grains")
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Unpack

from sxeslake.errors import UsageError
from sxeslake.vault import refs
from sxeslake.version import TOOL

if TYPE_CHECKING:
    from sxeslake.filter_words import FilterWords
    from sxeslake.model import ContainerKind, Progress
    from sxeslake.pull.difference import Difference
    from sxeslake.pull.drill import DrillReport
    from sxeslake.pull.part.selection import SelectionReport
    from sxeslake.pull.part.wanted import Chosen
    from sxeslake.vault.log.state import Version
    from sxeslake.vault.vault import Vault

# The engines are imported by the verbs that need them: `ls` on a thin laptop must not wait for codecs.


class PartVerbs:
    """Pull a part, merge, compare."""

    _vault: Vault

    def pull_part(
        self,
        samples: str | Sequence[str] = (),
        out: str | Path | None = None,
        *,
        positions: Sequence[str | int] | None = None,
        analyses: Sequence[str] | None = None,
        types: Sequence[str] | None = None,
        members: Sequence[str] | None = None,
        where: str | None = None,
        query: str | None = None,
        sql: str | None = None,
        queries: Sequence[str | Path] = (),
        merge: bool = False,
        container: ContainerKind | None = None,
        level: int | None = None,
        force: bool = False,
        jobs: int | None = None,
        dry_run: bool = False,
        max_positions: int | None = None,
        max_bytes: int | None = None,
        stream: BinaryIO | None = None,
        password: str | None = None,
        planned: Callable[[SelectionReport], None] | None = None,
        progress: Progress | None = None,
        **filters: Unpack[FilterWords],
    ) -> SelectionReport:
        """Write a part of one archive, or one group made of parts of many, as an archive of its own.

        One sample: its positions of those UUIDs or numbers from 1 (`"7"`, `"3..9"`), of those analyses, with those
        data types, and all that they need; other members by glob. Several samples or none (all): one group, equal
        measurements once, where each came from under `provenance` in its metadata; `merge` makes one of whole
        archives, too. `where`, `query`, `sql` and the shared filters (`kv=5`) choose positions by the catalogue; an
        empty list chooses nothing. `planned` is told what will move before it moves; `dry_run` ends there. What is
        said of all this comes beside it, in `OUT.annotations.json`, which is never encrypted. A `password` encrypts a
        7z, names too, or the contents of a zip.

        Raises NotFoundError naming the condition that leaves nothing, LimitExceededError before anything moves.

        Examples
        --------
        >>> lake.pull_part("map", "part.plzip", positions=["1", "3..5"], types=["qlw"]).positions
        4
        >>> lake.pull_part(out="maps.plzip", kv=5, grating="JS300N").samples
        ['map@1']
        """
        from sxeslake.pull.part.run import PartPull, PartTarget
        from sxeslake.pull.part.selection import MOST_BYTES, MOST_POSITIONS, Budget
        from sxeslake.pull.part.wanted import PartSpec, said, split_words

        wanted = PartSpec(
            split_words(said("--position", positions)), said("--analysis", analyses),
            split_words(said("--types", types)), said("--member", members),
        )  # fmt: skip
        for name, text in (("--where", where), ("--query", query), ("--sql", sql)):
            said(name, None if text is None else [text])
        names = [samples] if isinstance(samples, str) else list(samples)
        question = {"where": where, "query": query, "sql": sql, "words": filters, "folders": [*map(Path, queries)]}
        asks = bool(where or query or sql or filters)
        versions = self._candidates(names)
        if not wanted and not asks and not merge and (not names or len(versions) < 2):
            raise UsageError("no part is named.", hint="Name positions, analyses, types or members.")
        single = len(versions) == 1 and bool(names) and not merge
        target = None if out is None else str(out)
        output = PartTarget(target, container, level, force, jobs, stream, password)
        if not dry_run:
            output.check(versions[0] if single else None)
        chosen = self._positions_of(question, versions) if asks else None
        budget = Budget(max_positions or MOST_POSITIONS, MOST_BYTES if max_bytes is None else max_bytes)
        job = PartPull(self._vault, wanted, chosen, _described(question), budget, TOOL, progress)
        assembly = job.of_one(versions[0]) if single else job.of_many(versions, asked=bool(names))
        return job.deliver(assembly, output, versions[0] if single else None, dry_run=dry_run, planned=planned)

    def why_not_exact(
        self,
        ref: str,
        out: str | Path | None = None,
        *,
        container: ContainerKind | None = None,
        level: int | None = None,
        exact: bool | None = None,
        password: str | None = None,
    ) -> str | None:
        """Why `pull` with these words would not give the original file; None where it would.

        Raises NotFoundError with the reason where `exact` insists.

        Examples
        --------
        >>> lake.why_not_exact("map", container="7z")
        'the source is a zip, and a 7z was asked for'
        """
        from sxeslake.archive.container import check_encryptable
        from sxeslake.pull.exact import ENCRYPTED, not_exact, reason_against
        from sxeslake.pull.part.run import PartTarget

        version = refs.find(self._vault.state, ref)
        kind = PartTarget(None if out is None else str(out), container).kind(version)
        check_encryptable(kind, password)
        if exact is False:
            reason: str | None = "it was not requested"
        else:
            reason = ENCRYPTED if password is not None else reason_against(version, kind, level)
        if reason is not None and exact:
            raise not_exact(version, reason)
        return reason

    def drill(self, *, percent: float = 1, seed: int | None = None, progress: Progress | None = None) -> DrillReport:
        """Pull a random sample of the versions into a temporary folder, and compare each with the log's SHA-256.

        `report.ok` says whether all came back; `seed` chooses the same versions again.

        Examples
        --------
        >>> lake.drill(percent=100).ok
        True
        """
        import secrets

        from sxeslake.pull.drill import drill

        if not 0 < percent <= 100:
            raise UsageError("a sample is more than 0 and at most 100 percent.")
        with self._vault.from_bucket() as vault:  # what this machine has kept proves nothing
            return drill(vault, percent, secrets.randbelow(2**32) if seed is None else seed, progress)

    def diff(self, a: str, b: str) -> Difference:
        """What differs from one version to another, `ti-grains@1` and `ti-grains`: members, positions, JSON fields.

        Positions are told by content, whatever their UUID. SampleNotFoundError for a name that is not there.

        Examples
        --------
        >>> lake.diff("map", "map@1").equal
        True
        """
        from sxeslake.pull.diff import diff

        state = self._vault.state
        return diff(self._vault, refs.find(state, a), refs.find(state, b))

    def _candidates(self, names: Sequence[str]) -> list[Version]:
        """The versions of those names; without names the newest of every sample that is a group."""
        state = self._vault.state
        if names:
            return refs.find_all(state, names)
        newest = {version.sample: version for version in state.versions()}
        return [version for version in newest.values() if version.archive.kind == "sxes"]

    def _positions_of(self, question: Mapping[str, Any], versions: Sequence[Version]) -> list[Chosen]:
        """The positions that a question chooses; `Lake` asks its catalogue."""
        raise UsageError(f"this lake has no catalogue to ask {_described(question)} of {len(versions)} archives.")


def _described(question: Mapping[str, object]) -> str:
    return " ".join(f"--{name}" for name in ("where", "query", "sql") if question[name]) or "the filters"
