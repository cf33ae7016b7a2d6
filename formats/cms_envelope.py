"""CMS for the owner of an X.509 certificate (RFC 5652, RFC 5083): AuthEnvelopedData with AES-256-GCM, its key under RSA-OAEP with
SHA-256 (RFC 3560), written and read as a stream; `openssl cms -decrypt` (3.0 and later) reads it.

Common readers hold the content in memory, hence a ceiling. A plain EnvelopedData is neither written nor read: nothing would show that
its content was changed. Signatures belong to `cms`, choosing between formats to `encryption`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, Protocol

# Content of one file, in bytes.
MOST = 1_000_000_000
_PIECE = 1 << 16
_AUTH_ENVELOPED = bytes.fromhex("060b2a864886f70d0109100117")
_ENVELOPED = bytes.fromhex("06092a864886f70d010703")
_DATA = bytes.fromhex("06092a864886f70d010701")
_AES_256_GCM = bytes.fromhex("060960864801650304012e")
_OAEP = bytes.fromhex("06092a864886f70d010107")
_MGF1 = bytes.fromhex("06092a864886f70d010108")
_SHA256 = bytes.fromhex("06096086480165030402010500")
_SEQUENCE, _SET, _OCTETS, _INTEGER, _FIRST, _PIECES = 0x30, 0x31, 0x04, 0x02, 0xA0, 0x80
_END = b"\x00\x00"
# Recipients of one file are few and small.
_MOST_HEAD = 1 << 16
_TAG = 16

Draw = Callable[[int], bytes]


class CmsEnvelopeRefused(ValueError):
    """Not an envelope of the accepted form, not for this key, or changed: the message says which, and quotes nothing."""


class _Writable(Protocol):
    def write(self, data: bytes, /) -> int: ...


class Writer:
    """Encrypts what is written to it into `file` for a certificate (an RSA one); `finish` ends the envelope, and does not close the
    file. OverflowError beyond `MOST` bytes."""

    def __init__(self, file: _Writable, certificate: Any, draw: Draw) -> None:
        from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

        key, nonce = draw(32), draw(12)
        self._file = file
        self._left = MOST
        self._held = bytearray()
        self._cipher: Any = Cipher(algorithms.AES256(key), modes.GCM(nonce)).encryptor()
        parameters = _der(_SEQUENCE, _der(_OCTETS, nonce) + _der(_INTEGER, bytes([_TAG])))
        # Lengths of what holds the content are not known yet: these are indefinite, and close with two zeros.
        self._file.write(
            b"\x30\x80" + _AUTH_ENVELOPED + b"\xa0\x80\x30\x80" + _der(_INTEGER, b"\x00")
            + _der(_SET, _recipient(certificate, key))
            + b"\x30\x80" + _DATA + _der(_SEQUENCE, _AES_256_GCM + parameters) + b"\xa0\x80"
        )  # fmt: skip

    def write(self, data: bytes) -> int:
        """Take bytes."""
        self._left -= len(data)
        if self._left < 0:
            raise OverflowError("a CMS file holds at most a gigabyte")
        self._held += data
        while len(self._held) >= _PIECE:
            self._put(bytes(self._held[:_PIECE]))
            del self._held[:_PIECE]
        return len(data)

    def finish(self) -> None:
        """The last piece and the authentication tag."""
        if self._held:
            self._put(bytes(self._held))
            self._held.clear()
        self._cipher.finalize()
        self._file.write(_END + _END + _der(_OCTETS, self._cipher.tag) + _END + _END + _END)

    def _put(self, piece: bytes) -> None:
        self._file.write(_der(_OCTETS, self._cipher.update(piece)))


def size(plain: int) -> int:
    """At most so many bytes for a file of `plain` bytes."""
    return plain + (plain // _PIECE + 1) * 5 + 4000


def _recipient(certificate: Any, key: bytes) -> bytes:
    """KeyTransRecipientInfo: the certificate by issuer and serial number, the key encrypted for it."""
    serial = certificate.serial_number
    who = certificate.issuer.public_bytes() + _der(_INTEGER, serial.to_bytes(serial.bit_length() // 8 + 1, "big"))
    digest = _der(_SEQUENCE, _SHA256)
    algorithm = _OAEP + _der(_SEQUENCE, _der(_FIRST, digest) + _der(_FIRST + 1, _der(_SEQUENCE, _MGF1 + digest)))
    sealed = certificate.public_key().encrypt(key, _oaep())
    return _der(
        _SEQUENCE,
        _der(_INTEGER, b"\x00") + _der(_SEQUENCE, who) + _der(_SEQUENCE, algorithm) + _der(_OCTETS, sealed),
    )


def _oaep() -> Any:
    from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
    from cryptography.hazmat.primitives.hashes import SHA256

    return OAEP(MGF1(SHA256()), SHA256(), None)


def _der(tag: int, content: bytes) -> bytes:
    if len(content) < 0x80:
        return bytes((tag, len(content))) + content
    length = len(content).to_bytes((len(content).bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + content


# -- reading ---------------------------------------------------------------------------------------------------------------


def decrypted(file: BinaryIO, key: Any) -> Iterator[bytes]:
    """The plain bytes, piece after piece. **Only once the iteration ends are they authentic**: what was read before is to be thrown
    away on CmsEnvelopeRefused. `key` is an RSA private key."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    one = _Reader(file)
    # How each open value ends: after so many bytes, or (None) by two zeros.
    ends = [one.enter(_SEQUENCE)]
    kind = one.whole(0x06)
    if kind == _ENVELOPED:
        raise CmsEnvelopeRefused("it bears no authentication (EnvelopedData)")
    if kind != _AUTH_ENVELOPED:
        raise CmsEnvelopeRefused("it is not a CMS envelope")
    ends += [one.enter(_FIRST), one.enter(_SEQUENCE)]
    one.whole(_INTEGER)
    recipients = one.whole(_SET)
    ends.append(one.enter(_SEQUENCE))
    content, algorithm = one.whole(0x06), _values(one.whole(_SEQUENCE))
    if content != _DATA or len(algorithm) != 2 or algorithm[0] != _AES_256_GCM:
        raise CmsEnvelopeRefused("its content is not encrypted by AES-256-GCM")
    parameters = _values(_content(algorithm[1]))
    if len(parameters) != 2 or parameters[1] != _der(_INTEGER, bytes([_TAG])):
        raise CmsEnvelopeRefused("its authentication tag is shortened")
    secret = _key(recipients, key)
    cipher = Cipher(algorithms.AES256(secret), modes.GCM(_content(parameters[0]))).decryptor()
    for piece in one.pieces():
        yield cipher.update(piece)
    one.leave(ends.pop())
    tag = _content(one.whole(_OCTETS))
    for end in reversed(ends):
        one.leave(end)
    try:
        cipher.finalize_with_tag(tag)
    except (InvalidTag, ValueError):
        raise CmsEnvelopeRefused("it was changed") from None


def _key(recipients: bytes, key: Any) -> bytes:
    """The content's key, by the first recipient that this key opens."""
    for one in _values(recipients[_head(recipients) :]):
        fields = _values(_content(one)) if one[0] == _SEQUENCE else []
        if len(fields) == 4 and _content(fields[2]).startswith(_OAEP):
            try:
                found: bytes = key.decrypt(_content(fields[3]), _oaep())
            except ValueError:
                continue
            if len(found) == 32:
                return found
    raise CmsEnvelopeRefused("this key does not open it")


class _Reader:
    """BER values of a file, in order."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._at = 0

    def take(self, count: int) -> bytes:
        data = self._file.read(count)
        self._at += len(data)
        if len(data) != count:
            raise CmsEnvelopeRefused("it is cut")
        return data

    def head(self) -> tuple[int, int | None]:
        """Tag and length; None for an indefinite one."""
        tag, first = self.take(2)
        if first < 0x80:
            return tag, first
        if first == 0x80:
            return tag, None
        if first > 0x88:
            raise CmsEnvelopeRefused("it is not a CMS envelope")
        return tag, int.from_bytes(self.take(first & 0x7F), "big")

    def enter(self, tag: int) -> int | None:
        """Begin a value; where it ends."""
        found, length = self.head()
        if found != tag:
            raise CmsEnvelopeRefused("it is not a CMS envelope")
        return None if length is None else self._at + length

    def leave(self, end: int | None) -> None:
        """End a value."""
        if self.take(2) != _END if end is None else end != self._at:
            raise CmsEnvelopeRefused("it is not of the form that this program reads")

    def whole(self, tag: int) -> bytes:
        """A small value with its head, or for a sequence its content."""
        found, length = self.head()
        if found != tag or length is None or length > _MOST_HEAD:
            raise CmsEnvelopeRefused("it is not of the form that this program reads")
        data = self.take(length)
        return data if tag == _SEQUENCE else _der(tag, data)

    def pieces(self) -> Iterator[bytes]:
        """The encrypted content: one value, or several in an outer one."""
        tag, length = self.head()
        if tag == _PIECES and length is not None:
            yield from self._bytes(length)
            return
        if tag != _FIRST:
            raise CmsEnvelopeRefused("it is not of the form that this program reads")
        end = None if length is None else self._at + length
        while end is None or self._at < end:
            inner, count = self.head()
            if (inner, count) == (0, 0) and end is None:
                return
            if inner != _OCTETS or count is None:
                raise CmsEnvelopeRefused("it is not of the form that this program reads")
            yield from self._bytes(count)

    def _bytes(self, count: int) -> Iterator[bytes]:
        while count:
            data = self.take(min(count, _PIECE))
            count -= len(data)
            yield data


def _head(value: bytes) -> int:
    """Length of the tag and length of a value in memory."""
    return 2 if value[1] < 0x80 else 2 + (value[1] & 0x7F)


def _content(value: bytes) -> bytes:
    return value[_head(value) :]


def _values(data: bytes) -> list[bytes]:
    """The values that stand one after the other, each with its head; CmsEnvelopeRefused when they do not fit."""
    out, at = [], 0
    while at < len(data):
        if len(data) - at < 2 or data[at + 1] == 0x80 or data[at + 1] > 0x84:
            raise CmsEnvelopeRefused("it is not of the form that this program reads")
        start = at + _head(data[at:])
        length = data[at + 1] if data[at + 1] < 0x80 else int.from_bytes(data[at + 2 : start], "big")
        if start + length > len(data):
            raise CmsEnvelopeRefused("it is not of the form that this program reads")
        out.append(data[at : start + length])
        at = start + length
    return out
