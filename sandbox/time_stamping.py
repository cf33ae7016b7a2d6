"""A strict local time-stamping authority (RFC 3161) over HTTPS: a throw-away root, a certificate for time-stamping alone (extendedKeyUsage
critical, RFC 3161, 2.3), and troubles on demand. Requests are read and tokens written here byte by byte: no library of the client's.
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
import hashlib
import ssl
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from transvase.sandbox import authority, server
from transvase.sandbox.service import InThread

PATH = "/tsa"
_HOST = "127.0.0.1"
_QUERY, _REPLY = "application/timestamp-query", "application/timestamp-reply"
# An OID for examples and tests (ISO/IEC 9834-1): the policy of an authority that nobody trusts.
_POLICY = "2.999.3161"
_SHA256 = "2.16.840.1.101.3.4.2.1"
_DIGESTS = {_SHA256: 32, "2.16.840.1.101.3.4.2.2": 48, "2.16.840.1.101.3.4.2.3": 64}
# PKIFailureInfo, by bit (RFC 3161, 2.4.2).
_BAD_ALGORITHM, _BAD_REQUEST, _BAD_FORMAT, _UNAVAILABLE = 0, 2, 5, 14
_INTEGER, _BITS, _OCTETS, _NULL, _OID, _TIME, _SEQUENCE, _SET = 0x02, 0x03, 0x04, 0x05, 0x06, 0x18, 0x30, 0x31


class Trouble(enum.StrEnum):
    """What the authority may do wrong."""

    WRONG_NONCE = "wrong_nonce"
    """Another nonce than the request's."""
    WRONG_IMPRINT = "wrong_imprint"
    """A valid token for other bytes."""
    REFUSED = "refused"
    """Status rejection, no token."""
    SLOW = "slow"
    """The answer comes after `seconds`."""
    GARBAGE = "garbage"
    """Bytes that are no answer, under the right media type."""
    HTTP_500 = "http_500"
    """HTTP 500."""
    STRANGER = "stranger"
    """Signed by a certificate of an unknown root."""
    NO_PURPOSE = "no_purpose"
    """Signed by a certificate that is not for time-stamping."""


class Misbehaviour(NamedTuple):
    """A trouble; `seconds` is the wait of SLOW."""

    trouble: Trouble
    seconds: float = 1.0


class _Signer(NamedTuple):
    certificate: x509.Certificate
    key: rsa.RSAPrivateKey


class TimeStamping(InThread[int]):
    """The authority in a thread, as a context manager: `with TimeStamping(folder, clock) as tsa: tsa.url`.

    `ca` is the PEM of its root, that its TLS certificate reaches too. `clock()` gives the instant of a token, aware. `plan` maps the
    number of a request, from 1, to its trouble."""

    def __init__(
        self, folder: Path, clock: Callable[[], datetime], plan: dict[int, Misbehaviour] | None = None, port: int = 0
    ) -> None:
        super().__init__("tsa", port)
        self.ca = folder / "tsa-ca.pem"
        self.plan = dict(plan or {})
        self.received = 0
        self._clock = clock
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        root = authority.Issuer("Autorite jetable d'horodatage", clock())
        names = (folder / "tsa-server.pem", folder / "tsa-server.key")
        root.issue(*names, "horodatage local", None, ExtendedKeyUsageOID.SERVER_AUTH, names=("localhost", _HOST))
        authority.write(self.ca, root.certificate.public_bytes(serialization.Encoding.PEM))
        self._root = root
        self._own = _signer(root, ExtendedKeyUsageOID.TIME_STAMPING)
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.minimum_version = ssl.TLSVersion.TLSv1_2
        self._tls.load_cert_chain(*names)

    @property
    def url(self) -> str:
        """The address to put under [evidence]."""
        return f"https://{_HOST}:{self.port}{PATH}"

    def _listening(self) -> contextlib.AbstractAsyncContextManager[int]:
        return server.listening(self._handle, self._tls, _HOST, self.port)

    async def _handle(self, request: server.Request) -> server.Answer | None:
        if request.path != PATH:
            return server.Answer(404, "text/plain; charset=UTF-8", b"Only /tsa is served.\n")
        if request.method != "POST":
            return server.Answer(405, "text/plain; charset=UTF-8", b"A time-stamp is asked by POST.\n")
        if request.headers.get("content-type") != _QUERY:
            return server.Answer(
                415, "text/plain; charset=UTF-8", b"Content-Type is not application/timestamp-query.\n"
            )
        self.received += 1
        trouble = self.plan.get(self.received)
        if trouble is not None and trouble.trouble is Trouble.SLOW:
            await asyncio.sleep(trouble.seconds)
        if trouble is not None and trouble.trouble is Trouble.HTTP_500:
            return server.Answer(500, "text/plain; charset=UTF-8", b"")
        if trouble is not None and trouble.trouble is Trouble.GARBAGE:
            return server.Answer(200, _REPLY, b"\x30\x82\xff\xffgarbage")
        return server.Answer(200, _REPLY, self._answer(request.body, trouble.trouble if trouble else None))

    def _answer(self, body: bytes, trouble: Trouble | None) -> bytes:
        """The TimeStampResp to a TimeStampReq."""
        if trouble is Trouble.REFUSED:
            return _refusal(_UNAVAILABLE)
        try:
            asked = _read(body)
        except _Unread as why:
            return _refusal(why.bit)
        if trouble is Trouble.WRONG_NONCE:
            asked = asked._replace(nonce=(asked.nonce or 0) + 1)
        if trouble is Trouble.WRONG_IMPRINT:
            asked = asked._replace(digest=hashlib.sha256(asked.digest).digest())
        signer = self._own
        # Keys take long to make: these ones only when they are asked for.
        if trouble is Trouble.STRANGER:
            stranger = authority.Issuer("Autorite inconnue", self._clock())
            signer = _signer(stranger, ExtendedKeyUsageOID.TIME_STAMPING)
        if trouble is Trouble.NO_PURPOSE:
            signer = _signer(self._root, ExtendedKeyUsageOID.CODE_SIGNING)
        token = _token(asked, signer, self._clock().astimezone(UTC), self.received)
        return _tlv(_SEQUENCE, _tlv(_SEQUENCE, _integer(0)), token)


def _signer(root: authority.Issuer, purpose: x509.ObjectIdentifier) -> _Signer:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return _Signer(root.signing("horodatage", key.public_key(), purpose), key)


# -- the request -----------------------------------------------------------------------------------------------------------


class _Asked(NamedTuple):
    algorithm: str
    digest: bytes
    nonce: int | None
    certificates: bool


class _Unread(Exception):
    def __init__(self, bit: int) -> None:
        super().__init__(bit)
        self.bit = bit


def _read(body: bytes) -> _Asked:
    """A TimeStampReq (RFC 3161, 2.4.1), in DER and nothing after it."""
    try:
        ((tag, content),) = _elements(body)
        if tag != _SEQUENCE:
            raise ValueError
        (version_tag, version), (imprint_tag, imprint), *rest = _elements(content)
        (algorithm_tag, algorithm), (digest_tag, digest) = _elements(imprint)
        (oid_tag, oid), *parameters = _elements(algorithm)
    except ValueError:
        raise _Unread(_BAD_FORMAT) from None
    if (version_tag, imprint_tag, algorithm_tag, digest_tag, oid_tag) != (
        _INTEGER, _SEQUENCE, _SEQUENCE, _OCTETS, _OID,
    ) or version != b"\x01" or parameters not in ([], [(_NULL, b"")]):  # fmt: skip
        raise _Unread(_BAD_FORMAT)
    name = _dotted(oid)
    if name not in _DIGESTS:
        raise _Unread(_BAD_ALGORITHM)
    if len(digest) != _DIGESTS[name]:
        raise _Unread(_BAD_FORMAT)
    nonce, certificates, order = None, False, 0
    for tag, value in rest:
        # reqPolicy, nonce, certReq, extensions: in that order, each once; only our policy, and no extension, is known.
        rank = {_OID: 1, _INTEGER: 2, 0x01: 3}.get(tag, 0)
        if rank <= order:
            raise _Unread(_BAD_REQUEST)
        order = rank
        if tag == _OID and _dotted(value) != _POLICY:
            raise _Unread(_BAD_REQUEST)
        if tag == _INTEGER:
            nonce = int.from_bytes(value, "big", signed=True)
        if tag == 0x01:
            if value != b"\xff":
                raise _Unread(_BAD_FORMAT)
            certificates = True
    return _Asked(name, digest, nonce, certificates)


def _elements(data: bytes) -> list[tuple[int, bytes]]:
    return list(_walk(data))


def _walk(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(data):
        if at + 2 > len(data):
            raise ValueError
        tag, size = data[at], data[at + 1]
        at += 2
        if size >= 0x80:
            count = size - 0x80
            if not 1 <= count <= 3 or at + count > len(data) or data[at] == 0:
                raise ValueError
            size = int.from_bytes(data[at : at + count], "big")
            if size < 0x80:
                raise ValueError
            at += count
        if at + size > len(data):
            raise ValueError
        yield tag, data[at : at + size]
        at += size


def _dotted(content: bytes) -> str:
    arcs, value = [], 0
    for byte in content:
        value = value << 7 | byte & 0x7F
        if not byte & 0x80:
            arcs.append(value)
            value = 0
    if not arcs:
        return ""
    first = min(arcs[0] // 40, 2)
    return ".".join(map(str, (first, arcs[0] - 40 * first, *arcs[1:])))


# -- the answer ------------------------------------------------------------------------------------------------------------


def _refusal(bit: int) -> bytes:
    """A TimeStampResp without a token: status rejection and the bit of its reason."""
    value = (0x80 >> bit % 8).to_bytes(1, "big")
    info = bytes([7 - bit % 8]) + b"\x00" * (bit // 8) + value
    return _tlv(_SEQUENCE, _tlv(_SEQUENCE, _integer(2), _tlv(_BITS, info)))


def _token(asked: _Asked, signer: _Signer, at: datetime, serial: int) -> bytes:
    """The TimeStampToken: a CMS SignedData of TSTInfo, with its three signed attributes (RFC 3161, 2.4.2; RFC 5816)."""
    imprint = _tlv(_SEQUENCE, _algorithm(asked.algorithm), _tlv(_OCTETS, asked.digest))
    info = _tlv(
        _SEQUENCE, _integer(1), _oid(_POLICY), imprint, _integer(serial), _tlv(_TIME, f"{at:%Y%m%d%H%M%S}Z".encode()),
        _integer(asked.nonce) if asked.nonce is not None else b"",
    )  # fmt: skip
    der = signer.certificate.public_bytes(serialization.Encoding.DER)
    attributes = _set(
        [
            _attribute("1.2.840.113549.1.9.3", _oid("1.2.840.113549.1.9.16.1.4")),
            _attribute("1.2.840.113549.1.9.4", _tlv(_OCTETS, hashlib.sha256(info).digest())),
            # ESSCertIDv2 with its default digest, SHA-256.
            _attribute(
                "1.2.840.113549.1.9.16.2.47",
                _tlv(_SEQUENCE, _tlv(_SEQUENCE, _tlv(_SEQUENCE, _tlv(_OCTETS, hashlib.sha256(der).digest())))),
            ),
        ]
    )
    signature = signer.key.sign(_tlv(_SET, attributes), padding.PKCS1v15(), hashes.SHA256())
    named = _tlv(_SEQUENCE, signer.certificate.issuer.public_bytes(), _integer(signer.certificate.serial_number))
    signed = _tlv(
        _SEQUENCE, _integer(1), named, _algorithm(_SHA256), _tlv(0xA0, attributes),
        _tlv(_SEQUENCE, _oid("1.2.840.113549.1.1.1"), _tlv(_NULL)), _tlv(_OCTETS, signature),
    )  # fmt: skip
    content = _tlv(
        _SEQUENCE, _integer(3), _tlv(_SET, _algorithm(_SHA256)),
        _tlv(_SEQUENCE, _oid("1.2.840.113549.1.9.16.1.4"), _tlv(0xA0, _tlv(_OCTETS, info))),
        _tlv(0xA0, der) if asked.certificates else b"", _tlv(_SET, signed),
    )  # fmt: skip
    return _tlv(_SEQUENCE, _oid("1.2.840.113549.1.7.2"), _tlv(0xA0, content))


def _attribute(name: str, value: bytes) -> bytes:
    return _tlv(_SEQUENCE, _oid(name), _tlv(_SET, value))


def _set(members: Sequence[bytes]) -> bytes:
    """The content of a SET OF: its members in the order of their bytes."""
    return b"".join(sorted(members))


def _algorithm(name: str) -> bytes:
    return _tlv(_SEQUENCE, _oid(name), _tlv(_NULL))


def _integer(value: int) -> bytes:
    return _tlv(_INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


def _oid(name: str) -> bytes:
    first, second, *rest = map(int, name.split("."))
    content = b""
    for arc in (first * 40 + second, *rest):
        digits = [arc & 0x7F]
        while arc := arc >> 7:
            digits.append(arc & 0x7F | 0x80)
        content += bytes(reversed(digits))
    return _tlv(_OID, content)


def _tlv(tag: int, *parts: bytes) -> bytes:
    content = b"".join(parts)
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 + len(length)]) + length + content
