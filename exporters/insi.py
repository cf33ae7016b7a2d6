"""The request of INSi by traits: SOAP 1.2 with the contexts BAM and LPS (sheet insi, sections 1 to 3).

Traits, clock and identifiers in, bytes out; what may be sent is decided by `validators.insi`. There is no request of verification: the
public WSDL has none (section 7), a check is this search and a comparison. No assertion either: with the certificate of an organisation
the security header is absent (sections 2 and 6), so the VIHF of the DMP has no place here.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import NamedTuple

from transvase.exporters.iti41 import Message
from transvase.formats.xml_text import attribute as q
from transvase.formats.xml_text import text as t

ACTION = "urn:ServiceIdentiteCertifiee:1.0.0:rechercherInsAvecTraitsIdentite"
_BAM, _LPS = "urn:siram:bam:ctxbam", "urn:siram:lps:ctxlps"
_REQUEST = "http://www.cnamts.fr/INSiRecSans"
# Kind of the authorisation number in IDAM, the same in every public message.
_REFERENCE = "4"


class Caller(NamedTuple):
    """What does not change in a run: `emitter` is the OU of the certificate, `authorisation` the number given by the CNDA (IDAM),
    `installation` a UUID; software name and version."""

    emitter: str
    authorisation: str
    software: str
    version: str
    installation: str


class Search(NamedTuple):
    """The traits of one call, written as the service takes them: upper case without accents. `given` is one given name, or all of them
    separated by spaces; `birth_date` is AAAA-MM-JJ and never read as a day of the calendar; `birth_place` a COG code or empty."""

    family: str
    given: str
    sex: str
    birth_date: str
    birth_place: str = ""


def by_traits(search: Search, caller: Caller, message_id: uuid.UUID, instant: datetime) -> Message:
    """One patient, one call. `instant` is aware."""
    moment = instant.astimezone(UTC)
    stamp = f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"
    place = f"<r:LieuNaissance>{t(search.birth_place)}</r:LieuNaissance>" if search.birth_place else ""
    text = (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<soap:Envelope xmlns:soap="http://www.w3.org/2003/05/soap-envelope" xmlns:wsa="http://www.w3.org/2005/08/addressing"><soap:Header>'
        f'<b:ContexteBAM xmlns:b="{_BAM}" Nature="CTXBAM" Version="01_02">{_context("b", "bam", caller, message_id, stamp)}'
        "<b:COUVERTURE/></b:ContexteBAM>"
        f'<l:ContexteLPS xmlns:l="{_LPS}" Nature="CTXLPS" Version="01_00">{_context("l", "lps", caller, message_id, stamp)}'
        f'<l:LPS><l:IDAM R="{q(_REFERENCE)}">{t(caller.authorisation)}</l:IDAM><l:Version>{t(caller.version)}</l:Version>'
        f"<l:Instance>{t(caller.installation)}</l:Instance>"
        f"<l:Nom>urn:lps:{t(caller.software)}:{t(caller.version)}</l:Nom></l:LPS></l:ContexteLPS>"
        f"<wsa:Action>{ACTION}</wsa:Action><wsa:MessageID>uuid:{message_id}</wsa:MessageID></soap:Header><soap:Body>"
        f'<r:RECSANSVITALE xmlns:r="{_REQUEST}"><r:NomNaissance>{t(search.family)}</r:NomNaissance>'
        f"<r:Prenom>{t(search.given)}</r:Prenom><r:Sexe>{t(search.sex)}</r:Sexe>"
        f"<r:DateNaissance>{t(search.birth_date)}</r:DateNaissance>{place}</r:RECSANSVITALE></soap:Body></soap:Envelope>"
    )
    return Message(f'application/soap+xml; charset=UTF-8; action="{ACTION}"', (text.encode(),))


def _context(prefix: str, name: str, caller: Caller, message_id: uuid.UUID, stamp: str) -> str:
    # Each context has an identifier of its own, told from the message's so that the same request has the same bytes.
    return (
        f"<{prefix}:Id>{uuid.uuid5(message_id, name)}</{prefix}:Id><{prefix}:Temps>{stamp}</{prefix}:Temps>"
        f"<{prefix}:Emetteur>{t(caller.emitter)}</{prefix}:Emetteur>"
    )
