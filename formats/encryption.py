"""For whom a file is encrypted, and who opens it: age for an X25519 recipient or a passphrase, CMS for a certificate.

The two formats are `age` and `cms_envelope`; here are the files that hold keys, the names that tell a format, and the one place where
keys are drawn. What is encrypted is the caller's.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, Literal, NamedTuple, Protocol

from transvase.errors import ArchiveLocked, DiskFull, Said, SettingsInvalid
from transvase.formats import age, cms_envelope
from transvase.formats.files import FULL

SUFFIXES = (".age", ".p7m")
# Files of keys and passphrases are small; more than this is another file.
_MOST = 1 << 16
_RSA_BITS = 2048


class Sealed(Protocol):
    """A file under encryption: `write` takes plain bytes, `finish` ends it."""

    def write(self, data: bytes, /) -> int:
        """Take plain bytes."""

    def finish(self) -> None:
        """End it; the file stays open."""


class Recipient(NamedTuple):
    """For whom files are encrypted: `to` is an age recipient, or an X.509 certificate."""

    format: Literal["age", "cms"]
    to: Any

    @property
    def suffix(self) -> str:
        """What the name of an encrypted file adds to that of the plain one."""
        return ".age" if self.format == "age" else ".p7m"

    @property
    def most(self) -> int:
        """Plain bytes that one file may hold; 0 for any number."""
        return 0 if self.format == "age" else cms_envelope.MOST

    def sealed(self, file: Any) -> Sealed:
        """Encrypt into a file what is written to the answer. Every file has its own keys."""
        if self.format == "age":
            return age.Writer(file, self.to, os.urandom, age.WORK)
        return cms_envelope.Writer(file, self.to, os.urandom)

    def size(self, plain: int) -> int:
        """At most so many bytes for a file of `plain` bytes."""
        return age.size(plain) if self.format == "age" else cms_envelope.size(plain)


def recipient(public: str, passphrase_file: Path | None, certificate: Path | None, clock: datetime) -> Recipient | None:
    """The recipient that the settings name, None without one. SettingsInvalid for two, or one that cannot serve at `clock`."""
    given = [
        n
        for n, v in (
            ("recipient", public),
            ("passphrase_file", passphrase_file),
            ("recipient_certificate", certificate),
        )
        if v
    ]
    if not given:
        return None
    if len(given) > 1:
        raise _wrong(
            given[1], f"export.{given[0]} est déjà donné : un seul destinataire", f"export.{given[0]} is already given"
        )
    if certificate is not None:
        return Recipient("cms", _certificate(certificate, clock))
    if passphrase_file is not None:
        try:
            words = _passphrase(passphrase_file)
        except (OSError, ValueError) as error:
            kind = type(error).__name__
            raise _wrong(
                "passphrase_file", f"fichier illisible ou vide ({kind})", f"unreadable or empty file ({kind})"
            ) from None
        return Recipient("age", age.Recipient(passphrase=words))
    try:
        return Recipient("age", age.recipient(public))
    except ValueError as error:
        raise _wrong(
            "recipient", f"destinataire age1… attendu ({error})", f"an age1… recipient is expected ({error})"
        ) from None


def _certificate(path: Path, clock: datetime) -> Any:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    name = "recipient_certificate"
    try:
        found = x509.load_pem_x509_certificates(path.read_bytes())[0]
        key = found.public_key()
    except (OSError, ValueError):
        raise _wrong(name, "certificat PEM illisible", "unreadable PEM certificate") from None
    if not isinstance(key, RSAPublicKey) or key.key_size < _RSA_BITS:
        raise _wrong(
            name,
            f"clé RSA d'au moins {_RSA_BITS} bits attendue ; pour une autre, demandez une clé age au destinataire",
            f"an RSA key of at least {_RSA_BITS} bits is expected; for another, ask the recipient for an age key",
        )
    if not found.not_valid_before_utc <= clock <= found.not_valid_after_utc:
        raise _wrong(name, "il n'est pas valide à la date de l'export", "it is not valid at the date of the export")
    try:
        usage = found.extensions.get_extension_for_class(x509.KeyUsage).value
    except (x509.ExtensionNotFound, ValueError):
        return found
    if not usage.key_encipherment:
        raise _wrong(
            name,
            "il ne sert pas au chiffrement de clés (keyEncipherment) : demandez celui de confidentialité",
            "it does not serve to encrypt keys (keyEncipherment): ask for the one that does",
        )
    return found


def _passphrase(path: Path) -> bytes:
    """The first line; ValueError when it is empty or the file too large."""
    with path.open("rb") as file:
        words = file.read(_MOST).split(b"\n")[0].rstrip(b"\r")
    if not words:
        raise ValueError("no passphrase")
    return words


def _wrong(name: str, fr: str, en: str) -> SettingsInvalid:
    return SettingsInvalid(name=f"export.{name}", file="transvase.toml", what=Said(fr, en))


# -- opening ---------------------------------------------------------------------------------------------------------------


def is_encrypted(path: Path) -> bool:
    """Whether a name is that of an encrypted file."""
    return path.suffix.lower() in SUFFIXES


def plain_name(path: Path) -> str:
    """Name of the plain file."""
    return path.stem if is_encrypted(path) else path.name


def opened(path: Path, key: Path | None, password: bytes | None, folder: Path | None) -> BinaryIO:
    """The plain content of an encrypted file, in a private file without a name in `folder` (None: the system's temporary one): a ZIP is
    read from its end, so it has to stand somewhere, and what has no name is gone with the process, however it ends.

    `key` holds age identities, a passphrase, or an RSA key in PEM that `password` opens. ArchiveLocked when it does not open, DiskFull;
    what was written is authentic."""
    plain: BinaryIO = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - the caller closes it
    try:
        with path.open("rb") as file:
            for piece in _pieces(file, path, key, password):
                plain.write(piece)
        plain.flush()
        plain.seek(0)
    except BaseException as error:
        plain.close()
        if isinstance(error, age.AgeRefused | cms_envelope.CmsEnvelopeRefused):
            raise _locked(path, _FRENCH.get(str(error), "forme refusée"), str(error)) from None
        if isinstance(error, OSError):
            if error.errno in FULL:
                raise DiskFull(path=path.name) from None
            raise _locked(path, "fichier illisible", "unreadable file") from None
        raise
    return plain


def _pieces(file: BinaryIO, path: Path, key: Path | None, password: bytes | None) -> Iterator[bytes]:
    if key is None:
        raise _locked(path, "il faut --key", "--key is needed")
    try:
        if path.suffix.lower() == ".p7m":
            return cms_envelope.decrypted(file, _private(key, password))
        by_passphrase = age.by_passphrase(file)
        file.seek(0)
        if by_passphrase:
            return age.decrypted(file, passphrase=_passphrase(key))
        with key.open(encoding="utf-8") as lines:
            return age.decrypted(file, keys=age.identities(lines.read(_MOST)))
    except (age.AgeRefused, cms_envelope.CmsEnvelopeRefused):
        raise
    except (OSError, ValueError, TypeError):
        # A file of another kind: the message of a library may quote it.
        raise _locked(path, f"{key.name} n'est pas la clé attendue", f"{key.name} is not a key of that kind") from None


def _private(path: Path, password: bytes | None) -> Any:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    data = path.read_bytes()
    # A password for a key that has none is an error of the library.
    found = load_pem_private_key(data, (password or b"") if b"ENCRYPTED" in data else None)
    if not isinstance(found, RSAPrivateKey):
        raise ValueError("an RSA key is expected")
    return found


def _locked(path: Path, fr: str, en: str) -> ArchiveLocked:
    return ArchiveLocked(path=path.name, reason=Said(fr, en))


# What the formats say, for French readers.
_FRENCH = {
    "this key or passphrase does not open it": "cette clé ou cette phrase ne l'ouvre pas",
    "this key does not open it": "cette clé ne l'ouvre pas",
    "its header was changed": "son en-tête a été changé",
    "its header is not accepted": "son en-tête n'est pas accepté",
    "it was changed or cut": "il a été changé ou coupé",
    "it was changed": "il a été changé",
    "it is cut": "il est coupé",
    "it is not an age file": "ce n'est pas un fichier age",
    "it is not a CMS envelope": "ce n'est pas une enveloppe CMS",
    "it bears no authentication (EnvelopedData)": "il n'est pas authentifié (EnvelopedData)",
    "its authentication tag is shortened": "son authentification est raccourcie",
    "its content is not encrypted by AES-256-GCM": "son contenu n'est pas chiffré en AES-256-GCM",
    "it is not of the form that this program reads": "il n'est pas d'une forme que ce programme lit",
}
