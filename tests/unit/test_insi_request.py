"""The request of INSi, element by element (sheet insi, sections 1 to 3)."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta, timezone

import pytest
from lxml import etree

from transvase.exporters.insi import ACTION, Caller, Search, by_traits

CALLER = Caller("10B0152872", "EDITEUR&1", "Transvase", "0.1.0", "b3549edd-4ae9-472a-b26f-fd2fb4ef397f")
IDENT = uuid.UUID("1f7425e2-b913-415c-adaa-785ee1076a70")
NOON = datetime(2026, 11, 23, 12, 0, 0, 42_000, tzinfo=timezone(timedelta(hours=1)))
SEARCH = Search("D'ALEMBERT", "JEAN", "M", "1980-00-00", "75056")
NS = {
    "s": "http://www.w3.org/2003/05/soap-envelope",
    "a": "http://www.w3.org/2005/08/addressing",
    "b": "urn:siram:bam:ctxbam",
    "l": "urn:siram:lps:ctxlps",
    "r": "http://www.cnamts.fr/INSiRecSans",
}


def root(search: Search = SEARCH, caller: Caller = CALLER):
    return etree.fromstring(b"".join(by_traits(search, caller, IDENT, NOON).parts))


TEXTS = {
    "s:Header/a:Action": ACTION,
    "s:Header/a:MessageID": f"uuid:{IDENT}",
    "s:Header/b:ContexteBAM/b:Temps": "2026-11-23T11:00:00.042Z",
    "s:Header/b:ContexteBAM/b:Emetteur": "10B0152872",
    "s:Header/b:ContexteBAM/b:COUVERTURE": None,
    "s:Header/l:ContexteLPS/l:Temps": "2026-11-23T11:00:00.042Z",
    "s:Header/l:ContexteLPS/l:Emetteur": "10B0152872",
    "s:Header/l:ContexteLPS/l:LPS/l:IDAM": "EDITEUR&1",
    "s:Header/l:ContexteLPS/l:LPS/l:Version": "0.1.0",
    "s:Header/l:ContexteLPS/l:LPS/l:Instance": "b3549edd-4ae9-472a-b26f-fd2fb4ef397f",
    "s:Header/l:ContexteLPS/l:LPS/l:Nom": "urn:lps:Transvase:0.1.0",
    "s:Body/r:RECSANSVITALE/r:NomNaissance": "D'ALEMBERT",
    "s:Body/r:RECSANSVITALE/r:Prenom": "JEAN",
    "s:Body/r:RECSANSVITALE/r:Sexe": "M",
    "s:Body/r:RECSANSVITALE/r:DateNaissance": "1980-00-00",
    "s:Body/r:RECSANSVITALE/r:LieuNaissance": "75056",
}


@pytest.mark.requirement("INSI-01", "INSI-20")
@pytest.mark.parametrize(("path", "text"), TEXTS.items())
def test_each_element(path: str, text: str | None) -> None:
    (found,) = root().findall(path, NS)
    assert found.text == text


@pytest.mark.requirement("INSI-02")
def test_attributes_of_the_contexts() -> None:
    header = root().find("s:Header", NS)
    assert dict(header.find("b:ContexteBAM", NS).attrib) == {"Nature": "CTXBAM", "Version": "01_02"}
    assert dict(header.find("l:ContexteLPS", NS).attrib) == {"Nature": "CTXLPS", "Version": "01_00"}
    assert header.find("l:ContexteLPS/l:LPS/l:IDAM", NS).attrib == {"R": "4"}


@pytest.mark.requirement("INSI-02")
def test_contexts_have_identifiers_of_their_own() -> None:
    found = {e.text for e in root().iterfind(".//{*}Id")}
    assert len({*found, str(IDENT)}) == 3 and all(uuid.UUID(f) for f in found)


@pytest.mark.requirement("INSI-03")
def test_there_is_no_security_header_with_the_certificate_of_an_organisation() -> None:
    assert [etree.QName(e).localname for e in root().find("s:Header", NS)] == ["ContexteBAM", "ContexteLPS", "Action", "MessageID"]  # fmt: skip


@pytest.mark.requirement("INSI-08")
def test_the_place_is_left_out_when_it_is_not_searched_with() -> None:
    body = root(SEARCH._replace(birth_place="")).find("s:Body/r:RECSANSVITALE", NS)
    assert [etree.QName(e).localname for e in body] == ["NomNaissance", "Prenom", "Sexe", "DateNaissance"]


@pytest.mark.requirement("INSI-01")
def test_the_same_request_has_the_same_bytes_and_names_its_action() -> None:
    message = by_traits(SEARCH, CALLER, IDENT, NOON)
    assert message == by_traits(SEARCH, CALLER, IDENT, NOON)
    assert message.content_type == f'application/soap+xml; charset=UTF-8; action="{ACTION}"'
    assert message.length == len(message.parts[0])


def test_nothing_of_a_value_becomes_markup() -> None:
    hostile = '</r:NomNaissance><r:Prenom>X"&'
    found = root(SEARCH._replace(family=hostile), CALLER._replace(emitter=hostile))
    assert found.findtext("s:Body/r:RECSANSVITALE/r:NomNaissance", None, NS) == hostile
    assert len(found.findall("s:Body/r:RECSANSVITALE/r:Prenom", NS)) == 1
