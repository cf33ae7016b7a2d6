"""The sRGB colour profile that the output intent of every PDF/A document carries. Nothing else about colour.

Built from the constants of IEC 61966-2-1 rather than shipped: PDF/A-1 allows profiles of version 2 only, and this one
is free of anybody's licence and of any date of today.
"""

from __future__ import annotations

import struct
from functools import cache

# Primaries and white of sRGB, adapted to the D50 white of the profile connection space (ICC.1, annex E).
_WHITE = (0.9642, 1.0, 0.8249)
_PRIMARIES = {"r": (0.4361, 0.2225, 0.0139), "g": (0.3851, 0.7169, 0.0971), "b": (0.1431, 0.0606, 0.7141)}
# Between 256 and 4096 no eye and no validator sees a difference.
_CURVE_POINTS = 1024


def _xyz(values: tuple[float, float, float]) -> bytes:
    return b"XYZ \0\0\0\0" + b"".join(struct.pack(">i", round(value * 65536)) for value in values)


def _curve() -> bytes:
    def linear(encoded: float) -> float:
        return encoded / 12.92 if encoded <= 0.04045 else float(((encoded + 0.055) / 1.055) ** 2.4)

    points = (round(65535 * linear(step / (_CURVE_POINTS - 1))) for step in range(_CURVE_POINTS))
    return b"curv\0\0\0\0" + struct.pack(f">I{_CURVE_POINTS}H", _CURVE_POINTS, *points)


def _description(text: bytes) -> bytes:
    # ASCII form, then empty Unicode and Macintosh forms, both required by version 2.
    return b"desc\0\0\0\0" + struct.pack(">I", len(text) + 1) + text + b"\0" + bytes(8) + bytes(3 + 67)


@cache
def srgb() -> bytes:
    """Bytes of an ICC profile, version 2.1, class display, RGB to XYZ (ICC.1:1998-09, as PDF 1.4 asks)."""
    curve = _curve()
    tags = [
        (b"desc", _description(b"sRGB IEC61966-2.1")),
        (b"cprt", b"text\0\0\0\0Public domain\0"),
        (b"wtpt", _xyz(_WHITE)),
        *((f"{name}XYZ".encode(), _xyz(primary)) for name, primary in _PRIMARIES.items()),
        *((f"{name}TRC".encode(), curve) for name in _PRIMARIES),
    ]
    table, data, placed = b"", b"", dict[bytes, int]()
    start = 128 + 4 + 12 * len(tags)
    for signature, content in tags:
        if content not in placed:
            placed[content] = start + len(data)
            data += content + bytes(-len(content) % 4)
        table += signature + struct.pack(">II", placed[content], len(content))
    header = struct.pack(
        ">I4sI4s4s4s6H4s4sI4s4s8sI3i4s",
        start + len(data),
        b"\0\0\0\0",
        0x02100000,
        b"mntr",
        b"RGB ",
        b"XYZ ",
        *(1998, 2, 9, 6, 49, 0),
        b"acsp",
        b"\0\0\0\0",
        0,
        b"\0\0\0\0",
        b"\0\0\0\0",
        bytes(8),
        0,
        *(round(value * 65536) for value in _WHITE),
        b"\0\0\0\0",
    )
    return header.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + data
