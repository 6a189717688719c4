"""What a `with` statement closes."""

from __future__ import annotations

from types import TracebackType
from typing import Self


class Closing:
    """Something with `close`, which the end of a `with` statement calls."""

    def close(self) -> None:
        """Release what is held; a second call does nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Finishing(Closing):
    """Something that the end of a `with` statement finishes, or aborts where an exception ends it."""

    def abort(self) -> None:
        """Release what is held, and leave the work unfinished."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.abort()
