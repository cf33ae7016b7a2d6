"""Namespaces: which name a prefix makes, and xsi:type, xsi:nil, xsi:schemaLocation."""

from __future__ import annotations

from random import Random

import pytest

SCHEMA = """<xs:element name="r" type="R"/>
<xs:complexType name="R"><xs:choice minOccurs="0" maxOccurs="unbounded"><xs:element name="e" type="Base"/><xs:element ref="b:leaf"/>
<xs:element name="bare" form="unqualified" type="Base"/><xs:element name="held" type="Held"/><xs:element name="s" type="xs:token"/>
<xs:element name="n" type="Base" nillable="true"/><xs:element name="barred" type="Barred"/></xs:choice></xs:complexType>
<xs:complexType name="Base" abstract="true"><xs:attribute name="v" type="xs:integer"/><xs:attribute ref="b:mark"/></xs:complexType>
<xs:complexType name="More"><xs:complexContent><xs:extension base="Base"><xs:attribute name="w" use="required"/></xs:extension>
</xs:complexContent></xs:complexType>
<xs:complexType name="Less"><xs:complexContent><xs:restriction base="More"><xs:attribute name="v" use="prohibited"/></xs:restriction>
</xs:complexContent></xs:complexType>
<xs:complexType name="Held"><xs:sequence><xs:element name="h" type="More" minOccurs="0"/></xs:sequence></xs:complexType>
<xs:complexType name="Barred" block="extension"/>
<xs:complexType name="Unbarred"><xs:complexContent><xs:extension base="Barred"/></xs:complexContent></xs:complexType>"""

ROOT = '<r xmlns="urn:a" xmlns:b="urn:b" xmlns:a="urn:a" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">{}</r>'

CONTENTS = [
    ("prefix of the import", "<b:leaf/>", "accepted"),
    ("two prefixes for one namespace", '<a:e xsi:type="More" w=""/>', "accepted"),
    ("end tag with another prefix", "<a:held></held>", "refused"),
    ("end tag with the same prefix", "<a:held></a:held>", "accepted"),
    ("element of the wrong namespace", "<leaf/>", "refused"),
    ("prefix not declared", "<c:leaf/>", "refused"),
    ("two colons", "<b:b:leaf/>", "refused"),
    ("colon first", "<:held/>", "refused"),
    ("unqualified element", '<bare xmlns="" xmlns:q="urn:a" xsi:type="q:More" w=""/>', "undecided"),
    ("declaration on the element itself", '<c:leaf xmlns:c="urn:b"/>', "accepted"),
    ("declaration ends with its element", '<c:leaf xmlns:c="urn:b"/><c:leaf/>', "refused"),
    ("declaration ends with its parent", '<held xmlns:c="urn:b"><h w=""/></held><c:leaf/>', "refused"),
    ("declaration changed inside", '<leaf xmlns="urn:b" n="1"/><held/>', "accepted"),
    ("same tag inside and after a declaration", '<held xmlns:c="urn:a"><h xsi:type="c:More" w=""/></held><held><h xsi:type="c:More" w=""/></held>',
     "refused"),
    ("same tag after another declaration", '<b:leaf/><held xmlns:b="urn:x"></held><b:leaf/>', "accepted"),
    ("same tag under another declaration", '<e xsi:type="a:More" w=""/><held xmlns:a="urn:x"><h xsi:type="a:More" w=""/></held>', "refused"),
    ("prefix declared twice", '<held xmlns:c="urn:b" xmlns:c="urn:b"/>', "refused"),
    ("prefix declared to nothing", '<held xmlns:c=""/>', "refused"),
    ("foreign declaration", '<held xmlns:c="urn:x" xmlns:d="http://x.org/a-b"/>', "accepted"),
    ("foreign element", '<c:held xmlns:c="urn:x"/>', "refused"),
    ("declaration of no URI", '<held xmlns:c="a b"/>', "refused"),
    ("prefix xml bound elsewhere", '<held xmlns:xml="urn:x"/>', "refused"),
    ("prefix xmlns bound", '<held xmlns:xmlns="urn:x"/>', "refused"),
    ("namespace of XML bound to a prefix", '<held xmlns:c="http://www.w3.org/XML/1998/namespace"/>', "refused"),
    ("namespace of xmlns bound to a prefix", '<held xmlns:c="http://www.w3.org/2000/xmlns/"/>', "refused"),
    ("qualified attribute", '<e xsi:type="More" w="" b:mark="x"/>', "accepted"),
    ("qualified attribute without its prefix", '<e xsi:type="More" w="" mark="x"/>', "refused"),
    ("attribute with a prefix too many", '<e xsi:type="More" a:w=""/>', "refused"),
    ("attribute twice under two prefixes", '<e xmlns:c="urn:b" xsi:type="More" w="" b:mark="x" c:mark="x"/>', "refused"),
    ("abstract type", "<e/>", "refused"),
    ("type derived by extension", '<e xsi:type="More" w="" v="1"/>', "accepted"),
    ("type with a prefix", '<e xsi:type="a:More" w=""/>', "accepted"),
    ("type derived in two steps", '<e xsi:type="Less" w=""/>', "accepted"),
    ("attribute prohibited by the restriction", '<e xsi:type="Less" w="" v="1"/>', "refused"),
    ("attribute of the derived type missing", '<e xsi:type="More"/>', "refused"),
    ("type named after the other attributes", '<e w="" v="1" xsi:type="More"/>', "accepted"),
    ("the abstract type named", '<e xsi:type="Base"/>', "refused"),
    ("type that does not derive", '<e xsi:type="Held"/>', "refused"),
    ("type that the element's derives from", '<held><h xsi:type="Base" w=""/></held>', "refused"),
    ("the element's own type named", '<held><h xsi:type="More" w=""/></held>', "accepted"),
    ("type of another namespace", '<e xsi:type="b:More" w=""/>', "refused"),
    ("type with a prefix not declared", '<e xsi:type="c:More" w=""/>', "refused"),
    ("type with spaces", '<e xsi:type=" More " w=""/>', "refused"),
    ("type of XSD itself", '<s xmlns:xs="http://www.w3.org/2001/XMLSchema" xsi:type="xs:NMTOKEN">a</s>', "undecided"),
    ("type twice", '<e xsi:type="More" xsi:type="More" w=""/>', "refused"),
    ("derivation barred by the type", '<barred xsi:type="Unbarred"/>', "refused"),
    ("nil", '<n xsi:type="More" w="" xsi:nil="true"/>', "undecided"),
    ("not nil", '<n xsi:type="More" w="" xsi:nil="false"/>', "undecided"),
    ("nil where it may not be", '<held xsi:nil="true"/>', "refused"),
    ("schemaLocation anywhere", '<held xsi:schemaLocation="urn:a nowhere.xsd urn:b&#10; x"/>', "accepted"),
    ("noNamespaceSchemaLocation", '<held xsi:noNamespaceSchemaLocation="nowhere.xsd"/>', "accepted"),
    ("another attribute of xsi", '<held xsi:other="x"/>', "refused"),
    ("attribute of XML", '<held xml:lang="fr"/>', "refused"),
]  # fmt: skip


@pytest.mark.parametrize(("content", "verdict"), [pytest.param(c, v, id=i) for i, c, v in CONTENTS])
def test_a_content(judge, content, verdict):
    assert judge(ROOT.format(content)) == verdict


ROOTS = [
    ("prefixed", '<a:r xmlns:a="urn:a"/>', "accepted"),
    ("without its namespace", "<r/>       ", "refused"),
    ("in another namespace", '<r xmlns="urn:b"/>', "refused"),
    ("element that is not declared at the top", '<held xmlns="urn:a"/>', "refused"),
    ("element of an imported namespace", '<leaf xmlns="urn:b"/>', "undecided"),
    ("xsi that is not xsi", '<r xmlns="urn:a" xmlns:xsi="urn:x" xsi:schemaLocation="a"/>', "refused"),
]


@pytest.mark.parametrize(("document", "verdict"), [pytest.param(c, v, id=i) for i, c, v in ROOTS])
def test_a_root(judge, document, verdict):
    assert judge(document) == verdict


def test_many_declarations_are_left_to_libxml2(judge):
    def declared(count: int) -> str:
        return '<r xmlns="urn:a"' + "".join(f' xmlns:p{n}="urn:x"' for n in range(count)) + "/>"

    assert judge(declared(50)) == "accepted"
    assert judge(declared(100)) == "undecided"


# A tag is remembered from one document to the next: what it means hangs on the names bound there, which may be others.
BINDINGS = {
    "as ours": ' xmlns="urn:a" xmlns:b="urn:b" xmlns:a="urn:a" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"',
    "in another order": ' xmlns:b="urn:b" xmlns="urn:a" xmlns:a="urn:a" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"',
    "b elsewhere": ' xmlns="urn:a" xmlns:b="urn:x" xmlns:a="urn:a" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"',
    "a and b exchanged": ' xmlns="urn:a" xmlns:b="urn:a" xmlns:a="urn:b" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"',
    "b not bound": ' xmlns="urn:a" xmlns:a="urn:a" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"',
}  # fmt: skip
MEANT = {
    "<b:leaf/>": {"as ours", "in another order"},
    '<a:e xsi:type="More" w=""/>': {"as ours", "in another order", "b elsewhere", "b not bound"},
    '<e xsi:type="a:More" w=""/>': {"as ours", "in another order", "b elsewhere", "b not bound"},
    "<b:held></b:held>": {"a and b exchanged"},
    "<a:leaf/>": {"a and b exchanged"},
    '<held xmlns:b="urn:b"/><b:leaf/>': {"as ours", "in another order"},
    '<held xmlns:a="urn:b"><h xsi:type="a:More" w=""/></held>': set(),
    '<b:leaf xmlns:b="urn:b"/><held><h w=""/></held>': set(BINDINGS),
}


def test_a_tag_seen_in_one_document_means_its_own_in_the_next(judge):
    documents = [(bound, content) for bound in BINDINGS for content in MEANT]
    random = Random(1)
    for _ in range(20):
        random.shuffle(documents)
        for bound, content in documents:
            expected = bound in MEANT[content]
            assert (judge(f"<r{BINDINGS[bound]}>{content}</r>") == "accepted") is expected, (bound, content)


def test_more_roots_than_are_remembered_and_longer_ones(judge):
    for _ in range(3):
        for number in range(20):
            for more in ("", f' xmlns:long{number}="urn:{"x" * 2_000}"'):
                good = f'<r xmlns="urn:a" xmlns:p{number}="urn:b"{more}><p{number}:leaf n="1"/></r>'
                assert judge(good) == "accepted"
                assert judge(good.replace(f':p{number}="urn:b"', f':p{number}="urn:x"')) == "refused"


def test_tags_of_any_length(judge):
    for _ in range(2):
        for size in range(1, 300):
            tag = f'<e xsi:type="More" w="{"x" * size}"/>'
            assert judge(ROOT.format(tag + tag)) == "accepted"
            # The same but for its last letters.
            assert judge(ROOT.format(tag + tag.replace('x"/>', '" w=""/>'))) == "refused"
            assert judge(ROOT.format(tag + tag.replace('"/>', '" v="x"/>'))) == "refused"
            assert judge(ROOT.format(tag.replace('"/>', '"></e>') + tag)) == "accepted"
            assert judge(ROOT.format(tag + tag.replace('"/>', '">'))) == "refused"


def test_more_tags_than_are_remembered(judge):
    tags = [f'<e xsi:type="More" w="{number:05d}"/>' for number in range(12_000)]
    for _ in range(2):
        assert judge(ROOT.format("".join(tags))) == "accepted"
        assert judge(ROOT.format("".join(tags).replace('"07000"', '"07000" v=""'))) == "refused"
