"""Every form that an answer of the DMP in FHIR may take, and what the client may conclude from it (sheet pdsm-fhir, 1, 3 and 4).

`accepted` and `refused` are said only of what the registry surely did; anything else is a doubt, and the registry is asked.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transvase.errors import SettingsInvalid
from transvase.gateways import causes, dmp_fhir
from transvase.gateways.dmp import STALE, Answer, Existence
from transvase.gateways.dmp_fhir import access_token, matching, read_created, read_existence, read_transaction

FHIR = {"content-type": "application/fhir+json; charset=UTF-8"}
NAMED = "urn:ietf:rfc:3986|urn:oid:2.999.1.1"
PAGE = b"<!DOCTYPE html><html><body><h1>Service indisponible</h1></body></html>"


def outcome(
    *issues: tuple[str, str], severity: str = "error", text: str = "Le patient MARTIN est inconnu"
) -> dict[str, Any]:
    """Issues (type, code of IHE or empty), each with a text that quotes a patient."""
    rows: list[dict[str, Any]] = []
    for kind, code in issues:
        details = {"text": text} | ({"coding": [{"code": code}]} if code else {})
        rows.append({"severity": severity, "code": kind, "details": details, "diagnostics": "MARTIN"})
    return {"resourceType": "OperationOutcome", "issue": rows}


def response(*statuses: str, **said: Any) -> dict[str, Any]:
    rows = [{"response": {"status": s, "location": "DocumentReference/1", **said}} for s in statuses]
    return {"resourceType": "Bundle", "type": "transaction-response", "entry": rows}


DONE = response("201 Created", "201 Created", "201")
CREATED = {
    "resourceType": "DocumentReference",
    "id": "1",
    "masterIdentifier": {"system": "urn:ietf:rfc:3986", "value": "urn:oid:2.999.1.1"},
}

# Refusals alike for both transactions: status, body, outcome.
REFUSED: list[tuple[str, int, Any, Answer]] = [
    ("invalid", 400, outcome(("invalid", "")), Answer("refused", "FhirInvalid")),
    ("structure", 422, outcome(("structure", "")), Answer("refused", "FhirInvalid")),
    ("a code", 422, outcome(("code-invalid", "")), Answer("refused", "FhirCode")),
    ("a rule", 422, outcome(("business-rule", "")), Answer("refused", "FhirBusinessRule")),
    ("a code of IHE comes before the type", 422, outcome(("invalid", "XDSRegistryMetadataError")), Answer("refused", "XDSRegistryMetadataError")),
    ("an unknown patient", 404, outcome(("not-found", "XDSUnknownPatientId")), Answer("refused", "XDSUnknownPatientId")),
    ("a code of the DMP", 403, outcome(("forbidden", "DMPAccessDeniedByRightsService")), Answer("refused", "DMPAccessDeniedByRightsService")),
    ("a code that is a sentence is not kept", 422, outcome(("invalid", "Patient MARTIN inconnu")), Answer("refused", "FhirInvalid")),
    ("a type of nobody", 400, outcome(("nonsense", "")), Answer("refused", "FhirRefused")),
    ("no issue", 422, {"resourceType": "OperationOutcome"}, Answer("refused", "FhirBusinessRule")),
    ("no error among the issues", 412, outcome(("invalid", ""), severity="warning"), Answer("refused", "FhirPrecondition")),
    ("forbidden", 403, outcome(("forbidden", "")), Answer("refused", "FhirForbidden")),
    ("not served", 405, outcome(("not-supported", "")), Answer("refused", "FhirNotSupported")),
    ("too large", 413, outcome(("too-long", "")), Answer("refused", "FhirTooLong")),
    ("too large, says a proxy", 413, PAGE, Answer("refused", "FhirTooLong")),
    ("who asks is unknown", 403, outcome(("forbidden", ""), text="Structure introuvable ou Inactive"), Answer("not_sent", "StructureUnknown")),
    ("who asks is of another structure", 403, outcome(("forbidden", ""), text="PS et Structure non liés"), Answer("not_sent", "StructureUnknown")),
    ("a FHIR document is not taken", 422, outcome(("not-supported", "FHIRDocumentNotSupported")), Answer("refused", "FhirNotSupported")),
    ("no token", 401, outcome(("login", "")), Answer("not_sent", "TokenRefused")),
    ("no token, says a proxy", 401, PAGE, Answer("not_sent", "TokenRefused")),
    ("token ended", 403, outcome(("expired", "")), Answer("not_sent", "TokenRefused")),
    ("a conflict with a reason", 409, outcome(("conflict", "XDSRegistryDeprecatedDocumentError")), Answer("refused", "XDSRegistryDeprecatedDocumentError")),
    # The registry may hold it.
    ("known already", 409, outcome(("duplicate", "XDSDuplicateUniqueIdInRegistry")), Answer("doubt", "XDSDuplicateUniqueIdInRegistry")),
    ("known already, without a code", 409, outcome(("duplicate", "")), Answer("doubt", "FhirDuplicate")),
    ("known already, under 422", 422, outcome(("duplicate", "")), Answer("doubt", "FhirDuplicate")),
    ("other bytes", 409, outcome(("conflict", "XDSNonIdenticalHash")), Answer("doubt", "XDSNonIdenticalHash")),
    ("a doubtful code behind another", 422, outcome(("invalid", "XDSMissingDocument"), ("invalid", "XDSRegistryError")), Answer("doubt", "XDSMissingDocument")),
    ("a conflict", 409, outcome(("conflict", "")), Answer("doubt", "FhirConflict")),
    ("a conflict of another type", 409, outcome(("processing", "")), Answer("doubt", "FhirBusinessRule")),
    ("a conflict without a word", 409, {"resourceType": "OperationOutcome"}, Answer("doubt", "HTTP409")),
    ("a conflict, says a proxy", 409, PAGE, Answer("doubt", "unreadable")),
    ("the request came too slowly", 408, outcome(("timeout", "")), Answer("doubt", "FhirRefused")),
    ("the server failed", 500, outcome(("exception", "")), Answer("doubt", "FhirRefused")),
    ("the server failed, and why", 500, outcome(("exception", "XDSRepositoryError")), Answer("doubt", "XDSRepositoryError")),
    ("the server failed in words", 500, b"Internal Server Error\n", Answer("doubt", "unreadable")),
    ("a gateway", 502, PAGE, Answer("doubt", "unreadable")),
    ("a gateway that waited", 504, PAGE, Answer("doubt", "unreadable")),
    ("moved", 302, b"", Answer("doubt", "unreadable")),
    ("forbidden, says a proxy", 403, PAGE, Answer("doubt", "unreadable")),
    ("nothing there, says a proxy", 404, PAGE, Answer("doubt", "unreadable")),
    # Overload: the service asks to wait.
    ("busy", 503, outcome(("transient", "")), Answer("overloaded", "HTTP503", 7)),
    ("too many", 429, outcome(("throttled", "")), Answer("overloaded", "HTTP429", 7)),
    ("busy, says a proxy", 503, PAGE, Answer("overloaded", "HTTP503", 7)),
    # What cannot be read says nothing.
    ("empty", 200, b"", Answer("doubt", "unreadable")),
    ("a page with 200", 200, PAGE, Answer("doubt", "unreadable")),
    ("an outcome with 200", 200, outcome(("informational", ""), severity="information"), Answer("doubt", "unreadable")),
    ("an outcome with 201", 201, outcome(("incomplete", ""), severity="warning"), Answer("doubt", "unreadable")),
    ("a list", 200, b"[]", Answer("doubt", "unreadable")),
    ("a searchset", 200, {"resourceType": "Bundle", "type": "searchset"}, Answer("doubt", "unreadable")),
    ("accepted for later", 202, DONE, Answer("doubt", "unreadable")),
]  # fmt: skip
TRANSACTIONS: list[tuple[str, int, Any, Answer]] = [
    ("done", 200, DONE, Answer("accepted")),
    ("done, with 201", 201, DONE, Answer("accepted")),
    ("done, with a patch", 200, response("201", "201", "200 OK"), Answer("accepted")),
    ("done, with a remark", 200, response("201", "201", "201", outcome=outcome(("informational", ""), severity="information")), Answer("accepted")),
    ("an entry is missing", 200, response("201", "201"), Answer("doubt", "PartialSuccess")),
    ("an entry too many", 200, response(*["201"] * 4), Answer("doubt", "PartialSuccess")),
    ("no entry", 200, response(), Answer("doubt", "PartialSuccess")),
    ("an entry refused", 200, response("201", "422", "201"), Answer("doubt", "PartialSuccess")),
    ("an entry without status", 200, response("201", "", "201"), Answer("doubt", "PartialSuccess")),
    ("a status of nobody", 200, response("201", "2010", "201"), Answer("doubt", "PartialSuccess")),
    *((f"{what} left out", 200, response("201", "201", "201", outcome=outcome(("incomplete", f"Partial{what}ContentNotProcessed"), severity="warning")),
       Answer("doubt", "PartialSuccess")) for what in ("Replace", "Transform", "Append", "Folder")),
    # No recipient is named by a feeder: that one is not found takes nothing from what was registered.
    *((code, 200, response("201", "201", "201", outcome=outcome(("not-found", code), severity="warning")), Answer("accepted"))
      for code in ("UnknownRecipient", "UnavailableRecipient")),
    ("an error inside", 200, response("201", "201", "201", outcome=outcome(("exception", ""))), Answer("doubt", "PartialSuccess")),
    ("of a batch", 200, DONE | {"type": "batch-response"}, Answer("doubt", "unreadable")),
    ("of the other transaction", 201, CREATED, Answer("doubt", "unreadable")),
]  # fmt: skip
CREATIONS: list[tuple[str, int, Any, Answer]] = [
    ("created", 201, CREATED, Answer("accepted")),
    ("updated", 200, CREATED, Answer("doubt", "unreadable")),
    ("of another document", 201, CREATED | {"masterIdentifier": {"system": "urn:ietf:rfc:3986", "value": "urn:oid:2.999.1.2"}}, Answer("doubt", STALE)),
    ("of no document", 201, {"resourceType": "DocumentReference"}, Answer("doubt", STALE)),
    ("created without a word", 201, b"", Answer("doubt", "unreadable")),
    ("of the other transaction", 200, DONE, Answer("doubt", "unreadable")),
]  # fmt: skip


def written(body: Any) -> tuple[dict[str, str], bytes]:
    """Headers and body: bytes are those of a proxy."""
    if isinstance(body, bytes):
        return {"content-type": "text/html", "retry-after": "7"}, body
    return FHIR | {"retry-after": "7"}, json.dumps(body).encode()


@pytest.mark.parametrize(("status", "body", "expected"), [a[1:] for a in [*REFUSED, *TRANSACTIONS]], ids=[a[0] for a in [*REFUSED, *TRANSACTIONS]])  # fmt: skip
def test_what_the_answer_of_a_transaction_tells(status: int, body: Any, expected: Answer) -> None:
    assert read_transaction(status, *written(body), entries=3) == expected


@pytest.mark.parametrize(("status", "body", "expected"), [a[1:] for a in [*REFUSED, *CREATIONS]], ids=[a[0] for a in [*REFUSED, *CREATIONS]])  # fmt: skip
def test_what_the_answer_of_a_creation_tells(status: int, body: Any, expected: Answer) -> None:
    assert read_created(status, *written(body), unique_id=NAMED) == expected


def test_a_success_of_the_wrong_content_type_is_a_doubt() -> None:
    """A proxy that keeps the body may have changed it."""
    for kind in ("text/html", "application/fhir+xml", ""):
        assert read_transaction(200, {"content-type": kind}, json.dumps(DONE).encode(), 3) == Answer(
            "doubt", "unreadable"
        )


@pytest.mark.parametrize("cut", range(1, len(json.dumps(DONE)), 9))
def test_a_truncated_success_is_a_doubt(cut: int) -> None:
    assert read_transaction(200, FHIR, json.dumps(DONE).encode()[:cut], 3) == Answer("doubt", "unreadable")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["resourceType", "type", "entry", "response", "status", "outcome", "issue", "severity", "code", "details", "coding",
                         "resource", "identifier", "masterIdentifier", "id", "content", "attachment", "hash", "total", "link", "active"]),
        inner | st.sampled_from(["Bundle", "transaction-response", "searchset", "OperationOutcome", "DocumentReference", "Patient", "error"]),
        max_size=5),
    max_leaves=20,
)  # fmt: skip


@given(value=JSON, status=st.sampled_from([200, 201, 204, 302, 400, 401, 403, 404, 409, 413, 422, 429, 500, 503]))
def test_no_answer_breaks_the_client_or_passes_for_a_success(value: Any, status: int) -> None:
    body = json.dumps(value).encode()
    done = read_transaction(status, FHIR, body, 3)
    assert done.kind != "accepted" and read_created(status, FHIR, body, NAMED).kind != "accepted"
    assert isinstance(matching(status, FHIR, body, NAMED), (str, list))
    assert read_existence(status, FHIR, body, NAMED) in ("unknown", "none", "active", "closed")


@given(body=st.binary(max_size=200), status=st.integers(100, 599))
def test_no_bytes_break_the_client(body: bytes, status: int) -> None:
    assert read_transaction(status, FHIR, body, 3).kind != "accepted"


def test_every_code_of_ours_has_a_cause() -> None:
    codes = {*dmp_fhir._ISSUES.values(), *dmp_fhir._STATUSES.values(), "FhirRefused"}
    assert codes <= set(causes.CAUSES)
    assert all(causes.CAUSES[c].scope in ("document", "service", "caller") for c in codes)


# Questions.


def named(value: str) -> dict[str, str]:
    return {"system": "urn:ietf:rfc:3986", "value": value}


def a_reference(ident: str = "abc", value: str = "urn:oid:2.999.1.1", **facts: Any) -> dict[str, Any]:
    return {"resourceType": "DocumentReference", "id": ident, "status": "current", "masterIdentifier": named(value)} | facts  # fmt: skip


def searchset(*found: dict[str, Any], **facts: Any) -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": "searchset", "total": len(found), "entry": [{"resource": one} for one in found]} | facts  # fmt: skip


REMARK = {"resource": outcome(("informational", "")), "search": {"mode": "outcome"}}
SEARCHES: list[tuple[str, int, Any, list[str] | str]] = [
    ("one", 200, searchset(a_reference()), ["abc"]),
    ("none", 200, searchset(), []),
    ("none, without the empty list", 200, {"resourceType": "Bundle", "type": "searchset", "total": 0}, []),
    ("two", 200, searchset(a_reference(), a_reference("def")), ["abc", "def"]),
    ("another, of a server that did not understand", 200, searchset(a_reference("x", "urn:oid:2.999.1.2")), []),
    ("under a business identifier", 200, searchset(a_reference("k", "urn:oid:9", identifier=[named("urn:oid:2.999.1.1")])), ["k"]),
    ("with a remark", 200, {**searchset(a_reference()), "entry": [{"resource": a_reference()}, REMARK]}, ["abc"]),
    # Absent from a page is not absent from the registry.
    ("a page of several", 200, searchset(a_reference("x", "urn:oid:2.999.1.2"), link=[{"relation": "next", "url": "https://x/"}]), "Paged"),
    ("fewer than it says", 200, searchset(total=4), "Paged"),
    ("an id that would leave its path", 200, searchset(a_reference("../Patient/1")), "unreadable"),
    ("refused", 400, outcome(("invalid", "")), "FhirInvalid"),
    ("no token", 401, PAGE, "TokenRefused"),
    ("busy", 503, PAGE, "HTTP503"),
    ("a page of a proxy", 200, PAGE, "unreadable"),
    ("a transaction-response", 200, DONE, "unreadable"),
]  # fmt: skip


@pytest.mark.parametrize(("status", "body", "expected"), [a[1:] for a in SEARCHES], ids=[a[0] for a in SEARCHES])
def test_what_a_search_tells(status: int, body: Any, expected: list[str] | str) -> None:
    found = matching(status, *written(body), identifier=NAMED)
    assert (found if isinstance(found, str) else [one["id"] for one in found]) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (base64.b64encode(bytes(range(20))).decode(), bytes(range(20)).hex()),
        # Nothing is concluded from a digest of another kind.
        (base64.b64encode(bytes(32)).decode(), ""),
        ("0123456789abcdef0123456789abcdef01234567", ""),
        ("", ""),
        (None, ""),
        ("é", ""),
    ],
)
def test_a_digest_is_compared_only_when_it_is_one(value: Any, expected: str) -> None:
    assert dmp_fhir._sha1(value) == expected


PATIENT = {
    "resourceType": "Patient",
    "identifier": [{"system": "urn:ietf:rfc:3986", "value": "urn:oid:2.999.1.1"}],
    "active": True,
}


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (200, searchset(PATIENT), "active"),
        (200, searchset(PATIENT | {"active": False}), "closed"),
        (200, searchset(PATIENT | {"active": "true"}), "unknown"),
        (200, searchset({k: v for k, v in PATIENT.items() if k != "active"}), "unknown"),
        (200, searchset(), "none"),
        (200, searchset(PATIENT, PATIENT), "unknown"),
        (200, searchset(PATIENT | {"identifier": []}), "unknown"),
        (200, searchset(total=1), "unknown"),
        (404, outcome(("not-found", "")), "unknown"),
        (401, PAGE, "unknown"),
        (200, PAGE, "unknown"),
        (500, b"", "unknown"),
    ],
)
def test_what_is_known_of_a_dmp(status: int, body: Any, expected: Existence) -> None:
    assert read_existence(status, *written(body), identifier=NAMED) == expected


# The token.


@pytest.mark.parametrize(("content", "token"), [(b"eyJ.e30.x-_~+/=\n", "eyJ.e30.x-_~+/="), (b"abc\nother line\n", "abc"), (b"  abc \r\n", "abc")])  # fmt: skip
def test_the_token_is_the_first_line(tmp_path: Path, content: bytes, token: str) -> None:
    (tmp_path / "jeton").write_bytes(content)
    assert access_token(tmp_path / "jeton") == token


@pytest.mark.parametrize("content", [None, b"", b"\n", b"two words\n", "é".encode(), b"a\x00b", b"a:b"])
def test_what_is_no_token_is_refused_and_not_repeated(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "jeton").write_bytes(content)
    with pytest.raises(SettingsInvalid) as refused:
        access_token(tmp_path / "jeton")
    assert "feed.token_file" in str(refused.value) and "two words" not in str(refused.value)
