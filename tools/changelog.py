"""Assemble the fragments of changelog/unreleased/ into CHANGELOG.md at a release, and remove them.

`python tools/changelog.py VERSION DATE`, or `--check` to read the fragments only. Form of a fragment: changelog/README.md.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# The order in which an operator should read them.
KINDS = ("Security", "Change", "Add", "Fix", "Remove")
_NAME = re.compile(r"\d{4}-[a-z0-9-]+\.md")
_FIRST = re.compile(rf"({'|'.join(KINDS)}): (\S.*)")


class Malformed(ValueError):
    """A fragment, or the release asked for, does not have the form that changelog/README.md gives."""


def fragments(folder: Path) -> list[tuple[str, str, str]]:
    """(kind, title, text) of the fragments, in the order of KINDS, then of their names."""
    found = []
    for path in sorted(folder.glob("*")):
        first, _, text = path.read_text(encoding="utf-8").partition("\n")
        match = _FIRST.fullmatch(first)
        if not _NAME.fullmatch(path.name) or match is None or not text.strip():
            raise Malformed(
                f"{path.name}: NNNN-few-words.md, first line 'Kind: title', then a text (changelog/README.md)"
            )
        found.append((match[1], match[2], text.strip()))
    return sorted(found, key=lambda f: KINDS.index(f[0]))


def section(version: str, date: str, found: list[tuple[str, str, str]]) -> str:
    """The section of a release."""
    if not re.fullmatch(r"\d+\.\d+\.\d+", version) or not re.fullmatch(r"\d{4}-\d\d-\d\d", date):
        raise Malformed("VERSION is 1.2.3 and DATE is 2026-11-23")
    if not found:
        raise Malformed("there is no fragment: nothing to release")
    lines = [f"## {version} ({date})", ""]
    lines += [f"- **{kind}: {title}.** {' '.join(text.split())}" for kind, title, text in found]
    return "\n".join(lines) + "\n"


def release(root: Path, version: str, date: str) -> None:
    """Put the section at the head of the releases of CHANGELOG.md, then remove the fragments."""
    folder, log = root / "changelog" / "unreleased", root / "CHANGELOG.md"
    new = section(version, date, fragments(folder))
    text = log.read_text(encoding="utf-8")
    if f"## {version} " in text:
        raise Malformed(f"{version} is released already")
    head, mark, older = text.partition("\n## ")
    log.write_text(f"{head.rstrip()}\n\n{new}" + (f"{mark}{older}" if mark else ""), encoding="utf-8", newline="\n")
    for path in folder.glob("*.md"):
        path.unlink()


def main() -> int:
    arguments = sys.argv[1:]
    try:
        if arguments == ["--check"]:
            print(f"{len(fragments(ROOT / 'changelog' / 'unreleased'))} fragments")
        elif len(arguments) == 2:
            release(ROOT, *arguments)
        else:
            print(__doc__, file=sys.stderr)
            return 2
    except Malformed as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
