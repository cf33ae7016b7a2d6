"""Structural facts of image bodies: cheap checks that a JPEG, TIFF or PNG is whole, and what a JPEG's header declares.

No pixel is decoded here; making pages of images belongs to `exporters.pdf`. Problems are a few words without content.
"""

from __future__ import annotations

import struct
import zlib
from typing import NamedTuple

# Beyond, an image is refused rather than decoded: 100 megapixels in colour are 300 MB of memory.
PIXELS_AT_MOST = 100_000_000
_IMAGES_AT_MOST = 2_000
_TAGS_AT_MOST = 4_096


class JpegHeader(NamedTuple):
    """What the frame header says. `process` is 0 baseline, 1 extended, 2 progressive, others rare (ITU-T T.81, B.1).

    `plain_rgb` tells that the three components are red, green, blue without transform, said by their names alone."""

    width: int
    height: int
    components: int
    bits: int
    process: int
    plain_rgb: bool
    scan: int


def jpeg_header(body: bytes) -> JpegHeader:
    """Read the markers up to the first scan. Raises ValueError when they do not make a JPEG."""
    position, adobe = body.find(b"\xff\xd8\xff", 0, 64) + 2, False
    if position < 2:
        raise ValueError("no JPEG header")
    frame: tuple[int, int, int, int, int, bytes] | None = None
    while position + 4 <= len(body):
        if body[position] != 0xFF:
            raise ValueError("the JPEG markers are broken")
        marker = body[position + 1]
        if marker == 0xFF:
            position += 1
            continue
        if marker == 0x01 or 0xD0 <= marker <= 0xD7:
            position += 2
            continue
        length = int.from_bytes(body[position + 2 : position + 4], "big")
        segment = body[position + 4 : position + 2 + length]
        if length < 2 or len(segment) != length - 2:
            raise ValueError("a JPEG segment is cut: the file is truncated")
        if marker == 0xDA:
            if frame is None:
                raise ValueError("no JPEG frame before the scan")
            process, bits, height, width, components, names = frame
            return JpegHeader(
                width, height, components, bits, process, components == 3 and not adobe and names == b"RGB", position
            )
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            if len(segment) < 6 or len(segment) < 6 + 3 * segment[5]:
                raise ValueError("the JPEG frame header is cut")
            bits, height, width, components = struct.unpack_from(">BHHB", segment)
            frame = (marker - 0xC0, bits, height, width, components, segment[6 : 6 + 3 * components : 3])
            if not (width and height and components):
                raise ValueError("the JPEG declares no pixel")
        elif marker == 0xEE and segment.startswith(b"Adobe"):
            adobe = True
        elif marker == 0xD9:
            break
        position += 2 + length
    raise ValueError("no JPEG scan: the file is truncated")


def jpeg_problem(body: bytes) -> str | None:
    """Why a JPEG cannot be whole, or None: headers read, end marker searched for after the first scan."""
    try:
        header = jpeg_header(body)
    except ValueError as error:
        return str(error)
    # Inside a scan FF is never followed by D9, and thumbnails lie before it.
    return None if body.rfind(b"\xff\xd9", header.scan) >= 0 else "no JPEG end marker: the file is truncated"


def png_problem(body: bytes) -> str | None:
    """Why a PNG cannot be whole, or None: every chunk in place with its check sum, up to the end chunk."""
    if not body.startswith(b"\x89PNG\r\n\x1a\n"):
        return "no PNG header"
    position, first = 8, True
    while position + 12 <= len(body):
        (length,) = struct.unpack_from(">I", body, position)
        end = position + 12 + length
        if end > len(body):
            break
        kind = body[position + 4 : position + 8]
        if first and (kind != b"IHDR" or length != 13):
            return "the PNG does not start with its header chunk"
        if zlib.crc32(body[position + 4 : end - 4]) != int.from_bytes(body[end - 4 : end], "big"):
            return "a PNG chunk does not match its check sum"
        if kind == b"IEND":
            return None
        position, first = end, False
    return "no PNG end chunk: the file is truncated"


# Offsets of the strips and tiles of an image, and their sizes (TIFF 6.0, sections 8 and 15).
_DATA_TAGS = {273: 279, 324: 325}
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}


def tiff_problem(body: bytes) -> str | None:
    """Why a TIFF cannot be whole, or None: every directory read, every strip and tile inside the file."""
    order = {b"II": "<", b"MM": ">"}.get(body[:2])
    if order is None or len(body) < 16:
        return "no TIFF header"
    big = struct.unpack_from(f"{order}H", body, 2)[0] == 43
    count_format, entry, offset_format = ("Q", 20, "Q") if big else ("H", 12, "I")
    start = struct.unpack_from(order + offset_format, body, 8 if big else 4)[0]
    seen: set[int] = set()
    try:
        while start:
            if start in seen or len(seen) >= _IMAGES_AT_MOST:
                return "the TIFF directories do not end"
            seen.add(start)
            (tags,) = struct.unpack_from(order + count_format, body, start)
            if tags > _TAGS_AT_MOST:
                return "a TIFF directory is not one"
            first = start + struct.calcsize(count_format)
            values: dict[int, tuple[int, ...]] = {}
            for position in range(first, first + tags * entry, entry):
                (tag,) = struct.unpack_from(order + "H", body, position)
                if tag in _DATA_TAGS or tag in _DATA_TAGS.values():
                    values[tag] = _integers(body, order, big, position)
            for offsets, sizes in _DATA_TAGS.items():
                for offset, size in zip(values.get(offsets, ()), values.get(sizes, ()), strict=False):
                    if offset + size > len(body):
                        return "image data lie beyond the end: the TIFF is truncated"
            if not any(tag in values for tag in _DATA_TAGS):
                return "a TIFF directory names no image data"
            (start,) = struct.unpack_from(order + offset_format, body, first + tags * entry)
    except struct.error:
        return "a TIFF directory lies beyond the end: the file is truncated"
    return None if seen else "the TIFF holds no image"


def _integers(body: bytes, order: str, big: bool, position: int) -> tuple[int, ...]:
    """Values of one directory entry; raises struct.error when they lie outside the body."""
    kind, count = struct.unpack_from(order + ("HQ" if big else "HI"), body, position + 2)
    size, place = _SIZES.get(kind, 1), position + (12 if big else 8)
    if size * count > (8 if big else 4):
        (place,) = struct.unpack_from(order + ("Q" if big else "I"), body, place)
    code = {1: "B", 2: "H", 4: "I", 8: "Q"}[size]
    if count > len(body):
        raise struct.error("more values than bytes")
    return struct.unpack_from(f"{order}{count}{code}", body, place)
