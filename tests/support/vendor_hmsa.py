"""HMSA pairs, as other programs write them."""

from __future__ import annotations

import hashlib

import numpy as np

UID = bytes.fromhex("60606EE485B42736")
CONDITIONS = """
<Instrument ID="Inst0"><Manufacturer>JEOL Ltd.</Manufacturer><Model>JXA 8500F-CL</Model></Instrument>
<Probe Class="EM" ID="Probe0"><BeamVoltage DataType="float" Unit="V">15000</BeamVoltage>
<BeamCurrent DataType="float" Unit="nA">47,59</BeamCurrent><ScanMagnification>2500.</ScanMagnification></Probe>
<Detector Class="Spectrometer/WDS" ID="WDS"><ChannelCount>4</ChannelCount><Calibration Class="Explicit">
<Quantity>Energy</Quantity><Unit>eV</Unit><Values DataType="array:float" Count="4">1,2,4,8</Values></Calibration>
<DispersionElement>TAP</DispersionElement><Crystal-2d Unit="Å">25.757</Crystal-2d></Detector>
<Detector Class="Spectrometer/XEDS" ID="EDS"><Calibration Class="Linear"><Quantity>Energy</Quantity><Unit>eV</Unit>
<Gain>2.5</Gain><Offset>-237.</Offset></Calibration><Elevation Unit="°">40.</Elevation></Detector>
<Acquisition Class="Point" ID="Point0"><DwellTime Unit="s">0.5</DwellTime><SpecimenPosition><X Unit="mm">1.5</X>
<Y Unit="um">2500</Y><Z Unit="furlong">1</Z></SpecimenPosition></Acquisition>
<Acquisition Class="Raster/XY" ID="Raster0"><RasterMode>Stage</RasterMode><XStepSize Unit="um">2</XStepSize>
<YStepSize Unit="um">3</YStepSize><SpecimenPosition Name="Start"><X>1</X><Y>2</Y><Z>3</Z></SpecimenPosition>
</Acquisition>
<Acquisition Class="Multipoint" ID="Points0"><PointCount>3</PointCount><Positions>
<SpecimenPosition><X>1</X><Y>2</Y></SpecimenPosition><SpecimenPosition><X>3</X><Y>4</Y></SpecimenPosition>
<SpecimenPosition><X>5</X><Y>6</Y></SpecimenPosition></Positions></Acquisition>
"""
"""Of all kinds; two detectors and three acquisitions, so that data must say which is theirs."""

_TYPES = {"u1": "byte", "u2": "uint16", "i2": "int16", "i4": "int32", "i8": "int64", "f4": "float", "f8": "double"}
_NAMES = {
    "Analysis": ([], ["Channel"], ["U", "V"]),
    "AnalysisList": ([], ["Analysis"], ["Channel", "Analysis"], ["U", "V", "Analysis"]),
    "ImageRaster": ([], ["X"], ["X", "Y"], ["Channel", "X", "Y"], ["U", "V", "X", "Y"]),
}


def described(
    kind: str, values: np.ndarray, *, included: str = "", name: str = "Test", offset: int = 8, length: int | None = None
) -> str:
    """The element of some values: those of an array in C order, whose last axis is the fastest."""
    sizes = list(reversed(values.shape))
    names = _NAMES[kind][len(sizes)]
    over = {"Analysis": 0, "AnalysisList": 1, "ImageRaster": min(2, len(sizes))}[kind]
    dimensions = [f'<Dimension DataType="uint32" Name="{each}">{size}</Dimension>'
                  for each, size in zip(names, sizes, strict=True)]  # fmt: skip
    inner, outer = dimensions[: len(sizes) - over], dimensions[len(sizes) - over :]
    return (
        f'<{kind} Name="{name}"><DataOffset DataType="int64">{offset}</DataOffset>'
        f"<DataLength>{values.nbytes if length is None else length}</DataLength>"
        f'<DatumType SizeInBytes="{values.itemsize}">{_TYPES[values.dtype.str[1:]]}</DatumType>'
        f"<DatumDimensions>{''.join(inner)}</DatumDimensions>"
        f"<CollectionDimensions>{''.join(outer)}</CollectionDimensions>"
        f"<IncludeConditions>{included}</IncludeConditions></{kind}>"
    )


def text_of(data: str, *, uid: str = UID.hex().upper(), conditions: str = CONDITIONS, checksum: str = "") -> bytes:
    """The text of a pair."""
    stated = f'<Checksum Algorithm="SHA-1">{checksum}</Checksum>' if checksum else ""
    return (
        '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
        f'<MSAHyperDimensionalDataFile Version="1.0" UID="{uid}" xml:lang="en-US"><Header><Title>Breccia µ</Title>'
        f"<Date>2013-07-29</Date><Time>14:42:10</Time><Author>CSIRO</Author>{stated}</Header>"
        f"<Conditions>{conditions}</Conditions><Data>{data}</Data></MSAHyperDimensionalDataFile>"
    ).encode()


def pair(kind: str, values: np.ndarray, included: str = "") -> dict[str, bytes]:
    """A text and its values, with their checksum."""
    binary = UID + values.tobytes()
    checksum = hashlib.sha1(binary, usedforsecurity=False).hexdigest().upper()
    return {"m.xml": text_of(described(kind, values, included=included), checksum=checksum), "m.hmsa": binary}
