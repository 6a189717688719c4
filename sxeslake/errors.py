"""The error tree: what went wrong, where, and what to do; one exit code per kind.

SxeslakeError                      1  unexpected
├── UsageError                     2  the call's words are off
├── NotFoundError                  3  no such thing
│   ├── SampleNotFoundError
│   ├── MemberNotFoundError
│   ├── NoSuchIndexError              (also an IndexError)
│   ├── UnknownUuidError              (also a KeyError)
│   ├── ObjectNotFoundError           (storage: no object under that key)
│   └── LakeNotFoundError
├── InputError                     4  unacceptable input; nothing was changed
│   ├── NotAnArchiveError
│   ├── DamagedArchiveError
│   ├── EncryptedArchiveError
│   ├── UnsupportedMethodError
│   ├── UnsafeNameError
│   ├── LimitExceededError
│   └── ReadOnlyError                 (a newer format version: read, never written)
├── DamagedLakeError               5  the lake's own bytes are wrong
├── StorageError                   6  storage unreachable or refused
│   ├── AccessDeniedError
│   └── UnreachableError
└── ConflictError                  7  exists already, or somebody else was first
    ├── AlreadyExistsError
    ├── ObjectExistsError             (storage: the key is taken)
    └── DeadObjectsError              (what a commit refers to was collected meanwhile)
"""

from __future__ import annotations

from sxeslake.text.wording import said


class SxeslakeError(Exception):
    """An error for people: `where: what. hint`.

    It names keyword arguments and methods to whoever calls from Python, options and commands on the command line.

    Attributes
    ----------
    what
        What is wrong, in words.
    where
        The file, object or argument that it concerns; None where there is none.
    hint
        What to do about it; None where nobody knows.
    exit_code
        The exit code of the command line for errors of this kind.

    Examples
    --------
    >>> import sxeslake
    >>> try:
    ...     sxeslake.open("memory://nothing-is-here")
    ... except sxeslake.NotFoundError as error:
    ...     print(error.exit_code, error.hint)
    3 Make one with `sxeslake.init()`, or check the address.
    """

    exit_code = 1

    def __init__(self, what: str, *, where: object = None, hint: str | None = None, has_lines: bool = False) -> None:
        self.has_lines = has_lines
        """Whether the message has lines of its own, as a database's with an arrow under a word."""
        self.what = what if has_lines else said(what)
        place = None if where is None else str(where)
        self.where = said(place) if place and place.startswith("--") else place
        self.hint = said(hint) if hint else hint
        super().__init__(self.what)

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        if not self.hint:
            return text
        return f"{text} {self.hint}" if text.endswith((".", "!", "?", ":")) else f"{text}. {self.hint}"

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.what, self.where, self.hint, self.has_lines)


def _rebuild(
    kind: type[SxeslakeError], what: str, where: str | None, hint: str | None, has_lines: bool
) -> SxeslakeError:
    return kind(what, where=where, hint=hint, has_lines=has_lines)


class UsageError(SxeslakeError):
    """The call's words are off."""

    exit_code = 2


class MissingExtraError(UsageError):
    """A package is needed that an extra of sxeslake brings, and it is not installed."""


class NotFoundError(SxeslakeError):
    """No such thing."""

    exit_code = 3


class SampleNotFoundError(NotFoundError):
    """No sample or version of that name."""


class MemberNotFoundError(NotFoundError):
    """The archive has no member of that path."""


class NoSuchIndexError(NotFoundError, IndexError):
    """A list has no item of that number; also an `IndexError`."""


class UnknownUuidError(NotFoundError, KeyError):
    """A list has no item of that UUID; also a `KeyError`."""

    __str__ = SxeslakeError.__str__  # a KeyError would quote the message


class ObjectNotFoundError(NotFoundError):
    """Storage has no object under that key."""


class LakeNotFoundError(NotFoundError):
    """There is no lake at that address."""


class InputError(SxeslakeError):
    """Unacceptable input; nothing was changed."""

    exit_code = 4


class NotAnArchiveError(InputError):
    """The file is neither zip nor 7z."""


class DamagedArchiveError(InputError):
    """Truncated, a wrong CRC, or a structure that does not hold together."""


class EncryptedArchiveError(InputError):
    """The archive asks for a password."""


class UnsupportedMethodError(InputError):
    """A compression method nobody here can decode."""


class UnsafeNameError(InputError):
    """A member name that could leave its folder, or two names that collide."""


class LimitExceededError(InputError):
    """More members, bytes or expansion than the limits allow."""


class ReadOnlyError(InputError):
    """A newer format version: it can be read, never written."""


class DamagedLakeError(SxeslakeError):
    """The lake's own bytes are wrong."""

    exit_code = 5


class StorageError(SxeslakeError):
    """Storage is unreachable or refused."""

    exit_code = 6


class AccessDeniedError(StorageError):
    """Storage refused: a permission is missing."""


class UnreachableError(StorageError):
    """Storage did not answer, also after retries."""


class ConflictError(SxeslakeError):
    """Exists already, or somebody else was first."""

    exit_code = 7


class AlreadyExistsError(ConflictError):
    """The target is there already."""


class ObjectExistsError(ConflictError):
    """Storage holds an object under that key already."""


class DeadObjectsError(ConflictError):
    """Objects that a commit refers to were collected meanwhile; its maker uploads again and tries again."""
