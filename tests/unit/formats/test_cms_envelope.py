"""CMS envelopes against OpenSSL in both directions, then files that are cut, changed, or for somebody else."""

from __future__ import annotations

import io
import os
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from transvase.formats import cms_envelope
from transvase.formats.cms_envelope import CmsEnvelopeRefused

NOW = datetime(2026, 11, 23, tzinfo=UTC)


def pair():
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Éditeur suivant")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        # The highest bit is set: as an INTEGER it takes one more byte.
        .serial_number(0xFF00FF)
        .not_valid_before(NOW - timedelta(days=900))
        .not_valid_after(NOW + timedelta(days=900))
        .sign(key, hashes.SHA256())
    )
    return key, certificate


KEY, CERTIFICATE = pair()
OTHER, _ = pair()
SIZES = [0, 1, 65535, 65536, 65537, 200_000]


def encrypted(data: bytes, step: int = 7000) -> bytes:
    out = io.BytesIO()
    writer = cms_envelope.Writer(out, CERTIFICATE, os.urandom)
    for at in range(0, len(data), step):
        writer.write(data[at : at + step])
    writer.finish()
    return out.getvalue()


def clear(data: bytes, key=KEY) -> bytes:
    return b"".join(cms_envelope.decrypted(io.BytesIO(data), key))


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    made = tmp_path_factory.mktemp("cms")
    (made / "key.pem").write_bytes(KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (made / "other.pem").write_bytes(OTHER.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (made / "certificate.pem").write_bytes(CERTIFICATE.public_bytes(Encoding.PEM))
    return made


def openssl(folder: Path, *words: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["openssl", "cms", *words], cwd=folder, capture_output=True, check=False)


def read_by_openssl(folder: Path, data: bytes, key: str = "key.pem") -> bytes | None:
    (folder / "ours.p7m").write_bytes(data)
    (folder / "plain").unlink(missing_ok=True)
    done = openssl(folder, "-decrypt", "-binary", "-inform", "DER", "-in", "ours.p7m", "-inkey", key, "-out", "plain")
    return (folder / "plain").read_bytes() if done.returncode == 0 else None


@pytest.mark.debian
@pytest.mark.parametrize("size", SIZES)
def test_openssl_reads_what_we_write(folder, size):
    data = os.urandom(size)
    found = encrypted(data)
    assert read_by_openssl(folder, found) == data == clear(found)
    assert len(found) <= cms_envelope.size(size)


@pytest.mark.debian
def test_openssl_refuses_another_key_and_a_changed_byte(folder):
    found = encrypted(b"abc" * 1000)
    assert read_by_openssl(folder, found, "other.pem") is None
    assert read_by_openssl(folder, found[:-40] + bytes([found[-40] ^ 1]) + found[-39:]) is None


OAEP = ("-keyopt", "rsa_padding_mode:oaep", "-keyopt", "rsa_oaep_md:sha256")


@pytest.mark.debian
@pytest.mark.parametrize("size", SIZES[1:])
@pytest.mark.parametrize("stream", [(), ("-stream",)], ids=["definite", "indefinite"])
def test_we_read_what_openssl_writes(folder, size, stream):
    data = os.urandom(size)
    (folder / "in").write_bytes(data)
    done = openssl(folder, "-encrypt", "-binary", "-outform", "DER", "-aes-256-gcm", *stream, "-in", "in", "-out", "theirs.p7m",
                   "-recip", "certificate.pem", *OAEP)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert clear((folder / "theirs.p7m").read_bytes()) == data


@pytest.mark.debian
def test_an_envelope_without_authentication_is_refused(folder):
    (folder / "in").write_bytes(b"abc")
    openssl(
        folder,
        "-encrypt",
        "-binary",
        "-outform",
        "DER",
        "-aes-256-cbc",
        "-in",
        "in",
        "-out",
        "cbc.p7m",
        "-recip",
        "certificate.pem",
        *OAEP,
    )
    with pytest.raises(CmsEnvelopeRefused, match="no authentication"):
        clear((folder / "cbc.p7m").read_bytes())


WHOLE = encrypted(os.urandom(70_000))


@settings(max_examples=150, deadline=None)
@given(st.integers(0, len(WHOLE) - 1), st.integers(1, 255))
def test_a_changed_byte_never_gives_other_bytes(at, by):
    """What names the recipient is not authenticated, in any CMS: a change there shows as the same content or a refusal."""
    try:
        found = clear(WHOLE[:at] + bytes([WHOLE[at] ^ by]) + WHOLE[at + 1 :])
    except CmsEnvelopeRefused:
        return
    assert found == clear(WHOLE) and at < 600


def test_every_byte_of_the_content_and_of_the_tag_is_authenticated():
    for at in range(700, len(WHOLE), 997):
        with pytest.raises(CmsEnvelopeRefused):
            clear(WHOLE[:at] + bytes([WHOLE[at] ^ 1]) + WHOLE[at + 1 :])


@settings(max_examples=60, deadline=None)
@given(st.integers(0, len(WHOLE) - 1))
def test_a_cut_file_is_refused(cut):
    with pytest.raises(CmsEnvelopeRefused):
        clear(WHOLE[:cut])


def test_another_key_does_not_open():
    with pytest.raises(CmsEnvelopeRefused, match="does not open"):
        clear(WHOLE, OTHER)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_refused_without_another_error(data):
    for start in (b"", WHOLE[:30], WHOLE[:500]):
        with pytest.raises(CmsEnvelopeRefused):
            clear(start + data)


def test_more_than_a_gigabyte_is_refused(monkeypatch):
    monkeypatch.setattr(cms_envelope, "MOST", 1000)
    writer = cms_envelope.Writer(io.BytesIO(), CERTIFICATE, os.urandom)
    writer.write(bytes(1000))
    with pytest.raises(OverflowError):
        writer.write(b"x")
