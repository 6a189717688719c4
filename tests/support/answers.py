"""What a command of the command line answered, for tests that run it in this process."""

from __future__ import annotations

import json
from typing import Any


class Answer:
    """What a command left: exit code, stdout, stderr."""

    def __init__(self, code: int, out: bytes, err: bytes) -> None:
        self.code, self.bytes, self.err = code, out, err.decode()

    @property
    def out(self) -> str:
        """Stdout as text."""
        return self.bytes.decode()

    @property
    def document(self) -> Any:
        """Stdout as the one JSON document that it must be."""
        return json.loads(self.out)
