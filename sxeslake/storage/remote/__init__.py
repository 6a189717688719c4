"""Lakes on Azure, on Google Cloud Storage and on SFTP servers: one store, and a client for each.

The modules of the clients load the packages of the extras `azure`, `gcs` and `sftp`; this one loads none.
"""

from __future__ import annotations

from .store import RemoteStore

__all__ = ["RemoteStore"]
