"""What a remote store asks of its client: one request a verb, no retries, and what an error means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple, Protocol

from sxeslake.errors import (
    AccessDeniedError,
    DamagedLakeError,
    LakeNotFoundError,
    ObjectExistsError,
    ObjectNotFoundError,
    StorageError,
    SxeslakeError,
    UnreachableError,
)

from ..interface import ObjectInfo
from ..retry import Trouble

CONNECT_TIMEOUT_S = 4.0
READ_TIMEOUT_S = 20.0
CONNECTIONS = 64

NONCE = "put_nonce"
"""Name of the metadata of an object: tells a writer whether an object is from its own request."""

Verb = Literal["read", "write", "list", "delete"]

Kind = Literal[
    "taken", "missing", "short", "no bucket", "no credentials", "denied", "undecided", "busy", "cut off", "stalled",
    "unreachable", "untrusted", "refused",
]  # fmt: skip
"""`taken`: the create-only condition failed; `short`: the range starts behind the object's end; `undecided`: another
write of the same object is under way; `cut off`: the reply broke off; `stalled`: silence; `untrusted`: the server does
not prove who it is; `refused`: anything else."""


class Verdict(NamedTuple):
    """What an error means, and the server's words without secrets."""

    kind: Kind
    said: str = ""
    hint: str | None = None

    @property
    def trouble(self) -> Trouble:
        """Whether another attempt may help."""
        if self.kind in ("busy", "undecided", "cut off"):
            return "busy"
        if self.kind in ("stalled", "unreachable"):
            return self.kind
        return "final"


class Reply(NamedTuple):
    """Bytes of an object, and the size of the whole."""

    body: bytes
    whole: int


class ObjectFacts(NamedTuple):
    """What is known of an object without reading it."""

    size: int
    nonce: str | None


class Page(NamedTuple):
    """A part of a listing, and the mark where the next begins; None: there is no more."""

    objects: Sequence[ObjectInfo]
    mark: object


class Client(Protocol):
    """The requests to one bucket, container or server. Paths are those of objects, the lake's own prefix included."""

    host: str
    """The server's name, for people."""
    bucket_word: str
    """What the place's maker calls it: bucket, container, folder."""
    needs: Mapping[Verb, str]
    """The permission that each verb needs, in the server's words."""
    reads_tails: bool
    """Whether the last bytes can be asked for without knowing the size."""

    async def read(self, path: str, start: int | None, end: int | None) -> Reply:
        """The object, or its bytes from `start` to `end`, fewer where it ends before."""

    async def read_tail(self, path: str, size: int) -> Reply:
        """The last bytes, `size` at most."""

    async def put(self, path: str, body: bytes, nonce: str | None) -> None:
        """Put an object; with a nonce only where there is none, and with the nonce in its metadata."""

    async def is_mine(self, path: str, nonce: str) -> bool:
        """Whether the object there is from the put with this nonce."""

    async def head(self, path: str) -> ObjectFacts:
        """What is known of an object."""

    async def page(self, prefix: str, after: str, mark: object) -> Page:
        """A page of the objects whose path starts with `prefix`; those up to `after` may be left out."""

    async def delete(self, path: str) -> None:
        """Delete an object."""

    async def now(self, path: str) -> float | None:
        """The server's time, by its reply to a question about `path`; None where it does not tell."""

    async def sweep(self, root: str, older_than_s: float) -> int:
        """Remove unfinished files below `root`; bytes freed."""

    async def settle(self, paths: Sequence[str]) -> None:
        """See objects through to the disk."""

    async def describe(self) -> str:
        """The server's software, and how it creates objects only where there is none."""

    async def close(self) -> None:
        """Close the connections."""

    def judge(self, error: Exception) -> Verdict:
        """What an error means."""


def explain(error: Exception, client: Client, verb: Verb, where: str) -> SxeslakeError:
    """The error for people, without secrets."""
    if isinstance(error, SxeslakeError):
        return error if error.where else type(error)(error.what, where=where, hint=error.hint)
    kind, said, hint = client.judge(error)
    host, place, need = client.host, client.bucket_word, client.needs[verb]
    quoted = f" ({said})" if said else ""
    made: Mapping[Kind, tuple[type[SxeslakeError], str, str | None]] = {
        "taken": (ObjectExistsError, "exists already", None),
        "missing": (ObjectNotFoundError, "there is no such object", None),
        "short": (DamagedLakeError, "truncated: the object ends before the requested bytes", None),
        "no bucket": (LakeNotFoundError, f"there is no such {place}", f"Make it first, or check its name and {host}."),
        "no credentials": (AccessDeniedError, said or "found no credentials", None),
        "denied": (AccessDeniedError, f"no permission; it needs {need}{quoted}", None),
        "undecided": (StorageError, "another write of the same object is under way", "Run the same again."),
        "busy": (UnreachableError, f"{host} is too busy, also after retries{quoted}", None),
        "cut off": (UnreachableError, f"{host} breaks off its replies, also after retries", None),
        "stalled": (UnreachableError, f"{host} does not answer, also after retries", None),
        "unreachable": (UnreachableError, f"{host} cannot be reached", "Check the network and the address."),
        "untrusted": (UnreachableError, said or f"the certificate of {host} is not trusted", None),
        "refused": (StorageError, f"the server refused to {verb}{quoted}", None),
    }
    error_class, what, usual_hint = made[kind]
    return error_class(what, where=where, hint=hint or usual_hint)


def scrubbed(text: str, secrets: Sequence[str]) -> str:
    """The text with each secret as ***."""
    for secret in secrets:
        text = text.replace(secret, "***")
    return text
