"""Contents of a 7z whose methods only 7-Zip itself decodes (BCJ2, ARM64, RISCV …): unpacked once, by its program."""

from __future__ import annotations

import logging
import threading
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Final, cast

from sxeslake.archive import outside
from sxeslake.disk.trouble import scratch_told
from sxeslake.errors import DamagedArchiveError, InputError, UnsupportedMethodError
from sxeslake.model import MIB

_LOG = logging.getLogger(__name__)

_LEAST_SECONDS: Final = 60
_BYTES_PER_SECOND: Final = 2 * MIB  # a slow machine's; a program that takes longer hangs
_MEMORY_BYTES: Final = 4096 * MIB
_READ_BYTES: Final = MIB


def unpack(program: str, archive: Path, size: int, password: str | None = None) -> IO[bytes]:
    """All contents one behind the other, as the archive has them: a temporary file of exactly `size` bytes.

    No name of any member and no password gets to a command line or to a disk. The program is bounded in time, memory
    and output.
    """
    out = cast("IO[bytes]", TemporaryFile(prefix="sxeslake-"))  # noqa: SIM115 - it is given on
    try:
        asks = [] if password is not None else ["-p"]  # it reads the password that it is not given
        command = [program, "x", "-so", "-y", "-bd", *asks, "--", str(archive.resolve())]
        _LOG.info("%s is decoded by %s", archive, program)
        with outside.start(command, told=None if password is None else f"{password}\n".encode()) as process:
            _limit(process.pid)
            timer = threading.Timer(_LEAST_SECONDS + size / _BYTES_PER_SECOND, outside.end, [process])
            timer.start()
            try:
                done = _copy(cast("IO[bytes]", process.stdout), out, size, where=archive)
            except BaseException:
                outside.end(process)
                raise
            finally:
                timer.cancel()
        if process.returncode < 0:
            raise UnsupportedMethodError("7-Zip took too long or too much memory and was ended", where=archive)
        if process.returncode:
            raise UnsupportedMethodError(f"7-Zip cannot read it either (code {process.returncode})", where=archive)
        if done != size:
            raise DamagedArchiveError(f"7-Zip gave {done:,} of {size:,} bytes", where=archive)
    except OSError as error:
        out.close()
        raise InputError(f"7-Zip cannot be run: {error.strerror or error}", where=archive) from error
    except BaseException:
        out.close()
        raise
    return out


def _copy(source: IO[bytes], out: IO[bytes], size: int, *, where: Path) -> int:
    done = 0
    while block := source.read(_READ_BYTES):
        done += len(block)
        if done > size:
            raise DamagedArchiveError(f"holds more than the {size:,} bytes that are declared", where=where)
        with scratch_told():
            out.write(block)
    return done


def _limit(pid: int) -> None:
    """Bound the memory of the program, where the system can."""
    with suppress(ImportError, AttributeError, OSError):
        import resource  # noqa: PLC0415 - not on Windows

        resource.prlimit(pid, resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
