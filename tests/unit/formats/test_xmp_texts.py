"""What is read of an XMP packet whose texts were set apart is what lxml reads of it whole: over usual packets, and over any change of
their bytes."""

from __future__ import annotations

import random

import pytest

from transvase.formats import pdfa

HEAD = '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
NAMES = 'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:x="adobe:ns:meta/"'
PACKET = (
    HEAD + f"<x:xmpmeta {NAMES}> <rdf:RDF>\n"
    '<rdf:Description xmlns:p="http://www.aiim.org/pdfa/ns/id/" p:part="1"><p:conformance>B</p:conformance></rdf:Description>'
    '<rdf:Description xmlns:dc="http://purl.org/dc/elements/1.1/" dc:format="a > b">'
    "<dc:title><rdf:Alt><rdf:li>Compte rendu é</rdf:li></rdf:Alt></dc:title><dc:creator><rdf:Seq><rdf:li>Un</rdf:li>"
    "<rdf:li> Deux </rdf:li><rdf:li/></rdf:Seq></dc:creator><dc:empty>  </dc:empty><dc:mixed>one<b/>two</dc:mixed></rdf:Description>"
    '</rdf:RDF></x:xmpmeta>   <?xpacket end="w"?>'
).encode()

PIECES = [
    b"<!--", b"-->", b"<!-- >text< -->", b"<![CDATA[", b"]]>", b"]]>text<", b"&amp;", b"&#xE000;", b"&", b"<", b">", b">text<", b"<b/>",
    b"\x00", b"\r\n", b"\r", b"\xff", b"\xed\xa0\x80", b"\xef\xbf\xbe", b"\xef\xbb\xbf", b"\xee\x80\x80", b"\xc2\x85", b"\xe2\x80\xa8",
    b"\x7f", b"<?pi >text<?>", b"<?xpacket >text<?>", b'"', b"'", b" ", b"   ", b"<!DOCTYPE x [<!ENTITY e 'v'>]>", b"<rdf:li>", b"</rdf:li>",
    "日本".encode(), "\U0001f600".encode(), b"x:",
]  # fmt: skip


def test_usual_packet() -> None:
    said = pdfa._properties(PACKET)
    assert said is not None
    assert said["{http://purl.org/dc/elements/1.1/}title"] == "Compte rendu é"
    assert said["{http://purl.org/dc/elements/1.1/}creator"] == "Un,  Deux , "
    assert said == pdfa._read(PACKET)


@pytest.mark.parametrize("piece", PIECES, ids=repr)
def test_each_piece_at_each_place(piece: bytes) -> None:
    for at in range(len(PACKET) + 1):
        changed = PACKET[:at] + piece + PACKET[at:]
        assert pdfa._properties(changed) == pdfa._read(changed), changed


def test_any_changes() -> None:
    chance = random.Random(7)
    for _ in range(4_000):
        changed = bytearray(PACKET)
        for _ in range(chance.randint(1, 3)):
            at = chance.randrange(len(changed))
            if chance.random() < 0.5:
                changed[at : at + chance.randint(0, 12)] = chance.choice(PIECES)
            else:
                changed[at] = chance.randrange(256)
        assert pdfa._properties(bytes(changed)) == pdfa._read(bytes(changed)), bytes(changed)
