"""Ouvrir l'écran de Dagster, sur cette machine seulement : il n'a pas de mot de passe. / Open Dagster's screen on loopback."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

from transvase.errors import SourceMissing


def arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument(
        "--settings", type=Path, default=Path("transvase.toml"), help="fichier de réglages / settings file"
    )
    parser.add_argument("--port", type=int, default=3000, help="port sur 127.0.0.1 / port on 127.0.0.1")


def run(options: argparse.Namespace) -> int:
    """Start `dagster dev` on the work folder's instance until interrupted."""
    from transvase import settings as config
    from transvase.pipelines.execute import home

    found = config.load(options.settings)
    where = config.require_source(found)
    if isinstance(where, Path) and not where.exists():
        raise SourceMissing(path=where.name)
    environment = {
        **os.environ,
        "DAGSTER_HOME": str(home(found.work.folder).resolve()),
        "TRANSVASE_SETTINGS": str(options.settings.resolve()),
        # A folder of the current directory must never hide a library (validators, exporters...).
        "PYTHONSAFEPATH": "1",
        # Dagster takes the first place of the path away before it loads us, as if it were that of a script: with PYTHONPATH set it would be
        # the one where we are, and the graph would be empty. A file stands there instead, where nothing is ever found.
        "PYTHONPATH": os.pathsep.join(filter(None, (__file__, os.environ.get("PYTHONPATH")))),
    }
    print(f"http://127.0.0.1:{options.port}", flush=True)
    arguments_ = ["dev", "-m", "transvase.pipelines.definitions", "--host", "127.0.0.1", "--port", str(options.port)]
    return subprocess.call([sys.executable, "-m", "dagster", *arguments_], env=environment)
