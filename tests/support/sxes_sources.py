"""Groups in memory that count what is read of them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache

from sxeslake.archive.synthetic import MapPlan, map_members
from sxeslake.errors import MemberNotFoundError
from sxeslake.model import Member


class CountingSource:
    """A MemberSource over a dict; `reads` counts single reads by path, `requests` counts batches."""

    name = "counted.plzip"

    def __init__(self, contents: dict[str, bytes], members: dict[str, Member] | None = None) -> None:
        self.contents = contents
        self.members = members or {path: Member(path, "file", len(data)) for path, data in contents.items()}
        self.reads: Counter[str] = Counter()
        self.requests = 0
        self.listed = 0

    def children(self, prefix: str) -> Sequence[Member]:
        found = [self.members[path] for path in sorted(self.members) if path.startswith(prefix)]
        self.listed += len(found)
        return found

    def read(self, path: str) -> bytes:
        self.reads[path] += 1
        if path not in self.contents:
            raise MemberNotFoundError(f"no member {path}", where=self.name)
        return self.contents[path]

    def read_many(self, paths: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        self.requests += 1
        for path in paths:
            if path in self.contents:
                yield path, self.contents[path]

    def arranged(self, paths: Sequence[str]) -> Sequence[str]:
        return sorted(paths)

    def edit_json(self, path: str, **changes: object) -> None:
        """Change a JSON member beneath the group, as another program might have."""
        self.contents[path] = json.dumps({**json.loads(self.contents[path]), **changes}).encode()


@cache
def _contents(plan: MapPlan) -> dict[str, bytes]:
    return {member.path: data for member, data in map_members(plan)}


def sxes_source(seed: int = 1, nx: int = 3, ny: int = 2, *, operator: str = "", comment: str = "") -> CountingSource:
    """The source of a synthetic map, `sxes_source(seed=3, nx=2, ny=1)`; a copy that may be damaged."""
    return CountingSource(dict(_contents(MapPlan(seed, nx, ny, operator=operator, comment=comment))))
