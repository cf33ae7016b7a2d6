"""Messages written from the sheets for these tests alone, and a client that knows nothing but HTTP over TLS.

`Message` is the builder: what matters in a test is changed on it, the rest is a good submission. It shares no code with
the project's own client, nor with the sandbox.
"""

from __future__ import annotations

import hashlib
import http.client
import itertools
import json
import shutil
import ssl
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

import pytest
from lxml import etree

from transvase.sandbox import authority
from transvase.sandbox.dmp import Sandbox

CLOCK = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)
OID = "1.2.250.1.213.1.4.10"
STRUCT_ID = "1990000000"


def keyed(first_thirteen: str) -> str:
    """An invented INS with its key, Corsica by the other formula: letter to 0, minus one or two millions."""
    number = int(first_thirteen.replace("2A", "20").replace("2B", "20"))
    number -= 1_000_000 if "2A" in first_thirteen else 2_000_000 if "2B" in first_thirteen else 0
    return f"{first_thirteen}{97 - number % 97:02}"


PATIENT = keyed("2800575990001")
OTHER = keyed("1700199990002")
CORSICAN = keyed("152072A990003")
CLOSED = keyed("1500175990004")
UNOPENED = keyed("2500175990005")
STRANGER = keyed("2600175990006")

SCHEMES = {
    "author": "urn:uuid:93606bcf-9494-43ec-9b4e-a7748d1a838d",
    "set author": "urn:uuid:a7058bb9-b4e4-4307-ba5b-e3f0ab85e12d",
    "contentTypeCode": "urn:uuid:aa543740-bdda-424e-8c96-df4873be8500",
    "classCode": "urn:uuid:41a5887f-8865-4c09-adf7-e362475b143a",
    "typeCode": "urn:uuid:f0306f51-975f-434e-a61c-c59651d33983",
    "confidentialityCode": "urn:uuid:f4f85eac-e6cb-4883-b524-f2705394840f",
    "formatCode": "urn:uuid:a09d5840-386c-46f2-b5ad-9c3699a4309d",
    "healthcareFacilityTypeCode": "urn:uuid:f33fb8ac-18af-42cc-ae0e-ed0b0bdb91e1",
    "practiceSettingCode": "urn:uuid:cccf5598-8b07-4b77-a05e-ae952c785ead",
    "eventCodeList": "urn:uuid:2c6b8cb7-8b2a-4051-b291-b1ae6a575ef4",
    "set patientId": "urn:uuid:6b5aea1a-874d-4603-a4bc-96a0a7b38446",
    "set sourceId": "urn:uuid:554ac39e-e3fe-47fe-b233-965d2a147832",
    "set uniqueId": "urn:uuid:96fdda7c-d067-4183-912e-bf5ee74998a8",
    "patientId": "urn:uuid:58a6f841-87b3-4a3e-92fd-a8ffeff98427",
    "uniqueId": "urn:uuid:2e82c1f6-a085-4c72-9da3-8640a32e42ab",
}
FEED = "urn:ihe:iti:2007:ProvideAndRegisterDocumentSet-b"
HAS_MEMBER = "urn:oasis:names:tc:ebxml-regrep:AssociationType:HasMember"
RPLC = "urn:ihe:iti:2007:AssociationType:RPLC"
APPROVED = "urn:oasis:names:tc:ebxml-regrep:StatusType:Approved"
XCN = "801234567897^MARTIN^Luce^^^^^^&1.2.250.1.71.4.2.1&ISO^D^^^IDNPS"
XON = f"Cabinet Inventé^^^^^&1.2.250.1.71.4.2.2&ISO^IDNST^^^{STRUCT_ID}"

_numbers = itertools.count(1)


def cda(number: int, patient: str, *, version: int = 1, replaces: str = "", pdf: bytes = b"JVBERi0xLjQK") -> str:
    """A level-1 report of our own, with a local patient number after the INS."""
    related = ""
    if replaces:
        related = f'<relatedDocument typeCode="RPLC"><parentDocument><id root="{replaces}"/></parentDocument></relatedDocument>'
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<ClinicalDocument xmlns="urn:hl7-org:v3"><!-- written for the tests -->
<realmCode code="FR"/><typeId root="2.16.840.1.113883.1.3" extension="POCD_HD000040"/>
<templateId root="2.16.840.1.113883.2.8.2.1"/><templateId root="1.2.250.1.213.1.1.1.1"/>
<templateId root="1.3.6.1.4.1.19376.1.2.20"/>
<id root="1.2.250.1.999.1.{number}.{version}"/>
<code code="11488-4" codeSystem="2.16.840.1.113883.6.1" displayName="CR de consultation"/>
<title>Compte rendu de consultation</title><effectiveTime value="20260110101500+0100"/>
<confidentialityCode code="N" codeSystem="2.16.840.1.113883.5.25" displayName="Normal"/><languageCode code="fr-FR"/>
<setId root="1.2.250.1.999.1.{number}"/><versionNumber value="{version}"/>
<recordTarget><patientRole><id root="{OID}" extension="{patient}"/><id root="1.2.250.1.999.9" extension="P17"/>
<patient><name><family qualifier="BR">DUVAL</family><given>JEANNE MARIE</given><given qualifier="BR">JEANNE</given>
<family qualifier="CL">PETIT</family><given qualifier="CL">JEANNE</given></name>
<administrativeGenderCode code="F" codeSystem="2.16.840.1.113883.5.1"/><birthTime value="19800512"/>
<birthplace><place><addr><county>75112</county></addr></place></birthplace></patient></patientRole></recordTarget>
<author><time value="20260110101500+0100"/><assignedAuthor><id root="1.2.250.1.71.4.2.1" extension="801234567897"/>
<code code="G15_10/SM26" codeSystem="1.2.250.1.213.1.1.4.5" displayName="Médecine générale"/></assignedAuthor></author>
<custodian><assignedCustodian/></custodian>
<legalAuthenticator><time value="20260110101500+0100"/><signatureCode code="S"/><assignedEntity>
<id root="1.2.250.1.71.4.2.1" extension="801234567897"/></assignedEntity></legalAuthenticator>
<documentationOf><serviceEvent><code code="CS" codeSystem="1.2.250.1.215.200.3.3"/>
<effectiveTime><low value="20260110100000+0100"/></effectiveTime><performer typeCode="PRF"><assignedEntity>
<representedOrganization><standardIndustryClassCode code="AMBULATOIRE" codeSystem="1.2.250.1.213.1.1.4.9"/>
</representedOrganization></assignedEntity></performer></serviceEvent></documentationOf>{related}
<componentOf><encompassingEncounter><effectiveTime><low value="20260110"/></effectiveTime><location><healthCareFacility>
<code code="SA07" codeSystem="1.2.250.1.71.4.2.4"/></healthCareFacility></location></encompassingEncounter></componentOf>
<component><nonXMLBody><text mediaType="application/pdf" representation="B64">{pdf.decode()}</text></nonXMLBody></component>
</ClinicalDocument>"""


@dataclass
class Entry:
    """A document and its ExtrinsicObject; None for `data` leaves the Document out."""

    data: bytes | None
    id: str = "Document01"
    attributes: dict[str, str] = field(
        default_factory=lambda: {
            "mimeType": "text/xml",
            "objectType": "urn:uuid:7edca82f-054d-47f2-a032-9b2a5b5186c1",
        }
    )
    title: str = "Compte rendu de consultation"
    slots: dict[str, list[str]] = field(default_factory=dict)
    codes: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    authors: list[dict[str, list[str]]] = field(default_factory=list)
    identifiers: dict[str, str] = field(default_factory=dict)
    measured: bool = True
    """Whether hash and size are computed from the bytes at the time of sending."""

    def edit(self, old: str, new: str) -> None:
        """Change the document's text; the old text must be there."""
        assert self.data is not None
        assert old.encode() in self.data
        self.data = self.data.replace(old.encode(), new.encode())


class Message:
    """A good submission of one document, to be spoiled."""

    def __init__(self, patient: str = PATIENT, *, number: int = 0, version: int = 1, replaces: str = "") -> None:
        self.number = number or next(_numbers)
        self.version = version
        self.unique_id = f"1.2.250.1.999.1.{self.number}.{version}"
        cx = f"{patient}^^^&{OID}&ISO^NH"
        author = {
            "authorPerson": [XCN],
            "authorInstitution": [XON],
            "authorSpecialty": ["G15_10/SM26^Médecin - Médecine générale^1.2.250.1.213.1.1.4.5"],
        }
        self.set_slots = {"submissionTime": ["20260115110000"]}
        self.set_codes = {"contentTypeCode": [("07", "1.2.250.1.213.2.2")]}
        self.set_authors = [dict(author)]
        self.set_identifiers = {
            "set patientId": cx,
            "set sourceId": "1.2.250.1.999.7",
            "set uniqueId": f"1.2.250.1.999.2.{self.number}.{version}",
        }
        self.entry = Entry(
            cda(self.number, patient, version=version, replaces=replaces).encode(),
            slots={
                "creationTime": ["20260110091500"],
                "languageCode": ["fr-FR"],
                "legalAuthenticator": [XCN],
                "serviceStartTime": ["20260110090000"],
                "sourcePatientId": ["P17^^^&1.2.250.1.999.9&ISO^PI"],
                "sourcePatientInfo": [
                    "PID-5|DUVAL^JEANNE^JEANNE MARIE^^^^L",
                    "PID-5|PETIT^JEANNE^^^^^D",
                    "PID-7|19800512",
                    "PID-8|F",
                    "PID-11|^^^^^^BDL^^75112",
                ],
            },
            codes={
                "classCode": [("10", "1.2.250.1.213.1.1.4.1")],
                "typeCode": [("11488-4", "2.16.840.1.113883.6.1")],
                "confidentialityCode": [("N", "2.16.840.1.113883.5.25")],
                "formatCode": [("urn:ihe:iti:xds-sd:pdf:2008", "1.3.6.1.4.1.19376.1.2.3")],
                "healthcareFacilityTypeCode": [("SA07", "1.2.250.1.71.4.2.4")],
                "practiceSettingCode": [("AMBULATOIRE", "1.2.250.1.213.1.1.4.9")],
                "eventCodeList": [("CS", "1.2.250.1.215.200.3.3")],
            },
            authors=[dict(author)],
            identifiers={"patientId": cx, "uniqueId": self.unique_id},
        )
        self.entries = [self.entry]
        self.associations = [
            {"type": HAS_MEMBER, "source": "Set01", "target": "Document01", "status": ["Original"]},
        ]
        self.marker = "urn:uuid:a54d6aa5-d40d-43f9-88c5-b4633d873bdd"
        self.message_id = f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, f'{self.number} {version} {next(_numbers)}')}"
        self.action = FEED
        self.to = ""
        self.security = ""
        self.boundary = "limite-1"
        self.edits: list[tuple[str, str]] = []
        """Replacements in the text of the root part, each of which must find something."""

    def replace(self, old: Message, entry_uuid: str) -> None:
        """Say by an association that this document replaces another."""
        self.associations.append({"type": RPLC, "source": "Document01", "target": entry_uuid, "status": ["Original"]})

    def also(self, entry: Entry) -> None:
        """Add an entry with its HasMember."""
        self.entries.append(entry)
        self.associations.append({"type": HAS_MEMBER, "source": "Set01", "target": entry.id, "status": ["Original"]})

    def parts(self, url: str) -> list[tuple[str, str, bytes]]:
        """Content-ID, Content-Type and bytes of each part."""
        envelope = self._envelope(url)
        for old, new in self.edits:
            assert old in envelope
            envelope = envelope.replace(old, new)
        kind = 'application/xop+xml; charset=UTF-8; type="application/soap+xml"'
        parts = [("root@test", kind, envelope.encode())]
        return parts + [(f"{e.id}@test", "text/xml", e.data) for e in self.entries if e.data is not None]

    def body(self, url: str) -> bytes:
        pieces = []
        for identifier, kind, data in self.parts(url):
            head = f"Content-Type: {kind}\r\nContent-Transfer-Encoding: binary\r\nContent-ID: <{identifier}>\r\n\r\n"
            pieces += [f"--{self.boundary}\r\n{head}".encode(), data, b"\r\n"]
        return b"".join([*pieces, f"--{self.boundary}--\r\n".encode()])

    def headers(self) -> dict[str, str]:
        kind = (
            f'multipart/related; type="application/xop+xml"; start-info="application/soap+xml"; action="{FEED}"; '
            f'start="<root@test>"; boundary="{self.boundary}"'
        )
        return {"Content-Type": kind}

    def _envelope(self, url: str) -> str:
        objects = self._item(
            "RegistryPackage", "Set01", {}, "", self.set_slots, self.set_codes, self.set_authors, self.set_identifiers
        )
        documents = ""
        for entry in self.entries:
            slots = dict(entry.slots)
            if entry.measured and entry.data is not None:
                slots = {
                    "hash": [hashlib.sha1(entry.data).hexdigest()],
                    "size": [str(len(entry.data))],
                } | slots
            objects += self._item(
                "ExtrinsicObject",
                entry.id,
                entry.attributes,
                entry.title,
                slots,
                entry.codes,
                entry.authors,
                entry.identifiers,
            )
            if entry.data is not None:
                documents += (
                    f'<xds:Document id="{entry.id}"><xop:Include xmlns:xop="http://www.w3.org/2004/08/xop/include" '
                    f'href="cid:{entry.id}%40test"/></xds:Document>'
                )
        for rank, one in enumerate(self.associations):
            status = f"{_slot('SubmissionSetStatus', one['status'])}" if one["status"] else ""
            objects += (
                f'<rim:Association id="a{rank}" associationType="{one["type"]}" sourceObject="{one["source"]}" '
                f'targetObject="{one["target"]}">{status}</rim:Association>'
            )
        body = (
            '<xds:ProvideAndRegisterDocumentSetRequest xmlns:xds="urn:ihe:iti:xds-b:2007"><lcm:SubmitObjectsRequest '
            'xmlns:lcm="urn:oasis:names:tc:ebxml-regrep:xsd:lcm:3.0" xmlns:rim="urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0">'
            f"<rim:RegistryObjectList>{objects}</rim:RegistryObjectList></lcm:SubmitObjectsRequest>{documents}"
            "</xds:ProvideAndRegisterDocumentSetRequest>"
        )
        return soap(self.message_id, self.to or f"{url}/repository", self.action, body, self.security)

    def _item(self, tag, identifier, attributes, title, slots, codes, authors, identifiers) -> str:
        package = tag == "RegistryPackage"
        text = "".join(_slot(name, values) for name, values in slots.items())
        if title:
            text += f'<rim:Name><rim:LocalizedString charset="UTF8" xml:lang="FR" value={quoteattr(title)}/></rim:Name>'
        if package:
            text += f'<rim:Classification id="c0" classificationNode="{self.marker}" classifiedObject="Set01"/>'
        rank = itertools.count(1)
        for author in authors:
            scheme = SCHEMES["set author" if package else "author"]
            inner = "".join(_slot(name, values) for name, values in author.items())
            text += (
                f'<rim:Classification id="{identifier}-c{next(rank)}" classificationScheme="{scheme}" '
                f'classifiedObject="{identifier}" nodeRepresentation="">{inner}</rim:Classification>'
            )
        for name, values in codes.items():
            for code, system in values:
                text += (
                    f'<rim:Classification id="{identifier}-c{next(rank)}" classificationScheme="{SCHEMES[name]}" '
                    f'classifiedObject="{identifier}" nodeRepresentation={quoteattr(code)}>{_slot("codingScheme", [system])}'
                    '<rim:Name><rim:LocalizedString value="libellé"/></rim:Name></rim:Classification>'
                )
        for name, value in identifiers.items():
            label = ("XDSSubmissionSet." if package else "XDSDocumentEntry.") + name.removeprefix("set ")
            text += (
                f'<rim:ExternalIdentifier id="{identifier}-{name.replace(" ", "-")}" identificationScheme="{SCHEMES[name]}" '
                f'registryObject="{identifier}" value={quoteattr(value)}><rim:Name><rim:LocalizedString value="{label}"/>'
                "</rim:Name></rim:ExternalIdentifier>"
            )
        given = "".join(f" {name}={quoteattr(value)}" for name, value in attributes.items())
        return f'<rim:{tag} id="{identifier}"{given}>{text}</rim:{tag}>'


def _slot(name: str, values: list[str]) -> str:
    inner = "".join(f"<rim:Value>{escape(value)}</rim:Value>" for value in values)
    return f'<rim:Slot name="{name}"><rim:ValueList>{inner}</rim:ValueList></rim:Slot>'


def soap(message_id: str, to: str, action: str, body: str, security: str = "") -> str:
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<soap:Envelope xmlns:soap="http://www.w3.org/2003/05/soap-envelope" '
        'xmlns:wsa="http://www.w3.org/2005/08/addressing"><soap:Header>'
        f"<wsa:MessageID>{message_id}</wsa:MessageID><wsa:To>{to}</wsa:To>"
        '<wsa:ReplyTo soap:mustUnderstand="1"><wsa:Address>http://www.w3.org/2005/08/addressing/anonymous</wsa:Address>'
        f'</wsa:ReplyTo><wsa:Action soap:mustUnderstand="1">{action}</wsa:Action>{security}'
        f"</soap:Header><soap:Body>{body}</soap:Body></soap:Envelope>"
    )


@dataclass
class Reply:
    """An answer: HTTP status, media type, bytes; registry status, errors (code, sentence) and fault when there are some."""

    http: int
    media_type: str
    body: bytes

    @property
    def root(self):
        return etree.fromstring(self.body)

    @property
    def status(self) -> str:
        return next(
            iter(self.root.xpath("//*[local-name()='RegistryResponse' or local-name()='AdhocQueryResponse']/@status"))
        ).rpartition(":")[2]

    @property
    def errors(self) -> list[tuple[str, str]]:
        return [(e.get("errorCode"), e.get("codeContext")) for e in self.root.iterfind(".//{*}RegistryError")]

    @property
    def codes(self) -> list[str]:
        return [code for code, _ in self.errors]

    @property
    def fault(self) -> tuple[str, list[str], str]:
        """Code, subcodes, reason."""
        values = [v.text for v in self.root.iterfind(".//{*}Fault/{*}Code//{*}Value")]
        return values[0], values[1:], self.root.findtext(".//{*}Fault/{*}Reason/{*}Text")

    def find(self, path: str):
        return self.root.findall(path)


class Client:
    """Connections to a sandbox with the structure's certificate, or another."""

    def __init__(
        self, sandbox: Sandbox, certificate: tuple[Path, Path] | None = None, *, anonymous: bool = False
    ) -> None:
        self.sandbox = sandbox
        self.tls = ssl.create_default_context(cafile=str(sandbox.authority.ca))
        if not anonymous:
            pair = certificate or (sandbox.authority.client, sandbox.authority.client_key)
            self.tls.load_cert_chain(*pair)
        self._connection: http.client.HTTPSConnection | None = None

    @property
    def connection(self) -> http.client.HTTPSConnection:
        if self._connection is None:
            self._connection = http.client.HTTPSConnection("127.0.0.1", self.sandbox.port, context=self.tls, timeout=20)
        return self._connection

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> Reply:
        try:
            self.connection.request(method, path, body, headers or {})
            response = self.connection.getresponse()
            reply = Reply(response.status, response.getheader("Content-Type", ""), response.read())
        except BaseException:
            self.close()
            raise
        if response.will_close:
            self.close()
        return reply

    def send(self, message: Message) -> Reply:
        path = "/si-dmp-server/v2/services/repository"
        return self.request("POST", path, message.body(self.sandbox.url), message.headers())

    def ask(self, service: str, action: str, body: str) -> Reply:
        identifier = f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, f'ask {next(_numbers)}')}"
        envelope = soap(identifier, f"{self.sandbox.url}/{service}", action, body)
        headers = {"Content-Type": f'application/soap+xml; charset=UTF-8; action="{action}"'}
        return self.request("POST", f"/si-dmp-server/v2/services/{service}", envelope.encode(), headers)

    def query(self, identifier: str, *, returns: str = "LeafClass", **parameters: str) -> Reply:
        """A stored query; parameters lack their prefix $XDSDocumentEntry."""
        slots = "".join(_slot(f"$XDSDocumentEntry{name}", [value]) for name, value in parameters.items())
        body = (
            '<query:AdhocQueryRequest xmlns:query="urn:oasis:names:tc:ebxml-regrep:xsd:query:3.0" '
            'xmlns:rim="urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0">'
            f'<query:ResponseOption returnComposedObjects="true" returnType="{returns}"/>'
            f'<rim:AdhocQuery id="{identifier}">{slots}</rim:AdhocQuery></query:AdhocQueryRequest>'
        )
        return self.ask("registry", "urn:ihe:iti:2007:RegistryStoredQuery", body)

    def state(self) -> dict:
        return json.loads(self.request("GET", "/control/state").body)

    def entry_uuid(self, unique_id: str) -> str:
        return next(d["entry_uuid"] for d in self.state()["documents"] if d["unique_id"] == unique_id)

    def plan(self, *troubles: dict) -> Reply:
        return self.request("POST", "/control", json.dumps({"plan": troubles}).encode())


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("authority")
    authority.create(folder, CLOCK, structure=STRUCT_ID, hostile=True)
    return folder


@pytest.fixture(scope="module")
def patients(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("patients") / "patients.csv"
    rows = [(PATIENT, "active"), (OTHER, "active"), (CORSICAN, "active"), (CLOSED, "closed"), (UNOPENED, "none")]
    path.write_text("ins,oid,state\n" + "".join(f"{ins},{OID},{state}\n" for ins, state in rows))
    return path


@pytest.fixture(scope="module")
def sandbox(keys: Path, patients: Path, tmp_path_factory: pytest.TempPathFactory):
    """One sandbox for the tests of a file that do not need their own."""
    folder = tmp_path_factory.mktemp("sandbox")
    shutil.copytree(keys, folder, dirs_exist_ok=True)
    with Sandbox(folder, patients, CLOCK, hostile=True) as running:
        yield running


@pytest.fixture
def start(keys: Path, patients: Path, tmp_path: Path):
    """`start(**options)` is a new Sandbox on this test's folder, with the session's certificates."""
    shutil.copytree(keys, tmp_path, dirs_exist_ok=True)
    return lambda **options: Sandbox(tmp_path, patients, CLOCK, **options)


@pytest.fixture
def client(sandbox: Sandbox):
    made = Client(sandbox)
    yield made
    made.close()


@pytest.fixture
def connect():
    """`connect(sandbox, ...)` is a client, closed at the end of the test."""
    made: list[Client] = []

    def open_client(*arguments, **options) -> Client:
        made.append(Client(*arguments, **options))
        return made[-1]

    yield open_client
    for one in made:
        one.close()


@pytest.fixture
def message():
    """The builder: `message(patient, ...)`."""
    return Message


@pytest.fixture
def world():
    """Names the tests need without importing this file."""
    return _World


class _World:
    PATIENT, OTHER, CORSICAN, CLOSED, UNOPENED, STRANGER = PATIENT, OTHER, CORSICAN, CLOSED, UNOPENED, STRANGER
    OID, STRUCT_ID, CLOCK, HAS_MEMBER, APPROVED, XCN, XON = OID, STRUCT_ID, CLOCK, HAS_MEMBER, APPROVED, XCN, XON
    Entry, cda, keyed = Entry, staticmethod(cda), staticmethod(keyed)
