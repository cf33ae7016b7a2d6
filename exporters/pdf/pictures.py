"""Image bodies as PDF/A-1b pages: one image a page, on A4, without loss wherever PDF/A-1 has a form for it.

A JPEG keeps its own bytes, a plain PNG its own compressed pixels, black and white goes to CCITT group 4. The file
structure belongs to `container`; whether an image is whole to `formats.image`.
"""

from __future__ import annotations

import io
import struct
import warnings
from datetime import datetime
from typing import Any, NamedTuple

from transvase.exporters.pdf.container import (
    FIRST_FREE,
    PAGE_HEIGHT,
    PAGE_WIDTH,
    Identity,
    Page,
    document,
    stream,
)
from transvase.formats.image import PIXELS_AT_MOST, jpeg_header

_PAGES_AT_MOST = 2_000
# Of one file, all pages together: what an hour of a fax machine gives, and two minutes of our time.
_PIXELS_OF_A_FILE = 2_000_000_000
# For the rare conversions that cannot be exact (CMYK): above, nobody has shown a visible difference.
_JPEG_QUALITY = 95


class Refused(ValueError):
    """The image is beyond the limits, or in no form we can show; the text says which, without content."""


class Picture(NamedTuple):
    """An image XObject: size in pixels, dictionary entries, data, and how it must be turned (EXIF 1 to 8)."""

    width: int
    height: int
    entries: bytes
    data: bytes
    orientation: int = 1


class Album(NamedTuple):
    """The file, and whether some pixel values differ from those that came."""

    pdf: bytes
    converted: bool


# Rows of the matrix that puts the unit square upright, by EXIF orientation, and whether sides are exchanged.
_TURNS = {
    1: (1, 0, 0, 1, 0, 0),
    2: (-1, 0, 0, 1, 1, 0),
    3: (-1, 0, 0, -1, 1, 1),
    4: (1, 0, 0, -1, 0, 1),
    5: (0, -1, -1, 0, 1, 1),
    6: (0, -1, 1, 0, 0, 1),
    7: (0, 1, 1, 0, 0, 0),
    8: (0, 1, -1, 0, 1, 0),
}


def picture_document(body: bytes, kind: str, *, title: str, created: datetime, identifier: str) -> Album:
    """PDF/A-1b pages of a JPEG, PNG or TIFF body. Raises Refused; `created` carries a time zone."""
    with warnings.catch_warnings():
        # Pillow warns of odd tags by quoting them.
        warnings.simplefilter("ignore")
        pictures, converted = _of_jpeg(body) if kind == "jpeg" else _of_pillow(body, kind)
    shared, pages = [], []
    for place, picture in enumerate(pictures):
        shared.append(
            stream(
                b"/Type/XObject/Subtype/Image/Width %d/Height %d%b" % (picture.width, picture.height, picture.entries),
                picture.data,
            )
        )
        pages.append(_page(picture, FIRST_FREE + place))
    return Album(document(Identity(title, created, identifier, "fr-FR"), pages, shared), converted)


def _page(picture: Picture, number: int) -> Page:
    turn = _TURNS[picture.orientation]
    width, height = picture.width, picture.height
    if turn[0] == 0:
        width, height = height, width
    page_width, page_height = (PAGE_HEIGHT, PAGE_WIDTH) if width > height else (PAGE_WIDTH, PAGE_HEIGHT)
    # Never enlarged beyond 72 points an inch: a thumbnail stays one.
    scale = min(page_width / width, page_height / height, 1.0)
    across, up = width * scale, height * scale
    a, b, c, d, e, f = turn
    matrix = (a * across, b * up, c * across, d * up)
    left, low = (page_width - across) / 2 + e * across, (page_height - up) / 2 + f * up
    content = b"q %.3f %.3f %.3f %.3f %.3f %.3f cm /I Do Q" % (*matrix, left, low)
    return Page(content, b"/XObject<</I %d 0 R>>" % number, page_width, page_height)


def _of_jpeg(body: bytes) -> tuple[list[Picture], bool]:
    header = jpeg_header(body)
    _sized(header.width, header.height)
    # CMYK needs another output intent, 12 bits and arithmetic coding have no place in PDF 1.4.
    if header.components not in (1, 3) or header.bits != 8 or header.process > 2:
        image = _opened(body)
        pixels = _loaded(image)
        out = io.BytesIO()
        pixels.convert("RGB").save(out, "JPEG", quality=_JPEG_QUALITY, subsampling=0)
        entries = b"/ColorSpace/DeviceRGB/BitsPerComponent 8/Filter/DCTDecode"
        return [Picture(header.width, header.height, entries, out.getvalue(), _orientation(image))], True
    space = b"/DeviceGray" if header.components == 1 else b"/DeviceRGB"
    entries = b"/ColorSpace%b/BitsPerComponent 8/Filter/DCTDecode" % space
    if header.plain_rgb:
        entries += b"/DecodeParms<</ColorTransform 0>>"
    start = body.find(b"\xff\xd8\xff")
    return [Picture(header.width, header.height, entries, body[start:], _orientation(_opened(body)))], False


def _of_pillow(body: bytes, kind: str) -> tuple[list[Picture], bool]:
    image = _opened(body)
    try:
        frames = image.n_frames if kind == "tiff" else 1
    except Exception:
        raise Refused("the pages of the file cannot be counted") from None
    if frames > _PAGES_AT_MOST:
        raise Refused(f"more than {_PAGES_AT_MOST} images in one file")
    pictures, converted, total = [], False, 0
    for frame in range(frames):
        try:
            image.seek(frame)
        except Exception:
            raise Refused("a page of the file cannot be read") from None
        _sized(*image.size)
        total += image.width * image.height
        if total > _PIXELS_OF_A_FILE:
            raise Refused("more pixels in one file than we accept")
        orientation = _orientation(image)
        if kind == "png" and (picture := _png_as_is(body, orientation)):
            pictures.append(picture)
            continue
        if kind == "tiff" and (picture := _group4_as_is(image, body, orientation)):
            pictures.append(picture)
            continue
        pixels = _loaded(image)
        drawable = _drawable(pixels)
        converted = converted or _lossy(pixels.mode)
        # Pillow turns TIFF pages upright itself while it decodes them.
        turned = 1 if kind == "tiff" else orientation
        pictures.append(_bilevel(drawable, turned) if drawable.mode == "1" else _flate(drawable, turned))
    return pictures, converted


def _opened(body: bytes) -> Any:
    from PIL import Image

    try:
        return Image.open(io.BytesIO(body), formats=("JPEG", "PNG", "TIFF"))
    except Image.DecompressionBombError:
        raise Refused(f"more than {PIXELS_AT_MOST // 1_000_000} megapixels") from None
    except Exception:
        # Decoders quote what they read.
        raise Refused("the image cannot be opened") from None


def _loaded(image: Any) -> Any:
    try:
        image.load()
    except Exception:
        raise Refused("the pixels cannot be decoded") from None
    return image


def _sized(width: int, height: int) -> None:
    if width * height > PIXELS_AT_MOST:
        raise Refused(f"more than {PIXELS_AT_MOST // 1_000_000} megapixels")


def _orientation(image: Any) -> int:
    try:
        value = image.getexif().get(0x0112, 1)
    except Exception:
        return 1
    return value if value in _TURNS else 1


def _lossy(mode: str) -> bool:
    """Whether showing this pixel form changes values: deep greys and four inks have no exact form in PDF/A-1 here."""
    return mode.startswith("I") or mode in ("F", "CMYK", "LAB", "YCbCr")


def _drawable(image: Any) -> Any:
    """The same picture in one of the forms written below (1, L, RGB), transparency laid on white paper."""
    from PIL import Image

    mode = image.mode
    if mode in ("1", "L", "RGB") and "transparency" not in image.info:
        return image
    if mode.startswith("I"):
        deepest = 65535 if mode.startswith("I;16") or (image.getextrema()[1] or 0) > 255 else 255
        return image.convert("I").point(lambda value: value * (255 / deepest)).convert("L")
    if mode == "F":
        raise Refused("floating-point pixels have no agreed brightness")
    if mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        paper = Image.new("RGBA", image.size, (255, 255, 255, 255))
        return Image.alpha_composite(paper, image).convert("RGB")
    return image.convert("RGB")


# Tags of TIFF 6.0 by their number there, with the values under which a strip is what PDF calls a CCITT stream.
_GROUP4 = {259: (4,), 258: (1, (1,), None), 277: (1, None), 266: (1, None), 293: (0, None), 262: (0, 1)}
_STRIPS, _STRIP_SIZES, _PHOTOMETRIC = 273, 279, 262


def _group4_as_is(image: Any, body: bytes, orientation: int) -> Picture | None:
    """The compressed page of a scanner as it came, when it lies in one strip; None otherwise."""
    tags = image.tag_v2
    if any(tags.get(tag) not in values for tag, values in _GROUP4.items()):
        return None
    starts, sizes = tags.get(_STRIPS, ()), tags.get(_STRIP_SIZES, ())
    if len(starts) != 1 or len(sizes) != 1:
        return None
    width, height = image.tag_v2[256], image.tag_v2[257]
    return _ccitt(width, height, body[starts[0] : starts[0] + sizes[0]], tags[_PHOTOMETRIC] == 0, orientation)


def _ccitt(width: int, height: int, data: bytes, white_is_zero: bool, orientation: int) -> Picture:
    entries = (
        b"/ColorSpace/DeviceGray/BitsPerComponent 1/Filter/CCITTFaxDecode"
        b"/DecodeParms<</K -1/Columns %d/Rows %d/BlackIs1 %b>>"
        % (width, height, b"false" if white_is_zero else b"true")
    )
    return Picture(width, height, entries, data, orientation)


def _bilevel(image: Any, orientation: int) -> Picture:
    from PIL import Image

    out = io.BytesIO()
    # One strip, so that the strip is the whole G4 stream.
    image.save(out, "TIFF", compression="group4", strip_size=image.width * image.height)
    out.seek(0)
    with Image.open(out) as written:
        tags = written.tag_v2  # type: ignore[attr-defined]
        (start,), (size,) = tags[_STRIPS], tags[_STRIP_SIZES]
        white_is_zero = tags[_PHOTOMETRIC] == 0
    return _ccitt(image.width, image.height, out.getvalue()[start : start + size], white_is_zero, orientation)


def _flate(image: Any, orientation: int) -> Picture:
    out = io.BytesIO()
    image.save(out, "PNG", compress_level=6)
    picture = _png_as_is(out.getvalue(), orientation)
    if picture is None:
        raise Refused("the pixels have no form in PDF/A-1")
    return picture


def _png_as_is(body: bytes, orientation: int) -> Picture | None:
    """The compressed pixels of a PNG, which PDF reads with the PNG predictor; None where PDF/A-1 has no such form."""
    width, height, bits, colour, _, _, interlaced = struct.unpack_from(">IIBBBBB", body, 16)
    if interlaced or bits > 8 or colour not in (0, 2, 3):
        return None
    palette, data, position = b"", [], 8
    while position + 12 <= len(body):
        (length,) = struct.unpack_from(">I", body, position)
        kind, content = body[position + 4 : position + 8], body[position + 8 : position + 8 + length]
        if kind == b"tRNS":
            return None
        if kind == b"PLTE":
            palette = content
        elif kind == b"IDAT":
            data.append(content)
        position += 12 + length
    if colour == 3:
        if not palette or len(palette) % 3:
            return None
        space = b"[/Indexed/DeviceRGB %d<%b>]" % (len(palette) // 3 - 1, palette.hex().encode())
    else:
        space = b"/DeviceRGB" if colour == 2 else b"/DeviceGray"
    entries = (
        b"/ColorSpace%b/BitsPerComponent %d/Filter/FlateDecode"
        b"/DecodeParms<</Predictor 15/Colors %d/BitsPerComponent %d/Columns %d>>"
        % (space, bits, 3 if colour == 2 else 1, bits, width)
    )
    return Picture(width, height, entries, b"".join(data), orientation)
