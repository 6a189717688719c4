"""One archive's documents, read at once: what the tests of the catalogue's reader look at."""

from __future__ import annotations

from collections.abc import Iterable

from sxeslake.catalog.build.documents import Contents, DocumentReader
from sxeslake.catalog.model import Document


def read_documents(documents: Iterable[Document], *, sxes: bool) -> Contents:
    """What every JSON member of one archive says."""
    contents = Contents()
    for _ in DocumentReader().read(contents, documents, sxes=sxes):
        pass
    return contents
