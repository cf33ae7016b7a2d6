"""The age file format, version 1 (age-encryption.org/v1; C2SP specification age.md): for an X25519 recipient (`age1…`) or a
passphrase, written and read as a stream of 64 KiB pieces of which each is authenticated.

Our own, since no binding streams a passphrase or lets the writer push. What is drawn comes in as an argument. Choosing
between formats, and files that hold secrets, belong to `encryption`.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterator, Sequence
from typing import BinaryIO, NamedTuple, Protocol

_VERSION = b"age-encryption.org/v1"
_PIECE = 1 << 16
_TAG = 16
_FILE_KEY = 16
_ZERO = bytes(12)
# A header of one recipient is some 200 bytes; other writers may add recipients.
_MOST_HEADER = 1 << 16
# Work of the passphrase: 2**18 as the reference tool, about a second; more than 2**22 would let a file keep the reader busy for long.
WORK = 18
_MOST_WORK = 22

Draw = Callable[[int], bytes]


class AgeRefused(ValueError):
    """Not an age file, not for this key, or changed: the message says which, and quotes nothing."""


class Recipient(NamedTuple):
    """For whom: an X25519 public key of 32 bytes, or a passphrase; the other is empty."""

    public: bytes = b""
    passphrase: bytes = b""


class _Writable(Protocol):
    def write(self, data: bytes, /) -> int: ...


def recipient(text: str) -> Recipient:
    """The recipient of an `age1…` text; ValueError for anything else."""
    return Recipient(public=_bech32(text, "age"))


def identities(text: str) -> list[bytes]:
    """The private keys of an identity file, `AGE-SECRET-KEY-1…` one a line, `#` before a comment; ValueError for anything else."""
    lines = [line.strip() for line in text.splitlines()]
    return [_bech32(line, "age-secret-key-") for line in lines if line and not line.startswith("#")]


class Writer:
    """Encrypts what is written to it into `file`; `finish` ends the last piece, and does not close the file."""

    def __init__(self, file: _Writable, to: Recipient, draw: Draw, work: int = WORK) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

        file_key, nonce = draw(_FILE_KEY), draw(16)
        stanza = _passphrase_stanza(to.passphrase, file_key, draw(16), work) if to.passphrase else b""
        head = b"%s\n%s---" % (_VERSION, stanza or _x25519_stanza(to.public, file_key, draw(32)))
        self._file = file
        self._file.write(head + b" " + _b64(_mac(file_key, head)) + b"\n" + nonce)
        self._cipher = ChaCha20Poly1305(_hkdf(file_key, nonce, b"payload"))
        self._held = bytearray()
        self._count = 0

    def write(self, data: bytes) -> int:
        """Take bytes; a piece leaves once it is known not to be the last."""
        self._held += data
        if len(self._held) > _PIECE:
            whole = (len(self._held) - 1) // _PIECE * _PIECE
            with memoryview(self._held) as view:
                for at in range(0, whole, _PIECE):
                    self._put(bytes(view[at : at + _PIECE]), last=False)
            del self._held[:whole]
        return len(data)

    def finish(self) -> None:
        """The last piece, marked as such: without it a cut file would look whole."""
        self._put(bytes(self._held), last=True)
        self._held.clear()

    def _put(self, piece: bytes, *, last: bool) -> None:
        self._file.write(self._cipher.encrypt(_nonce(self._count, last), piece, None))
        self._count += 1


def size(plain: int) -> int:
    """At most so many bytes for a file of `plain` bytes and one recipient."""
    return plain + (plain // _PIECE + 1) * _TAG + 300


def decrypted(file: BinaryIO, keys: Sequence[bytes] = (), passphrase: bytes = b"") -> Iterator[bytes]:
    """The plain bytes, piece after piece: each is authentic, the whole only once the iteration ends. AgeRefused otherwise."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

    head, stanzas, mac = _header(file)
    file_key = _unwrapped(stanzas, keys, passphrase)
    if file_key is None:
        raise AgeRefused("this key or passphrase does not open it")
    if not hmac.compare_digest(_mac(file_key, head), mac):
        raise AgeRefused("its header was changed")
    nonce = file.read(16)
    if len(nonce) != 16:
        raise AgeRefused("it is cut")
    cipher = ChaCha20Poly1305(_hkdf(file_key, nonce, b"payload"))
    piece, count = file.read(_PIECE + _TAG), 0
    while True:
        following = file.read(_PIECE + _TAG)
        # Only a file of nothing ends on an empty piece.
        if len(piece) < _TAG or (len(piece) == _TAG and count):
            raise AgeRefused("it is cut")
        try:
            yield cipher.decrypt(_nonce(count, not following), piece, None)
        except InvalidTag:
            raise AgeRefused("it was changed or cut") from None
        if not following:
            return
        piece, count = following, count + 1


def by_passphrase(file: BinaryIO) -> bool:
    """Whether a passphrase opens it, by its header; AgeRefused when it has none."""
    return any(name == b"scrypt" for name, *_ in _header(file)[1])


# -- header ----------------------------------------------------------------------------------------------------------------


def _header(file: BinaryIO) -> tuple[bytes, list[tuple[bytes, list[bytes], bytes]], bytes]:
    """(what is authenticated, stanzas as (type, arguments, body), MAC)."""
    read = 0

    def line() -> bytes:
        nonlocal read
        found = file.readline(_MOST_HEADER)
        read += len(found)
        if not found.endswith(b"\n") or read > _MOST_HEADER:
            raise AgeRefused("it is not an age file")
        return found

    head = line()
    if head != _VERSION + b"\n":
        raise AgeRefused("it is not an age file")
    stanzas = []
    while (one := line()).startswith(b"-> "):
        name, *arguments = one[3:-1].split(b" ")
        body = b""
        head += one
        while True:
            text = line()
            head += text
            body += text[:-1]
            if len(text) < 65:
                break
        stanzas.append((name, arguments, _unb64(body)))
    if not one.startswith(b"--- ") or not stanzas:
        raise AgeRefused("it is not an age file")
    return head + b"---", stanzas, _unb64(one[4:-1])


def _unwrapped(
    stanzas: list[tuple[bytes, list[bytes], bytes]], keys: Sequence[bytes], passphrase: bytes
) -> bytes | None:
    """The file key, by the first stanza that opens; None when none does."""
    for name, arguments, body in stanzas:
        if name == b"X25519" and len(arguments) == 1 and len(body) == _FILE_KEY + _TAG:
            share = _unb64(arguments[0])
            for key in keys:
                if (found := _opened(_x25519_key(key, share), body)) is not None:
                    return found
        if name == b"scrypt" and passphrase and len(arguments) == 2 and len(body) == _FILE_KEY + _TAG:
            # Beside another recipient, anybody's passphrase file could pass for one's own.
            if len(stanzas) != 1 or not arguments[1].isdigit() or int(arguments[1]) > _MOST_WORK:
                raise AgeRefused("its header is not accepted")
            if (found := _opened(_scrypt(passphrase, _unb64(arguments[0]), int(arguments[1])), body)) is not None:
                return found
    return None


def _opened(key: bytes | None, body: bytes) -> bytes | None:
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

    if key is None:
        return None
    try:
        return ChaCha20Poly1305(key).decrypt(_ZERO, body, None)
    except InvalidTag:
        return None


def _wrapped(key: bytes, file_key: bytes) -> bytes:
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

    return _b64(ChaCha20Poly1305(key).encrypt(_ZERO, file_key, None))


def _x25519_stanza(public: bytes, file_key: bytes, secret: bytes) -> bytes:
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

    ephemeral = X25519PrivateKey.from_private_bytes(secret)
    share = ephemeral.public_key().public_bytes_raw()
    shared = ephemeral.exchange(X25519PublicKey.from_public_bytes(public))
    key = _hkdf(shared, share + public, _VERSION + b"/X25519")
    return b"-> X25519 %s\n%s\n" % (_b64(share), _wrapped(key, file_key))


def _x25519_key(secret: bytes, share: bytes) -> bytes | None:
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

    own = X25519PrivateKey.from_private_bytes(secret)
    try:
        shared = own.exchange(X25519PublicKey.from_public_bytes(share))
    except ValueError:
        # Not a key, or one that makes every shared secret the same.
        return None
    return _hkdf(shared, share + own.public_key().public_bytes_raw(), _VERSION + b"/X25519")


def _passphrase_stanza(passphrase: bytes, file_key: bytes, salt: bytes, work: int) -> bytes:
    return b"-> scrypt %s %d\n%s\n" % (_b64(salt), work, _wrapped(_scrypt(passphrase, salt, work), file_key))


def _scrypt(passphrase: bytes, salt: bytes, work: int) -> bytes:
    from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

    return Scrypt(salt=_VERSION + b"/scrypt" + salt, length=32, n=1 << work, r=8, p=1).derive(passphrase)


def _mac(file_key: bytes, head: bytes) -> bytes:
    return hmac.digest(_hkdf(file_key, b"", b"header"), head, hashlib.sha256)


def _hkdf(secret: bytes, salt: bytes, info: bytes) -> bytes:
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return HKDF(SHA256(), 32, salt or None, info).derive(secret)


def _nonce(count: int, last: bool) -> bytes:
    return count.to_bytes(11, "big") + (b"\x01" if last else b"\x00")


# -- texts -----------------------------------------------------------------------------------------------------------------


def _b64(data: bytes) -> bytes:
    import base64

    return base64.b64encode(data).rstrip(b"=")


def _unb64(text: bytes) -> bytes:
    import base64
    import binascii

    try:
        data = base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        data = b""
    # One text for one value: another would change the header without changing what it says.
    if _b64(data) != text:
        raise AgeRefused("its header is not accepted")
    return data


_ALPHABET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"


def _bech32(text: str, prefix: str) -> bytes:
    """The 32 bytes of a Bech32 text (BIP 173, without its length limit); ValueError says what is wrong, without the text."""
    lower = text.lower()
    if text not in (lower, text.upper()) or not lower.startswith(f"{prefix}1"):
        raise ValueError(f"a text that begins with {prefix}1 is expected")
    values = [_ALPHABET.find(c) for c in lower[len(prefix) + 1 :]]
    if -1 in values or _polymod([*(ord(c) >> 5 for c in prefix), 0, *(ord(c) & 31 for c in prefix), *values]) != 1:
        raise ValueError("its checksum is wrong: a character was lost or changed")
    number, bits = 0, (len(values) - 6) * 5
    for value in values[:-6]:
        number = number << 5 | value
    if bits != 260 or number & 15:
        raise ValueError("it is not a key of 32 bytes")
    return (number >> 4).to_bytes(32, "big")


def _polymod(values: list[int]) -> int:
    check = 1
    for value in values:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            if top >> bit & 1:
                check ^= generator
    return check
