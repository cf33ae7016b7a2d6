"""Time-stamps by an authority (RFC 3161): asked over HTTPS, checked before they are kept, and checked again offline later. Which
records are stamped, and what happens when none can be had, belongs to `assets.evidence`.
"""

from __future__ import annotations

import hashlib
import http.client
import ssl
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from transvase.errors import Said

# An answer holds a token and some certificates: a few kilobytes.
_LARGEST = 256 * 1024
_QUERY, _REPLY = "application/timestamp-query", "application/timestamp-reply"


class StampRefused(Exception):
    """No time-stamp could be had, or one is false; `why` says it in both languages, with nothing of a server's text."""

    def __init__(self, french: str, english: str) -> None:
        super().__init__(english)
        self.why = Said(french, english)


def authorities(file: Path) -> list[Any]:
    """The certificates that a token must reach. `StampRefused` when the file holds none."""
    from cryptography import x509

    try:
        return x509.load_pem_x509_certificates(file.read_bytes())
    except (OSError, ValueError):
        raise StampRefused(
            "le certificat de l'autorité d'horodatage n'est pas lisible",
            "the certificate of the time-stamping authority cannot be read",
        ) from None


def ask(url: str, authority: Path, data: bytes, timeout: float) -> bytes:
    """The answer (TimeStampResp, DER) of the service at `url` for `data`, once its token holds and bears our nonce.

    `timeout` in seconds bounds each exchange. TLS trusts the system's authorities and those of `authority`."""
    from rfc3161_client import HashAlgorithm, TimestampRequestBuilder

    anchors = authorities(authority)
    query = TimestampRequestBuilder().data(data).hash_algorithm(HashAlgorithm.SHA256).build()
    answer = _posted(url, authority, query.as_bytes(), timeout)
    _checked(answer, data, anchors, query.nonce)
    return answer


def check(answer: bytes, data: bytes, anchors: list[Any]) -> datetime:
    """The instant at which the authority saw `data`, by an answer kept since. `StampRefused`."""
    return _checked(answer, data, anchors, None)


def _checked(answer: bytes, data: bytes, anchors: list[Any], nonce: int | None) -> datetime:
    from cryptography import x509
    from rfc3161_client import VerificationError, VerifierBuilder, decode_timestamp_response
    from rfc3161_client.tsp import PKIStatus

    try:
        response = decode_timestamp_response(answer)
        status = PKIStatus(response.status)
    except ValueError:
        raise StampRefused("la réponse n'est pas un horodatage", "the answer is no time-stamp") from None
    if status is not PKIStatus.GRANTED:
        raise StampRefused(f"l'autorité refuse ({status.name})", f"the authority refuses ({status.name})")
    verifier = VerifierBuilder(roots=list(anchors), nonce=nonce).build()
    try:
        # Ours is SHA-256: the library would also take what another digest makes of the data.
        verifier.verify(response, hashlib.sha256(data).digest())
        if response.as_bytes() != answer:
            raise ValueError
        return response.tst_info.gen_time
    except (VerificationError, ValueError, x509.InvalidVersion):
        raise StampRefused(
            "le jeton ne se vérifie pas : autre empreinte, autre demande, ou certificat d'une autre autorité",
            "the token does not verify: another digest, another request, or a certificate of another authority",
        ) from None


def _posted(url: str, authority: Path, body: bytes, timeout: float) -> bytes:
    parts = urlsplit(url)
    try:
        tls = ssl.create_default_context()
        tls.minimum_version = ssl.TLSVersion.TLSv1_2
        tls.load_verify_locations(authority)
        connection = http.client.HTTPSConnection(parts.hostname or "", parts.port, timeout=timeout, context=tls)
        try:
            path = parts.path or "/"
            connection.request("POST", f"{path}?{parts.query}" if parts.query else path, body, {"Content-Type": _QUERY})
            answer = connection.getresponse()
            data = answer.read(_LARGEST + 1)
        finally:
            connection.close()
    except ssl.SSLError:
        raise StampRefused("connexion TLS refusée", "TLS connection refused") from None
    except TimeoutError:
        raise StampRefused("pas de réponse à temps", "no answer in time") from None
    except (OSError, http.client.HTTPException) as error:
        kind = type(error).__name__
        raise StampRefused(f"service injoignable ({kind})", f"service out of reach ({kind})") from None
    if answer.status != http.HTTPStatus.OK:
        raise StampRefused(f"réponse HTTP {answer.status}", f"HTTP answer {answer.status}")
    if len(data) > _LARGEST or answer.headers.get_content_type() != _REPLY:
        raise StampRefused("la réponse n'est pas un horodatage", "the answer is no time-stamp")
    return data
