"""Tables of what the lake holds, whatever archives say: members, documents, contents, packs, annotations."""

# ruff: noqa: E501 - a declaration reads best as a table, one column a line

from __future__ import annotations

from typing import Final

from sxeslake.catalog.schema.columns import OWNER, count, size, text
from sxeslake.catalog.schema.registry import Column, Table

DOCUMENTS: Final = Table(
    "documents",
    "One row per JSON member, also of generic archives: the original text.",
    (
        *OWNER,
        text("path", "Path of the member.", "members", None),
        text("owner", "What it describes in an sxes archive: archive, position, image, map, condition, raw_condition, document, source; else null.", "path", None),
        text("owner_id", "UUID or SHA-256 of what it describes.", "path", None),
        text("name", "File name without suffix: info, state …", "path", None),
        size("bytes_raw", "Size.", "members"),
        text("blake3", "BLAKE3 of the file.", "members", None),
        Column("readable", "BOOLEAN", "Whether it is readable JSON.", source="documents"),
        text("problem", "Why it is not.", "documents", None),
        text("json", "The text as stored; null where it is not Unicode text.", "members", None),
    ),
    cluster=("archive_id", "path"),
)  # fmt: skip

ANNOTATIONS: Final = Table(
    "annotations",
    "Annotations of samples, versions, analyses and positions: author, key, value and time. Later values of a key replace earlier ones.",
    (
        Column("log_number", "BIGINT", "Commit that added it.", source="log entry"),
        Column("ordinal", "INTEGER", "Place in that commit.", source="log entry"),
        text("sample", "Sample.", "log entry", None),
        Column("version", "INTEGER", "Version; null where it holds for all versions.", source="log entry"),
        Column("archive_id", "BIGINT", "Archive version; null where it holds for all versions.", source="log entry"),
        text("target", "sample, analysis or position.", "log entry", None),
        text("target_uuid", "UUID of the analysis or position.", "log entry", None),
        text("key", "Key: material, mount, coating, role, proposal, exposure_s …", "log entry", None),
        text("value", "Value; null where the key was removed.", "log entry", None),
        text("annotated_by", "Author.", "log entry"),
        Column("annotated_at", "TIMESTAMP WITH TIME ZONE", "When.", unit="UTC", source="log entry"),
        Column("is_current", "BOOLEAN", "Whether nothing later replaced it.", source="annotations", derived=True),
    ),
    cluster=("log_number",),
)  # fmt: skip

MEMBERS: Final = Table(
    "members",
    "One row per member of every archive version, folders included.",
    (
        *OWNER,
        text("path", "Path in the archive.", "manifest", None),
        Column("ordinal", "BIGINT", "Place in the archive, from 0.", source="manifest"),
        text("kind", "file or directory.", "manifest", None),
        size("bytes_raw", "Size.", "manifest"),
        Column("modified_at", "TIMESTAMP WITH TIME ZONE", "Modification time.", unit="UTC", source="manifest", conversion="ns → µs"),
        Column("attributes", "BIGINT", "Attributes in the form of 7z.", source="manifest"),
        Column("crc32", "BIGINT", "CRC-32.", source="manifest"),
        text("blake3", "BLAKE3 of the content.", "manifest", "hexadecimal"),
    ),
    cluster=("archive_id", "path"),
)  # fmt: skip

BLOBS: Final = Table(
    "blobs",
    "One row per stored content. A member larger than the chunk size is several.",
    (
        text("blake3", "BLAKE3 of the content.", "pack footer", "hexadecimal"),
        text("pack_id", "Pack that holds it.", "pack footer", None),
        size("bytes_raw", "Size.", "pack footer"),
        size("bytes_stored", "Stored size; in a shared frame its share.", "pack footer"),
        text("codec", "How it is encoded.", "pack footer", None),
        Column("log_number", "BIGINT", "Commit that added the pack.", source="log entry"),
    ),
    cluster=("blake3",),
    retire="pack_id",
)

PACKS: Final = Table(
    "packs",
    "One row per pack object.",
    (
        text("pack_id", "Id of the pack.", "log entry", None),
        text("kind", "What it holds: documents or data.", "log entry", None),
        size("bytes_stored", "Size of the object.", "log entry"),
        size("bytes_raw", "Sum of its contents' sizes.", "pack footer"),
        count("blobs", "Contents in it.", "pack footer"),
        Column("log_number", "BIGINT", "Commit that added it.", source="log entry"),
        Column("added_at", "TIMESTAMP WITH TIME ZONE", "When.", unit="UTC", source="log entry"),
    ),
    cluster=("log_number",),
    retire="pack_id",
)
