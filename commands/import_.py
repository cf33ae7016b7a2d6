"""Reprendre une archive dans le dossier de travail : une archive de portabilité, une archive XDM ou un dossier de XDM et de CDA.
/ Read an archive back into the work folder: a portability archive, an XDM archive, or a folder of XDM and CDA."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from transvase.commands.session import counted, plain, run_of, set_of, with_clock, with_json, with_key, with_settings
from transvase.errors import ArchiveInvalid, BadCall, Said


def arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument(
        "archive",
        type=Path,
        help="archive (chiffrée ou non), ensemble (PA….SET.JSON), document ou dossier / archive, set, document or folder",
    )
    parser.add_argument(
        "--unverified",
        action="store_true",
        help="reprendre aussi une archive qui échoue à la vérification / also an archive that fails verification",
    )
    with_key(parser)
    with_settings(parser, clock=False)
    with_clock(parser)
    with_json(parser)


def run(options: argparse.Namespace) -> int:
    """Verify, then import; print what was read. Exit 1 when something could not be read: it is listed."""
    import orjson

    from transvase.assets.evidence import note_archive
    from transvase.commands.verify import verify_set
    from transvase.formats import encryption
    from transvase.formats.archive_set import SetUnreadable, read
    from transvase.sources.archive.importer import import_archive, is_portability
    from transvase.validators.archive import verify

    path: Path = options.archive
    if not path.exists():
        raise BadCall(
            what=Said(f"{path.name} n'existe pas", f"{path.name} does not exist"),
            mend=Said("indiquez l'archive ou le dossier", "give the archive or the folder"),
        )
    session = run_of(options)
    recording = options.recording
    recording.begin(session)
    recording.note("imported", note_archive(path))
    shown = session.progress
    told = set_of(path)
    encrypted = encryption.is_encrypted(path)
    places = [path]
    if told is not None:
        try:
            places = [told.parent / one.file for one in read(told).archives]
        except SetUnreadable:
            raise ArchiveInvalid(path=told.name, count=1) from None
    if told is not None and not options.unverified:
        options.schema = None
        met, reports = verify_set(options, told, None, session.work)
        if problems := sum(f.severity == "block" for f in met) + sum(len(one.problems) for _, one in reports):
            raise ArchiveInvalid(path=told.name, count=problems)
    elif path.is_file() and (encrypted or is_portability(path)) and not options.unverified:
        with plain(options, path, session.work) as content:
            report = verify(
                path,
                lambda done, total: shown("vérification", done, total, ""),
                content=content if encrypted else None,
            )
        if report.problems:
            raise ArchiveInvalid(path=path.name, count=len(report.problems))

    def opened() -> Iterator[BinaryIO]:
        for place in places:
            if place.is_file():
                with plain(options, place, session.work) as content:
                    yield content

    done = import_archive(
        path,
        session.work,
        clock=session.clock,
        progress=lambda done, total: shown("import", done, total, ""),
        opened=opened if encrypted or told is not None else None,
    )
    recording.note("imported", note_archive(path) | {"bodies": done.bodies, "unread": len(done.unread)})
    rows = done.manifest["rows"]
    if options.json:
        said = {"rows": rows, "bodies": done.bodies, "unread": done.unread, "in_documents": done.in_documents}
        print(orjson.dumps(said).decode())
        return 1 if done.unread else 0
    french = options.lang == "fr"
    for line in done.unread:
        print(f"  {'non repris' if french else 'not read'} : {line}")
    for line in done.in_documents:
        print(f"  {'dans son document seul' if french else 'in its document only'} : {line}")
    parts = (
        counted(sum(rows.values()), "ligne", "lignes", "row", "rows", options.lang),
        counted(rows["patient"], "patient", "patients", "patient", "patients", options.lang),
        counted(rows["document"], "document", "documents", "document", "documents", options.lang),
        counted(done.bodies, "contenu nouveau", "contenus nouveaux", "new content", "new contents", options.lang),
    )
    print(", ".join(parts))
    print(session.work)
    return 1 if done.unread else 0
