"""How a web application is served: names, limits, and the proxy that it trusts."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Final

from sxeslake.errors import UsageError
from sxeslake.model import MIB

LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
"""Names under which a server on this machine is always asked."""


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """What `create_app` needs to know beside the lakes.

    Attributes
    ----------
    prefix
        The path below which a proxy publishes the pages, `/lake`; requests may come with it or without it.
    hosts
        Names, beside those of this machine, that a request's `Host` may have: the public name behind a proxy.
    trust_header
        The header in which a proxy names the user, `X-Remote-User`; None trusts none.
    trusted_proxies
        Addresses and networks from which that header counts.
    named
        Names of lakes that the command line knows; only these stand behind `--lake` in the commands that pages show.
    threads, heavy_threads
        How many requests work at once in all, and how many of those that read many spectra.
    waiting
        How many heavy requests may wait; a further one gets status 429.
    most_rows
        Rows of a downloaded table.
    spectra_bytes
        Memory for spectra of analyses that are looked at, in bytes.
    sql_seconds
        Time of one free query, in seconds.
    """

    prefix: str = ""
    hosts: tuple[str, ...] = ()
    trust_header: str | None = None
    trusted_proxies: tuple[str, ...] = ()
    named: frozenset[str] = frozenset()
    threads: int = 8
    heavy_threads: int = 2
    waiting: int = 8
    most_rows: int = 1_000_000
    spectra_bytes: int = 192 * MIB
    sql_seconds: float = 10.0

    def __post_init__(self) -> None:
        """Refuse words that cannot be meant."""
        if self.prefix and (not self.prefix.startswith("/") or self.prefix.endswith("/") or "?" in self.prefix):
            raise UsageError(f"{self.prefix!r} is not a prefix.", where="--prefix", hint="Write it as /lake.")
        if bool(self.trust_header) != bool(self.trusted_proxies):
            raise UsageError(
                "a trusted header needs the address of the proxy that sets it, and the other way round.",
                where="--trust-header",
                hint="--trust-header X-Remote-User --trusted-proxy 127.0.0.1",
            )
        for address in self.trusted_proxies:
            try:
                ip_network(address, strict=False)
            except ValueError:
                raise UsageError(
                    f"{address!r} is not an address.", where="--trusted-proxy", hint="Write 127.0.0.1 or 10.0.0.0/24."
                ) from None

    def is_known_host(self, host: str) -> bool:
        """Whether a `Host` header names this server; the port does not matter."""
        return host_name(host) in LOOPBACK | {name.casefold() for name in self.hosts}

    def trusts(self, address: str | None) -> bool:
        """Whether a request from there may name its user."""
        if address is None:
            return False
        try:
            caller = ip_address(address)
        except ValueError:
            return False
        return any(caller in ip_network(each, strict=False) for each in self.trusted_proxies)


def host_name(host: str) -> str:
    """`Example.org:8080` → `example.org`; `[::1]:80` → `::1`."""
    text = host.strip().casefold()
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.rpartition(":")[0] if text.count(":") == 1 else text
