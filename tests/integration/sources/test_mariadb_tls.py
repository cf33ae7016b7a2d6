"""MariaDB under TLS, its certificate from an authority of the test: what is asked is checked, or nothing is read."""

from __future__ import annotations

import ipaddress
import traceback
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from transvase.errors import SourceUnreadable
from transvase.sources.engines import mariadb

from .conftest import PASSWORD, USER, Server, answer_of, mariadb_server, mariadb_writer, rows_of


def issued(name: str, by=None, address: str | None = None):
    """A key and its certificate: an authority's own, or one that an authority signs for an address."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    issuer, signing = (by[1].subject, by[0]) if by else (subject, key)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(datetime(2020, 1, 1))
        .not_valid_after(datetime(2090, 1, 1))
        .add_extension(x509.BasicConstraints(ca=by is None, path_length=None), critical=True)
    )
    if address:
        names = [x509.IPAddress(ipaddress.ip_address(address))]
        made = made.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return key, made.sign(signing, hashes.SHA256())


@pytest.fixture(scope="module")
def papers(tmp_path_factory) -> Iterator[Path]:
    held = Path(tmp_path_factory.mktemp("tls"))
    ours, other = issued("Autorité d'essai"), issued("Autre autorité")
    key, certificate = issued("serveur", ours, "127.0.0.1")
    (held / "ours.pem").write_bytes(ours[1].public_bytes(Encoding.PEM))
    (held / "other.pem").write_bytes(other[1].public_bytes(Encoding.PEM))
    (held / "server.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    (held / "server.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    yield held


@pytest.fixture(scope="module")
def safe(program, papers) -> Iterator[Server]:
    for server in mariadb_server(program("mariadbd"), papers):
        with mariadb_writer(server.port, None) as connection, connection.cursor() as cursor:
            cursor.execute("CREATE DATABASE cabinet")
            cursor.execute("CREATE TABLE cabinet.t (id int PRIMARY KEY, v longblob)")
            cursor.execute("INSERT INTO cabinet.t VALUES (1, repeat('x', 5000000)), (2, NULL)")
        yield server


def url(port: int, query: str = "", host: str = "127.0.0.1", database: str = "cabinet") -> str:
    return f"mariadb://{USER}@{host}:{port}/{database}{query}"


def refused(address: str) -> str:
    with pytest.raises(SourceUnreadable) as caught, mariadb.opened(address, PASSWORD):
        pass
    error = caught.value
    assert (error.__suppress_context__ or error.__context__ is None) and error.__cause__ is None
    shown = "".join(traceback.format_exception(error)).replace(__file__, "") + error.sentence("fr")
    assert PASSWORD not in shown and USER not in shown
    return str(error.facts["reason"])


@pytest.mark.parametrize(
    "mode, host", [("verify-full", "127.0.0.1"), ("verify-ca", "127.0.0.1"), ("verify-ca", "localhost")]
)
def test_a_server_of_the_trusted_authority_is_read_under_tls(safe, papers, mode, host):
    asked = url(safe.port, f"?sslmode={mode}&sslrootcert={papers / 'ours.pem'}", host)
    with mariadb.opened(asked, PASSWORD) as view:
        assert rows_of(view, "t") == [("1", 1, b"x" * 5_000_000), ("2", 2, None)]
        status = "SELECT VARIABLE_VALUE FROM information_schema.SESSION_STATUS WHERE VARIABLE_NAME = 'SSL_CIPHER'"
        ((cipher,),) = answer_of(view, status)
        assert cipher


@pytest.mark.parametrize(
    "query, host",
    [
        pytest.param("?sslmode=verify-full&sslrootcert={papers}/other.pem", "127.0.0.1", id="another authority"),
        pytest.param(
            "?sslmode=verify-ca&sslrootcert={papers}/other.pem", "127.0.0.1", id="another authority, any name"
        ),
        pytest.param("?sslmode=verify-full", "127.0.0.1", id="the system's authorities"),
        pytest.param("?sslmode=verify-full&sslrootcert={papers}/ours.pem", "localhost", id="another name"),
    ],
)
def test_a_certificate_that_is_not_trusted_is_refused(safe, papers, query, host):
    assert "certificate" in refused(url(safe.port, query.format(papers=papers), host))


@pytest.fixture(scope="module")
def bare(program) -> Iterator[Server]:
    yield from mariadb_server(program("mariadbd"))


def test_a_server_without_tls_is_refused_when_tls_is_asked(bare, papers):
    query = f"?sslmode=verify-full&sslrootcert={papers / 'ours.pem'}"
    assert "no TLS" in refused(url(bare.port, query, database="mysql"))


@pytest.mark.parametrize(
    "query, word",
    [
        ("?sslmode=require", "sslmode"),
        ("?sslmode=prefer", "sslmode"),
        ("?sslmode=disable&sslrootcert={papers}/ours.pem", "sslmode"),
        ("?sslrootcert={papers}/ours.pem", "sslmode"),
        ("?sslmode=verify-full&sslrootcert={papers}/server.key", "PEM"),
        ("?sslmode=verify-full&sslrootcert={papers}/absent.pem", "PEM"),
    ],
)
def test_a_way_that_checks_nothing_is_refused_before_anything_is_sent(papers, query, word):
    assert word in refused(url(1, query.format(papers=papers)))
