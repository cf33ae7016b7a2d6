"""The signature beside a set manifest: what it covers, and every way in which it, the manifest or its signer may not be what they say."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import zipfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from lxml import etree

from transvase.commands.main import main
from transvase.exporters import portability, seal
from transvase.exporters.archive_set import Division, sign_manifest
from transvase.formats.archive_set import read
from transvase.formats.xades import DS, ECDSA_SHA256
from transvase.sources.synthetic.practice import generate
from transvase.validators import archive_set
from transvase.validators.archive_findings import FINDINGS

from .conftest import CLOCK, CONTACT, job, prepare
from .test_seal import DAY, Pair, by_xmlsec, issue, owner, pem

SET = "PA20261123T200000.SET.JSON"
SIGNATURE = "PA20261123T200000.SET.SIGN.XML"


def pair(structure: str, by: Pair | None = None, **more: Any) -> Pair:
    """A seal of that structure; its key is quick to make."""
    return issue(owner(structure), by, key=ec.generate_private_key(ec.SECP256R1()), **more)


class Made(NamedTuple):
    """A signed set, the practice it is of, who signed it, and what its archives hold."""

    folder: Path
    work: Path
    structure: str
    root: Pair
    seal: Pair
    held: list[tuple[Any, Any]]


def held(folder: Path) -> list[tuple[Any, Any]]:
    """Each archive of a set with what it holds."""
    found = []
    for one in read(folder / SET).archives:
        with (folder / one.file).open("rb") as file:
            found.append((one, archive_set.contents(file)))
    return found


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """The journeys alone, three patients an archive."""
    folder = tmp_path_factory.mktemp("signed-set")
    generate(folder / "cabinet.sqlite3", clock=CLOCK, document_size=500)
    work = prepare(folder / "cabinet.sqlite3", folder / "work")
    # Who the practice is says its first manifest.
    plain = portability.export(job(work), folder / "plain", CONTACT, workers=1, division=Division(most=3))
    with zipfile.ZipFile(folder / "plain" / plain["archive"]) as archive:
        told = re.search(r"<structIdNat>([^<]*)<", archive.read("MANIFEST.XML").decode())
    assert told and len(plain["archives"]) > 1 and not (folder / "plain" / SIGNATURE).exists()
    root = issue({NameOID.COMMON_NAME: "Racine d'essai"}, key=ec.generate_private_key(ec.SECP256R1()), ca=True)
    by = pair(told[1], root)
    signing = job(work)._replace(**pem(folder / "keys", by))
    portability.export(signing, folder / "out", CONTACT, workers=1, division=Division(most=3))
    return Made(folder / "out", work, told[1], root, by, held(folder / "out"))


def signer(by: Pair) -> seal.Signer:
    """Who signs, without the checks that an export makes."""
    der = by.certificate.public_bytes(serialization.Encoding.DER)
    return seal.Signer(by.key, (der,), ECDSA_SHA256, "", CLOCK, CLOCK)


def rewritten(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """The set manifest changed, its totals following."""
    told = orjson.loads((folder / SET).read_bytes())
    change(told)
    for name in told["totals"]:
        told["totals"][name] = len(told["archives"]) if name == "archives" else sum(a[name] for a in told["archives"])
    (folder / SET).write_bytes(orjson.dumps(told))


def sealed(folder: Path, by: Pair, set_id: str = "", **head: Any) -> None:
    """Signed again, with other values at the head of the manifest."""
    rewritten(folder, lambda told: told.update(head))
    sign_manifest(folder / SET, signer(by), set_id or read(folder / SET).set_id, CLOCK)


@pytest.fixture
def folder(made: Made, tmp_path: Path) -> Path:
    """A copy of the signed set, to be changed."""
    return Path(shutil.copytree(made.folder, tmp_path / "set"))


def said(folder: Path, inside: list[tuple[Any, Any]], *trusted: Pair) -> list[str]:
    """Identifiers of what is said of the signature, sorted."""
    authorities = tuple(one.certificate for one in trusted) or None
    found = archive_set.signature(folder / SET, read(folder / SET), inside, authorities)
    return sorted(one.id for one in found)


def blocking(ids: list[str]) -> set[str]:
    return {one for one in ids if FINDINGS[one].severity == "block"}


# -- what is written -------------------------------------------------------------------------------------------------------


def test_it_covers_the_set_manifest_and_names_the_set(made):
    root = etree.parse(made.folder / SIGNATURE).getroot()
    (reference,) = root.find(f".//{{{DS}}}Manifest")
    digest = base64.b64decode(reference.findtext(f"{{{DS}}}DigestValue")).hex()
    assert (reference.get("URI"), digest) == (SET, hashlib.sha256((made.folder / SET).read_bytes()).hexdigest())
    assert root.findtext(".//{*}Identifier") == f"urn:uuid:{read(made.folder / SET).set_id}"


def test_another_library_verifies_it(made, monkeypatch):
    monkeypatch.chdir(made.folder)
    by_xmlsec((made.folder / SIGNATURE).read_bytes(), made.seal)


def test_the_same_set_is_signed_in_the_same_bytes(made, folder):
    (folder / SIGNATURE).unlink()
    sign_manifest(folder / SET, signer(made.seal), read(folder / SET).set_id, CLOCK)
    assert (folder / SIGNATURE).read_bytes() == (made.folder / SIGNATURE).read_bytes()


def test_an_export_that_nobody_signs_leaves_no_signature_of_an_earlier_one(folder):
    for _ in range(2):
        sign_manifest(folder / SET, None, "", CLOCK)
        assert not (folder / SIGNATURE).exists()


# -- what verify says ------------------------------------------------------------------------------------------------------


def test_port_82_a_signed_set_has_no_problem(made):
    assert said(made.folder, made.held, made.root) == ["ARC-SET-NOT-REVOCATION"]
    assert said(made.folder, made.held) == ["ARC-SET-NOT-CHAIN", "ARC-SET-NOT-REVOCATION"]


def test_its_files_may_be_renamed_on_their_way(made, folder):
    for name in (SET, SIGNATURE):
        (folder / name).rename(folder / f"PA1{name[3:]}")
    path = folder / f"PA1{SET[3:]}"
    found = archive_set.signature(path, read(path), made.held, (made.root.certificate,))
    assert [one.id for one in found] == ["ARC-SET-NOT-REVOCATION"]


def taken_out(folder: Path) -> None:
    """An archive less, in the folder and in the manifest: each archive that is left is good."""
    last = read(folder / SET).archives[-1]
    for name in (last.file, f"{last.file}.sha256"):
        (folder / name).unlink()
    rewritten(folder, lambda told: told["archives"].pop())


def in_signature(pattern: bytes, by: bytes) -> Callable[[Path], object]:
    def change(folder: Path) -> None:
        text = (folder / SIGNATURE).read_bytes()
        changed = re.sub(pattern, by, text, count=1)
        assert changed != text
        (folder / SIGNATURE).write_bytes(changed)

    return change


def no_file(folder: Path) -> None:
    (folder / SIGNATURE).unlink()
    (folder / SIGNATURE).mkdir()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        pytest.param(taken_out, "ARC-SET-SIGN-CHANGED", id="an archive taken out"),
        pytest.param(lambda f: (f / SET).write_bytes((f / SET).read_bytes() + b"\n"), "ARC-SET-SIGN-CHANGED", id="a byte of the manifest"),
        pytest.param(lambda f: (f / SIGNATURE).unlink(), "ARC-SET-SIGN-MISSING", id="the signature taken away"),
        pytest.param(in_signature(rb"<xades:SigningTime>2026", b"<xades:SigningTime>2025"), "ARC-SET-SIGN-INVALID", id="its time"),
        pytest.param(in_signature(rb'URI="PA2026', b'URI="PA2025'), "ARC-SET-SIGN-INVALID", id="the name of what it covers"),
        pytest.param(in_signature(rb"(?s).*", b"signed, trust me"), "ARC-SET-SIGN-INVALID", id="no XML"),
        pytest.param(no_file, "ARC-SET-SIGN-INVALID", id="no file"),
    ],
)  # fmt: skip
def test_port_82_a_set_changed_after_signing_is_told_and_by_nothing_else(made, folder, change, expected):
    change(folder)
    assert blocking(said(folder, made.held[: len(read(folder / SET).archives)], made.root)) == {expected}
    if (folder / SIGNATURE).is_file() or expected == "ARC-SET-SIGN-MISSING":
        # Nothing but the signature betrays it.
        assert blocking([one.id for one in archive_set.survey(folder / SET).findings]) == set()


def test_a_signature_made_to_fill_the_memory_is_not_read(made, monkeypatch):
    monkeypatch.setattr(archive_set, "MAX_BYTES", 1000)
    found = archive_set.signature(made.folder / SET, read(made.folder / SET), made.held, None)
    assert [(one.id, one.facts) for one in found] == [("ARC-SET-SIGN-INVALID", {"reason": "large"})]


def test_the_signature_of_another_set_is_told(made, folder):
    sealed(folder, made.seal, "00000000-0000-0000-0000-000000000000")
    assert blocking(said(folder, made.held, made.root)) == {"ARC-SET-SIGN-CHANGED"}


OTHER = "10B0999999"


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        pytest.param(lambda m: pair(OTHER, m.root), {"ARC-SET-SIGN-OWNER", "ARC-SET-SIGN-SIGNER"}, id="of another structure"),
        pytest.param(lambda m: pair(m.structure), {"ARC-SET-SIGN-CHAIN", "ARC-SET-SIGN-SIGNER"}, id="self-signed"),
        pytest.param(lambda m: pair(m.structure, m.root, end=CLOCK - DAY), {"ARC-SET-SIGN-CERTIFICATE", "ARC-SET-SIGN-SIGNER"}, id="expired"),
        pytest.param(lambda m: pair(m.structure, m.root, signing=False), {"ARC-SET-SIGN-CERTIFICATE", "ARC-SET-SIGN-SIGNER"}, id="not for signing"),
        pytest.param(lambda m: pair(m.structure, m.root), {"ARC-SET-SIGN-SIGNER"}, id="another certificate of the structure"),
        pytest.param(lambda m: Pair(m.seal.certificate, pair(OTHER).key), {"ARC-SET-SIGN-INVALID"}, id="another key"),
    ],
)  # fmt: skip
def test_port_82_another_signer_than_that_of_the_archives_is_told(made, folder, other, expected):
    sealed(folder, other(made))
    assert blocking(said(folder, made.held, made.root)) == expected
    # Nobody can tell the signer of archives that nobody opened.
    assert blocking(said(folder, [], made.root)) == expected - {"ARC-SET-SIGN-SIGNER"}


def test_the_rest_of_a_phased_request_may_be_signed_with_the_certificate_renewed(made, folder):
    sealed(folder, pair(made.structure, made.root), delivery=2, deliveries=2)
    assert {one.delivery for one, _ in made.held} == {1}
    assert blocking(said(folder, made.held, made.root)) == set()
    sealed(folder, pair(OTHER, made.root), delivery=2, deliveries=2)
    assert "ARC-SET-SIGN-SIGNER" in said(folder, made.held, made.root)


@pytest.mark.parametrize("issuer", [None, "", 7], ids=str)
def test_a_manifest_that_names_no_structure_has_nothing_to_compare(made, folder, issuer):
    sealed(folder, made.seal, issuer_id=issuer)
    assert said(folder, made.held, made.root) == ["ARC-SET-NOT-OWNER", "ARC-SET-NOT-REVOCATION"]


def test_an_unsigned_set_of_unsigned_archives_is_said_and_is_no_error(made):
    plain = made.folder.parent / "plain"
    inside = held(plain)
    assert said(plain, inside) == ["ARC-SET-NOT-SIGNED"] and blocking(["ARC-SET-NOT-SIGNED"]) == set()
    assert said(plain, inside, made.root) == ["ARC-SET-SIGN-MISSING"]


# -- the commands ----------------------------------------------------------------------------------------------------------


def test_the_command_tells_it_and_an_import_of_a_set_whose_signature_is_bad_stops(made, folder, tmp_path, capsys):
    (tmp_path / "root.pem").write_bytes(made.root.pem)
    (tmp_path / "work.toml").write_text(f'[work]\nfolder = "{tmp_path / "work"}"\n', encoding="utf-8")
    verify = ["verify", str(folder), "--authority", str(tmp_path / "root.pem"), "--json"]
    take = ["import", str(folder), "--settings", str(tmp_path / "work.toml"), "--clock", CLOCK.isoformat()]
    assert main(verify) == 0
    assert [f["id"] for f in json.loads(capsys.readouterr().out)["findings"]] == ["ARC-SET-NOT-REVOCATION"]
    assert main(take) in (0, 1)
    sealed(folder, made.seal, clock=(CLOCK + timedelta(hours=1)).isoformat())
    rewritten(folder, lambda told: told.update(clock=CLOCK.isoformat()))
    capsys.readouterr()
    assert (main(verify), main(take)) == (40, 40)
    assert "ARC-SET-SIGN-CHANGED" in capsys.readouterr().out
