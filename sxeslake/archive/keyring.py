"""The passwords of an encrypted archive, whatever its container."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from sxeslake.errors import EncryptedArchiveError, InputError
from sxeslake.text.wording import either

_T = TypeVar("_T")


@dataclass(slots=True)
class Keyring:
    """The passwords that an archive may have; once one was found to fit, `is_proved`, it is the only one."""

    passwords: Sequence[str] = field(default=(), repr=False)
    is_proved: bool = False

    @property
    def password(self) -> str | None:
        """The one to decrypt with."""
        return self.passwords[0] if self.passwords else None

    def unlock(self, attempt: Callable[[str], _T]) -> _T:
        """What an attempt gives with the first password that fits; EncryptedArchiveError where none does."""
        for password in self.passwords:
            try:
                found = attempt(password)
            except InputError:  # what a wrong key gives is noise, and noise fails in any way
                continue
            self.passwords, self.is_proved = (password,), True
            return found
        count = len(self.passwords)
        said = "wrong password, or damaged" if count == 1 else f"none of {count:,} passwords fits, or it is damaged"
        raise EncryptedArchiveError(said, hint=either("Check the file of --password-file.", "Check the passwords."))


def password_hint() -> str:
    """What to do where an archive asks for a password."""
    return either("Name a file that holds its password: --password-file FILE.", 'Give its password: passwords=["…"].')
