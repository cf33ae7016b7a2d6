"""Every case of these tests is put to the acceptor and to libxml2: the acceptor may never accept what libxml2 refuses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from lxml import etree

from transvase.formats.schema_acceptor import Acceptor, compile_schema

MAIN = """<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns="urn:a" xmlns:b="urn:b" targetNamespace="urn:a"
 elementFormDefault="qualified">
<xs:import namespace="urn:b" schemaLocation="b.xsd"/>
<xs:include schemaLocation="adopted.xsd"/>
{}
</xs:schema>"""
OTHER = """<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns="urn:b" targetNamespace="urn:b" elementFormDefault="qualified">
<xs:import namespace="urn:a" schemaLocation="a.xsd"/>
<xs:element name="leaf"><xs:complexType><xs:attribute name="n" type="xs:integer"/></xs:complexType></xs:element>
<xs:attribute name="mark" type="xs:NMTOKEN"/>
</xs:schema>"""
ADOPTED = """<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" elementFormDefault="qualified">
<xs:simpleType name="word"><xs:restriction base="xs:token"><xs:pattern value="[^\\s]+"/></xs:restriction></xs:simpleType>
<xs:complexType name="Adopted"><xs:sequence><xs:element name="own" type="Adopted" minOccurs="0"/></xs:sequence>
<xs:attribute name="w" type="word"/></xs:complexType>
</xs:schema>"""


class Judge:
    """Says of a document: accepted, undecided (valid for libxml2, not accepted), refused (neither)."""

    def __init__(self, folder: Path, schema: str) -> None:
        (folder / "a.xsd").write_text(MAIN.format(schema), encoding="utf-8")
        (folder / "b.xsd").write_text(OTHER, encoding="utf-8")
        (folder / "adopted.xsd").write_text(ADOPTED, encoding="utf-8")
        self.path = folder / "a.xsd"
        self.acceptor: Acceptor = compile_schema(self.path)
        self.schema = etree.XMLSchema(etree.parse(self.path))

    def valid(self, data: bytes) -> bool:
        parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=True)
        try:
            return bool(self.schema.validate(etree.fromstring(data, parser)))
        except (etree.XMLSyntaxError, ValueError):
            return False

    def __call__(self, document: str | bytes) -> str:
        data = document.encode() if isinstance(document, str) else document
        accepted, valid = self.acceptor.accepts(data), self.valid(data)
        assert valid or not accepted, f"accepted, and libxml2 refuses it: {data[:200]!r}"
        assert accepted is self.acceptor.accepts(data), "the second answer differs from the first"
        return "accepted" if accepted else "undecided" if valid else "refused"


@pytest.fixture(scope="module")
def judge(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Judge:
    """The judge of the schema that the module calls SCHEMA."""
    pytest.importorskip("numba")
    return Judge(tmp_path_factory.mktemp("schema"), request.module.SCHEMA)


@pytest.fixture
def judge_of(tmp_path: Path) -> Callable[[str], Judge]:
    """`judge_of(schema)` for a schema that one test needs."""
    pytest.importorskip("numba")
    return lambda schema: Judge(tmp_path, schema)
