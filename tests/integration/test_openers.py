"""An archive is opened alike by the programs that people have: Info-ZIP's unzip, 7-Zip and Python give the same files and the same bytes,
and none of them has a word to say about it."""

from __future__ import annotations

import os
import subprocess
import zipfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from transvase.formats import zip_stream

from .conftest import Exported

Openers = dict[str, Callable[[Path, Path], subprocess.CompletedProcess[bytes]]]
# Above what a directory counts without ZIP64.
MANY = 65_600


@pytest.fixture
def openers(program: Callable[[str], str]) -> Openers:
    """Name to what opens an archive into a folder."""
    unzip, seven = program("unzip"), program("7zz")

    def run(*words: str) -> subprocess.CompletedProcess[bytes]:
        # As on any desk: in the locale C unzip writes no accent.
        return subprocess.run(
            words, capture_output=True, check=False, timeout=120, env={**os.environ, "LC_ALL": "C.UTF-8"}
        )

    return {
        "unzip": lambda archive, folder: run(unzip, "-q", str(archive), "-d", str(folder)),
        "7-Zip": lambda archive, folder: run(seven, "x", "-bso0", "-bsp0", f"-o{folder}", str(archive)),
    }


def tree(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def by_python(archive: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(archive) as opened:
        assert opened.testzip() is None
        return {i.filename: opened.read(i) for i in opened.infolist() if not i.is_dir()}


def test_the_archive_and_those_inside_it_open_alike(small: Exported, openers: Openers, tmp_path: Path) -> None:
    archives = [small.path]
    for name in (*small.patients, "TRANSVERSE.ZIP"):
        archives.append(tmp_path / name)
        archives[-1].write_bytes(small.members[name])
    for archive in archives:
        expected = by_python(archive)
        assert expected
        for name, opened in openers.items():
            folder = tmp_path / f"{name} {archive.stem}"
            done = opened(archive, folder)
            assert (done.returncode, done.stdout, done.stderr) == (0, b"", b""), (name, archive.name)
            assert tree(folder) == expected, (name, archive.name)


def test_more_members_than_a_directory_counts_without_zip64(openers: Openers, tmp_path: Path) -> None:
    archive = tmp_path / "large.zip"
    entries = [(f"{rank % 90:02d}/{rank:05d}.TXT", b"%d" % rank, False) for rank in range(MANY)]
    archive.write_bytes(zip_stream.build(entries, datetime(2026, 11, 23, 20)))
    expected = {name: data for name, data, _ in entries}
    assert by_python(archive) == expected
    for name, opened in openers.items():
        done = opened(archive, tmp_path / name)
        assert (done.returncode, done.stderr) == (0, b""), name
        assert tree(tmp_path / name) == expected, name
