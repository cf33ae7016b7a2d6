"""Fragments and their assembly at a release."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOOL = runpy.run_path(str(ROOT / "tools" / "changelog.py"))
fragments, release, Malformed = TOOL["fragments"], TOOL["release"], TOOL["Malformed"]


@pytest.fixture
def tree(tmp_path):
    folder = tmp_path / "changelog" / "unreleased"
    folder.mkdir(parents=True)
    (folder / "0001-first.md").write_text("Fix: one\nIt failed.\nIt works.\n", encoding="utf-8")
    (folder / "0002-second.md").write_text("Security: two\nIt leaked.\n", encoding="utf-8")
    (tmp_path / "CHANGELOG.md").write_text("# Changelog\n\nHead.\n", encoding="utf-8")
    return tmp_path


def test_the_fragments_of_the_project_are_well_formed():
    fragments(ROOT / "changelog" / "unreleased")


def test_a_release_puts_the_most_urgent_first_and_removes_the_fragments(tree):
    release(tree, "1.0.0", "2027-01-31")
    assert (tree / "CHANGELOG.md").read_text(encoding="utf-8") == (
        "# Changelog\n\nHead.\n\n## 1.0.0 (2027-01-31)\n\n- **Security: two.** It leaked.\n- **Fix: one.** It failed. It works.\n"
    )
    assert not list((tree / "changelog" / "unreleased").iterdir())


def test_a_later_release_stands_above(tree):
    release(tree, "1.0.0", "2027-01-31")
    (tree / "changelog" / "unreleased" / "0003-third.md").write_text("Add: three\nNew.\n", encoding="utf-8")
    release(tree, "1.1.0", "2027-02-28")
    text = (tree / "CHANGELOG.md").read_text(encoding="utf-8")
    assert text.index("## 1.1.0") < text.index("## 1.0.0") and text.count("Head.") == 1


@pytest.mark.parametrize(
    "name, text",
    [
        pytest.param("0001-x.md", "Misc: one\nText.\n", id="unknown kind"),
        pytest.param("0001-x.md", "Fix: one\n", id="no text"),
        pytest.param("0001-x.md", "", id="empty"),
        pytest.param("x.md", "Fix: one\nText.\n", id="no number"),
    ],
)
def test_a_malformed_fragment_is_refused(tree, name, text):
    (tree / "changelog" / "unreleased" / name).write_text(text, encoding="utf-8")
    with pytest.raises(Malformed):
        release(tree, "1.0.0", "2027-01-31")
    assert (tree / "changelog" / "unreleased" / name).exists()


@pytest.mark.parametrize("version, date", [("1.0", "2027-01-31"), ("1.0.0", "31/01/2027")])
def test_a_release_is_a_version_and_a_date(tree, version, date):
    with pytest.raises(Malformed):
        release(tree, version, date)


def test_the_same_version_is_not_released_twice(tree):
    release(tree, "1.0.0", "2027-01-31")
    (tree / "changelog" / "unreleased" / "0003-third.md").write_text("Add: three\nNew.\n", encoding="utf-8")
    with pytest.raises(Malformed, match="already"):
        release(tree, "1.0.0", "2027-02-28")
