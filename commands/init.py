"""Écrire un fichier de réglages commenté (`transvase.toml`). / Write a commented settings file."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from transvase.errors import BadCall, Said


def arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument(
        "file", type=Path, nargs="?", default=Path("transvase.toml"), help="fichier à écrire / file to write"
    )


def run(options: argparse.Namespace) -> int:
    """Write the file; an existing one is never overwritten."""
    from transvase.formats import files

    if options.file.exists():
        raise BadCall(
            what=Said(f"{options.file.name} existe déjà", f"{options.file.name} exists already"),
            mend=Said("donnez un autre nom, ou modifiez-le", "give another name, or edit it"),
        )
    files.write(options.file.resolve(), template().encode())
    print(f"{options.file} écrit : complétez-le, puis `transvase check`.")
    return 0


def template() -> str:
    """The settings file with every setting, its meaning and its default."""
    from transvase.settings import Settings

    lines = ["# Réglages de Transvase. Une ligne en commentaire garde la valeur par défaut. Aucun secret ici :", ""]
    lines[0] += " des fichiers ou l'environnement."
    lines.append(_line("time_zone", Settings.model_fields["time_zone"]))
    for name, section in Settings.model_fields.items():
        kind: Any = section.annotation
        if name == "time_zone":
            continue
        lines += ["", f"# {kind.__doc__.splitlines()[0]}", f"[{name}]"]
        lines += [_line(field, about) for field, about in kind.model_fields.items()]
    return "\n".join(lines) + "\n"


def _line(name: str, about: Any) -> str:
    value = about.default
    shown = '""' if value is None else str(value).lower() if isinstance(value, bool) else value
    if isinstance(value, (str, Path)):
        shown = f'"{value}"'
    return f"# {about.description}\n# {name} = {shown}"
