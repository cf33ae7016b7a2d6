"""An export in several archives, in phases, encrypted: shared out, reconciled, killed, verified, imported back."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import orjson
import pyrage
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from transvase.commands.main import main
from transvase.errors import ArchiveLocked, SettingsInvalid
from transvase.exporters import portability
from transvase.exporters.archive_set import Division
from transvase.formats import age, cms_envelope, encryption
from transvase.formats.archive_set import SetUnreadable, read
from transvase.formats.portability_manifest import read as read_manifest
from transvase.ledger.requests import REQUESTS, Requests
from transvase.model.tables import TABLES
from transvase.sources.synthetic.practice import generate
from transvase.validators import archive_set
from transvase.validators.archive import verify

from .conftest import CLOCK, CONTACT, job, prepare, unzipped

IDENTITY = pyrage.x25519.Identity.generate()
AGE = str(IDENTITY.to_public())
PATIENTS = 12


def table_of(office: Path, name: str) -> Path:
    """The file of a canonical table."""
    return office / "work" / "canonical" / f"{name}.parquet"


@pytest.fixture(autouse=True, scope="module")
def little_work() -> Iterator[None]:
    """A passphrase costs a second by design: a thousandth in tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(age, "WORK", 8)
        yield


@pytest.fixture(scope="module")
def office(tmp_path_factory) -> Path:
    """A practice of twelve patients, with a document and an appointment of nobody known; its database and work folder."""
    folder = tmp_path_factory.mktemp("ensemble")
    generate(folder / "cabinet.sqlite3", patients=PATIENTS - 6, clock=CLOCK, document_size=500)
    with sqlite3.connect(folder / "cabinet.sqlite3") as base:
        base.execute("INSERT INTO T_DOC (DOC_ID, DOC_ORIG) VALUES (9001, 'P')")
        base.execute(
            "INSERT INTO T_DOC_CONTENU (CNT_ID, CNT_DOC, CNT_VERS, CNT_BLOB) VALUES (9001, 9001, 1, CAST('x' AS BLOB))"
        )
        base.execute("INSERT INTO T_RDV (RDV_ID, RDV_PAT) VALUES (9001, 999)")
    prepare(folder / "cabinet.sqlite3", folder / "work")
    held = duckdb.sql(f"SELECT count(*) FROM '{table_of(folder, 'patient')}'").fetchall()
    assert held == [(PATIENTS,)]
    return folder


@pytest.fixture(scope="module")
def whole(office) -> Path:
    facts = export(office, office / "whole")
    assert (facts["set"], len(facts["archives"]), facts["patients"]) == ("", 1, PATIENTS)
    return office / "whole" / facts["archive"]


def export(office: Path, out: Path, **division: Any) -> dict[str, Any]:
    return portability.export(job(office / "work"), out, CONTACT, workers=1, division=Division(**division))


def archives(folder: Path) -> list[Path]:
    return sorted(folder.glob("PA*.ZIP"))


def patient_of(data: bytes) -> str:
    return str(orjson.loads(unzipped(data)["DONNEES.JSON"])["patient"]["key"])


def dossiers(path: Path) -> list[tuple[str, str]]:
    """(name, SHA-256) of the patient archives of an archive."""
    return [(n, hashlib.sha256(d).hexdigest()) for n, d in unzipped(path.read_bytes()).items() if n.startswith("PAT")]


# -- parts -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("division", [{"part_size": 1}, {"part_size": 300_000}, {"part_size": 600_000}, {"most": 1}, {"most": 5},
                                      {"most": 5, "part_size": 600_000}], ids=str)  # fmt: skip
def test_port_46_each_part_is_an_archive_of_its_own_counted_from_1_and_no_patient_is_split(
    office, whole, tmp_path, division
):
    facts = export(office, tmp_path, **division)
    found = archives(tmp_path)
    assert [p.name for p in found] == [one["file"] for one in facts["archives"]] and len(found) > 1
    # The names that the guide gives, a second apart.
    assert [p.name for p in found] == [f"PA{CLOCK + timedelta(seconds=n):%Y%m%dT%H%M%S}.ZIP" for n in range(len(found))]
    together, ids = [], set()
    for path in found:
        report = verify(path)
        assert report.problems == [] and report.arrived["patients"] > 0
        names = [n for n, _ in dossiers(path)]
        assert names == [f"PAT{n:05d}.ZIP" for n in range(1, len(names) + 1)]
        assert len(names) <= division.get("most", PATIENTS)
        members = unzipped(path.read_bytes())
        assert {"README.TXT", "MANIFEST.XML", "TRANSVERSE.ZIP"} <= set(members)
        assert f"sur {len(found)} d'un ensemble" in members["README.TXT"].decode()
        with zipfile.ZipFile(path) as archive, archive.open("MANIFEST.XML") as manifest:
            head, lines = read_manifest(manifest)
        assert (head.status, head.patients, head.transverse) == ("PARTIAL", len(names), 1) and len(lines) == len(
            names
        ) + 1
        ids.add(head.export_id)
        together += [digest for _, digest in dossiers(path)]
        size = division.get("part_size")
        if size and path.stat().st_size > size:
            assert path.name in facts["oversize"] and (len(names) == 1)
    assert len(ids) == len(found)
    # Nothing but the name of a dossier depends on the archive that it travels in.
    assert together == [digest for _, digest in dossiers(whole)]


def test_a_part_is_as_full_as_its_bound_allows(office, tmp_path):
    """The estimate is above the truth, but not so far that parts are half empty."""
    size = 500_000
    facts = export(office, tmp_path, part_size=size)
    taken = [one["size"] for one in facts["archives"]]
    assert max(taken) <= size and facts["oversize"] == []
    for first, second in zip(facts["archives"], facts["archives"][1:], strict=False):
        with zipfile.ZipFile(tmp_path / second["file"]) as archive:
            assert first["size"] + archive.getinfo("PAT00001.ZIP").file_size > size - 60_000


def test_the_same_division_gives_the_same_bytes_and_lots_do_not_show(office, tmp_path, monkeypatch):
    export(office, tmp_path / "a", part_size=400_000)
    monkeypatch.setattr(portability, "PATIENTS_PER_LOT", 3)
    export(office, tmp_path / "b", part_size=400_000)
    first, second = ({p.name: p.read_bytes() for p in (tmp_path / n).iterdir()} for n in "ab")
    assert first == second and len(first) > 5


def test_the_transverse_data_leave_once_and_the_others_say_where(office, tmp_path):
    export(office, tmp_path, most=5)
    first, *others = (unzipped(unzipped(p.read_bytes())["TRANSVERSE.ZIP"]) for p in archives(tmp_path))
    assert "TRANSVERSE/AGENDA.ICS" in first and len(others) == 2
    for members in others:
        assert list(members) == ["README.TXT"] and archives(tmp_path)[0].name in members["README.TXT"].decode()


def test_the_set_manifest_tells_what_the_archives_hold(office, tmp_path):
    facts = export(office, tmp_path, most=5)
    found = read(tmp_path / facts["set"])
    assert [one.patients for one in found.archives] == [5, 5, 2] and found.totals["patients"] == PATIENTS
    with duckdb.connect() as base:
        rows = 0
        for table in (office / "work" / "canonical").glob("*.parquet"):
            named = base.sql(f"SELECT * FROM '{table}' LIMIT 0").columns
            owner = "key" if table.stem == "patient" else "patient" if "patient" in named else ""
            if owner:
                query = (
                    f"SELECT count(*) FROM '{table}' WHERE {owner} IN (SELECT key FROM '{table_of(office, 'patient')}')"
                )
                rows += base.sql(query).fetchall()[0][0]
    assert found.totals["rows"] == rows and found.totals["cells"] > rows
    assert found.totals["documents"] == facts["documents"]
    for one in found.archives:
        data = (tmp_path / one.file).read_bytes()
        assert (one.sha256, one.file_sha256, one.size) == (hashlib.sha256(data).hexdigest(),) * 2 + (len(data),)
        assert list(one.dossiers) == [digest for _, digest in dossiers(tmp_path / one.file)]
    # Beside archives that may be encrypted, it names nobody.
    text = (tmp_path / facts["set"]).read_text()
    assert not re.search(r"\^\^\^|PAT\d{5}", text)


def imported(path: Path, work: Path, *words: str) -> dict[str, Any]:
    """Tables of an import by the command, by name: rows without the order in which they stand."""
    settings = work.parent / f"{work.name}.toml"
    settings.write_text(f'[work]\nfolder = "{work}"\n', encoding="utf-8")
    assert main(["import", str(path), "--settings", str(settings), "--clock", CLOCK.isoformat(), *words]) in (0, 1)
    assert orjson.loads((work / "canonical" / "import.json").read_bytes())["unread"] == []
    return tables(work)


def tables(work: Path) -> dict[str, Any]:
    with duckdb.connect() as base:
        return {
            name: base.sql(f"SELECT * FROM '{work}/canonical/{name}.parquet' ORDER BY ALL").fetchall()
            for name in TABLES
        }


def test_port_14_a_set_comes_back_whole_whatever_is_given_of_it(office, tmp_path):
    facts = export(office, tmp_path / "out", part_size=400_000, recipient=recipient_of("age"))
    (tmp_path / "key").write_text(str(IDENTITY))
    wanted = tables(office / "work")
    assert imported(tmp_path / "out" / facts["set"], tmp_path / "a", "--key", str(tmp_path / "key")) == wanted
    assert imported(tmp_path / "out", tmp_path / "b", "--key", str(tmp_path / "key")) == wanted
    assert {p.name for p in (tmp_path / "a").iterdir()} <= {"canonical", "bodies", "runs"}


# -- what verify says of a set ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shared_set(office) -> Path:
    export(office, office / "set", most=5)
    return office / "set"


def drop(folder: Path) -> None:
    archives(folder)[1].unlink()


def change(folder: Path) -> None:
    path = archives(folder)[1]
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def shorten(folder: Path) -> None:
    path = archives(folder)[1]
    path.write_bytes(path.read_bytes()[:-1])


def copy(folder: Path) -> None:
    shutil.copy(archives(folder)[1], folder / "PA20261201T000000.ZIP")


def add_foreign(folder: Path) -> None:
    shutil.copy(folder.parent / "whole.zip", folder / "PA20261201T000000.ZIP")


def edit(**facts: Callable[[Any], None]) -> Callable[[Path], None]:
    def act(folder: Path) -> None:
        (path,) = folder.glob("*.SET.JSON")
        content = orjson.loads(path.read_bytes())
        facts["by"](content)
        path.write_bytes(orjson.dumps(content))

    return act


def swap_dossiers(content: Any) -> None:
    one, other = content["archives"][0]["dossiers"], content["archives"][1]["dossiers"]
    one[0], other[0] = other[0], one[0]


def replace_archive(folder: Path) -> None:
    """A set remade by hand in which the second archive is the first under another name: only what is inside tells."""
    first, second = archives(folder)[:2]
    shutil.copy(first, second)

    def tell(content: Any) -> None:
        one, other = content["archives"][:2]
        other.update({k: v for k, v in one.items() if k not in ("name", "file")})

    edit(by=tell)(folder)


@pytest.mark.parametrize(
    "act, said",
    [
        (lambda folder: None, set()),
        (drop, {"ARC-SET-MISSING"}),
        (change, {"ARC-SET-CHANGED"}),
        (shorten, {"ARC-SET-CHANGED"}),
        (copy, {"ARC-SET-REPEATED"}),
        (add_foreign, {"ARC-SET-FOREIGN"}),
        (edit(by=lambda c: c["totals"].update(patients=13)), {"ARC-SET-TOTALS"}),
        (edit(by=lambda c: c["archives"][0].update(rows=c["archives"][0]["rows"] + 1)), {"ARC-SET-TOTALS", "ARC-SET-COUNTS"}),
        (edit(by=swap_dossiers), {"ARC-SET-DOSSIERS"}),
        (edit(by=lambda c: c["archives"][0]["dossiers"].__setitem__(0, c["archives"][0]["dossiers"][1])), {"ARC-SET-TWICE", "ARC-SET-DOSSIERS"}),
        (edit(by=lambda c: c["archives"].append(c["archives"][0])), {"ARC-SET-LISTED-TWICE", "ARC-SET-TOTALS", "ARC-SET-TWICE"}),
        (edit(by=lambda c: c["archives"].pop()), {"ARC-SET-FOREIGN", "ARC-SET-TOTALS"}),
        (replace_archive, {"ARC-SET-TWICE", "ARC-SET-PATIENT-TWICE", "ARC-SET-TOTALS"}),
    ],
)  # fmt: skip
def test_what_is_said_of_a_set(shared_set, whole, tmp_path, capsys, act, said):
    shutil.copytree(shared_set, tmp_path / "set")
    shutil.copy(whole, tmp_path / "whole.zip")
    act(tmp_path / "set")
    code = main(["verify", str(tmp_path / "set"), "--json"])
    answer = json.loads(capsys.readouterr().out)
    assert {f["id"] for f in answer["findings"]} == said | {"ARC-SET-NOT-SIGNED"}
    assert all(f["severity"] == "block" for f in answer["findings"] if f["id"] in said)
    assert (code, answer["verdict"]) == ((40, "blocked") if said else (0, "nothing blocks"))


def test_the_two_languages_of_the_verdict_and_each_archive_after_it(shared_set, capsys):
    (path,) = shared_set.glob("*.SET.JSON")
    assert main(["verify", str(path)]) == 0
    out = capsys.readouterr().out
    assert "l'ensemble est entier, 3 archives ouvertes" in out and out.count("rien de bloquant") == 3
    assert main(["verify", str(path), "--lang", "en"]) == 0
    assert "the set is whole, 3 archives opened" in capsys.readouterr().out


@pytest.mark.parametrize(
    "by",
    [
        lambda c: c.update(format="autre"),
        lambda c: c.pop("totals"),
        lambda c: c.update(archives=[]),
        lambda c: c.update(archives={}),
        lambda c: c["archives"][0].update(file="../PA20261123T200000.ZIP"),
        lambda c: c["archives"][0].update(file="/etc/passwd"),
        lambda c: c["archives"][0].update(name="PA1.ZIP"),
        lambda c: c["archives"][0].update(sha256="0"),
        lambda c: c["archives"][0].update(size=-1),
        lambda c: c["archives"][0].update(rows=True),
        lambda c: c["archives"][0].update(dossiers=[1]),
    ],
)
def test_a_set_manifest_of_another_shape_is_refused(shared_set, tmp_path, by):
    shutil.copytree(shared_set, tmp_path / "set")
    edit(by=by)(tmp_path / "set")
    (path,) = (tmp_path / "set").glob("*.SET.JSON")
    with pytest.raises(SetUnreadable):
        read(path)
    assert main(["verify", str(tmp_path / "set")]) == 40


def test_a_folder_without_a_set_is_a_mistake_of_the_caller(tmp_path):
    assert main(["verify", str(tmp_path)]) == 2


# -- encryption ------------------------------------------------------------------------------------------------------------


RSA_KEY = rsa.generate_private_key(65537, 2048)


def certificate(key: Any = RSA_KEY, *, days: int = 90, encipher: bool | None = None) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Éditeur suivant")])
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(77)
        .not_valid_before(CLOCK - timedelta(days=100))
        .not_valid_after(CLOCK + timedelta(days=days))
    )
    if encipher is not None:
        usage = dict.fromkeys(("digital_signature", "content_commitment", "data_encipherment", "key_agreement", "key_cert_sign", "crl_sign",
                               "encipher_only", "decipher_only"), False)  # fmt: skip
        built = built.add_extension(x509.KeyUsage(key_encipherment=encipher, **usage), critical=True)
    return built.sign(key, hashes.SHA256())


def pem(key: Any, password: bytes | None = None) -> bytes:
    how = BestAvailableEncryption(password) if password else NoEncryption()
    return bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, how))


def recipient_of(kind: str) -> encryption.Recipient:
    return encryption.Recipient("cms", certificate()) if kind == "cms" else encryption.recipient(AGE, None, None, CLOCK)  # type: ignore[return-value]


@pytest.mark.debian
@pytest.mark.parametrize("kind", ["age", "cms"])
def test_port_56_the_encrypted_archive_is_the_plain_one_for_who_holds_the_key(office, whole, tmp_path, kind):
    facts = export(office, tmp_path, recipient=recipient_of(kind))
    name = whole.name + (".age" if kind == "age" else ".p7m")
    assert facts["archive"] == name and {p.name for p in tmp_path.iterdir()} == {name, f"{name}.sha256"}
    path = tmp_path / name
    if kind == "age":
        opened = pyrage.decrypt(path.read_bytes(), [IDENTITY])
    else:
        (tmp_path / "key.pem").write_bytes(pem(RSA_KEY))
        words = ["openssl", "cms", "-decrypt", "-binary", "-inform", "DER", "-in", path, "-inkey", tmp_path / "key.pem"]
        opened = subprocess.run(words, capture_output=True, check=True).stdout
    # Before encryption the bytes are those of the archive in clear, digest included.
    assert opened == whole.read_bytes()
    beside = [line.split() for line in (tmp_path / f"{name}.sha256").read_text().splitlines()]
    assert beside == [
        [hashlib.sha256(path.read_bytes()).hexdigest(), name],
        [hashlib.sha256(opened).hexdigest(), whole.name],
    ]


def test_two_encryptions_of_the_same_archive_share_no_byte_but_their_beginning(office, tmp_path):
    first, second = (
        tmp_path / n / export(office, tmp_path / n, recipient=recipient_of("age"))["archive"] for n in "ab"
    )
    assert first.read_bytes()[300:332] != second.read_bytes()[300:332] and first.stat().st_size == second.stat().st_size


@pytest.fixture(scope="module")
def settings_of(office):
    """`settings_of(folder, lines)` writes a settings file whose export section has these lines."""

    def write(folder: Path, lines: str) -> Path:
        path = folder / "transvase.toml"
        path.write_text(
            f'[source]\npath = "{office}/cabinet.sqlite3"\n[work]\nfolder = "{office}/work"\nworkers = 1\n'
            f'[export]\nfolder = "{folder}/sortie"\n{lines}\n',
            encoding="utf-8",
        )
        return path

    return write


@pytest.mark.parametrize("kind", ["age", "passphrase", "cms", "cms with a password"])
def test_the_commands_from_settings_to_verification_and_import(
    office, settings_of, tmp_path, capsys, monkeypatch, kind
):
    (tmp_path / "secret").write_text("une phrase assez longue\nautre ligne\n", encoding="utf-8")
    (tmp_path / "identite").write_text(f"# clé de test\n{IDENTITY}\n")
    (tmp_path / "cert.pem").write_bytes(certificate().public_bytes(Encoding.PEM))
    (tmp_path / "key.pem").write_bytes(pem(RSA_KEY, b"abc" if "password" in kind else None))
    monkeypatch.setenv("TRANSVASE_KEY_PASSWORD", "abc")
    line, key = {
        "age": (f'recipient = "{AGE}"', "identite"),
        "passphrase": ('passphrase_file = "secret"', "secret"),
    }.get(kind, ('recipient_certificate = "cert.pem"', "key.pem"))
    path = settings_of(tmp_path, line)
    # Through the library, since the pipeline is tried elsewhere: what the settings name is what it receives.
    from transvase import settings as config

    given = config.load(path).export
    found = encryption.recipient(given.recipient, given.passphrase_file, given.recipient_certificate, CLOCK)
    archive = tmp_path / "sortie" / export(office, tmp_path / "sortie", recipient=found)["archive"]
    assert main(["verify", str(archive), "--key", str(tmp_path / key), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["verdict"] == "nothing blocks" and answer["arrived"]["patients"] == PATIENTS
    assert imported(archive, tmp_path / "recu", "--key", str(tmp_path / key)) == tables(office / "work")


@pytest.fixture(scope="module")
def locked(office):
    """The same archive for each kind of key."""
    made = {}
    for kind, to in (
        ("age", recipient_of("age")),
        ("cms", recipient_of("cms")),
        ("passphrase", encryption.Recipient("age", age.Recipient(passphrase=b"pp"))),
    ):
        made[kind] = office / f"locked-{kind}" / export(office, office / f"locked-{kind}", recipient=to)["archive"]
    return made


KEYS = {
    "right age": str(IDENTITY).encode(),
    "wrong age": str(pyrage.x25519.Identity.generate()).encode(),
    "right cms": pem(RSA_KEY),
    "wrong cms": pem(rsa.generate_private_key(65537, 2048)),
    "elliptic": pem(ec.generate_private_key(ec.SECP256R1())),
    "right passphrase": b"pp\n",
    "wrong passphrase": b"qq\n",
    "empty": b"",
    "binary": bytes(range(256)),
    "archive": b"PK\x03\x04",
}


@pytest.mark.parametrize("kind", ["age", "cms", "passphrase"])
@pytest.mark.parametrize("which", sorted(KEYS))
def test_only_the_right_key_opens_and_no_other_is_quoted(locked, tmp_path, kind, which):
    (tmp_path / "key").write_bytes(KEYS[which])
    if which == f"right {kind}":
        with encryption.opened(locked[kind], tmp_path / "key", None, tmp_path) as file:
            assert file.read(4) == b"PK\x03\x04"
        return
    with pytest.raises(ArchiveLocked) as refused:
        encryption.opened(locked[kind], tmp_path / "key", None, tmp_path)
    text = KEYS[which].decode("latin-1").strip()
    assert len(text) < 3 or text not in str(refused.value)
    # What did not open left nothing.
    assert [p.name for p in tmp_path.iterdir()] == ["key"]


@pytest.mark.parametrize("kind", ["age", "cms"])
@pytest.mark.parametrize("harm", ["changed", "cut", "longer", "empty", "without a key", "plain renamed"])
def test_a_damaged_encrypted_archive_is_one_sentence_and_exit_42(locked, whole, tmp_path, capsys, kind, harm):
    path = tmp_path / locked[kind].name
    data = locked[kind].read_bytes()
    middle = len(data) // 2
    path.write_bytes(
        {
            "changed": data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :],
            "cut": data[:middle],
            "longer": data + b"x",
            "empty": b"",
            "without a key": data,
            "plain renamed": whole.read_bytes(),
        }[harm]
    )
    (tmp_path / "key").write_bytes(KEYS[f"right {kind}"])
    words = [] if harm == "without a key" else ["--key", str(tmp_path / "key")]
    for language in ("fr", "en"):
        code = main(["verify", str(path), *words, "--lang", language])
        error = capsys.readouterr().err
        if (kind, harm) == ("cms", "longer"):
            # A CMS says where it ends; the digest beside the file tells.
            assert code == 0
            continue
        assert code == 42 and error.count("\n") == 1 and path.name in error


def test_the_digest_of_the_encrypted_file_and_of_the_plain_one_are_compared(locked, tmp_path):
    path = tmp_path / locked["age"].name
    shutil.copy(locked["age"], path)
    (tmp_path / "key").write_bytes(KEYS["right age"])
    beside = (locked["age"].parent / f"{path.name}.sha256").read_text()
    first, second = beside.splitlines()
    for text, said in ((beside, []), (f"{'0' * 64}  {path.name}\n{second}\n", ["ARC-DIGEST"]),
                       (f"{first}\n{'0' * 64}  {second.split()[1]}\n", ["ARC-DIGEST"])):  # fmt: skip
        (tmp_path / f"{path.name}.sha256").write_text(text)
        with encryption.opened(path, tmp_path / "key", None, None) as content:
            assert [f.id for f in verify(path, content=content).findings if f.severity == "block"] == said


def test_an_encrypted_set_without_its_key_is_compared_by_its_digests(office, tmp_path, capsys):
    export(office, tmp_path, most=5, recipient=recipient_of("age"))
    assert main(["verify", str(tmp_path), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert [(f["id"], f["facts"]) for f in answer["findings"]] == [
        ("ARC-SET-NOT-SIGNED", {}),
        ("ARC-SET-CLOSED", {"count": 3}),
    ]
    assert answer["archives"] == []


@pytest.mark.parametrize(
    "lines, named",
    [
        ('recipient = "age1abc"', "recipient"),
        (f'recipient = "{IDENTITY}"', "recipient"),
        ('passphrase_file = "absent"', "passphrase_file"),
        ('passphrase_file = "vide"', "passphrase_file"),
        ('recipient_certificate = "absent"', "recipient_certificate"),
        ('recipient_certificate = "vide"', "recipient_certificate"),
        ('recipient_certificate = "elliptic.pem"', "recipient_certificate"),
        ('recipient_certificate = "short.pem"', "recipient_certificate"),
        ('recipient_certificate = "old.pem"', "recipient_certificate"),
        ('recipient_certificate = "signs.pem"', "recipient_certificate"),
        (f'recipient = "{AGE}"\npassphrase_file = "vide"', "passphrase_file"),
        (f'recipient = "{AGE}"\nrecipient_certificate = "good.pem"', "recipient_certificate"),
        (f'recipient = "{AGE}"\npart_size = 300', "part_size"),
    ],
    ids=str.split("short secret absent empty absent-cert empty-cert elliptic weak expired signs two two-formats tiny"),
)
def test_a_recipient_that_cannot_serve_is_said_before_anything_is_written(settings_of, tmp_path, lines, named):
    from transvase import settings as config
    from transvase.assets.archive import division_of
    from transvase.assets.run import Run

    (tmp_path / "vide").write_bytes(b"\n")
    for name, made in (
        ("good", certificate(encipher=True)),
        ("old", certificate(days=-1)),
        ("signs", certificate(encipher=False)),
        ("elliptic", certificate(ec.generate_private_key(ec.SECP256R1()))),
        ("short", certificate(rsa.generate_private_key(65537, 1024))),
    ):
        (tmp_path / f"{name}.pem").write_bytes(made.public_bytes(Encoding.PEM))
    with pytest.raises(SettingsInvalid) as refused:
        division_of(Run(config.load(settings_of(tmp_path, lines)), CLOCK))
    assert f"export.{named}" in str(refused.value) and str(IDENTITY) not in str(refused.value)


def test_a_certificate_bounds_the_parts_by_what_its_readers_hold(office, tmp_path, monkeypatch):
    monkeypatch.setattr(cms_envelope, "MOST", 400_000)
    facts = export(office, tmp_path, recipient=recipient_of("cms"))
    assert len(facts["archives"]) > 1 and all(one["size"] < 410_000 for one in facts["archives"])
    monkeypatch.setattr(cms_envelope, "MOST", 60_000)
    with pytest.raises(SettingsInvalid, match="recipient_certificate"):
        export(office, tmp_path / "again", recipient=recipient_of("cms"))
    assert not list((tmp_path / "again").glob("*"))


# -- nothing in clear ------------------------------------------------------------------------------------------------------

SCRIPT = """
import json, sys
from datetime import datetime
from pathlib import Path
from transvase.exporters import portability
from transvase.exporters.archive_set import Division
from transvase.formats import encryption

if __name__ == "__main__":
    work, out, contact, clock, to = sys.argv[1:]
    job = portability.job_of(Path(work), {}, datetime.fromisoformat(clock), "Transvase 0.1.0", None, "Europe/Paris")
    division = Division(encryption.recipient(to, None, None, datetime.fromisoformat(clock)), most=2)
    portability.export(job, Path(out), json.loads(contact), workers=1, division=division)
"""


def start(office: Path, folder: Path, to: str) -> subprocess.Popen[bytes]:
    (folder / "export.py").write_text(SCRIPT)
    words = [str(folder / "work"), str(folder / "out"), json.dumps(CONTACT), CLOCK.isoformat(), to]
    return subprocess.Popen([sys.executable, str(folder / "export.py"), *words], start_new_session=True)


# Bytes that every archive in clear has: heads of ZIP, XML, PDF, and a word of its documents.
PLAIN = (b"PK\x03\x04", b"PK\x01\x02", b"<?xml", b"%PDF", b"MANIFEST.XML", b"PAT00001")


def in_clear(folder: Path) -> list[str]:
    found = []
    for path in folder.rglob("*"):
        if path.name.endswith((".sha256", ".SET.JSON")) or ".SET.JSON." in path.name or ".sha256." in path.name:
            continue
        try:
            data = path.read_bytes()
        except (FileNotFoundError, IsADirectoryError):
            continue
        # Four bytes turn up by chance once in four gigabytes; twice, not.
        found += [path.name] if sum(data.count(mark) for mark in PLAIN) > 1 else []
    return found


def test_nothing_stands_in_clear_in_the_export_folder_at_any_moment(office, whole, tmp_path):
    assert in_clear(whole.parent) == [whole.name], "what the test looks for is there without encryption"
    seen: list[str] = []
    stop = threading.Event()
    (tmp_path / "out").mkdir()

    def watch() -> None:
        while not stop.is_set():
            seen.extend(in_clear(tmp_path / "out"))

    watcher = threading.Thread(target=watch)
    watcher.start()
    facts = export(office, tmp_path / "out", recipient=recipient_of("age"), most=2)
    stop.set()
    watcher.join()
    assert seen == [] == in_clear(tmp_path / "out") and len(facts["archives"]) == 6


def test_killed_while_it_encrypts_and_begun_again(office, tmp_path):
    shutil.copytree(office / "work", tmp_path / "work")
    killed = 0
    for wanted in (1, 3):
        process = start(office, tmp_path, AGE)
        limit = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < limit:
            if len(list((tmp_path / "out").glob("*.age"))) >= wanted:
                break
            time.sleep(0.0005)
        os.killpg(process.pid, signal.SIGKILL)
        if process.wait() == -signal.SIGKILL:
            killed += 1
            # Whole archives under their final names, half-made ones under hidden names: all of it encrypted.
            assert in_clear(tmp_path / "out") == []
            assert not list((tmp_path / "out").glob("*.SET.JSON")), "the set is told once all of it is there"
            for path in (tmp_path / "out").glob("PA*.age"):
                assert pyrage.decrypt(path.read_bytes(), [IDENTITY])[:4] == b"PK\x03\x04"
    assert killed, "the export always ended first"
    assert start(office, tmp_path, AGE).wait() == 0
    (tmp_path / "key").write_text(str(IDENTITY))
    assert main(["verify", str(tmp_path / "out"), "--key", str(tmp_path / "key")]) == 0
    assert not (tmp_path / "work" / "parts").exists()


# -- phases ----------------------------------------------------------------------------------------------------------------


@pytest.fixture
def phased(office, tmp_path, monkeypatch):
    """A work folder whose request 1 is phased, and `deliver(after)` that makes its next delivery. Five patients were not seen since."""
    work = tmp_path / "work"
    shutil.copytree(office / "work", work)
    with duckdb.connect() as base:
        gone = f"SELECT key FROM '{work}/canonical/patient.parquet' ORDER BY key LIMIT 5"
        for name in ("encounter", "document", "appointment"):
            path, column = work / "canonical" / f"{name}.parquet", TABLES[name].dated
            base.execute(f"CREATE TABLE t AS FROM '{path}'").fetchall()
            base.execute(f"UPDATE t SET \"{column}\" = '2024-11-22' WHERE patient IN ({gone})").fetchall()
            base.execute(f"COPY (FROM t ORDER BY slot, patient, key) TO '{path}' (FORMAT parquet)").fetchall()
            base.execute("DROP TABLE t").fetchall()
    with Requests(work / REQUESTS) as register:
        register.receive("DR1", "logiciel", CLOCK, "", portability.EVERYTHING, CLOCK + timedelta(days=90))
        register.record(1, CLOCK + timedelta(hours=1), "acknowledged")
    from transvase import settings as config
    from transvase.assets import requests
    from transvase.assets.run import Run

    (tmp_path / "transvase.toml").write_text(
        f'[work]\nfolder = "{work}"\nworkers = 1\n[export]\nfolder = "{tmp_path}/sortie"\n', encoding="utf-8"
    )
    settings = config.load(tmp_path / "transvase.toml")

    def deliver(after: timedelta, **division: Any) -> dict[str, Any]:
        run = requests.run_for(Run(settings, CLOCK + after), 1)
        requests.begin(run)
        made = portability.job_of(work, {}, run.clock, "Transvase 0.1.0", None, "Europe/Paris", scope=run.scope)
        facts = portability.export(
            made, run.out, CONTACT, workers=1, division=Division(delivery=requests.delivery(run), **division)
        )
        requests.end(run, facts)
        return facts

    return work, tmp_path / "sortie" / "demande-000001", deliver


def keys(folder: Path, facts: dict[str, Any]) -> set[str]:
    return {
        patient_of(d)
        for one in facts["archives"]
        for n, d in unzipped((folder / one["file"]).read_bytes()).items()
        if n.startswith("PAT")
    }


def active(work: Path, since: str) -> set[str]:
    """Asked of the whole tables without the product's selection."""
    with duckdb.connect() as base:
        found: set[str] = set()
        for name in ("encounter", "document", "appointment"):
            column = TABLES[name].dated
            for patient, day in base.sql(
                f"SELECT patient, \"{column}\" FROM '{work}/canonical/{name}.parquet'"
            ).fetchall():
                if day and day[:10] >= since[: len(day[:10])]:
                    found.add(patient)
        known = {k for (k,) in base.sql(f"SELECT key FROM '{work}/canonical/patient.parquet'").fetchall()}
    return found & known


def test_port_08_active_patients_first_then_the_others_and_nothing_is_lost(office, phased, tmp_path, capsys):
    work, out, deliver = phased
    first = deliver(timedelta(days=10))
    with Requests(work / REQUESTS) as register:
        request = register.find(1)
        assert (request.state, request.open, request.late(CLOCK + timedelta(days=80))) == ("phase", True, [])
        assert request.late(CLOCK + timedelta(days=91)) == ["rest"] and request.awaited == CLOCK + timedelta(days=90)
    now = keys(out, first)
    assert now == active(work, "2024-11-23") and len(now) == PATIENTS - 5
    assert main(["verify", str(out), "--json"]) == 0
    assert [f["id"] for f in json.loads(capsys.readouterr().out)["findings"]] == [
        "ARC-SET-REST",
        "ARC-SET-NOT-SIGNED",
    ]
    second = deliver(timedelta(days=60), most=3)
    then = keys(out, second)
    assert (
        now | then == {k for (k,) in duckdb.sql(f"SELECT key FROM '{work}/canonical/patient.parquet'").fetchall()}
        and not now & then
    )
    with Requests(work / REQUESTS) as register:
        request = register.find(1)
        assert (request.state, request.open, request.late(CLOCK + timedelta(days=200))) == ("delivered", False, [])
        assert [facts["phase"] for _, event, facts in request.events if event == "delivered"] == [1, 2]
    assert main(["verify", str(out), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert [f["id"] for f in answer["findings"]] == ["ARC-SET-NOT-SIGNED"]
    assert len(answer["archives"]) == len(first["archives"]) + len(second["archives"])
    told = [read(out / facts["set"]) for facts in (first, second)]
    assert told[0].set_id == told[1].set_id and [t.delivery for t in told] == [1, 2]
    assert told[1].totals["patients"] == PATIENTS
    # What both deliveries hold together is the whole practice, to the row.
    assert imported(out, tmp_path / "recu") == tables(work)


def test_a_patient_who_comes_back_between_two_deliveries_is_not_lost(phased):
    """The second delivery takes all who were not in the first, whatever happened since."""
    work, out, deliver = phased
    now = keys(out, deliver(timedelta(days=10)))
    with duckdb.connect() as base:
        path = work / "canonical" / "encounter.parquet"
        base.execute(f"CREATE TABLE e AS FROM '{path}'").fetchall()
        base.execute("UPDATE e SET start = '2026-11-25'").fetchall()
        base.execute(f"COPY (FROM e ORDER BY slot, patient, key) TO '{path}' (FORMAT parquet)").fetchall()
    then = keys(out, deliver(timedelta(days=60)))
    assert len(now) + len(then) == PATIENTS and not now & then


def test_the_second_delivery_without_what_the_first_held_is_refused(phased):
    work, _, deliver = phased
    deliver(timedelta(days=10))
    shutil.rmtree(work / "deliveries")
    from transvase.errors import WorkMissing

    with pytest.raises(WorkMissing, match="delivered first"):
        deliver(timedelta(days=60))


@pytest.mark.parametrize(
    "words, said",
    [
        (("cible", "--practitioner", "{doctor}", "--phased", "2027-06-30"), "seule une demande massive"),
        (("massif", "--phased", "2027-6-30"), "AAAA-MM-JJ"),
        (("massif", "--phased", "2026-12-01"), "serait dû avant"),
        (("massif", "--phased", "2027-06-30", "--received", "2026-11-10T09:00:00+01:00"), "dans les 7 jours"),
        (("massif", "--phased", "2027-06-30"), ""),
    ],
)
def test_port_08_a_plan_in_phases_is_offered_in_time_and_shows_both_dates(
    office, settings_of, tmp_path, capsys, words, said
):
    doctor = duckdb.sql(f"SELECT key FROM '{table_of(office, 'practitioner')}' ORDER BY key LIMIT 1").fetchall()[0][0]
    path = settings_of(tmp_path, "")
    (office / "work" / REQUESTS).unlink(missing_ok=True)
    call = ["request", "new", *(w.format(doctor=doctor) for w in words), "--by", doctor, "--settings", str(path)]
    code = main([*call, "--clock", CLOCK.isoformat()])
    told = capsys.readouterr()
    (office / "work" / REQUESTS).unlink(missing_ok=True)
    if said:
        assert code == 2 and said in told.err
        return
    assert code == 0
    assert (
        "remise 1, patients actifs : 2026-12-23" in told.out and "remise 2, les autres : 2027-06-30 23:59" in told.out
    )


def test_a_register_of_before_is_read_and_its_chain_holds(tmp_path):
    """Scopes had eight fields."""
    with Requests(tmp_path / REQUESTS) as register:
        register.receive("DR1", "logiciel", CLOCK, "", portability.EVERYTHING)
    base = sqlite3.connect(tmp_path / REQUESTS)
    base.executescript("DROP TRIGGER event_kept")
    base.execute("UPDATE event SET facts = json_remove(facts, '$.scope.active_since', '$.scope.after')")
    base.commit()
    base.close()
    with Requests(tmp_path / REQUESTS) as register:
        assert register.find(1).scope == portability.EVERYTHING and register.find(1).rest_due is None


def test_the_first_day_of_activity_on_a_leap_day():
    from transvase.model.request import active_since

    assert active_since(datetime(2028, 2, 29, tzinfo=UTC)) == "2026-02-28"


def test_a_set_manifest_of_several_is_the_one_that_knows_the_most(phased):
    _, out, deliver = phased
    deliver(timedelta(days=10))
    second = deliver(timedelta(days=60))
    assert archive_set.manifest_of(out) == out / second["set"]
