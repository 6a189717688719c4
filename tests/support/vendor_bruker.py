"""A spectrum as Bruker's programs write it."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Sequence

_LAYERS = base64.b64encode(zlib.compress(b"<Layers><Layer0 Atom='5' Thickness='1.3E-2'/></Layers>")).decode()


def spx(counts: Sequence[int] = (0, 3, 12, 250, 17), kilovolts: str = "15", name: str = "grain") -> bytes:
    """A `.spx`."""
    return f"""<?xml version="1.0" encoding="WINDOWS-1252" standalone="yes"?>
<TRTSpectrum><ClassInstance Type="TRTSpectrum" Name="{name}"><TRTHeaderedClass>
<ClassInstance Type="TRTSpectrumHardwareHeader"><RealTime>7575</RealTime><LifeTime>7385</LifeTime>
<Amplification>1E4</Amplification><ShapingTime>130000</ShapingTime></ClassInstance>
<ClassInstance Type="TRTDetectorHeader"><Type>XFlash 5010</Type><DetLayers>{_LAYERS}</DetLayers></ClassInstance>
<ClassInstance Type="TRTESMAHeader"><PrimaryEnergy>{kilovolts}</PrimaryEnergy><ElevationAngle>35</ElevationAngle>
</ClassInstance></TRTHeaderedClass><ClassInstance Type="TRTSpectrumHeader"><Date>2.3.2018</Date><Time>13:53:04</Time>
<ChannelCount>{len(counts)}</ChannelCount><CalibAbs>-2.5E-1</CalibAbs><CalibLin>2.5E-3</CalibLin></ClassInstance>
<Channels>{",".join(map(str, counts))}</Channels></ClassInstance></TRTSpectrum>""".encode()
