"""What the commands share: the settings option, the run it gives, progress on a terminal, answers as JSON."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from transvase.errors import BadCall, Said

if TYPE_CHECKING:
    from transvase.assets.evidence import Recording
    from transvase.assets.run import Run

# Lines between two reports of progress where there is no terminal: enough for a log, too few to fill it.
_PLAIN_EVERY = 10.0


def with_settings(parser: argparse.ArgumentParser, clock: bool = True) -> None:
    """Options of a command that works on a practice."""
    parser.add_argument(
        "--settings", type=Path, default=None, help="fichier de réglages (défaut : transvase.toml) / settings file"
    )
    parser.add_argument(
        "--operator",
        default=None,
        metavar="REF",
        help="qui lance la commande, par son identifiant / who runs the command, by identifier",
    )
    if clock:
        with_clock(parser)
        parser.add_argument(
            "--schema",
            type=Path,
            default=None,
            help="schéma XSD CI-SIS (CDA_extended.xsd) / official CDA schema to validate against",
        )


def with_clock(parser: argparse.ArgumentParser) -> None:
    """`--clock` for a command that dates what it writes."""
    parser.add_argument(
        "--clock",
        default=None,
        metavar="ISO",
        help="heure de l'exécution, avec décalage / the run's clock, with its offset",
    )


def with_key(parser: argparse.ArgumentParser) -> None:
    """`--key` for a command that reads archives."""
    parser.add_argument(
        "--key",
        type=Path,
        default=None,
        metavar="FICHIER",
        help="identité age, phrase secrète ou clé PEM qui ouvre une archive chiffrée / what opens an encrypted archive",
    )


@contextmanager
def plain(options: argparse.Namespace, path: Path, folder: Path | None) -> Iterator[BinaryIO]:
    """An archive in clear: the file itself, or what `--key` makes of an encrypted one, in a file without a name in `folder` (None: the
    system's temporary one) that is gone afterwards. ArchiveLocked when it does not open."""
    from transvase.formats import encryption, files
    from transvase.settings import key_password

    if encryption.is_encrypted(path):
        if folder is not None:
            files.private_folder(folder)
        with encryption.opened(path, options.key, key_password(), folder) as file:
            yield file
    else:
        with path.open("rb") as file:
            yield file


def set_of(path: Path) -> Path | None:
    """The set manifest that a path is, or that a folder holds; None for anything else."""
    from transvase.formats.archive_set import SUFFIX
    from transvase.validators.archive_set import manifest_of

    if path.is_dir():
        return manifest_of(path)
    return path if path.name.upper().endswith(SUFFIX) else None


def with_json(parser: argparse.ArgumentParser) -> None:
    """`--json` for a command that another program reads."""
    parser.add_argument("--json", action="store_true", help="réponse en JSON / answer as JSON")


def moment(text: str) -> datetime:
    """An ISO instant with its offset; BadCall otherwise."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise BadCall(
            what=Said(
                "--clock : une date ISO avec décalage est attendue", "--clock: an ISO date with its offset is expected"
            ),
            mend=Said("par exemple 2026-11-23T20:00:00+01:00", "such as 2026-11-23T20:00:00+01:00"),
        )
    return found


def run_of(options: argparse.Namespace, *, resume: bool = False) -> Run:
    """The run of a command. With `resume`, an interrupted export goes on with its own clock."""
    from transvase import settings as config
    from transvase.assets.run import Run
    from transvase.model.clock import zone

    settings = config.load(options.settings) if options.settings else config.located()
    clock = moment(options.clock) if getattr(options, "clock", None) is not None else None
    if clock is None and resume:
        from transvase.exporters.portability import pending_clock

        clock = pending_clock(settings.work.folder)
    if clock is None:
        clock = datetime.now(zone(settings.time_zone)).replace(microsecond=0)
    schema = getattr(options, "schema", None)
    if schema is not None and not schema.is_file():
        raise BadCall(
            what=Said(f"--schema : {schema.name} n'existe pas", f"--schema: {schema.name} does not exist"),
            mend=Said("indiquez CDA_extended.xsd du CI-SIS", "give CDA_extended.xsd of CI-SIS"),
        )
    options.recording = _recording(options)
    return Run(settings, clock, Progress(options.lang), schema, recording=options.recording)


def _recording(options: argparse.Namespace) -> Recording:
    """The record that the command begins when it works, and that `main` ends with its exit code."""
    from transvase.assets.evidence import Recording
    from transvase.settings import is_reference

    given = getattr(options, "operator", None)
    if given is not None and not is_reference(given):
        raise BadCall(
            what=Said(
                "--operator : une référence est attendue, pas un nom", "--operator: a reference is expected, not a name"
            ),
            mend=Said("lettres, chiffres, . _ @ -", "letters, digits, . _ @ -"),
        )
    words = (getattr(options, "called", ""), getattr(options, "act", None) or "")
    return Recording(" ".join(filter(None, words)), given or "")


def counted(count: int, one_fr: str, several_fr: str, one: str, several: str, language: str) -> str:
    """A count with its noun: in French the plural begins at two, in English everything but one is plural."""
    if language == "fr":
        return f"{count} {several_fr if count > 1 else one_fr}"
    return f"{count} {one if count == 1 else several}"


class Progress:
    """Shows steps, counts, rate and time left: one line rewritten on a terminal, plain lines elsewhere."""

    def __init__(self, language: str) -> None:
        self._left = "reste" if language == "fr" else "left"
        self._step = ""
        self._began = self._shown = 0.0
        self._terminal = sys.stderr.isatty()

    def __call__(self, step: str, done: int, total: int, detail: str) -> None:
        """Report `done` of `total` in a step; `detail` is free text without any value of a record."""
        now = time.monotonic()
        if step != self._step:
            self._step, self._began, self._shown = step, now, 0.0
        if done < total and now - self._shown < (0.1 if self._terminal else _PLAIN_EVERY):
            return
        self._shown = now
        spent = now - self._began
        rate = done / spent if spent > 0.05 else 0.0
        line = f"{step} : {done}/{total}"
        if detail:
            line += f" ({detail})"
        if rate and done < total:
            line += f" · {rate:.0f}/s · {self._left} {_clock((total - done) / rate)}"
        if self._terminal:
            print(f"\r\033[K{line}", end="\n" if done >= total else "", file=sys.stderr, flush=True)
        else:
            print(line, file=sys.stderr, flush=True)


def _clock(seconds: float) -> str:
    whole = round(seconds)
    return f"{whole // 60} min {whole % 60:02d} s" if whole >= 60 else f"{whole} s"
