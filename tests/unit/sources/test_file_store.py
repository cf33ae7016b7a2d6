"""Files beside a database: which path of a row leads to which file, and that none leads out of the folder."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from transvase.sources.file_store import FileStore


@pytest.fixture
def media(tmp_path: Path) -> Path:
    """`media` with two files of one name in two folders; a file outside."""
    root = tmp_path / "media"
    for name, data in (
        ("12/scan.pdf", b"%PDF-12"),
        ("13/scan.pdf", b"%PDF-13"),
        ("libre.txt", b"texte"),
        ("vide.txt", b""),
        ("été/naïf & co.pdf", b"%PDF-e"),
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    (tmp_path / "secret.txt").write_bytes(b"secret")
    return root


@pytest.mark.parametrize(
    "name, body",
    [
        ("12/scan.pdf", b"%PDF-12"),
        ("./13//scan.pdf", b"%PDF-13"),
        (" libre.txt ", b"texte"),
        ("vide.txt", b""),
        ("été/naïf & co.pdf", b"%PDF-e"),
        ("12\\scan.pdf", b"%PDF-12"),
        # Paths of the product's own machine.
        ("/var/lib/produit/media/12/scan.pdf", b"%PDF-12"),
        ("file:///srv/media/13/scan.pdf", b"%PDF-13"),
        ("FILE:///srv/Media/13/scan.pdf", b"%PDF-13"),
        ("file://serveur/partage/media/libre.txt", b"texte"),
        ("C:\\Produit\\Media\\12\\scan.pdf", b"%PDF-12"),
        ("\\\\serveur\\partage\\media\\libre.txt", b"texte"),
        ("/media/vieux/media/12/scan.pdf", b"%PDF-12"),
    ],
)
def test_a_path_that_leads_to_a_file(media, name, body):
    store = FileStore(media)
    assert store.body(name) == body
    assert (store.named, store.read, store.absent) == (1, 1, 0)


@pytest.mark.parametrize(
    "name",
    [
        "scan.pdf",  # a file of that name stands in two folders, and is nobody's
        "14/scan.pdf",
        "12",
        "media",
        "/",
        "..",
        "../secret.txt",
        "12/../../secret.txt",
        "/srv/media/../secret.txt",
        "/srv/autre/12/scan.pdf",
        "/etc/passwd",
        "12/scan.pdf\0.txt",
        "x" * 5000,
        "file://",
        "http://media/12/scan.pdf",
    ],
)
def test_a_path_that_leads_nowhere(media, name):
    store = FileStore(media)
    assert store.body(name) is None
    assert (store.named, store.read, store.absent) == (1, 0, 1)


def test_a_link_out_of_the_folder_is_not_followed(media):
    (media / "sortie.txt").symlink_to(media.parent / "secret.txt")
    (media / "dehors").symlink_to(media.parent)
    (media / "dedans.txt").symlink_to(media / "libre.txt")
    store = FileStore(media)
    assert store.body("sortie.txt") is None and store.body("dehors/secret.txt") is None
    assert store.body("dedans.txt") == b"texte"


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="needs a user whom rights bind")
def test_a_file_that_may_not_be_read_is_absent(media):
    (media / "libre.txt").chmod(0)
    assert FileStore(media).body("libre.txt") is None


def test_without_a_folder_every_file_is_absent(media):
    store = FileStore(None)
    assert store.body("12/scan.pdf") is None and store.absent == 1
