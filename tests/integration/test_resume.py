"""An export killed at any point: nothing half-made under a final name, finished parts serve, the same bytes in the end."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from transvase.exporters import portability
from transvase.model.slot import BUCKETS
from transvase.sources.synthetic.practice import generate

from .conftest import prepare

MOST = 4
# Lots of four patients, so that a practice of thirty has eight parts to be interrupted between.
SCRIPT = """
import json
import sys
from datetime import datetime
from pathlib import Path
from transvase.exporters import portability

if __name__ == "__main__":
    work, out, workers, contact, clock = sys.argv[1:]
    portability.PATIENTS_PER_LOT = {most}
    job = portability.job_of(Path(work), {{}}, datetime.fromisoformat(clock), "Transvase 0.1.0", None, "Europe/Paris")
    portability.export(job, Path(out), json.loads(contact), workers=int(workers))
"""
CONTACT = {"name": "Contact Portabilité", "email": "portabilite@cabinet.invalid", "phone": "+33300000099"}
CLOCK = "2026-11-23T20:00:00+01:00"


@pytest.fixture
def work(practice, tmp_path: Path) -> Path:
    shutil.copytree(practice.work, tmp_path / "work")
    return tmp_path / "work"


def start(folder: Path, workers: int = 1) -> subprocess.Popen[bytes]:
    script = folder / "export.py"
    script.write_text(SCRIPT.format(most=MOST))
    arguments = [str(folder / "work"), str(folder / "out"), str(workers), json.dumps(CONTACT), CLOCK]
    return subprocess.Popen([sys.executable, str(script), *arguments], start_new_session=True, stderr=subprocess.PIPE)


def kill_when(process: subprocess.Popen[bytes], ready: Callable[[], bool]) -> bool:
    """Kill the process and its workers once `ready`; False when it ended before."""
    limit = time.monotonic() + 60
    while time.monotonic() < limit:
        if ready():
            os.killpg(process.pid, signal.SIGKILL)
            return process.wait() == -signal.SIGKILL
        if process.poll() is not None:
            return False
        time.sleep(0.001)
    os.killpg(process.pid, signal.SIGKILL)
    raise AssertionError("the export did not reach the point asked for")


def interrupted(folder: Path, ready: Callable[[], bool]) -> None:
    """An export killed once `ready`; begun again when, on a busy machine, it ended before anybody looked."""
    for _ in range(5):
        if kill_when(start(folder), ready):
            return
        shutil.rmtree(folder / "out")
    raise AssertionError("the export always ended first")


@pytest.fixture(scope="module")
def begun(practice, tmp_path_factory) -> Path:
    """An export killed once two parts were finished, for those tests to which it does not matter which."""
    folder = tmp_path_factory.mktemp("begun")
    shutil.copytree(practice.work, folder / "work")
    interrupted(folder, lambda: len(list((folder / "work" / "parts").glob("*/lot-*.json"))) >= 2)
    return folder


@pytest.fixture
def stopped(begun, tmp_path: Path) -> Path:
    """The work folder of a copy of it."""
    shutil.copytree(begun, tmp_path, dirs_exist_ok=True)
    return tmp_path / "work"


def finished(work: Path) -> dict[str, int]:
    """Finished parts: name to time of last change."""
    return {p.name: p.stat().st_mtime_ns for p in (work / "parts").glob("*/lot-*") if p.suffix in (".json", ".part")}


def assert_nothing_half_made(folder: Path) -> None:
    assert not [p for p in (folder / "out").glob("*") if not p.name.startswith(".")]
    for index in (folder / "work" / "parts").glob("*/lot-*.json"):
        told = json.loads(index.read_bytes())
        assert index.with_suffix(".part").stat().st_size == told["length"]


def resume(folder: Path, monkeypatch: pytest.MonkeyPatch) -> bytes:
    monkeypatch.setattr(portability, "PATIENTS_PER_LOT", MOST)
    work = folder / "work"
    job = portability.job_of(work, {}, datetime.fromisoformat(CLOCK), "Transvase 0.1.0", None, "Europe/Paris")
    facts = portability.export(job, folder / "out", CONTACT, workers=1)
    data = (folder / "out" / facts["archive"]).read_bytes()
    assert facts["sha256"] == hashlib.sha256(data).hexdigest()
    return data


@pytest.mark.parametrize("workers", [1, 2])
def test_killed_between_two_parts(practice, work, tmp_path, monkeypatch, workers):
    process = start(tmp_path, workers)
    assert kill_when(process, lambda: len(list((work / "parts").glob("*/lot-*.json"))) >= 2)
    assert_nothing_half_made(tmp_path)
    before = finished(work)
    assert 4 <= len(before) < 16
    whole = {n.split(".")[0] for n in before if n.endswith(".json")}
    seen: dict[str, int] = {}
    assemble = portability.parts

    def parts(*arguments):
        found = assemble(*arguments)
        seen.update(finished(work))
        return found

    # The parts are deleted once assembled: they are looked at just before.
    monkeypatch.setattr(portability, "parts", parts)
    assert resume(tmp_path, monkeypatch) == practice.path.read_bytes()
    assert len(seen) == 16
    for name, changed in before.items():
        if name.split(".")[0] in whole:
            assert seen[name] == changed, "a finished part is taken as it is"


def test_killed_while_the_archive_is_assembled(practice, work, tmp_path, monkeypatch):
    interrupted(tmp_path, lambda: any((tmp_path / "out").glob(".PA*")))
    assert not list((tmp_path / "out").glob("PA*"))
    assert len(list((work / "parts").glob("*/lot-*.json"))) == 8
    assert resume(tmp_path, monkeypatch) == practice.path.read_bytes()
    assert not (work / "parts").exists()


def test_the_clock_of_an_interrupted_export_is_kept_until_it_ends(practice, stopped, tmp_path, monkeypatch):
    assert portability.pending_clock(practice.work) is None
    kept = portability.pending_clock(stopped)
    assert kept is not None
    assert kept.isoformat() == CLOCK
    resume(tmp_path, monkeypatch)
    assert portability.pending_clock(stopped) is None


@pytest.mark.parametrize(
    "damage", ["cut part", "no part", "no index", "index cut", "index of another form", "empty index"]
)
def test_a_spoilt_part_is_made_again(practice, stopped, tmp_path, monkeypatch, damage):
    index = min((stopped / "parts").glob("*/lot-*.json"))
    part = index.with_suffix(".part")
    match damage:
        case "cut part":
            part.write_bytes(part.read_bytes()[:-1])
        case "no part":
            part.unlink()
        case "no index":
            index.unlink()
        case "index cut":
            index.write_bytes(index.read_bytes()[:-10])
        case "index of another form":
            index.write_text('{"file": 1}')
        case "empty index":
            index.write_bytes(b"")
    assert resume(tmp_path, monkeypatch) == practice.path.read_bytes()


def test_a_work_folder_that_was_moved_goes_on(practice, stopped, tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    stopped.rename(tmp_path / "elsewhere" / "work")
    assert resume(tmp_path / "elsewhere", monkeypatch) == practice.path.read_bytes()


def test_parts_of_another_practice_or_software_are_not_taken(work):
    clock = datetime.fromisoformat(CLOCK)
    job = portability.job_of(work, {}, clock, "Transvase 0.1.0", None, "Europe/Paris")
    others = [
        job._replace(software="Transvase 0.1.1"),
        job._replace(clock="2026-11-23T20:00:01+01:00"),
        job._replace(practice=(("name", "Autre"),)),
        job._replace(schema="CDA_extended.xsd"),
    ]
    assert len({portability.fingerprint(j) for j in (job, *others)}) == 5
    before = portability.fingerprint(job)
    for name in ("canonical/extraction.json", "verdicts/counts.json"):
        path = work / name
        path.write_bytes(path.read_bytes() + b" ")
        assert portability.fingerprint(job) != before
        before = portability.fingerprint(job)


def test_workers_do_not_outlive_a_killed_export(work, tmp_path):
    process = start(tmp_path, 2)
    limit = time.monotonic() + 60
    while not any((work / "parts").glob("*/lot-*.json")) and time.monotonic() < limit:
        time.sleep(0.01)
    process.kill()
    process.wait()
    limit = time.monotonic() + 20
    while (left := in_group(process.pid)) and time.monotonic() < limit:
        time.sleep(0.1)
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert left == []


def in_group(group: int) -> list[int]:
    """Processes of a group that still run, from /proc."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(fields[2]) == group and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return found


def test_how_documents_are_packed_depends_on_the_whole_export(tmp_path, monkeypatch):
    """A large practice packs its documents in a way of its own: what is left of it after an interruption is packed alike."""
    generate(tmp_path / "cabinet.sqlite3", patients=0, clock=datetime.fromisoformat(CLOCK), document_size=60_000)
    prepare(tmp_path / "cabinet.sqlite3", tmp_path / "work")
    monkeypatch.setattr(portability, "PATIENTS_PER_LOT", 1)
    job = portability.job_of(
        tmp_path / "work", {}, datetime.fromisoformat(CLOCK), "Transvase 0.1.0", None, "Europe/Paris"
    )

    def exported() -> list[bytes]:
        made = portability.parts(job, range(BUCKETS), 1, lambda *_: None)
        return [Path(part.file).read_bytes() for part in made]

    def forget(lots: int) -> None:
        for index in sorted((tmp_path / "work" / "parts").glob("*/lot-*.json"))[-lots:]:
            index.unlink()

    monkeypatch.setattr(portability, "MANY", 4)
    large = exported()
    assert len(large) >= 6
    forget(2)
    assert exported() == large
    forget(len(large))
    monkeypatch.setattr(portability, "MANY", len(large) + 1)
    small = exported()
    assert small != large, "the practice has documents that are packed in that way"
    for mine, theirs in zip(small, large, strict=True):
        assert abs(len(mine) - len(theirs)) < 0.02 * len(mine)
