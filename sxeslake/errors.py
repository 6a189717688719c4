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


def in_lake(name: str, error: SxeslakeError) -> SxeslakeError:
    """The error, of the same kind, that says in which lake it occurred."""
    place = f"lake {name}" if error.where is None or error.where == name else f"lake {name}: {error.where}"
    return type(error)(error.what, where=place, hint=error.hint, has_lines=error.has_lines)


class UsageError(SxeslakeError):
    """The call's words are off.

    Examples
    --------
    >>> lake.maps(kvv=5)
    Traceback (most recent call last):
        ...
    sxeslake.errors.UsageError: the query "maps-by-beam-condition" has no parameter "kvv". ...
    """

    exit_code = 2


class MissingExtraError(UsageError):
    """A package is needed that an extra of sxeslake brings, and it is not installed.

    Examples
    --------
    >>> try:
    ...     figure = lake.plot.stage("map")
    ... except sxeslake.MissingExtraError as error:
    ...     print(error.hint)
    """


class NotFoundError(SxeslakeError):
    """No such thing.

    Examples
    --------
    >>> lake.query("no-such-question")
    Traceback (most recent call last):
        ...
    sxeslake.errors.NotFoundError: there is no query "no-such-question". `lake.queries()` lists them.
    """

    exit_code = 3


class SampleNotFoundError(NotFoundError):
    """No sample or version of that name.

    Examples
    --------
    >>> lake.show("nothing")
    Traceback (most recent call last):
        ...
    sxeslake.errors.SampleNotFoundError: no archive is called 'nothing'. `lake.ls()` shows all names.
    """


class MemberNotFoundError(NotFoundError):
    """The archive has no member of that path.

    Examples
    --------
    >>> lake.read("map", "nothing.json")
    Traceback (most recent call last):
        ...
    sxeslake.errors.MemberNotFoundError: map@1: no file 'nothing.json' in it. ...
    """


class NoSuchIndexError(NotFoundError, IndexError):
    """A list has no item of that number; also an `IndexError`.

    Examples
    --------
    >>> lake["map"].positions[99]
    Traceback (most recent call last):
        ...
    sxeslake.errors.NoSuchIndexError: map@1: there is no position [99]: there are 12 positions, [0] to [11].
    """


class UnknownUuidError(NotFoundError, KeyError):
    """A list has no item of that UUID; also a `KeyError`.

    Examples
    --------
    >>> lake["map"].positions["no-uuid"]
    Traceback (most recent call last):
        ...
    sxeslake.errors.UnknownUuidError: map@1: no position has the UUID 'no-uuid'. ...
    """

    __str__ = SxeslakeError.__str__  # a KeyError would quote the message


class ObjectNotFoundError(NotFoundError):
    """Storage has no object under that key."""


class LakeNotFoundError(NotFoundError):
    """There is no lake at that address.

    Examples
    --------
    >>> sxeslake.open("memory://nowhere")
    Traceback (most recent call last):
        ...
    sxeslake.errors.LakeNotFoundError: memory://nowhere: there is no lake here. ...
    """


class InputError(SxeslakeError):
    """Unacceptable input; nothing was changed.

    Examples
    --------
    >>> from pathlib import Path
    >>> written = Path("said.csv").write_bytes(bytes([255]))
    >>> lake.annotate_csv("said.csv")
    Traceback (most recent call last):
        ...
    sxeslake.errors.InputError: said.csv: this table is not UTF-8 text: byte 0.
    """

    exit_code = 4


class NotAnArchiveError(InputError):
    """The file is neither zip nor 7z.

    Examples
    --------
    >>> from pathlib import Path
    >>> written = Path("notes.txt").write_text("no archive")
    >>> sxeslake.open_group("notes.txt")
    Traceback (most recent call last):
        ...
    sxeslake.errors.NotAnArchiveError: notes.txt: neither zip nor 7z, by its content
    """


class DamagedArchiveError(InputError):
    """Truncated, a wrong CRC, or a structure that does not hold together.

    Examples
    --------
    >>> from pathlib import Path
    >>> written = Path("cut.plzip").write_bytes(Path("map.plzip").read_bytes()[:-1000])
    >>> sxeslake.open_group("cut.plzip")
    Traceback (most recent call last):
        ...
    sxeslake.errors.DamagedArchiveError: cut.plzip: truncated: the zip's central directory is missing. ...
    """


class EncryptedArchiveError(InputError):
    """The archive asks for a password.

    Examples
    --------
    >>> report = lake.pull("map", "locked.pl7z", password="correct horse")
    >>> sxeslake.open_group("locked.pl7z")
    Traceback (most recent call last):
        ...
    sxeslake.errors.EncryptedArchiveError: locked.pl7z: the 7z header: the archive is encrypted. ...
    """


class UnsupportedMethodError(InputError):
    """A compression method that is not supported.

    Examples
    --------
    >>> try:
    ...     with sxeslake.open_group("map.plzip") as group:
    ...         print(len(group.positions))
    ... except sxeslake.UnsupportedMethodError:
    ...     report = lake.ingest("map.plzip", opaque="always")
    12
    """


class UnsafeNameError(InputError):
    """A member name that could leave its folder, or two names that collide.

    Examples
    --------
    >>> import zipfile
    >>> with zipfile.ZipFile("unsafe.zip", "w") as archive:
    ...     archive.writestr("../outside", "")
    >>> sxeslake.open_group("unsafe.zip")
    Traceback (most recent call last):
        ...
    sxeslake.errors.UnsafeNameError: unsafe.zip: the name '../outside' leaves its folder with ..
    """


class LimitExceededError(InputError):
    """More members, bytes or expansion than the limits allow.

    Examples
    --------
    >>> sxeslake.open_group("map.plzip", limits=sxeslake.Limits(members=10))
    Traceback (most recent call last):
        ...
    sxeslake.errors.LimitExceededError: map.plzip: 11 members, more than the 10 allowed. ...
    """


class ReadOnlyError(InputError):
    """A newer format version: it can be read, never written.

    Examples
    --------
    >>> try:
    ...     report = lake.ingest("map.plzip")
    ... except sxeslake.ReadOnlyError as error:
    ...     print(error.hint)
    """


class DamagedLakeError(SxeslakeError):
    """The lake's own bytes are wrong.

    Examples
    --------
    >>> try:
    ...     report = lake.pull("map", "map again.plzip")
    ... except sxeslake.DamagedLakeError:
    ...     report = lake.verify()
    """

    exit_code = 5


class StorageError(SxeslakeError):
    """Storage is unreachable or refused.

    Examples
    --------
    >>> try:
    ...     report = lake.pull("map", "map again.plzip")
    ... except sxeslake.StorageError as error:
    ...     print("storage:", error)
    """

    exit_code = 6


class AccessDeniedError(StorageError):
    """Storage refused: a permission is missing.

    Examples
    --------
    >>> try:
    ...     report = lake.pull("map", "map again.plzip")
    ... except sxeslake.AccessDeniedError as error:
    ...     print(error.hint)
    """


class UnreachableError(StorageError):
    """Storage did not answer, also after retries.

    Examples
    --------
    >>> try:
    ...     report = lake.pull("map", "map again.plzip")
    ... except sxeslake.UnreachableError as error:
    ...     print("try again later:", error)
    """


class ConflictError(SxeslakeError):
    """It exists already, or another writer was first.

    Examples
    --------
    >>> report = lake.hold("map")
    >>> lake.forget("map@1")
    Traceback (most recent call last):
        ...
    sxeslake.errors.ConflictError: held or tagged, and not to be forgotten: map@1 (held). ...
    """

    exit_code = 7


class AlreadyExistsError(ConflictError):
    """The target is there already.

    Examples
    --------
    >>> sxeslake.init("lake")
    Traceback (most recent call last):
        ...
    sxeslake.errors.AlreadyExistsError: ...lake: there is a lake already.
    """


class ObjectExistsError(ConflictError):
    """Storage holds an object under that key already."""


class DeadObjectsError(ConflictError):
    """Objects that a commit refers to were collected meanwhile; its maker uploads again and tries again."""
