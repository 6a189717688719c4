"""Several lakes as one database, for reading: the union of each table, with a column `lake`.

    database = UnionDatabase([first.holding("epma"), second.holding("site-b")], time_zones={})
    database.table("SELECT lake, count(*) FROM analyses GROUP BY lake")

Nothing is copied: the views read the parts of each lake from that lake's own cache.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sxeslake.catalog.schema.tables import BY_NAME
from sxeslake.catalog.schema.views import LakeFiles, for_lakes, union_view
from sxeslake.catalog.store.database import Database, Holding


class UnionDatabase(Database):
    """The catalogues of several lakes, each at a snapshot of its own."""

    def __init__(self, holdings: Sequence[Holding], *, time_zones: Mapping[str, str] | None = None) -> None:
        first = holdings[0]
        super().__init__(first.snapshot, first.cache, first.fetch, time_zones=time_zones)
        self._holdings = tuple(holdings)

    def worded(self, sql: str) -> str:
        """The SQL with what it has for several lakes."""
        return for_lakes(sql)

    def _view(self, name: str) -> str:
        table = BY_NAME[name]
        lakes = [
            LakeFiles(holding.lake, number, holding.files([name]), holding.hidden(table))
            for number, holding in enumerate(self._holdings)
        ]
        return union_view(table, lakes, self._time_zones)
