"""Reading a CDA: what the header gives, what is refused, the PDF inside, the text for a readable copy."""

from __future__ import annotations

import base64
import traceback

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transvase.formats import cda, safe_xml
from transvase.formats.cda import Coded, Id

PDF = b"%PDF-1.4\n\x00\xff body"
B64 = base64.b64encode(PDF).decode()


def test_every_fact_of_the_header_has_its_place(a_cda):
    read = cda.header(cda.parse(a_cda(template='<templateId root="1.2.250.1.213.1.1.1.13" extension="201310"/>')))
    assert read.templates[2] == Id("1.2.250.1.213.1.1.1.13", "201310")
    assert read.id == Id("1.2.3.4.1")
    assert read.code == Coded("11488-4", "2.16.840.1.113883.6.1", "CR de la maison")
    assert (read.title, read.effective_time) == ("Compte rendu de consultation", "20240328093000+0100")
    assert (read.confidentiality.code, read.language, read.set_id, read.version) == ("N", "fr-FR", Id("1.2.3.4"), 1)
    patient = read.patient
    assert patient.ids == (Id("1.2.250.1.213.1.4.10", "279035121518989"), Id("1.2.3.5", "77"))
    assert (patient.birth_family, patient.birth_given, patient.given_names) == (
        "PAT-TROIS",
        "DOMINIQUE",
        "DOMINIQUE MARIE-LOUISE",
    )
    assert (patient.used_family, patient.used_given) == ("MARTIN", "DOM")
    assert (patient.sex, patient.birth, patient.birth_place) == ("F", "19790328", "51215")
    (author,) = read.authors
    assert (author.family, author.given, author.function.display) == ("LEGRAND", "Paul", "Médecin traitant")
    assert author.organization.ids == (Id("1.2.250.1.71.4.2.2", "1750512345"),)
    assert not author.is_device
    assert read.legal_authenticator is not None
    assert read.legal_authenticator.ids[0].extension == "801234567897"
    assert read.custodian.ids[0].extension == "1750512345"
    (act,) = read.acts
    assert (act.code.code, act.low, act.high) == ("CS", "20240328090000+0100", "")
    assert act.performer.organization.setting.code == "AMBULATOIRE"
    assert read.facility.code == "SA07"
    assert (read.encounter_low, read.encounter_high) == ("20240328090000+0100", "")
    assert (read.replaces, read.level, read.media_type, read.self_presenting) == (Id(), 3, "", False)


@pytest.mark.requirement("DMP-46")
def test_a_replacement_names_the_version_replaced_and_another_relation_does_not(a_cda):
    for kind, expected in (("RPLC", "1.2.3.4.0"), ("APND", "")):
        relation = f'<relatedDocument typeCode="{kind}"><parentDocument><id root="1.2.3.4.0"/></parentDocument></relatedDocument>'
        read = cda.header(cda.parse(a_cda(("<componentOf>", relation + "<componentOf>"))))
        assert read.replaces.root == expected


def test_software_as_author(a_cda):
    device = (
        "<assignedAuthoringDevice><manufacturerModelName>v2</manufacturerModelName>"
        "<softwareName>Logiciel</softwareName></assignedAuthoringDevice>"
    )
    person = "<assignedPerson><name><given>Paul</given><family>LEGRAND</family></name></assignedPerson>\n<representedOrganization>"
    (author,) = cda.header(cda.parse(a_cda((person, device + "<representedOrganization>")))).authors
    assert author.is_device
    assert (author.software, author.model, author.family) == ("Logiciel", "v2", "")


@pytest.mark.parametrize(
    ("old", "new", "field", "expected"),
    [
        pytest.param("<title>Compte rendu de consultation</title>", "<title/>", "title", "", id="empty title"),
        pytest.param(
            "<title>Compte", "<title><!-- x -->Compte", "title", "Compte rendu de consultation", id="comment in text"
        ),
        pytest.param(
            "rendu de", "rendu\n\t  de", "title", "Compte rendu de consultation", id="line break of the layout"
        ),
        pytest.param(
            "consultation</title>", "consultation </title>", "title", "Compte rendu de consultation ", id="own space"
        ),
        pytest.param('<versionNumber value="1"/>', "", "version", 0, id="no version"),
        pytest.param('Number value="1"', 'Number value="one"', "version", 0, id="version is no number"),
        pytest.param('Number value="1"', 'Number value="١"', "version", 0, id="version in other digits"),
        pytest.param('<code code="11488-4"', '<code nullFlavor="UNK"', "code", Coded(), id="code unknown"),
        pytest.param('<id root="1.2.3.4.1"/>', "", "id", Id(), id="no id"),
    ],
)
def test_what_is_absent_or_odd_is_read_without_failing(a_cda, old, new, field, expected):
    assert getattr(cda.header(cda.parse(a_cda((old, new)))), field) == expected


def test_an_almost_empty_document_has_an_almost_empty_header():
    read = cda.header(cda.parse(b'<ClinicalDocument xmlns="urn:hl7-org:v3"><recordTarget/></ClinicalDocument>'))
    assert (read.id, read.authors, read.legal_authenticator, read.acts, read.patient.ids) == (Id(), (), None, (), ())


def test_a_self_presenting_document_is_found_inside_its_stylesheet(a_cda):
    sheet = (
        b'<xsl:stylesheet xmlns:xsl="http://www.w3.org/1999/XSL/Transform" version="1.0">'
        + a_cda()
        + b"</xsl:stylesheet>"
    )
    read = cda.header(cda.parse(sheet))
    assert read.self_presenting
    assert read.id.root == "1.2.3.4.1"


NOT_CDA = {
    "empty": b"",
    "not XML": b"%PDF-1.4 DURAND",
    "other root": b"<html>DURAND</html>",
    "CDA name in no namespace": b"<ClinicalDocument>DURAND</ClinicalDocument>",
    "stylesheet without document": b'<xsl:stylesheet xmlns:xsl="http://www.w3.org/1999/XSL/Transform">DURAND</xsl:stylesheet>',
    "DOCTYPE": b'<!DOCTYPE ClinicalDocument><ClinicalDocument xmlns="urn:hl7-org:v3">DURAND</ClinicalDocument>',
    "DOCTYPE after comment and instruction": (
        b'<?xml version="1.0"?> <!-- <x> --><?a b?>\n<!DOCTYPE x [<!ENTITY e "DURAND">]><ClinicalDocument xmlns="urn:hl7-org:v3"/>'
    ),
    "external entity": (
        b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><ClinicalDocument xmlns="urn:hl7-org:v3">&e;</ClinicalDocument>'
    ),
    "undeclared entity": b'<ClinicalDocument xmlns="urn:hl7-org:v3">DURAND &e;</ClinicalDocument>',
    "UTF-16": '<?xml version="1.0" encoding="UTF-16"?><!DOCTYPE x><x>DURAND</x>'.encode("utf-16"),
    "UTF-7": b'<?xml version="1.0" encoding="UTF-7"?>+ADw-DURAND/+AD4-',
    "EBCDIC": '<?xml version="1.0" encoding="IBM037"?><x>DURAND</x>'.encode("cp037"),
    "bytes that are not UTF-8": '<ClinicalDocument xmlns="urn:hl7-org:v3">DURAND é</ClinicalDocument>'.encode(
        "latin-1"
    ),
    "mismatched tag": b'<ClinicalDocument xmlns="urn:hl7-org:v3"><DURAND></ClinicalDocument>',
}


@pytest.mark.parametrize("data", NOT_CDA.values(), ids=NOT_CDA.keys())
def test_what_is_not_a_readable_cda_is_refused_without_quoting_it(data):
    with pytest.raises(cda.CdaUnreadable) as caught:
        cda.parse(data)
    assert "DURAND" not in "".join(traceback.format_exception(caught.value))


def test_entities_that_multiply_are_refused_before_they_are_read():
    levels = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 50}">' for n in range(1, 12))
    bomb = f'<!DOCTYPE x [<!ENTITY e0 "aaaaaaaaaa">{levels}]><ClinicalDocument xmlns="urn:hl7-org:v3" a="&e11;"/>'
    with pytest.raises(cda.CdaUnreadable, match="DOCTYPE"):
        cda.parse(bomb.encode())


def test_latin_1_declared_as_such_is_read(a_cda):
    data = b'<?xml version="1.0" encoding="ISO-8859-1"?>' + a_cda().decode().encode("latin-1")
    assert cda.header(cda.parse(data)).authors[0].function.display == "Médecin traitant"


def test_a_byte_order_mark_is_accepted(a_cda):
    assert cda.header(cda.parse(b"\xef\xbb\xbf" + a_cda())).id.root == "1.2.3.4.1"


@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_a_damaged_document_is_read_or_refused_and_nothing_else(a_cda, data):
    damaged = bytearray(
        a_cda(body=f'<nonXMLBody><text mediaType="application/pdf" representation="B64">{B64}</text></nonXMLBody>')
    )
    if data.draw(st.booleans()):
        del damaged[data.draw(st.integers(0, len(damaged) - 1)) :]
    else:
        damaged[data.draw(st.integers(0, len(damaged) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        document = cda.parse(bytes(damaged))
        cda.header(document)
        cda.narrative_text(document)
        cda.embedded_pdf(document)
    except cda.CdaUnreadable:
        pass


def test_a_large_pdf_is_read_and_a_limit_is_kept(a_cda, monkeypatch):
    """libxml2 alone stops at text of 10 MB; the limit of ours is tried at a smaller size."""
    large = base64.b64encode(bytes(9_000_000)).decode()
    data = a_cda(body=f'<nonXMLBody><text mediaType="application/pdf" representation="B64">{large}</text></nonXMLBody>')
    assert cda.embedded_pdf(data) == bytes(9_000_000)
    monkeypatch.setattr(safe_xml, "MAX_BYTES", len(data) - 1)
    with pytest.raises(cda.CdaUnreadable, match="larger than"):
        cda.parse(data)


def copy_section(value: str, template: str = cda.PDF_COPY_SECTION) -> str:
    return (
        f'<structuredBody><component><section><templateId root="{template}"/><title>Copie</title><entry><organizer>'
        f"<component><observationMedia>{value}</observationMedia></component></organizer></entry></section></component>"
        "</structuredBody>"
    )


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(
            f'<nonXMLBody><text mediaType="application/pdf" representation="B64">{B64}</text></nonXMLBody>',
            PDF,
            id="level 1",
        ),
        pytest.param(
            f'<nonXMLBody><text mediaType="application/pdf" representation="B64">\n {B64[:8]}\n\t{B64[8:]} </text></nonXMLBody>',
            PDF,
            id="base64 in lines",
        ),
        pytest.param(
            '<nonXMLBody><text mediaType="text/plain">abc</text></nonXMLBody>', None, id="level 1, plain text"
        ),
        pytest.param(
            copy_section(f'<value mediaType="application/pdf" representation="B64">{B64}</value>'),
            PDF,
            id="copy of a level 3",
        ),
        pytest.param(
            copy_section(f'<value mediaType="image/png" representation="B64">{B64}</value>'),
            None,
            id="copy is an image",
        ),
        pytest.param(
            copy_section(f'<value mediaType="application/pdf" representation="B64">{B64}</value>', "1.2.3"),
            None,
            id="PDF of another section",
        ),
        pytest.param("<structuredBody/>", None, id="none"),
    ],
)
def test_the_pdf_inside(a_cda, body, expected):
    assert cda.embedded_pdf(a_cda(body=body)) == expected


@pytest.mark.parametrize(
    "attributes, content",
    [
        pytest.param('representation="B64"', "JVBE*", id="foreign character"),
        pytest.param('representation="B64"', "JVBER", id="cut short"),
        pytest.param('representation="B64"', "éé", id="not ASCII"),
        pytest.param('representation="B64" compression="DF"', B64, id="compressed"),
        pytest.param("", B64, id="not declared as base64"),
    ],
)
def test_a_pdf_that_cannot_be_decoded_is_said_so(a_cda, attributes, content):
    body = f'<nonXMLBody><text mediaType="application/pdf" {attributes}>{content}</text></nonXMLBody>'
    with pytest.raises(cda.CdaUnreadable):
        cda.embedded_pdf(a_cda(body=body))


NARRATIVES = {
    "plain text": ("Rien à\n signaler", ["Rien à signaler"]),
    "paragraphs": ("<paragraph>a</paragraph><paragraph>b</paragraph>c", ["a", "b", "c"]),
    "line break": ("a<br/>b", ["a", "b"]),
    "inline content": ("a<content ID='x'>b</content><sup>2</sup> c", ["ab2 c"]),
    "comment inside": ("a<!-- z -->b", ["ab"]),
    "list with caption": (
        "<list><caption>L</caption><item>a</item><item><paragraph>b</paragraph></item></list>",
        ["L", "- a", "- b"],
    ),
    "table": (
        "<table><thead><tr><th>T</th><th>U</th></tr></thead><tbody><tr><td>1</td><td/><td>3<br/>4</td></tr></tbody></table>",
        ["T | U", "1 | | 3 4"],
    ),
    "cell with a paragraph": (
        "<table><tr><td><paragraph>a</paragraph></td><td><list><item>b</item></list></td></tr></table>",
        ["a | b"],
    ),
    "empty row": ("<table><tr><td/><td/></tr><tr><td>x</td></tr></table>", ["x"]),
    "image only": ("<renderMultiMedia referencedObject='x'/>", []),
}


@pytest.mark.parametrize(("text", "lines"), NARRATIVES.values(), ids=NARRATIVES.keys())
def test_narrative_as_plain_lines(a_cda, text, lines):
    section = f"<component><section><title>S</title><text>{text}</text></section></component>"
    read = cda.narrative_text(a_cda(body=f"<structuredBody>{section}</structuredBody>"))
    assert read == ["Compte rendu de consultation", "S", *lines]


def test_nested_sections_follow_the_order_of_the_document(a_cda):
    inner = "<component><section><title>B</title><text>b</text></section></component>"
    body = (
        f"<structuredBody><component><section><title>A</title><text>a</text>{inner}</section></component>"
        "<component><section><title>C</title></section></component></structuredBody>"
    )
    assert cda.narrative_text(a_cda(body=body))[1:] == ["A", "a", "B", "b", "C"]


def test_sections_nested_without_end_do_not_exhaust_the_stack(a_cda):
    deep = "<component><section>" * 900 + "</section></component>" * 900
    assert cda.narrative_text(a_cda(body=f"<structuredBody>{deep}</structuredBody>")) == [
        "Compte rendu de consultation"
    ]
