"""Bodies of documents as the product stores them: PDF, scans, RTF, text, images. CDA has its own module (`cda`).

A body is assembled from parts built once (scanned pages at given sizes) and a few lines of its own, so that each is
different yet costs little more than copying it.
"""

from __future__ import annotations

import io
import math
from functools import lru_cache
from random import Random
from statistics import NormalDist
from typing import NamedTuple

from transvase.sources.synthetic import vocabulary as words

# Bytes of a PDF by default: a letter or prescription printed by the software with its logo, and a scanned sheet.
PRINTED = 24_000
SCANNED = 80_000
# Sizes of a pool follow a log-normal law; sixteen steps keep its tail (the largest is six times the median).
STEPS = 16
SPREAD = 0.75
# What the objects of a PDF weigh beside the image, and the least an image can weigh.
FRAME = 2_600
LEAST_IMAGE = 700


class Image(NamedTuple):
    """A grey image: encoded bytes and size in pixels."""

    data: bytes
    width: int
    height: int


def sizes(mean: int) -> list[int]:
    """Sixteen sizes in bytes of equal weight, log-normal, whose average is `mean`."""
    quantiles = [(i + 0.5) / STEPS for i in range(STEPS)]
    normal = NormalDist()
    raw = [math.exp(SPREAD * normal.inv_cdf(q)) for q in quantiles]
    scale = mean * STEPS / sum(raw)
    return [int(r * scale) for r in raw]


@lru_cache(maxsize=8)
def pool(mean: int) -> tuple[Image | None, ...]:
    """Images for PDF whose bytes, frame included, average `mean`; None where the text alone is enough."""
    rng = Random(mean)  # noqa: S311
    made: list[Image | None] = []
    for size in sizes(mean):
        wanted = size - FRAME
        made.append(_jpeg(rng, wanted) if wanted >= LEAST_IMAGE else None)
    return tuple(made)


def _page(rng: Random, width: int, height: int) -> object:
    """A scanned sheet: grey paper with grain, a letterhead and lines of words."""
    from PIL import Image as Pillow
    from PIL import ImageDraw, ImageFont

    grain = Pillow.frombytes("L", (width, height), rng.randbytes(width * height)).point(
        [230 + v // 11 for v in range(256)]
    )
    draw = ImageDraw.Draw(grain)
    font = ImageFont.load_default()
    for line, y in enumerate(range(14, height - 14, 15)):
        if width > 60:
            draw.text(
                (12, y), words.PARAGRAPHS[(line * 5) % len(words.PARAGRAPHS)][: width // 6 - 4], fill=40, font=font
            )
    return grain


def _jpeg(rng: Random, size: int) -> Image:
    """A JPEG of exactly `size` bytes: drawn a little smaller, then filled by a comment."""
    area = size * 2.2
    while True:
        width = max(16, int(math.sqrt(area / 1.41)))
        height = max(16, int(width * 1.41))
        out = io.BytesIO()
        _page(rng, width, height).save(out, "JPEG", quality=55)  # type: ignore[attr-defined]
        data = out.getvalue()
        missing = size - len(data)
        if missing == 0 or missing >= 4:
            break
        area *= 0.85
    while missing:
        take = min(missing, 65_000)
        # A comment has four bytes of its own; never leave fewer than that for the next one.
        if 0 < missing - take < 4:
            take -= 4
        data = data[:2] + b"\xff\xfe" + (take - 2).to_bytes(2, "big") + rng.randbytes(take - 4) + data[2:]
        missing -= take
    return Image(data, width, height)


@lru_cache(maxsize=1)
def photographs() -> tuple[bytes, ...]:
    """JPEG photographs with a place to write a reference (see `stamped`)."""
    rng = Random(7)  # noqa: S311
    made = []
    for size in (18_000, 32_000, 61_000, 120_000):
        data = _jpeg(rng, size).data
        made.append(data[:2] + b"\xff\xfe\x00\x14" + MARK + data[2:])
    return tuple(made)


@lru_cache(maxsize=1)
def faxes() -> tuple[bytes, ...]:
    """TIFF faxes (group 4), with a place to write a reference (see `stamped`)."""
    rng = Random(8)  # noqa: S311
    made = []
    for height in (1100, 1600, 2200):
        sheet = _page(rng, 1100, height)
        out = io.BytesIO()
        bitonal = sheet.point(lambda v: 255 if v > 200 else 0).convert("1")  # type: ignore[attr-defined]
        bitonal.save(out, "TIFF", compression="group4", description=MARK.decode())
        made.append(out.getvalue())
    return tuple(made)


MARK = b"REF 00000000000000"


def stamped(image: bytes, reference: int) -> bytes:
    """The image with its reference written in its comment."""
    return image.replace(MARK, b"REF %014d" % reference, 1)


@lru_cache(maxsize=64)
def _sheet(start: int) -> bytes:
    """Drawing operators of a page of prose; the same few dozen pages serve everyone."""
    lines = [words.PARAGRAPHS[(start + i * 3) % len(words.PARAGRAPHS)] for i in range(24)]
    return _drawn(lines)


def _drawn(lines: list[str]) -> bytes:
    """The operators that draw lines of text. Plain replacements: `str.translate` would be a third of the whole PDF."""
    text = "\n".join(lines).replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")
    return b"(" + text.encode("cp1252", "replace").replace(b"\n", b") Tj T* (") + b") Tj T* "


def pdf(lines: list[str], pages: int, image: Image | None) -> bytes:
    """A PDF 1.4: `lines` in French on the first page, prose on the following ones, the image under the text."""
    parts: list[bytes] = [b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n"]
    offsets: list[int] = []
    at = len(parts[0])

    def item(*pieces: bytes) -> None:
        nonlocal at
        offsets.append(at)
        head = b"%d 0 obj\n" % len(offsets)
        parts.append(head)
        at += len(head)
        for piece in pieces:
            parts.append(piece)
            at += len(piece)
        parts.append(b"\nendobj\n")
        at += 8

    drawn = 5 if image else 0
    first = 5 + (1 if image else 0)
    item(b"<< /Type /Catalog /Pages 2 0 R /Lang (fr-FR) >>")
    kids = b" ".join(b"%d 0 R" % (first + 2 * i) for i in range(pages))
    item(b"<< /Type /Pages /Count %d /Kids [%s] >>" % (pages, kids))
    item(b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>")
    item(b"<< /Producer (Mirabelle 8) >>")
    if image:
        item(
            b"<< /Type /XObject /Subtype /Image /Width %d /Height %d /ColorSpace /DeviceGray /BitsPerComponent 8 "
            b"/Filter /DCTDecode /Length %d >>\nstream\n" % (image.width, image.height, len(image.data)),
            image.data,
            b"\nendstream",
        )
    for page in range(pages):
        if page == 0:
            text = _drawn(lines)
            picture = b"q 480 0 0 600 57 40 cm /Im0 Do Q " if image else b""
        else:
            text, picture = _sheet(len(lines) + page), b""
        stream = b"%sBT /F1 11 Tf 14 TL 57 790 Td %sET" % (picture, text)
        resources = b"/Font << /F1 3 0 R >>" + (b" /XObject << /Im0 %d 0 R >>" % drawn if page == 0 and image else b"")
        item(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents %d 0 R /Resources << %s >> >>"
            % (len(offsets) + 2, resources)
        )
        item(b"<< /Length %d >>\nstream\n" % len(stream), stream, b"\nendstream")
    parts.append(b"xref\n0 %d\n0000000000 65535 f \n" % (len(offsets) + 1))
    parts.append(b"".join(b"%010d 00000 n \n" % o for o in offsets))
    parts.append(b"trailer\n<< /Size %d /Root 1 0 R /Info 4 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(offsets) + 1, at))
    return b"".join(parts)


def rtf(lines: list[str]) -> str:
    """The lines as RTF, accents escaped as the word processors of the time did."""
    body = "\\par\n".join(_rtf_escaped(line) for line in lines)
    return "{\\rtf1\\ansi\\ansicpg1252\\deff0{\\fonttbl{\\f0 Arial;}}\\f0\\fs22 " + body + "\\par}"


def _rtf_escaped(line: str) -> str:
    plain = line.replace("\\", "\\\\").replace("{", "\\{").replace("}", "\\}")
    return "".join(c if c < "\x80" else _rtf_accent(c) for c in plain)


@lru_cache(maxsize=256)
def _rtf_accent(character: str) -> str:
    try:
        return f"\\'{character.encode('cp1252')[0]:02x}"
    except UnicodeEncodeError:
        return f"\\u{ord(character)}?"
