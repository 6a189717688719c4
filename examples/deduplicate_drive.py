"""Store a drive of archives once, and learn which originals may be deleted. Nothing is deleted here.

python examples/deduplicate_drive.py LAKE /media/drive            only tells what storing would take
python examples/deduplicate_drive.py LAKE /media/drive --store    stores it, then audits each original

The lake must exist: `sxeslake init LAKE`.
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

import sxeslake


def main() -> None:
    """Report, ingest, audit: the order in which nothing can be lost."""
    parser = argparse.ArgumentParser(description="Store a drive of archives once, and audit the originals.")
    parser.add_argument("lake", help="folder, URL or name of a lake")
    parser.add_argument("drive", help="folder that is searched for archives")
    parser.add_argument("--store", action="store_true", help="store the archives; without it only a report is made")
    parser.add_argument("--list", metavar="FILE", help="write the paths that may be deleted, a line each")
    args = parser.parse_args()

    with sxeslake.open(args.lake) as lake:
        # 1. What would it take? Nothing is written.
        survey = lake.survey(args.drive, by="folder")
        for row in [*survey.rows, survey.total]:
            print(f"{row.group:12} {row.archives:4} archives {row.bytes_source / 1e6:9.2f} MB, "
                  f"{row.duplicates} duplicates, {row.bytes_stored / 1e6:.2f} MB would be stored")  # fmt: skip
        if not args.store:
            return
        # 2. Store it. An archive that fails stops none of the others.
        report = lake.ingest(args.drive, message=f"drive {args.drive}")
        print(dict(Counter(archive.status for archive in report.archives)))
        for archive in report.archives:
            if archive.error:
                print(f"failed: {archive.path}: {archive.error}")
        # 3. Which originals does the lake give back byte for byte? `check_data` reads and hashes what it holds.
        audited = lake.audit(args.drive, check_data=True)
        for original in audited:
            if original.status != "stored":
                print(f"keep: {original.path}: {original.status}, {original.reason or ', '.join(original.differs)}")
        free = [original for original in audited if original.status == "stored"]
        megabytes = sum(original.size for original in free) / 1e6
        print(f"{len(free)} of {len(audited)} files may be deleted, {megabytes:.2f} MB")
        if args.list:
            lines = "".join(f"{original.path}\n" for original in free)
            Path(args.list).write_text(lines, encoding="utf-8")


if __name__ == "__main__":
    main()
