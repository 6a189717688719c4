"""Low priority: the watcher gives way to whatever else the machine does, above all to the instrument's software."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
from typing import Final

_LOG = logging.getLogger(__name__)

_NICE: Final = 10
_IONICE_S: Final = 10


def be_gentle() -> None:
    """Lower this process's priority for processors and disks, as far as the system lets it; nothing fails for that.

    Windows sets the priority of a task where it starts it: the ready-made task of the Task Scheduler asks for "below
    normal".
    """
    if not hasattr(os, "nice"):
        return
    try:
        os.nice(max(0, _NICE - os.nice(0)))
    except OSError as error:
        _LOG.info("the priority stays as it is: %s", error)
    program = shutil.which("ionice")  # of util-linux
    if program is None:
        return
    try:
        done = subprocess.run(
            [program, "-c", "3", "-p", str(os.getpid())], capture_output=True, timeout=_IONICE_S, check=False
        )  # fmt: skip
        if done.returncode:
            _LOG.info("the priority of reads stays as it is: %s", done.stderr.decode(errors="replace").strip())
    except (OSError, subprocess.SubprocessError) as error:
        _LOG.info("the priority of reads stays as it is: %s", error)
