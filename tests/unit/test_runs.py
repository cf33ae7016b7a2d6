"""The chain of run records on its own: what stands in the folder, every way of touching it, kills at every instant, writers at once."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from transvase.assets.replay import Replay, Trust, replay
from transvase.formats import cms, files
from transvase.ledger import runs
from transvase.ledger.runs import Runs, Signing, canonical
from transvase.ledger.submissions import Ledger, Planned, Step

AT = datetime(2026, 11, 23, 20, 0, tzinfo=UTC)
OPENING: dict[str, Any] = {"command": "export", "operator": "899700000001"}
CLOSING: dict[str, Any] = {"outcome": "done", "exit_code": 0}


class Key(NamedTuple):
    """A signing key, its certificate, and the root that issued it."""

    key: Any
    certificate: x509.Certificate
    root: x509.Certificate

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def signing(self) -> Signing:
        return Signing(sha256(self.der).hexdigest(), partial(cms.sign, key=self.key, chain=(self.der,)))


def made(private: Any, start: datetime = AT - timedelta(days=9), end: datetime = AT + timedelta(days=9)) -> Key:
    root_key = ec.generate_private_key(ec.SECP256R1())

    def certificate(name: str, key: Any, ca: bool) -> x509.Certificate:
        usage = x509.KeyUsage(not ca, False, False, False, False, ca, ca, False, False)
        return (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "racine")]))
            .public_key(key.public_key())
            .serial_number(7 if ca else 2**70 + 8)
            .not_valid_before(start)
            .not_valid_after(end)
            .add_extension(x509.BasicConstraints(ca, None), True)
            .add_extension(usage, True)
            .sign(root_key, hashes.SHA256())
        )

    return Key(private, certificate("cabinet", private, False), certificate("racine", root_key, True))


@pytest.fixture(scope="module")
def rsa_key() -> Key:
    return made(rsa.generate_private_key(public_exponent=65537, key_size=2048))


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory, rsa_key: Key) -> Path:
    """Three signed runs: six entries."""
    return chain(tmp_path_factory.mktemp("signed"), rsa_key.signing)


@pytest.fixture(scope="module")
def unsigned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return chain(tmp_path_factory.mktemp("unsigned"), None)


def chain(work: Path, signing: Signing | None, count: int = 3) -> Path:
    kept = Runs(work, signing)
    for n in range(count):
        number = kept.begin(OPENING, AT + timedelta(hours=n))
        kept.end(number, CLOSING, AT + timedelta(hours=n, minutes=5))
    return work


def copied(work: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(work, tmp_path / "copy"))


NOBODY = Trust()


def broken(work: Path, trust: Trust = NOBODY) -> tuple[int, str] | None:
    found = replay(work, trust).broken
    return (found.number, found.why.en) if found else None


# -- a chain that holds ----------------------------------------------------------------------------------------------------


def test_each_run_is_two_entries_chained_by_digest(unsigned):
    entries = [orjson.loads((unsigned / "runs" / f"00000{n}.json").read_bytes()) for n in range(1, 7)]
    assert [(e["number"], e["kind"], e.get("run")) for e in entries] == [
        (1, "opening", None), (2, "closing", 1), (3, "opening", None), (4, "closing", 3), (5, "opening", None), (6, "closing", 5)
    ]  # fmt: skip
    for n in range(2, 7):
        before = (unsigned / "runs" / f"00000{n - 1}.json").read_bytes()
        assert entries[n - 1]["previous"]["record"] == sha256(before).hexdigest()


def test_a_chain_that_nobody_touched_holds(signed, unsigned, rsa_key):
    whole = replay(signed, Trust([rsa_key.root]))
    assert (whole.records, whole.runs, whole.signed, whole.broken, whole.notes) == (6, 3, 6, None, [])
    assert whole.head == sha256((signed / "runs/000006.json").read_bytes()).hexdigest()
    assert (replay(unsigned, NOBODY).broken, replay(unsigned, NOBODY).signed) == (None, 0)


def test_what_proves_nothing_is_said(signed, unsigned):
    assert "without signature (first: 1)" in replay(unsigned, NOBODY).notes[0].en
    assert [n.en for n in replay(signed, NOBODY).notes] == [
        "the chain of certificates was not verified: give evidence.authority or --authority"
    ]


def test_files_are_private_and_nothing_half_made_is_left(signed):
    folder = signed / "runs"
    assert {p.name for p in folder.iterdir()} == {
        "head.json", "writing.lock", *(f"00000{n}.{end}" for n in range(1, 7) for end in ("json", "p7s"))
    }  # fmt: skip
    assert {p.stat().st_mode & 0o077 for p in folder.glob("0*")} == {0}


def test_an_rsa_key_gives_the_same_bytes(tmp_path, signed, rsa_key):
    again = chain(tmp_path / "again", rsa_key.signing)
    for path in (signed / "runs").glob("0*"):
        assert path.read_bytes() == (again / "runs" / path.name).read_bytes()


def test_openssl_verifies_each_signature(signed, rsa_key, program, tmp_path):
    root = tmp_path / "autorite.pem"
    root.write_bytes(rsa_key.root.public_bytes(serialization.Encoding.PEM))
    command = [
        program("openssl"),
        "cms",
        "-verify",
        "-binary",
        "-inform",
        "DER",
        "-purpose",
        "any",
        "-CAfile",
        str(root),
    ]
    for n in range(1, 7):
        record = signed / f"runs/00000{n}.json"
        files_ = ["-in", str(record.with_suffix(".p7s")), "-content", str(record), "-out", os.devnull]
        done = subprocess.run([*command, *files_], capture_output=True, text=True)
        assert (done.returncode, "successful" in done.stderr) == (0, True), done.stderr
    changed = tmp_path / "changed.json"
    changed.write_bytes(record.read_bytes().replace(b"done", b"gone"))
    files_ = ["-in", str(record.with_suffix(".p7s")), "-content", str(changed), "-out", os.devnull]
    assert subprocess.run([*command, *files_], capture_output=True).returncode != 0


def test_an_elliptic_key_signs_too(tmp_path):
    key = made(ec.generate_private_key(ec.SECP256R1()))
    assert replay(chain(tmp_path, key.signing), Trust([key.root])).broken is None


# -- what was touched ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", range(1, 7))
def test_any_byte_of_any_record_or_signature(signed, rsa_key, tmp_path, number):
    """Signed: the very record is named, whichever byte."""
    work = copied(signed, tmp_path)
    trust = Trust([rsa_key.root])
    for end, step in (("json", 5), ("p7s", 11)):
        path = work / f"runs/00000{number}.{end}"
        whole = path.read_bytes()
        for at in range(number % step, len(whole), step):
            path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
            assert (found := replay(work, trust).broken) is not None, (end, at)
            assert found.number == number, (end, at, found.why.en)
        for cut in (0, 1, len(whole) // 2, len(whole) - 1):
            path.write_bytes(whole[:cut])
            assert (found := replay(work, trust).broken) is not None and found.number == number
        path.write_bytes(whole + b" ")
        assert (found := replay(work, trust).broken) is not None and found.number == number
        path.write_bytes(whole)
    assert replay(work, trust).broken is None


@pytest.mark.parametrize("number", range(1, 7))
def test_any_byte_of_an_unsigned_record(unsigned, tmp_path, number):
    """Unsigned: the link between the record and the next one, or the head."""
    work = copied(unsigned, tmp_path)
    path = work / f"runs/00000{number}.json"
    whole = path.read_bytes()
    for at in range(0, len(whole), 3):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        assert (found := replay(work, NOBODY).broken) is not None, at
        assert found.number in (number, number + 1)


def swap(work: Path) -> None:
    one, other = work / "runs/000003.json", work / "runs/000005.json"
    data = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(data)


def rewritten(work: Path, number: int, **changes: Any) -> None:
    """An unsigned record written anew, and every one after it chained again: what whoever writes the folder can do."""
    folder = work / "runs"
    last = max(runs.numbers(folder))
    for n in range(number, last + 1):
        path = folder / f"{n:06d}.json"
        facts = orjson.loads(path.read_bytes())
        if n == number:
            facts |= changes
        if n > 1:
            facts["previous"]["record"] = sha256((folder / f"{n - 1:06d}.json").read_bytes()).hexdigest()
        path.write_bytes(canonical(facts))
    head = orjson.loads((folder / "head.json").read_bytes())
    head["record"] = sha256((folder / f"{last:06d}.json").read_bytes()).hexdigest()
    (folder / "head.json").write_bytes(canonical(head))


TOUCHED: dict[str, tuple[Callable[[Path], Any], int, str]] = {
    "a record in the middle is gone": (lambda w: (w / "runs/000003.json").unlink(), 3, "it is missing"),
    "the first is gone": (lambda w: (w / "runs/000001.json").unlink(), 1, "it is missing"),
    "the tail is gone": (lambda w: (w / "runs/000006.json").unlink(), 6, "the head of the chain tells of it"),
    "everything but the head is gone": (
        lambda w: [p.unlink() for p in (w / "runs").glob("0*.json")], 1, "the head of the chain tells of it",
    ),
    "two records changed places": (swap, 3, "number of another"),
    "the head is gone": (lambda w: (w / "runs/head.json").unlink(), 6, "head (head.json) is missing"),
    "the head is garbage": (lambda w: (w / "runs/head.json").write_bytes(b"{"), 6, "head (head.json) is missing"),
    "a record that is no JSON": (lambda w: (w / "runs/000002.json").write_bytes(b"\xff\x00"), 2, "no longer the file"),
    "a record spelled otherwise": (
        lambda w: (w / "runs/000002.json").write_bytes(
            orjson.dumps(orjson.loads((w / "runs/000002.json").read_bytes()), option=orjson.OPT_INDENT_2)
        ), 2, "no longer the file",
    ),
    "a closing of a run that is not open": (lambda w: rewritten(w, 4, run=1), 4, "closes a run that is not open"),
    "a record is a folder": (
        lambda w: [(w / "runs/000004.json").unlink(), (w / "runs/000004.json").mkdir()], 4, "it is missing",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TOUCHED)
def test_what_was_touched_is_named(unsigned, tmp_path, name):
    work = copied(unsigned, tmp_path)
    touch, number, why = TOUCHED[name]
    touch(work)
    found = broken(work)
    assert found is not None and found[0] == number and why in found[1], found


def test_a_signature_taken_away_or_brought(signed, unsigned, rsa_key, tmp_path):
    work = copied(signed, tmp_path / "a")
    (work / "runs/000004.p7s").unlink()
    assert broken(work) == (4, "it says that it is signed and its signature is missing")
    work = copied(unsigned, tmp_path / "b")
    data = (work / "runs/000004.json").read_bytes()
    (work / "runs/000004.p7s").write_bytes(rsa_key.signing.sign(data))
    assert broken(work) == (4, "a signature goes with an unsigned entry")


def test_a_signed_record_is_not_remade_without_the_key(signed, rsa_key, tmp_path):
    stranger = made(rsa.generate_private_key(public_exponent=65537, key_size=2048))
    work = chain(tmp_path / "forged", stranger.signing)
    assert broken(work, Trust([rsa_key.root])) == (1, "the certificate is not of the expected authority")
    work = copied(signed, tmp_path)
    record = work / "runs/000006.json"
    record.with_suffix(".p7s").write_bytes(stranger.signing.sign(record.read_bytes()))
    assert broken(work, Trust([rsa_key.root])) == (6, "it is signed by another certificate than it says")


def test_a_certificate_out_of_its_dates(tmp_path):
    key = made(rsa.generate_private_key(public_exponent=65537, key_size=2048), end=AT + timedelta(minutes=1))
    assert broken(chain(tmp_path, key.signing)) == (2, "the certificate was not valid at its date")


def test_what_only_a_copy_kept_elsewhere_shows(unsigned, tmp_path):
    """Who writes the folder and holds no key can make an unsigned chain anew; who also holds the head can cut any tail. Neither is
    seen from inside, both from a digest noted elsewhere."""
    noted = Trust(known=[replay(unsigned, NOBODY).head])
    work = copied(unsigned, tmp_path)
    assert broken(work, noted) is None
    rewritten(work, 2, exit_code=1)
    assert broken(work) is None
    assert (broken(work, noted) or ())[0] == 6
    work = copied(unsigned, tmp_path / "cut")
    for n in (5, 6):
        (work / f"runs/00000{n}.json").unlink()
    head = orjson.loads((work / "runs/head.json").read_bytes())
    digest = sha256((work / "runs/000004.json").read_bytes()).hexdigest()
    (work / "runs/head.json").write_bytes(canonical(head | {"records": 4, "record": digest}))
    assert broken(work) is None
    assert (broken(work, noted) or ())[0] == 4


def test_a_hole_stays_seen_after_later_runs(unsigned, tmp_path):
    work = copied(unsigned, tmp_path)
    (work / "runs/000006.json").unlink()
    kept = Runs(work)
    kept.end(kept.begin(OPENING, AT), CLOSING, AT)
    assert runs.numbers(work / "runs")[-2:] == [7, 8]
    assert broken(work) == (6, "it is missing")


def test_a_head_taken_away_stays_seen_after_later_runs(unsigned, tmp_path):
    work = copied(unsigned, tmp_path)
    (work / "runs/head.json").unlink()
    kept = Runs(work)
    kept.end(kept.begin(OPENING, AT), CLOSING, AT)
    assert broken(work) == (7, "the head of the chain had gone when it was written")


# -- the registers beside --------------------------------------------------------------------------------------------------


def sending(work: Path, name: str) -> dict[str, Any]:
    """A submission planned and registered; what a record sees of the ledger after it."""
    with Ledger(work / "ledger.sqlite") as ledger:
        ledger.plan([Planned(name, name, "P1", f"1.2.{name}", "2026-11-23")], [], AT)
        for event in ("send", "accepted"):
            ledger.record([Step(f"1.2.{name} dmp", event)], AT)  # type: ignore[arg-type]
        events, head = ledger.head()
    return {"events": events, "head": head}


@pytest.fixture
def fed(tmp_path: Path) -> Path:
    """Two runs that fed a document each."""
    kept = Runs(tmp_path)
    for name in ("1", "2"):
        number = kept.begin(OPENING, AT)
        kept.end(number, {**CLOSING, "sent": sending(tmp_path, name)}, AT)
    assert broken(tmp_path) is None
    return tmp_path


def test_a_ledger_that_goes_on_after_the_last_record_holds(fed):
    sending(fed, "3")
    assert broken(fed) is None


def test_a_ledger_that_is_gone(fed):
    (fed / "ledger.sqlite").unlink()
    assert broken(fed) == (2, "the ledger of submissions is missing")


def test_a_ledger_that_is_another(fed):
    (fed / "ledger.sqlite").unlink()
    sending(fed, "9"), sending(fed, "8"), sending(fed, "7")
    assert broken(fed) == (2, "the ledger of submissions is not the one it saw")


def test_a_ledger_restored_from_before_the_second_run(fed, tmp_path):
    (fed / "ledger.sqlite").unlink()
    sending(fed, "1")
    assert broken(fed) == (4, "the ledger of submissions is not the one it saw")


def test_a_ledger_that_is_no_database(fed):
    (fed / "ledger.sqlite").write_bytes(b"not a database at all" * 99)
    assert broken(fed) == (2, "the ledger of submissions can no longer be read")


# -- kills and writers at once ---------------------------------------------------------------------------------------------


def _dies(work: str, writes: int) -> None:
    """A run whose process is killed at its nth file."""
    done = 0
    real = files.write

    def counted(path: Path, data: bytes) -> None:
        nonlocal done
        if done == writes:
            os.kill(os.getpid(), signal.SIGKILL)
        done += 1
        real(path, data)

    files.write = counted
    kept = Runs(Path(work))
    kept.end(kept.begin(OPENING, AT), CLOSING, AT)
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize("writes", range(5))
def test_a_run_killed_at_any_write_is_closed_by_the_next(tmp_path, writes):
    """Opening, its head, closing, its head, then after: what stands is a chain that holds, at once and after the next run."""
    chain(tmp_path, None, 1)
    child = multiprocessing.get_context("fork").Process(target=_dies, args=(str(tmp_path), writes))
    child.start()
    child.join(20)
    assert child.exitcode == -signal.SIGKILL
    assert broken(tmp_path) is None
    chain(tmp_path, None, 1)
    whole = replay(tmp_path, NOBODY)
    assert (whole.broken, [n for n in whole.notes if "run " in n.en]) == (None, [])
    entries = [orjson.loads((tmp_path / f"runs/{n:06d}.json").read_bytes()) for n in runs.numbers(tmp_path / "runs")]
    outcomes = [e["outcome"] for e in entries if e["kind"] == "closing"]
    assert outcomes == {0: ["done"] * 2, 1: ["done", "interrupted", "done"], 2: ["done", "interrupted", "done"]}.get(
        writes, ["done"] * 3
    )
    assert not list((tmp_path / "runs").glob("0*.lock"))


def test_a_run_under_way_is_not_taken_for_a_killed_one(tmp_path):
    kept = Runs(tmp_path)
    first = kept.begin(OPENING, AT)
    other = Runs(tmp_path)
    second = other.begin(OPENING, AT)
    assert {n.en for n in replay(tmp_path, NOBODY).notes} >= {"run 1 under way", "run 2 under way"}
    kept.end(first, CLOSING, AT)
    other.end(second, CLOSING, AT)
    assert replay(tmp_path, NOBODY).records == 4
    assert broken(tmp_path) is None


def _writes(work: str) -> None:
    chain(Path(work), None, 6)


def test_writers_at_once_make_one_chain(tmp_path):
    children = [multiprocessing.get_context("fork").Process(target=_writes, args=(str(tmp_path),)) for _ in range(4)]
    for child in children:
        child.start()
    for child in children:
        child.join(60)
    whole = replay(tmp_path, NOBODY)
    assert (whole.records, whole.broken) == (48, None)


def test_replay_writes_nothing(fed):
    def state() -> dict[str, bytes]:
        return {str(p): p.read_bytes() for p in fed.rglob("*") if p.is_file()}

    before = state()
    assert isinstance(replay(fed, NOBODY), Replay)
    assert state() == before
