"""The verbs of a lake that bring whole archives back: what `Lake` inherits.

lake.pull("ti-grains", "ti-grains.pl7z")
lake.pull_share("restored/")
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from sxeslake.vault import refs

if TYPE_CHECKING:
    from sxeslake.model import ContainerKind, Progress
    from sxeslake.pull.share import Restored, ShareReport
    from sxeslake.pull.whole import PullReport
    from sxeslake.vault.vault import Vault

# The engines are imported by the verbs that need them: `ls` on a thin laptop must not wait for codecs.


class PullVerbs:
    """Pull versions, or all that was ingested."""

    _vault: Vault

    def pull(
        self,
        ref: str,
        out: str | Path | None = None,
        *,
        container: ContainerKind | None = None,
        level: int | None = None,
        force: bool = False,
        skip_damaged: bool = False,
        exact: bool | None = None,
        jobs: int | None = None,
        password: str | None = None,
        progress: Progress | None = None,
    ) -> PullReport:
        """Write a version as `.plzip`, `.pl7z`, `.zip`, `.7z` or a folder (`out` ends in `/`); whole or not at all.

        None for `out` is the source's own name in the current folder, the sample's for a folder. What
        is said of the version comes beside it, in `OUT.annotations.json`. `force` replaces a file, or the folder of an
        earlier pull. `skip_damaged` leaves out what the lake has lost, and lists it in `report.damaged`.
        It is the original file where container and level allow (`report.exact`); `exact` True raises
        NotFoundError with the reason where it is not, False makes a new container, which is quicker. A `password`
        encrypts a 7z, names too, or the contents of a zip; the version's annotations are not encrypted. Raises
        UsageError where a folder should be encrypted, AlreadyExistsError unless `force`, DamagedLakeError rather than a
        wrong byte.

        Examples
        --------
        >>> report = lake.pull("map", "again.plzip")
        >>> report.exact
        True
        """
        from sxeslake.disk.output import is_stream, named, names_folder
        from sxeslake.pull import annotations_file as sidecar
        from sxeslake.pull import whole as pull

        version = refs.find(self._vault.state, ref)
        target = None if out is None else named(out)
        if container is None:
            is_folder = out is not None and names_folder(out)
            container = "folder" if is_folder else pull.container_of(version, target)
        if target is None:
            target = Path(pull.default_name(version, container))
        state = self._vault.state
        how = pull.Pull(level, force, jobs, progress, skip_damaged, exact=exact, password=password)
        if is_stream(target):  # nothing can stand beside it
            return how.to_path(self._vault, version, target, container)
        how.check(target, container)
        sidecar.check(state, version, target, force=force)
        report = how.to_path(self._vault, version, target, container)
        return replace(
            report, annotations=sidecar.write(state, version, target, lake=self._vault.store.url, force=force)
        )

    def pull_share(
        self,
        out: str | Path,
        *,
        all_versions: bool = False,
        level: int | None = None,
        force: bool = False,
        skip_damaged: bool = False,
        exact: bool | None = None,
        jobs: int | None = None,
        told: Callable[[Restored], None] | None = None,
        progress: Progress | None = None,
    ) -> ShareReport:
        """Restore the newest state of every path that was ingested below the folder `out`, each with its time.

        The longest folder that all paths have in common is left out; paths of several hosts stand below a folder for
        each. With `all_versions`, earlier states stand beside the newest, `map@1.plzip`. A path that fails does not
        stop the others: see `report.failed`; `report.left_out` are versions that are the newest state of no path. Run
        again after an interruption, it keeps the files that are there. `told` is told of each path as it is done.

        Examples
        --------
        >>> len(lake.pull_share("restored").restored)
        1
        """
        from sxeslake.pull import share as restoring
        from sxeslake.pull import share_plan as shareplan
        from sxeslake.pull import whole as pull

        planned = shareplan.plan(self._vault.state, all_versions=all_versions)
        how = pull.Pull(level, force, jobs, progress, skip_damaged, exact=exact)
        report = restoring.ShareReport([], planned.left_out)
        for item in restoring.restore(self._vault, planned, Path(out), how, url=self._vault.store.url):
            report.restored.append(item)
            if told is not None:
                told(item)
        return report

    def pull_to(
        self,
        ref: str,
        stream: BinaryIO,
        *,
        container: ContainerKind | None = None,
        level: int | None = None,
        skip_damaged: bool = False,
        exact: bool | None = None,
        jobs: int | None = None,
        password: str | None = None,
        progress: Progress | None = None,
    ) -> PullReport:
        """Write a version to a stream, such as standard output; a `password` encrypts it.

        Examples
        --------
        >>> import io
        >>> lake.pull_to("map", io.BytesIO(), container="7z").container
        '7z'
        """
        from sxeslake.pull import whole as pull

        version = refs.find(self._vault.state, ref)
        kind = container or pull.container_of(version, None)
        how = pull.Pull(level, False, jobs, progress, skip_damaged, exact=exact, password=password)
        return how.to_stream(self._vault, version, stream, kind)

    def file_name(self, ref: str, container: ContainerKind | None = None) -> str:
        """The name that a pulled archive gets by default: the source's own, with the container's suffix.

        Examples
        --------
        >>> lake.file_name("map", "7z")
        'map.pl7z'
        """
        from sxeslake.pull import whole as pull

        version = refs.find(self._vault.state, ref)
        return pull.file_name(version, container or pull.container_of(version, None))
