"""Attributes: which may, must or must not be there; fixed and default values; where identifiers are unique."""

from __future__ import annotations

import pytest

SCHEMA = """<xs:element name="r"><xs:complexType><xs:choice minOccurs="0" maxOccurs="unbounded">
<xs:element name="e" type="E"/><xs:element name="more" type="More"/><xs:element name="less" type="Less"/>
<xs:element name="open"><xs:complexType><xs:attribute name="a"/><xs:anyAttribute processContents="skip"/></xs:complexType></xs:element>
<xs:element name="dated"><xs:complexType><xs:attribute name="a"/><xs:attribute name="day" type="xs:date"/></xs:complexType></xs:element>
<xs:element name="must"><xs:complexType><xs:attribute name="day" type="xs:date" use="required"/></xs:complexType></xs:element>
<xs:element name="id"><xs:complexType><xs:attribute name="ID" type="xs:ID"/><xs:attribute name="to" type="xs:IDREF"/>
<xs:attribute name="all" type="xs:IDREFS"/></xs:complexType></xs:element>
</xs:choice></xs:complexType></xs:element>
<xs:attributeGroup name="some"><xs:attribute name="f" type="xs:token" fixed="on  off"/><xs:attribute name="d" type="xs:boolean" default="true"/>
</xs:attributeGroup>
<xs:complexType name="E"><xs:attribute name="must" type="xs:string" use="required"/><xs:attribute name="may" type="xs:integer"/>
<xs:attributeGroup ref="some"/><xs:attribute name="never" type="xs:string" use="prohibited"/><xs:attribute ref="b:mark"/></xs:complexType>
<xs:complexType name="More"><xs:complexContent><xs:extension base="E"><xs:attribute name="also" type="xs:NMTOKENS" use="required"/></xs:extension>
</xs:complexContent></xs:complexType>
<xs:complexType name="Less"><xs:complexContent><xs:restriction base="E"><xs:attribute name="may" use="prohibited"/>
<xs:attribute name="d" type="xs:boolean" fixed="true"/></xs:restriction></xs:complexContent></xs:complexType>"""

ELEMENTS = [
    ("required", '<e must=""/>', "accepted"),
    ("required missing", "<e/>", "refused"),
    ("required missing, another in its place", '<e may="1"/>', "refused"),
    ("required twice", '<e must="" must=""/>', "refused"),
    ("unknown", '<e must="" other=""/>', "refused"),
    ("of another element", '<e must="" also=""/>', "refused"),
    ("prohibited, in a definition", '<e must="" never=""/>', "refused"),
    ("not in its type", '<e must="" may="x"/>', "refused"),
    ("fixed, and the same", '<e must="" f="on off"/>', "accepted"),
    ("fixed, and the same with other spaces", '<e must="" f=" on\n\noff "/>', "accepted"),
    ("fixed, and different", '<e must="" f="on"/>', "refused"),
    ("default, and given", '<e must="" d="0"/>', "accepted"),
    ("default, and wrong", '<e must="" d="yes"/>', "refused"),
    ("from a group, twice", '<e must="" d="0" d="0"/>', "refused"),
    ("inherited by extension", '<more must="" may="1" also="a"/>', "accepted"),
    ("required by the extension", '<more must=""/>', "refused"),
    ("required by the base", '<more also="a"/>', "refused"),
    ("inherited by restriction", '<less must="" f="on off" b:mark="x"/>', "accepted"),
    ("prohibited by restriction", '<less must="" may="1"/>', "refused"),
    ("fixed by restriction", '<less must="" d="true"/>', "accepted"),
    ("fixed by restriction, and different", '<less must="" d="false"/>', "refused"),
    ("fixed by restriction, the same number otherwise", '<less must="" d="1"/>', "undecided"),
    ("wildcard, not used", '<open a=""/>', "accepted"),
    ("wildcard, used", '<open z=""/>', "undecided"),
    ("type not handled, not used", '<dated a=""/>', "accepted"),
    ("type not handled, used", '<dated day="2026-01-02"/>', "undecided"),
    ("type not handled, required", '<must day="2026-01-02"/>', "undecided"),
    ("type not handled, required and missing", "<must/>", "refused"),
    ("identifiers", '<id ID="a"/><id ID="b"/><id ID="é-1._"/>', "accepted"),
    ("identifier twice", '<id ID="a"/><e must=""/><id ID="a"/>', "refused"),
    ("identifier twice, in equal tags", '<id ID="a"/><id ID="a"/>', "refused"),
    ("identifier twice, with spaces", '<id ID="a"/><id ID=" a"/>', "refused"),
    ("identifier with spaces", '<id ID=" a "/>', "undecided"),
    ("identifier by reference", '<id ID="&#97;"/>', "undecided"),
    ("identifier twice, by reference", '<id ID="a"/><id ID="&#97;"/>', "refused"),
    ("identifier with a colon", '<id ID="a:b"/>', "refused"),
    ("identifier that begins with a digit", '<id ID="1a"/>', "refused"),
    ("identifier that is empty", '<id ID=""/>', "refused"),
    ("identifier in another script", '<id ID="ж"/>', "undecided"),
    ("reference to an identifier before", '<id ID="a"/><id to="a"/>', "accepted"),
    ("reference to an identifier after", '<id to="a"/><id ID="a"/>', "accepted"),
    ("reference to itself", '<id ID="a" to="a"/>', "accepted"),
    ("references", '<id ID="a"/><id ID="b"/><id all="b a b"/>', "accepted"),
    ("references with more spaces", '<id ID="a"/><id ID="b"/><id all=" b  a "/>', "undecided"),
    ("no reference in a list", '<id all=""/>', "undecided"),
]


@pytest.mark.parametrize(("content", "verdict"), [pytest.param(c, v, id=i) for i, c, v in ELEMENTS])
def test_an_element(judge, content, verdict):
    assert judge(f'<r xmlns="urn:a" xmlns:b="urn:b">{content}</r>') == verdict


def test_a_reference_to_nothing_is_never_accepted(judge):
    """libxml2 itself does not look them up: whether it finds the document valid is its matter."""
    for content in ('<id ID="a"/><id to="b"/>', '<id ID="a"/><id all="a b"/>', '<id to="aa"/><id ID="a"/>'):
        assert judge(f'<r xmlns="urn:a">{content}</r>') != "accepted"


def test_identifiers_do_not_last_from_one_document_to_the_next(judge):
    assert judge('<r xmlns="urn:a"><id ID="a"/></r>') == "accepted"
    assert judge('<r xmlns="urn:a"><id ID="a"/><id to="b"/></r>') != "accepted"
    assert judge('<r xmlns="urn:a"><id ID="a"/></r>') == "accepted"


def test_many_identifiers(judge):
    def identified(count: int) -> str:
        return '<r xmlns="urn:a">' + "".join(f'<id ID="i{n}"/>' for n in range(count)) + "</r>"

    assert judge(identified(8000)) == "accepted"
    assert judge(identified(8000).replace('"i77"', '"i7777"')) == "refused"
    assert judge(identified(9000)) == "undecided"
    assert judge(identified(10)) == "accepted"


def test_many_attributes_are_left_to_libxml2(judge_of):
    listed = "".join(f'<xs:attribute name="a{n}"/>' for n in range(80))
    judge = judge_of(f'<xs:element name="r"><xs:complexType>{listed}</xs:complexType></xs:element>')

    def given(count: int) -> str:
        return '<r xmlns="urn:a"' + "".join(f' a{n}=""' for n in range(count)) + "/>"

    assert judge(given(60)) == "accepted"
    assert judge(given(80)) == "undecided"
