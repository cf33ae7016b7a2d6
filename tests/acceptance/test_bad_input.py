"""What goes wrong at an operator's: one sentence on stderr, the documented exit code, nothing half-written under a final name, and
the same command finishes the work once the cause is gone."""

from __future__ import annotations

import os
import re
import shutil
import signal
import sqlite3
import subprocess
import time

import pytest

from transvase import errors
from transvase.sandbox.dmp import Sandbox
from transvase.sources import mapping
from transvase.sources.extract import extract
from transvase.sources.mapping import EMBEDDED

from .conftest import CLOCK, ROOT_USER, SETTINGS, Office

CODES = {
    c.__name__: c.exit_code
    for c in vars(errors).values()
    if isinstance(c, type) and issubclass(c, errors.TransvaseError)
}
OK = (0, 1)


# -- Settings and options -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param(None, "transvase.toml", id="missing"),
        pytest.param("[source\n", "TOML", id="not-toml"),
        pytest.param("\x00\xff", "transvase.toml", id="not-text"),
        pytest.param("[work]\nfolders = 'x'\n", "work.folders", id="unknown-key"),
        pytest.param("[works]\n", "works", id="unknown-table"),
        pytest.param("[work]\nworkers = 'deux'\n", "work.workers", id="wrong-type"),
        pytest.param("[work]\nworkers = 0\n", "work.workers", id="out-of-range"),
        pytest.param("[work]\nfolder = 3\n", "work.folder", id="not-a-path"),
        pytest.param("[practice]\noid = '1.2.x'\n", "practice.oid", id="bad-oid"),
        pytest.param("[practice]\noid = '1.02.3'\n", "practice.oid", id="oid-with-leading-zero"),
        pytest.param("[feed]\nurl = 'http://127.0.0.1/'\n", "feed.url", id="http-url"),
        pytest.param("[feed]\nenvironment = 'prod'\n", "feed.environment", id="unknown-environment"),
        pytest.param("[feed]\nunknown_history_before = 'hier'\n", "feed.unknown_history_before", id="not-a-date"),
        pytest.param("time_zone = 'Europe/Nancy'\n", "time_zone", id="unknown-time-zone"),
        pytest.param("time_zone = '../../etc/passwd'\n", "time_zone", id="time-zone-that-goes-up"),
    ],
)
def test_settings(office, refused, text, said):
    if text is None:
        office.settings.unlink()
    else:
        office.settings.write_bytes(text.encode("latin-1"))
    assert said in refused(office.run("explain", "1"), CODES["SettingsInvalid"])


def test_settings_once_repaired(office, refused):
    office.settings.write_text(SETTINGS + "\nnothing = 1\n")
    refused(office.run("check"), CODES["SettingsInvalid"])
    office.settings.write_text(SETTINGS)
    assert office.run("check").returncode in OK


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        pytest.param(("check", "--clock", "hier"), 2, id="clock-not-a-date"),
        pytest.param(("check", "--clock", "2026-11-23T20:00:00"), 2, id="clock-without-offset"),
        pytest.param(("check", "--clock", ""), 2, id="clock-empty"),
        pytest.param(("check", "--schema", "none.xsd"), 2, id="schema-missing"),
        pytest.param(("explain", "nobody"), 2, id="unknown-document"),
        pytest.param(("verify", "none.zip"), 2, id="archive-missing"),
        pytest.param(("dictionary", "nothing"), 2, id="unknown-table"),
        pytest.param(("init", "transvase.toml"), 2, id="settings-that-exist"),
        pytest.param(("nothing",), 2, id="unknown-command"),
    ],
)
def test_options(office, refused, arguments, code):
    before = office.final_names()
    refused(office.run(*arguments, clock=False), code)
    assert office.final_names() == before


@pytest.mark.parametrize("command", ["export", "explain"])
def test_commands_before_their_input(unread, refused, command):
    refused(unread.run(command, *(["1"] if command == "explain" else [])), CODES["WorkMissing"])


# -- Database -----------------------------------------------------------------------------------------------------------------


def garbage(office: Office) -> None:
    office.database.write_bytes(b"Ceci n'est pas une base. " * 400)


def empty_folder(office: Office) -> None:
    office.database.unlink()
    office.database.mkdir()


SOURCES = [
    pytest.param(lambda o: o.database.unlink(), "SourceMissing", "cabinet.sqlite3", id="missing"),
    pytest.param(empty_folder, "SourceMissing", "cabinet.sqlite3", id="a-folder"),
    pytest.param(garbage, "SourceUnreadable", "SQLITE_NOTADB", id="not-a-database"),
    pytest.param(lambda o: o.sql("CREATE TABLE T_NOUVEAU (a)"), "SchemaDrift", "T_NOUVEAU", id="extra-table"),
    pytest.param(lambda o: o.sql("DROP TABLE T_NOTE"), "SchemaDrift", "T_NOTE", id="missing-table"),
    pytest.param(lambda o: o.sql("ALTER TABLE T_NOTE ADD COLUMN NOT_X"), "SchemaDrift", "NOT_X", id="extra-column"),
    pytest.param(lambda o: o.sql("ALTER TABLE T_NOTE DROP COLUMN NOT_FORMAT"), "SchemaDrift", "NOT_FORMAT", id="missing-column"),
    pytest.param(lambda o: o.database.write_bytes(b""), "SchemaDrift", "T_PATIENT", id="empty-file"),
]  # fmt: skip


@pytest.mark.parametrize(("fault", "error", "said"), SOURCES)
def test_database(unread, refused, fault, error, said):
    kept = unread.folder / "kept"
    shutil.copy(unread.database, kept)
    fault(unread)
    assert said in refused(unread.run("check"), CODES[error])
    if unread.database.is_dir():
        unread.database.rmdir()
    shutil.copy(kept, unread.database)
    assert unread.run("check").returncode == 0


def test_truncated_database(office, refused):
    """A former extraction stays, whole."""
    data = office.database.read_bytes()
    office.database.write_bytes(data[: len(data) * 2 // 3])
    before = office.final_names()
    said = refused(office.run("extract"), CODES["SourceUnreadable"])
    assert "SQLITE_" in said
    assert office.final_names() == before


def test_locked_database(unread, refused):
    base = sqlite3.connect(unread.database, isolation_level=None)
    base.execute("BEGIN EXCLUSIVE")
    refused(unread.run("check"), CODES["SourceLocked"])
    base.execute("ROLLBACK")
    base.close()
    assert unread.run("check").returncode == 0


# -- Mapping ------------------------------------------------------------------------------------------------------------------


MAPPINGS = [
    pytest.param("extract", "sql/patient.sql", "SELEC 1", "sql/patient.sql", id="bad-sql"),
    pytest.param("extract", "mappings/sexes.csv", "local,code,reason\n1,M,\n1,F,\n", "mappings/sexes.csv", id="local-code-twice"),
    pytest.param("check", "mappings/sexes.csv", "code\nM\n", "mappings/sexes.csv", id="csv-without-its-columns"),
    pytest.param("check", "columns.csv", "table,column,disposition\nT,C,lost\n", "columns.csv", id="unknown-disposition"),
    pytest.param("check", "unserved.csv", "table,reason\n", "unserved.csv", id="table-neither-served-nor-explained"),
    pytest.param("check", "mapping.toml", "kind = 'papier'\n", "mapping.toml", id="unknown-kind"),
]  # fmt: skip


@pytest.mark.parametrize(("command", "file", "text", "said"), MAPPINGS)
def test_mapping(unread, refused, command, file, text, said):
    shutil.copytree(EMBEDDED / "synthetic", unread.folder / "mapping")
    unread.settings.write_text(SETTINGS.replace('"synthetic"', '"./mapping"'))
    target = unread.folder / "mapping" / file
    good = target.read_bytes()
    target.write_text(text)
    assert said in refused(unread.run(command), CODES["MappingInvalid"])
    assert unread.final_names() == set()
    target.write_bytes(good)
    assert unread.run("check").returncode == 0


def test_unknown_product(unread, refused):
    unread.settings.write_text(SETTINGS.replace('"synthetic"', '"nowhere"'))
    assert "synthetic" in refused(unread.run("check"), CODES["MappingInvalid"])


# -- Service ------------------------------------------------------------------------------------------------------------------


def without_key(office: Office) -> None:
    office.settings.write_text(re.sub(r"\nkey = .*", "", SETTINGS))


def far_away(office: Office) -> None:
    office.settings.write_text(SETTINGS.replace("127.0.0.1:9", "lps.dmp.gouv.fr"))


@pytest.mark.parametrize(
    ("fault", "error", "said"),
    [
        pytest.param(lambda o: (o.folder / "keys/client.pem").write_text("no PEM"), "CertificateRefused", "client.pem", id="wrong-certificate"),
        pytest.param(lambda o: (o.folder / "keys/client.key").unlink(), "CertificateRefused", "client.pem", id="missing-key-file"),
        pytest.param(without_key, "SettingsInvalid", "feed.key", id="missing-key-setting"),
        pytest.param(far_away, "EnvironmentMismatch", "sandbox", id="national-service-with-sandbox-settings"),
    ],
)  # fmt: skip
def test_service_settings(office, refused, fault, error, said):
    fault(office)
    assert said in refused(office.run("feed"), CODES[error])


def test_unreachable_service_then_reachable(office, refused):
    """What was not sent waits in the ledger, and leaves when the service is back."""
    office.sql("UPDATE T_DOC SET DOC_TYPE = 'PETITE_CHIR'")
    extract(mapping.load("synthetic"), office.database, office.work, clock=CLOCK)
    refused(office.run("feed"), CODES["ServiceUnreachable"])
    patients = office.database.with_suffix(".dmp-patients.csv")
    with Sandbox(office.folder / "dmp", patients, CLOCK) as sandbox:
        text = re.sub(r"https://[^\"]*", sandbox.url, SETTINGS)
        office.settings.write_text(text.replace('"keys/', '"dmp/').replace("keys/", "dmp/"))
        done = office.run("feed", "--json")
    assert done.returncode == 0, done.stderr
    assert '"registered"' in done.stdout


# -- Disk ---------------------------------------------------------------------------------------------------------------------


def limited(size: int):
    """No file of the process may grow beyond `size` bytes, as on a disk that fills while one is written."""
    import resource

    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def large_body(office: Office) -> None:
    with sqlite3.connect(office.database) as base:
        base.execute("UPDATE T_DOC_CONTENU SET CNT_BLOB = ?", (b"%PDF-1.4 " + os.urandom(6_000_000),))


def test_disk_full_while_extracting(unread, refused):
    large_body(unread)
    refused(unread.run("extract", preexec_fn=limited(4_000_000)), CODES["DiskFull"])
    assert unread.final_names() == set()
    assert not list(unread.work.rglob("*.part*"))


def test_disk_full_while_exporting(office, refused):
    large_body(office)
    shutil.rmtree(office.work / "canonical")
    extract(mapping.load("synthetic"), office.database, office.work, clock=CLOCK)
    refused(office.run("export", preexec_fn=limited(4_000_000)), CODES["DiskFull"])
    assert not office.out.exists() or not list(office.out.iterdir())
    assert not list((office.work / "parts").glob("*/lot-*"))
    assert office.run("export").returncode in OK
    assert office.run("verify", office.out / "PA20261123T200000.ZIP").returncode == 0


@pytest.mark.skipif(not ROOT_USER, reason="needs root to mount a small file system")
def test_full_file_system_under_the_archive(office, refused):
    office.out.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=40k", "tmpfs", office.out], capture_output=True).returncode:
        pytest.skip("may not mount")
    try:
        refused(office.run("export"), CODES["DiskFull"])
        assert list(office.out.iterdir()) == []
    finally:
        subprocess.run(["umount", office.out], check=True)
    assert list((office.work / "parts").glob("*/lot-*.json")), "finished parts are kept"
    assert office.run("export").returncode in OK
    assert office.run("verify", office.out / "PA20261123T200000.ZIP").returncode == 0


def a_file_in_its_place(office: Office) -> None:
    office.out.write_text("")


def read_only(office: Office) -> None:
    office.out.mkdir(mode=0o500)


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(a_file_in_its_place, id="a-file-in-its-place"),
        pytest.param(read_only, id="read-only", marks=pytest.mark.skipif(ROOT_USER, reason="root writes anywhere")),
    ],
)
def test_output_folder_that_cannot_be_written(office, refused, fault):
    fault(office)
    refused(office.run("export"), CODES["OutputUnwritable"])


# -- Ctrl-C -------------------------------------------------------------------------------------------------------------------


def interrupted(office: Office, command: str, after: str, group: bool) -> subprocess.CompletedProcess[str]:
    """Run the command and interrupt it soon after a line of progress that begins with `after`: itself, or all its group as a
    terminal does. It is begun again when it ended before the signal, or lost it in a library's clean-up."""
    for delay in (0.02, 0.1, 0.0):
        done = interrupted_once(office, command, after, delay, group)
        if done.returncode not in OK:
            break
    return done


def interrupted_once(
    office: Office, command: str, after: str, delay: float, group: bool
) -> subprocess.CompletedProcess[str]:
    process = office.start(command)
    assert process.stderr is not None
    lines = []
    for line in process.stderr:
        lines.append(line)
        if line.startswith(after):
            break
    time.sleep(delay)
    (os.killpg if group else os.kill)(process.pid, signal.SIGINT)
    out, rest = process.communicate(timeout=60)
    return subprocess.CompletedProcess(process.args, process.returncode, out, "".join(lines) + rest)


@pytest.mark.parametrize(
    "group",
    [
        pytest.param(False, id="the-command"),
        pytest.param(True, id="its-group"),
    ],
)
def test_ctrl_c_while_extracting(unread, refused, group):
    done = interrupted(unread, "extract", "extraction : ", group)
    refused(done, CODES["Interrupted"])
    names = unread.final_names()
    assert names == set() or "canonical/extraction.json" in names
    assert not (unread.work / "canonical.part").exists()
    if not group:
        assert unread.run("extract").returncode == 0


def test_ctrl_c_while_exporting(office, refused):
    done = interrupted(office, "export", "verdicts : 1/1", False)
    refused(done, CODES["Interrupted"])
    for path in office.out.glob("PA*.ZIP"):
        assert office.run("verify", path).returncode == 0, "only a finished archive bears its name"
    assert office.run("export", clock=False).returncode in OK, "the same command goes on, with the clock it began with"
    assert office.run("verify", next(office.out.glob("PA*.ZIP"))).returncode == 0


# -- Language -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "french", "english"),
    [
        (("check",), "La base cabinet.sqlite3 n'existe pas", "Database cabinet.sqlite3 does not exist"),
        (("explain", "1"), "Le dossier work ne contient pas", "Folder work holds no"),
        (("verify", "bad.zip"), "L'archive bad.zip ne passe pas", "Archive bad.zip fails verification"),
    ],
)
def test_messages_in_both_languages(unread, refused, arguments, french, english):
    unread.database.unlink()
    (unread.folder / "bad.zip").write_bytes(b"PK")
    code = {"check": 20, "explain": 30, "verify": 40}[arguments[0]]
    assert refused(unread.run(*arguments), code).startswith(french)
    assert refused(unread.run(*arguments, "--lang", "en"), code).startswith(english)


def test_every_error_has_both_languages_with_the_same_facts():
    for name, code in CODES.items():
        error = getattr(errors, name)
        if error is errors.TransvaseError:
            continue
        fields = set(re.findall(r"\{(\w+)\}", error.__doc__ or ""))
        assert fields == set(re.findall(r"\{(\w+)\}", error.french)), name
        assert code > 1, name


def test_an_extraction_of_another_version_is_asked_for_again(office, refused):
    """Columns come and go between versions; a work folder stays."""
    import pyarrow.parquet as pq

    extract(mapping.load("synthetic"), office.database, office.work, clock=CLOCK)
    file = office.work / "canonical" / "objection.parquet"
    pq.write_table(pq.read_table(file).drop_columns(["reason"]), file)
    assert "relancez `transvase extract`" in refused(office.run("check"), CODES["ExtractionStale"])
