"""DEFLATE of a document that is mostly base64: what any reader inflates is the document, and what does not suit is declined."""

from __future__ import annotations

import base64
import random
import shutil
import subprocess
import zlib
from datetime import datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from isal import isal_zlib

from transvase.exporters.cda import level1
from transvase.formats import zip_stream
from transvase.formats.base64_deflate import packed

END = b"</text></nonXMLBody></component></ClinicalDocument>\n"
ASCII = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=200)


def noise(size: int, seed: int = 0) -> bytes:
    return random.Random(seed).randbytes(size)


def document(body: bytes, before: bytes = b"<ClinicalDocument>", after: bytes = END) -> bytes:
    return before + base64.b64encode(body) + after


def inflated(made: bytes) -> list[bytes]:
    """By two readers, each to the last bit: nothing is left over, and the stream says its end."""
    out = []
    for library in (zlib, isal_zlib):
        reader = library.decompressobj(-15)
        out.append(reader.decompress(made) + reader.flush())
        assert reader.eof
        assert not reader.unused_data
    return out


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(16_384, 60_000), st.integers(0, 1 << 30), st.text(max_size=300), ASCII)
def test_any_document_is_read_back(size, seed, before, after):
    body = noise(size, seed)
    data = document(body, before.encode(errors="replace"), after.encode())
    made = packed(data, body, len(after))
    assert made is not None
    assert inflated(made) == [data, data]


@pytest.mark.parametrize("share", [0.0, 0.01, 0.1, 0.5])
def test_the_one_letter_of_seven_bits_wherever_it_stands(share):
    # `+` alone has a code of seven bits.
    choose = random.Random(share)
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/"
    text = "".join("+" if choose.random() < share else choose.choice(letters) for _ in range(32_000))
    body = base64.b64decode(text)
    data = document(body)
    made = packed(data, body, len(END))
    assert made is None if share == 0.5 else inflated(made) == [data, data]


@pytest.mark.parametrize("size", range(16_384, 16_384 + 13))
def test_whatever_is_left_after_the_last_six_bytes(size):
    body = noise(size)
    data = document(body)
    assert inflated(packed(data, body, len(END)) or b"") == [data, data]


def test_every_pair_of_letters_has_its_code():
    pairs = [pair.to_bytes(2, "big") for pair in range(1 << 12)]
    random.Random(1).shuffle(pairs)
    twos = zip(pairs, pairs[1:] + pairs[:1], strict=True)
    body = b"".join((int.from_bytes(a) << 12 | int.from_bytes(b)).to_bytes(3) for a, b in twos) + noise(5_000)
    data = document(body)
    assert inflated(packed(data, body, len(END)) or b"") == [data, data]


@pytest.mark.parametrize("letter", range(256))
def test_a_body_whose_inside_repeats_one_byte_is_read_back(letter):
    """The sample may miss it: what is written then is longer than it could be, and right."""
    body = bytearray(noise(20_000))
    body[3_100:4_700] = bytes([letter]) * 1_600
    data = document(bytes(body))
    assert inflated(packed(data, bytes(body), len(END)) or b"") == [data, data]


@pytest.mark.parametrize(
    ("body", "after"),
    [(b"", END), (noise(16_383), END), (b"BT /F1 12 Tf (Bonjour) Tj ET\n" * 2_000, END), (bytes(60_000), END), (noise(20_000), "é".encode())],
    ids=["nothing", "short", "words", "zeros", "beyond ASCII after it"],
)  # fmt: skip
def test_what_does_not_suit_is_left_to_the_other(body, after):
    assert packed(document(body, after=after), body, len(after)) is None


def test_it_is_hardly_longer_than_what_the_library_makes():
    body = noise(80_000)
    data = document(body)
    assert len(packed(data, body, len(END)) or b"") < 1.01 * len(zip_stream.deflate(data))


def test_a_document_made_here_says_where_its_base64_stands():
    pdf = b"%PDF-1.4\n" + noise(20_001)
    text = f"<ClinicalDocument><title>\ue000 B64</title>{level1.BODY}</ClinicalDocument>\n"
    data = level1.filled(text, pdf)
    after = level1.tail(data, pdf)
    assert after == len(END)
    assert inflated(packed(data, pdf, after) or b"") == [data, data]
    for other in (pdf[:-3], pdf + b"xyz", b"x" + pdf[1:], b""):
        assert level1.tail(data, other) is None, "the base64 is not that of another body"
    assert level1.tail(b"<ClinicalDocument/>", pdf) is None


def test_it_is_a_member_that_unzip_takes(tmp_path):
    if shutil.which("unzip") is None:
        pytest.skip("unzip is not installed")
    body = noise(50_000)
    data = document(body)
    path = tmp_path / "one.zip"
    path.write_bytes(zip_stream.build([("DOC.XML", data, packed(data, body, len(END)) or False)], datetime(2026, 1, 1)))
    assert subprocess.run(["unzip", "-p", path, "DOC.XML"], capture_output=True, check=True).stdout == data
