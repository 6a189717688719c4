"""Spectra of EMSA/MAS under any suffix: `.msa`, `.emsa`, `.txt` and those that programs gave them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import PurePosixPath

from ..emsa import SNIFF_BYTES, array_of, is_emsa, parse_spectrum, spectrum_condition, spectrum_state
from ..reading import head_of, text_bytes
from ..records import AnalysisRecord, Finding, PositionRecord, Warned
from ..texts import Warn
from ..tree import Tree, folder_of
from ..values import counted

USUAL_SUFFIXES = (".msa", ".emsa", ".txt")


class Emsa:
    """The spectra of a folder, an analysis of one position each."""

    name = "emsa"
    title = "EMSA/MAS spectra (ISO 22029), whatever their suffix"
    verified = (
        "On 12 real or published files of Thermo NSS and Pathfinder, Oxford INCA, NIST DTSA-II, HyperSpy, and of the "
        "standard itself (Y, XY, several columns, CR, LF and CRLF)."
    )

    def classify(self, tree: Tree) -> Iterable[Finding]:
        """Folders with spectra, known by their first line."""
        folders: dict[str, list[str]] = defaultdict(list)
        for path in tree.sizes:
            if is_emsa(head_of(tree, path, SNIFF_BYTES)):
                folders[folder_of(path)].append(path)
        for folder, files in sorted(folders.items()):
            odd = sorted({suffix for path in files if (suffix := PurePosixPath(path).suffix) not in USUAL_SUFFIXES})
            notes = (f"named {', '.join(suffix or 'without a suffix' for suffix in odd)}",) if odd else ()
            what = f"EMSA/MAS: {counted(len(files), 'spectrum')}".replace("spectrums", "spectra")
            yield Finding(self.name, folder, what, 0.8, tuple(files), notes)

    def read(self, tree: Tree, finding: Finding, warn: Warn) -> Iterator[AnalysisRecord]:
        """One analysis a folder."""
        yield AnalysisRecord(
            name=PurePosixPath(finding.path).name or PurePosixPath(tree.name).stem,
            positions=partial(spectra, tree, finding.files, warn),
        )


def spectra(tree: Tree, paths: Sequence[str], warn: Warn) -> Iterator[PositionRecord]:
    """A position a file; one that holds no spectrum is named and left out."""
    stems = Counter(PurePosixPath(path).stem for path in paths)
    for path in paths:
        stem = PurePosixPath(path).stem
        position = spectrum_position(tree, path, warn, stem if stems[stem] == 1 else PurePosixPath(path).name)
        if position is not None:
            yield position


def spectrum_position(tree: Tree, path: str, warn: Warn, name: str) -> PositionRecord | None:
    """The spectrum of a file, or None where it holds none."""
    try:
        spectrum = parse_spectrum(text_bytes(tree, path))
    except (ValueError, OSError) as error:
        warn(Warned(path, f"{error}; the file is kept as an original"))
        return None
    for odd in spectrum.odd:
        warn(Warned(path, odd))
    return PositionRecord(
        name=name,
        arrays=(array_of(spectrum),),
        state=spectrum_state(spectrum),
        condition=spectrum_condition(spectrum),
        raw_condition=spectrum.keys,
        comment=spectrum.text("TITLE"),
        operator=spectrum.text("OWNER"),
    )
