"""A throw-away certificate authority for the local services and for the structure that calls them.

Keys and certificates are written as PEM files and trusted by nobody else. All are RSA 2048: the suites of the national
services are ECDHE-RSA, and the seal must be able to sign as the public samples do (sheet dmp-transactions, 2 and 8).
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

STRUCTURE = "1990000000"
"""Struct_IdNat of the invented structure when the caller names none: prefix 1, then a FINESS of no real department."""

DOCUMENT_SIGNING = ObjectIdentifier("1.3.6.1.5.5.7.3.36")


class Authority(NamedTuple):
    """The PEM files of one folder. `client` (AUTH_CLI) opens connections, `seal` (ORG SIGN) signs; the last two pairs
    exist only when asked for: a client whose certificate has ended, and one that another authority signed."""

    ca: Path
    server: Path
    server_key: Path
    client: Path
    client_key: Path
    seal: Path
    seal_key: Path
    expired: Path
    expired_key: Path
    stranger: Path
    stranger_key: Path


def files(folder: Path) -> Authority:
    """The paths an authority has in `folder`, whether or not they exist yet."""
    pairs = [
        folder / f"{name}.{end}"
        for name in ("server", "client", "seal", "expired", "stranger")
        for end in ("pem", "key")
    ]
    return Authority(folder / "ca.pem", *pairs)


def create(
    folder: Path,
    clock: datetime,
    names: Sequence[str] = ("localhost", "127.0.0.1"),
    *,
    structure: str = STRUCTURE,
    hostile: bool = False,
) -> Authority:
    """Write a new authority and its certificates into `folder` (created private if needed).

    `clock` (aware) is the present: certificates hold from one year before to ten years after. `names` are the DNS names
    and addresses of the server. `structure` is the Struct_IdNat put in the OU of the client and of the seal (sheet vihf, 5).
    `hostile` adds the expired client and the stranger. `ca.pem` is written last: its presence means the set is complete.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    paths = files(folder)
    root = Issuer("Autorite jetable du bac a sable", clock)
    organisation = ("Cabinet du bac a sable", structure)
    root.issue(paths.server, paths.server_key, "bac a sable", None, ExtendedKeyUsageOID.SERVER_AUTH, names=names)
    root.issue(paths.client, paths.client_key, "auth-cli", organisation, ExtendedKeyUsageOID.CLIENT_AUTH)
    root.issue(paths.seal, paths.seal_key, "cachet", organisation, DOCUMENT_SIGNING)
    if hostile:
        client = ExtendedKeyUsageOID.CLIENT_AUTH
        ended = clock - timedelta(days=1)
        root.issue(paths.expired, paths.expired_key, "auth-cli fini", organisation, client, ended=ended)
        Issuer("Autorite inconnue", clock).issue(paths.stranger, paths.stranger_key, "auth-cli", organisation, client)
    write(paths.ca, root.certificate.public_bytes(serialization.Encoding.PEM))
    return paths


def open_or_create(folder: Path, clock: datetime, *, structure: str = STRUCTURE, hostile: bool = False) -> Authority:
    """The authority already in `folder`, so that a restarted sandbox is still trusted by running clients, or a new one."""
    paths = files(folder)
    complete = paths.ca.exists() and (paths.stranger_key.exists() or not hostile)
    return paths if complete else create(folder, clock, structure=structure, hostile=hostile)


class Issuer:
    """A root certificate and its key. Serial numbers count up from the clock: no two authorities of a folder share one."""

    def __init__(self, name: str, clock: datetime) -> None:
        self._clock = clock
        self._serial = int(clock.timestamp()) * 1000
        self._key = _new_key()
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.certificate = (
            self._builder(self._name, self._key.public_key(), None)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .sign(self._key, hashes.SHA256())
        )

    def _builder(self, subject: x509.Name, key: rsa.RSAPublicKey, ended: datetime | None) -> x509.CertificateBuilder:
        self._serial += 1
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(self._serial)
            .not_valid_before(self._clock - timedelta(days=365))
            .not_valid_after(ended or self._clock + timedelta(days=3650))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )

    def issue(
        self,
        path: Path,
        key_path: Path,
        name: str,
        organisation: tuple[str, str] | None,
        purpose: ObjectIdentifier,
        *,
        names: Sequence[str] = (),
        ended: datetime | None = None,
    ) -> None:
        """Write a key and its certificate named `name`, of an organisation (name, Struct_IdNat) or none; `names` are host names or
        addresses, `ended` the end of an expired certificate."""
        key = _new_key()
        attributes = [x509.NameAttribute(NameOID.COUNTRY_NAME, "FR")]
        if organisation:
            attributes.append(x509.NameAttribute(NameOID.STATE_OR_PROVINCE_NAME, "Paris (75)"))
            attributes.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation[0]))
            attributes.append(x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, organisation[1]))
        attributes.append(x509.NameAttribute(NameOID.COMMON_NAME, name))
        builder = (
            self._builder(x509.Name(attributes), key.public_key(), ended)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        )
        if names:
            builder = builder.add_extension(
                x509.SubjectAlternativeName([_general_name(n) for n in names]), critical=False
            )
        certificate = builder.sign(self._key, hashes.SHA256())
        write(
            key_path,
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            ),
        )
        write(path, certificate.public_bytes(serialization.Encoding.PEM))

    def signing(self, name: str, key: rsa.RSAPublicKey, purpose: ObjectIdentifier) -> x509.Certificate:
        """A certificate that signs for one purpose alone, said in a critical extension, as a time-stamping authority must have it."""
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        usage = x509.KeyUsage(True, True, False, False, False, False, False, False, False)
        return (
            self._builder(subject, key, None)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.ExtendedKeyUsage([purpose]), critical=True)
            .sign(self._key, hashes.SHA256())
        )


def _new_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=not signs_certificates,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def write(path: Path, data: bytes) -> None:
    """A private file, in the place of one that bore its name."""
    # Removed first: the mode given to open counts only for a file it creates.
    path.unlink(missing_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
