"""What the acceptor takes for well-formed XML, and what it leaves to libxml2."""

from __future__ import annotations

import pytest

SCHEMA = """<xs:element name="r"><xs:complexType mixed="true"><xs:sequence><xs:element name="e" minOccurs="0" maxOccurs="unbounded">
<xs:complexType><xs:sequence><xs:element name="e" minOccurs="0"><xs:complexType mixed="true"/></xs:element></xs:sequence>
<xs:attribute name="v" type="xs:string"/></xs:complexType></xs:element></xs:sequence></xs:complexType></xs:element>"""

DOCUMENTS = [
    ("plain", '<r xmlns="urn:a">text</r>', "accepted"),
    ("no content", '<r xmlns="urn:a"/>', "accepted"),
    ("declaration", "<?xml version='1.0' encoding=\"utf-8\" standalone='yes' ?>\n<r xmlns='urn:a'/>\n", "accepted"),
    ("declaration of version 1.1", "<?xml version='1.1'?><r xmlns='urn:a'/>", "undecided"),
    ("declaration of another encoding", "<?xml version='1.0' encoding='us-ascii'?><r xmlns='urn:a'/>", "undecided"),
    ("declaration after a space", " <?xml version='1.0'?><r xmlns='urn:a'/>", "refused"),
    ("declaration without a version", "<?xml encoding='UTF-8'?><r xmlns='urn:a'/>", "refused"),
    ("standalone before encoding", "<?xml version='1.0' standalone='no' encoding='UTF-8'?><r xmlns='urn:a'/>", "refused"),
    ("byte order mark", "\ufeff<r xmlns='urn:a'/>", "undecided"),
    ("document type", "<!DOCTYPE r><r xmlns='urn:a'/>", "undecided"),
    ("comments and instructions around", "<!-- a --><?b c?><r xmlns='urn:a'/><!-- - é --><?b?>\n", "accepted"),
    ("comments and instructions inside", "<r xmlns='urn:a'>a<!-- < & ]]> -->b<?c d > ?></r>", "accepted"),
    ("two hyphens in a comment", "<r xmlns='urn:a'><!-- a--b --></r>", "refused"),
    ("three hyphens end a comment", "<r xmlns='urn:a'><!-- a---></r>", "refused"),
    ("comment not closed", "<r xmlns='urn:a'><!-- a -></r>", "refused"),
    ("instruction named xml", "<r xmlns='urn:a'><?XmL a?></r>", "refused"),
    ("instruction not closed", "<r xmlns='urn:a'><?a b></r>", "refused"),
    ("instruction without a name", "<r xmlns='urn:a'><? a?></r>", "refused"),
    ("instruction with a colon", "<r xmlns='urn:a'><?a:b c?></r>", "refused"),
    ("text after the root", "<r xmlns='urn:a'/>a", "refused"),
    ("two roots", "<r xmlns='urn:a'/><r xmlns='urn:a'/>", "refused"),
    ("CDATA section", "<r xmlns='urn:a'><![CDATA[a]]></r>", "undecided"),
    ("five entities", "<r xmlns='urn:a'>&lt;&gt;&amp;&quot;&apos;</r>", "accepted"),
    ("entities in a value", "<r xmlns='urn:a'><e v='&lt;&gt;&amp;&quot;&apos;'/></r>", "accepted"),
    ("unknown entity", "<r xmlns='urn:a'>&nbsp;</r>", "refused"),
    ("entity in capitals", "<r xmlns='urn:a'>&LT;</r>", "refused"),
    ("ampersand alone", "<r xmlns='urn:a'>a & b</r>", "refused"),
    ("character references", "<r xmlns='urn:a'>&#9;&#10;&#13;&#32;&#xE9;&#xe9;&#x10FFFF;&#x0010ffff;</r>", "accepted"),
    ("reference to zero", "<r xmlns='urn:a'>&#0;</r>", "refused"),
    ("reference to a control character", "<r xmlns='urn:a'>&#x1F;</r>", "refused"),
    ("reference to half a character", "<r xmlns='urn:a'>&#xD800;</r>", "refused"),
    ("reference to no character", "<r xmlns='urn:a'>&#xFFFE;</r>", "refused"),
    ("reference above Unicode", "<r xmlns='urn:a'>&#x110000;</r>", "refused"),
    ("reference far above Unicode", "<r xmlns='urn:a'>&#99999999999999999999;</r>", "refused"),
    ("reference without digits", "<r xmlns='urn:a'>&#;</r>", "refused"),
    ("reference without hexadecimal digits", "<r xmlns='urn:a'>&#x;</r>", "refused"),
    ("reference with a capital X", "<r xmlns='urn:a'>&#X41;</r>", "refused"),
    ("reference with a sign", "<r xmlns='urn:a'>&#+65;</r>", "refused"),
    ("greater than", "<r xmlns='urn:a'>a > b ] ]] ] ></r>", "accepted"),
    ("end of a CDATA section", "<r xmlns='urn:a'>12345 ]]> </r>", "refused"),
    ("less than in a value", "<r xmlns='urn:a'><e v='<'/></r>", "refused"),
    ("end of a CDATA section in a value", "<r xmlns='urn:a'><e v=']]>'/></r>", "accepted"),
    ("quotes in values", "<r xmlns='urn:a'><e v=\"'\"/><e v='\"'/></r>", "accepted"),
    ("value without quotes", "<r xmlns='urn:a'><e v=a/></r>", "refused"),
    ("attribute without a value", "<r xmlns='urn:a'><e v/></r>", "refused"),
    ("attributes not parted", "<r xmlns='urn:a'><e v='a'w='b'/></r>", "refused"),
    ("attribute twice", "<r xmlns='urn:a'><e v='a' v='a'/></r>", "refused"),
    ("spaces in tags", "<r\n\txmlns = 'urn:a' ><e  v\r\n=\t'a'  /><e ></e\n></r  >", "accepted"),
    ("space before the name", "< r xmlns='urn:a'/>", "refused"),
    ("space in an end tag", "<r xmlns='urn:a'></ r>", "refused"),
    ("space in an empty tag", "<r xmlns='urn:a'/ >", "refused"),
    ("tags crossed", "<r xmlns='urn:a'><e><e></r></e></e>", "refused"),
    ("end tag longer than its start", "<r xmlns='urn:a'></rr>", "refused"),
    ("end tag shorter than its start", "<r xmlns='urn:a'><e></></r>", "refused"),
    ("element not closed", "<r xmlns='urn:a'><e></r>", "refused"),
    ("end without a start", "<r xmlns='urn:a'></r></r>", "refused"),
    ("nothing", "", "refused"),
    ("white space", " \n         ", "refused"),
    ("no element", "<?xml version='1.0'?><!-- a -->", "refused"),
    ("letters of every length", "<r xmlns='urn:a'>aé€🩺\u0085\u2028\x7f\ufdd0</r>", "accepted"),
]  # fmt: skip


@pytest.mark.parametrize(("document", "verdict"), [pytest.param(d, v, id=i) for i, d, v in DOCUMENTS])
def test_a_document(judge, document, verdict):
    assert judge(document) == verdict


BYTES = [
    ("a control character", b"\x0b", "refused"),
    ("zero", b"\0", "refused"),
    ("a byte alone", b"\x80", "refused"),
    ("a character cut", b"\xc3", "refused"),
    ("a longer form of a slash", b"\xc0\xaf", "refused"),
    ("a longer form in three bytes", b"\xe0\x80\xaf", "refused"),
    ("a longer form in four bytes", b"\xf0\x80\x80\xaf", "refused"),
    ("half a character", b"\xed\xa0\x80", "refused"),
    ("U+FFFE", b"\xef\xbf\xbe", "refused"),
    ("U+FFFD", b"\xef\xbf\xbd", "accepted"),
    ("the last character", b"\xf4\x8f\xbf\xbf", "accepted"),
    ("above the last character", b"\xf4\x90\x80\x80", "refused"),
    ("a first byte of five", b"\xf8\x88\x80\x80\x80", "refused"),
    ("Latin-1", b"\xe9t\xe9", "refused"),
]


@pytest.mark.parametrize(
    "place",
    [b"<r xmlns='urn:a'>%s</r>", b"<r xmlns='urn:a'><e v='%s'/></r>", b"<!-- %s --><r xmlns='urn:a'/>", b"<?a %s?><r xmlns='urn:a'/>"],
    ids=["text", "value", "comment", "instruction"],
)  # fmt: skip
@pytest.mark.parametrize(("content", "verdict"), [pytest.param(c, v, id=i) for i, c, v in BYTES])
def test_bytes_that_are_characters(judge, place, content, verdict):
    for shift in range(9):
        assert judge(place % (b"x" * shift + content)) == verdict


def test_a_document_cut_anywhere_is_refused(judge):
    whole = '<?xml version="1.0"?><!-- é --><?p?><r xmlns="urn:a">é&#233;]]<e v="é &amp; "/><!--a--><e><e>t</e></e></r>'.encode()
    assert judge(whole) == "accepted"
    assert {judge(whole[:end]) for end in range(len(whole))} == {"refused"}


def test_depth_is_limited(judge_of):
    judge = judge_of('<xs:element name="r" type="R"/><xs:complexType name="R"><xs:sequence>'
                     '<xs:element name="r" type="R" minOccurs="0"/></xs:sequence></xs:complexType>')  # fmt: skip

    def nested(levels: int) -> str:
        return '<r xmlns="urn:a">' + "<r>" * (levels - 1) + "</r>" * levels

    assert judge(nested(200)) == "accepted"
    assert judge(nested(201)) == "undecided"
    assert judge.acceptor.accepts(nested(100_000).encode()) is False


def test_long_text_and_long_values(judge):
    assert judge("<r xmlns='urn:a'>" + "a" * 1_000_000 + "</r>") == "accepted"
    assert judge("<r xmlns='urn:a'><e v='" + "a" * 100_000 + "'/></r>") == "accepted"
    assert judge("<r xmlns='urn:a'><e v='" + "a&amp;" * 20_000 + "'/></r>") == "undecided"


STOPS = [(b"\x00", "refused"), (b"\x1f", "refused"), (b"]]>", "refused"), (b"&", "refused"), (b"\x80", "refused"), (b"\xef\xbf\xbf", "refused"),
         (b"<", "refused"), (b"&#x0;", "refused"), (b"]", "accepted"), (b"\n", "accepted"), ("é".encode(), "accepted"),
         (b"&amp;", "accepted"), (b"<!--a-->", "accepted"), (b"\x7f", "accepted"), (b"<e/>", "accepted")]  # fmt: skip


@pytest.mark.parametrize("place", [0, 7, 511, 512, 513, 1_023, 1_024, 1_500, 1_535, 1_536, 2_040])
@pytest.mark.parametrize(("content", "verdict"), STOPS)
def test_what_stops_a_long_text(judge, place, content, verdict):
    for size in (2_048, 2_051):
        text = b"a" * place + content + b"b" * (size - place)
        assert judge(b"<r xmlns='urn:a'>%b</r>" % text) == verdict
