"""A folder of an SFTP server, by asyncssh. A put is a temporary file, synced, that is then named by a hard link.

link(2) never replaces a name, on any server that offers it; SFTP's own rename does on some. A server without
`hardlink@openssh.com`, or with a file system without hard links, is read and never written.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import posixpath
import secrets
import stat
import time
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import asyncssh
from asyncssh import SFTPAttrs, SFTPClient

from sxeslake.errors import StorageError, UsageError
from sxeslake.version import __version__

from ..address import TEMPORARY, Address
from ..interface import ObjectInfo
from ..retry import DEFAULT_POLICY, RetryPolicy
from .client import CONNECT_TIMEOUT_S, READ_TIMEOUT_S, ObjectFacts, Page, Reply, Verb, Verdict, scrubbed
from .options import GivenOptions
from .store import RemoteStore

_LOG = logging.getLogger(__name__)

T = TypeVar("T")

OPTIONS = ("identity_file", "known_hosts", "passphrase", "password", "port", "username")
_SET = "Use an SSH agent, ~/.ssh/config, --storage-option identity_file=FILE, or username=NAME and password=WORD."
_TRUST = (
    "Connect once with ssh and compare the key's fingerprint, or name a file of known keys: "
    "--storage-option known_hosts=FILE."
)
_READ_ONLY = "The lake can be read here; to write, use OpenSSH or another kind of storage."
_LINKLESS = "Use a folder on a file system with hard links (ext4, XFS, Btrfs, ZFS), or another kind of storage."
_LOST = (asyncssh.SFTPConnectionLost, asyncssh.SFTPNoConnection, asyncssh.ConnectionLost, asyncssh.DisconnectError)
_NO_KEY = (asyncssh.PermissionDenied, asyncssh.KeyImportError, asyncssh.KeyEncryptionError)
_UNCERTAIN = (*_LOST, asyncio.CancelledError, TimeoutError)
"""The link may have been made."""
_ABSENT = (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath, asyncssh.SFTPNotADirectory)
_FULL = (asyncssh.SFTPNoSpaceOnFilesystem, asyncssh.SFTPQuotaExceeded)


def open_sftp(address: Address, options: Mapping[str, str], policy: RetryPolicy = DEFAULT_POLICY) -> RemoteStore:
    """The store at `sftp://user@host:port/folder`; nothing is asked of the server yet."""
    settings = SftpSettings(address, options)
    return RemoteStore(address.public, settings.root, lambda _loop: SftpClient(settings), policy)


class SftpSettings:
    """Where the server is and how to sign in: the URL and options, else ~/.ssh/config, keys and agent of the user."""

    def __init__(self, address: Address, options: Mapping[str, str]) -> None:
        said = GivenOptions("SFTP", address, options, OPTIONS)
        place, _, path = address.path.partition("/")
        user, _, host = place.rpartition("@")
        self.host, _, port = host.partition(":")
        if not self.host or (port and not port.isdecimal()):
            raise UsageError("the address names no server", where=address.public, hint="Write sftp://user@host/folder.")
        if not path:
            raise UsageError("the address names no folder", where=address.public, hint="Write sftp://user@host/folder.")
        self.port = int(port) if port else said.number("port")
        self.username = user or address.user or said.get("username")
        self.password = address.secret or said.get("password")
        self.identity_file, self.passphrase = said.get("identity_file"), said.get("passphrase")
        self.known_hosts = said.get("known_hosts")
        # `~` is the folder that the server opens for the user: names without a slash in front lie there.
        self.root = path.removeprefix("~/") if path.startswith("~/") else f"/{path}"

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must never be shown."""
        return tuple(word for word in (self.password, self.passphrase) if word)

    def asyncssh_arguments(self) -> dict[str, Any]:
        """The same in asyncssh's words."""
        found = {
            "port": self.port, "username": self.username, "password": self.password,
            "client_keys": [self.identity_file] if self.identity_file else None, "passphrase": self.passphrase,
            "known_hosts": self.known_hosts,
        }  # fmt: skip
        return {
            "connect_timeout": CONNECT_TIMEOUT_S,
            "login_timeout": READ_TIMEOUT_S,
            "keepalive_interval": READ_TIMEOUT_S / 2,
            "keepalive_count_max": 2,
            "client_version": f"sxeslake_{__version__}",
            **{name: value for name, value in found.items() if value is not None},
        }


class SftpClient:
    """Requests to one server, through one connection, which is made anew where it is lost."""

    bucket_word = "folder"
    needs: Mapping[Verb, str] = {
        "read": "read permission for the file and its folders",
        "list": "read permission for the folder",
        "write": "write permission for the folder",
        "delete": "write permission for the folder",
    }
    reads_tails = True

    def __init__(self, settings: SftpSettings) -> None:
        logging.getLogger("asyncssh").addHandler(logging.NullHandler())  # what it warns of, our errors say
        self._settings = settings
        self.host = settings.host
        self._connecting = asyncio.Lock()
        self._connection: asyncssh.SSHClientConnection | None = None
        self._sftp: SFTPClient | None = None
        self._durable: set[str] = set()
        self._mode: int | None = None  # of the lake's folder
        self._syncs = True
        self._begun: set[str] = set()  # nonces of puts that an earlier attempt may have finished

    async def read(self, path: str, start: int | None, end: int | None) -> Reply:
        """Open, read, close."""
        sftp = await self._connected()
        async with sftp.open(path, "rb") as file:
            whole = int((await file.stat()).size or 0)
            low, high = (0, whole) if start is None or end is None else (start, min(end, whole))
            return Reply(await _read_exactly(file, low, high), whole)

    async def read_tail(self, path: str, size: int) -> Reply:
        """Open, read the end, close."""
        sftp = await self._connected()
        async with sftp.open(path, "rb") as file:
            whole = int((await file.stat()).size or 0)
            return Reply(await _read_exactly(file, max(0, whole - size), whole), whole)

    async def put(self, path: str, body: bytes, nonce: str | None) -> None:
        """Write a temporary file beside the path, sync it, and give it the name: by a link, or over what is there."""
        sftp = await self._connected()
        folder = posixpath.dirname(path)
        temporary = f"{folder}/{TEMPORARY}{nonce or secrets.token_hex(16)}"
        await self._make_folder(sftp, folder)
        try:
            if nonce is None:
                await self._write(sftp, temporary, body)
                await sftp.posix_rename(temporary, path)
            elif nonce not in self._begun or not await self._is_linked(sftp, temporary, path):
                self._begun.add(nonce)
                await self._write(sftp, temporary, body)
                await self._link(sftp, temporary, path)
            await self._sync(sftp, folder)
        except BaseException as error:
            if not isinstance(error, _UNCERTAIN):
                self._begun.discard(nonce or "")
                await _remove(sftp, temporary)
            raise
        self._begun.discard(nonce or "")
        if nonce is not None:
            await _remove(sftp, temporary)

    async def is_mine(self, path: str, nonce: str) -> bool:  # noqa: ARG002 - the signature of a client
        """Never: a later attempt of a put knows by itself that an earlier one has won."""
        return False

    async def head(self, path: str) -> ObjectFacts:
        """stat."""
        sftp = await self._connected()
        facts = await sftp.stat(path)
        if stat.S_ISDIR(facts.permissions or 0):
            raise asyncssh.SFTPNoSuchFile("a folder")
        return ObjectFacts(int(facts.size or 0), None)

    async def page(self, prefix: str, after: str, mark: object) -> Page:  # noqa: ARG002 - a folder is read whole
        """One folder; the mark is the folders that are still to be read."""
        waiting = list(mark) if isinstance(mark, list) else [posixpath.dirname(prefix)]
        folder = waiting.pop()
        sftp = await self._connected()
        objects = []
        try:
            async for entry in sftp.scandir(folder or "."):
                name = str(entry.filename)
                if name in (".", "..") or name.startswith(TEMPORARY):
                    continue
                path = f"{folder}/{name}" if folder else name
                if stat.S_ISDIR(entry.attrs.permissions or 0):
                    if path.startswith(prefix) or prefix.startswith(f"{path}/"):
                        waiting.append(path)
                else:
                    objects.append(ObjectInfo(path, int(entry.attrs.size or 0), float(entry.attrs.mtime or 0)))
        except _ABSENT:
            pass
        return Page(objects, waiting or None)

    async def delete(self, path: str) -> None:
        """Remove the file."""
        await (await self._connected()).remove(path)

    async def now(self, path: str) -> float | None:
        """The time that a new file gets."""
        sftp = await self._connected()
        temporary = f"{posixpath.dirname(path)}/{TEMPORARY}{secrets.token_hex(16)}"
        try:
            async with sftp.open(temporary, "xb") as file:
                return float((await file.stat()).mtime or 0)
        except asyncssh.SFTPError:  # nothing can be written here, and so nothing will be deleted
            return None
        finally:
            await _remove(sftp, temporary)

    async def sweep(self, root: str, older_than_s: float) -> int:
        """Remove unfinished files that crashed writers left."""
        sftp = await self._connected()
        now = await self.now(f"{root}/x") or time.time()
        freed, waiting = 0, [root]
        while waiting:
            folder = waiting.pop()
            try:
                entries = [entry async for entry in sftp.scandir(folder)]
            except _ABSENT:
                continue
            for entry in entries:
                name = str(entry.filename)
                if stat.S_ISDIR(entry.attrs.permissions or 0):
                    waiting += [f"{folder}/{name}"] if name not in (".", "..") else []
                elif name.startswith(TEMPORARY) and now - float(entry.attrs.mtime or 0) >= older_than_s:
                    await _remove(sftp, f"{folder}/{name}")
                    freed += int(entry.attrs.size or 0)
        return freed

    async def settle(self, paths: Sequence[str]) -> None:
        """Sync files of other writers, and their folders."""
        sftp = await self._connected()
        for path in paths:
            await self._sync(sftp, path, must=True)
        for folder in sorted({posixpath.dirname(path) for path in paths}):
            await self._make_folder(sftp, folder)
            await self._sync(sftp, folder)

    async def keeps_versions(self) -> bool:
        """Not known: SFTP shows no snapshots."""
        return False

    async def describe(self) -> str:
        """By what the server says at the start of the connection; whether links and syncs work is tried."""
        sftp = await self._connected()
        root = self._settings.root
        first, second = (f"{root}/{TEMPORARY}{secrets.token_hex(16)}" for _ in range(2))
        try:
            await self._write(sftp, first, b"")
            await self._link(sftp, first, second)
            syncs = await self._sync(sftp, root)
        except (asyncssh.SFTPError, StorageError) as error:
            return f"{self._software()} at {self.host}: nothing can be created here ({error})"
        finally:
            for name in (first, second):
                await _remove(sftp, name)
        lasting = f"files{' and folders' if syncs else ''} are synced" if self._syncs else "no fsync@openssh.com"
        return f"{self._software()} at {self.host}; a temporary file, then hardlink@openssh.com; {lasting}"

    async def close(self) -> None:
        """Close the connection."""
        connection, self._connection, self._sftp = self._connection, None, None
        if connection is not None:
            connection.close()
            await connection.wait_closed()

    def judge(self, error: Exception) -> Verdict:
        """By the status of SFTP, or what ended the connection."""
        said = scrubbed(str(error), self._settings.secrets)
        for kinds, verdict in (
            (asyncssh.SFTPFileAlreadyExists, Verdict("taken")),
            (_ABSENT, Verdict("missing")),
            ((asyncssh.SFTPPermissionDenied, asyncssh.SFTPWriteProtect), Verdict("denied")),
            (_FULL, Verdict("refused", "the disk or quota is full", "Free some space and run the same again.")),
            (
                asyncssh.HostKeyNotVerifiable,
                Verdict("untrusted", f"the host key of {self.host} is unknown", _TRUST),
            ),
            (_NO_KEY, Verdict("no credentials", f"{self.host} does not take this user's key or password", _SET)),
            ((FileNotFoundError, PermissionError), Verdict("no credentials", f"a key cannot be read ({said})", _SET)),
            (TimeoutError, Verdict("stalled" if self._sftp else "unreachable")),
            (_LOST, Verdict("cut off")),
            (asyncssh.SFTPError, Verdict("refused", said)),
            ((asyncssh.Error, OSError), Verdict("unreachable")),
        ):
            if isinstance(error, kinds):
                return verdict
        return Verdict("refused", f"{type(error).__name__}: {said}")

    async def _connected(self) -> SFTPClient:
        async with self._connecting:
            if self._connection is None or self._connection.is_closed() or self._sftp is None:
                await self.close()
                connection = await asyncssh.connect(self._settings.host, **self._settings.asyncssh_arguments())
                self._connection = connection
                self._sftp = await connection.start_sftp_client()
                _LOG.debug("new connection to %s, %s", self.host, self._software())
            return self._sftp

    async def _is_linked(self, sftp: SFTPClient, temporary: str, path: str) -> bool:
        """Whether an earlier attempt has given its file the name; if not, what it left is removed.

        SFTP shows no inodes: a time that is set under one name shows under the other where both are one file.
        """
        if not await sftp.lexists(temporary):
            return False
        if await sftp.lexists(path):
            before = int((await sftp.stat(path)).mtime or 0)
            await sftp.utime(temporary, (before - 1, before - 1))
            if int((await sftp.stat(path)).mtime or 0) == before - 1:
                return True
        await sftp.remove(temporary)
        return False

    def _software(self) -> str:
        """What the server calls itself: SSH-2.0-OpenSSH_9.2."""
        return str(self._connection.get_extra_info("server_version")) if self._connection else "the server"

    async def _write(self, sftp: SFTPClient, path: str, body: bytes) -> None:
        """A new file, synced where the server can, and as open as the lake's folder is."""
        async with sftp.open(path, "xb") as file:
            await file.write(body)
            if self._mode is not None:
                with contextlib.suppress(asyncssh.SFTPError):  # a file system without modes
                    await file.setstat(SFTPAttrs(permissions=self._mode & 0o666))
            try:
                await file.fsync()
            except asyncssh.SFTPOpUnsupported:
                self._syncs = False

    async def _link(self, sftp: SFTPClient, temporary: str, path: str) -> None:
        """Give a file a second name; SFTPFileAlreadyExists where that is taken, StorageError without hard links."""
        try:
            await sftp.link(temporary, path)
        except asyncssh.SFTPOpUnsupported:
            what = f"{self._software()} offers no hardlink@openssh.com, and so cannot create a file only where none is"
            raise StorageError(what, hint=_READ_ONLY) from None
        except (asyncssh.SFTPPermissionDenied, asyncssh.SFTPBadMessage):
            what = "the file system of this folder has no hard links, and so cannot create a file only where none is"
            raise StorageError(what, hint=_LINKLESS) from None
        except asyncssh.SFTPFailure:  # the one word of SFTP 3 for everything else
            if await sftp.lexists(path):
                raise asyncssh.SFTPFileAlreadyExists("taken") from None
            raise

    async def _make_folder(self, sftp: SFTPClient, folder: str) -> None:
        """Make the folder and see its name, and its parents' names, through to the disk: once a connection."""
        if folder in self._durable:
            return
        root = self._settings.root
        missing, step = list[str](), folder
        while step not in ("", "/") and not await sftp.isdir(step):
            missing.append(step)
            step = posixpath.dirname(step)
        for step in reversed(missing):
            with contextlib.suppress(asyncssh.SFTPFailure, asyncssh.SFTPFileAlreadyExists):  # by another, a moment ago
                await sftp.mkdir(step)
                if self._mode is None and step.startswith(f"{root}/"):
                    self._mode = stat.S_IMODE((await sftp.stat(root)).permissions or 0o700)
                if self._mode is not None:
                    with contextlib.suppress(asyncssh.SFTPError):
                        await sftp.chmod(step, self._mode)
        if self._mode is None:
            self._mode = stat.S_IMODE((await sftp.stat(root)).permissions or 0o700)
        # A folder that another client made a moment ago may not be durable yet: sync below the root always.
        step = folder
        while step in missing or step.startswith(f"{root}/"):
            await self._sync(sftp, posixpath.dirname(step))
            step = posixpath.dirname(step)
        self._durable.add(folder)

    async def _sync(self, sftp: SFTPClient, path: str, *, must: bool = False) -> bool:
        """See a file or a folder through to the disk; False where the server cannot."""
        try:
            async with sftp.open(path or ".", "rb") as file:
                await file.fsync()
        except _LOST:
            raise
        except asyncssh.SFTPError:
            if must and not await sftp.exists(path):
                raise
            return False
        return True


async def _remove(sftp: SFTPClient, path: str) -> None:
    """Remove a temporary file; what stays is swept later."""
    with contextlib.suppress(asyncssh.Error, OSError):
        await sftp.remove(path)


async def _read_exactly(file: asyncssh.SFTPClientFile, low: int, high: int) -> bytes:
    """The bytes from `low` to `high`, fewer where the file ends."""
    if high <= low:
        return b""
    data: bytes = await file.read(high - low, low)
    return data
