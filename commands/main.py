"""Entry of the command `transvase`: finds the command's module and turns every error into one sentence and an exit code.

Only the chosen command's module is imported, so that help and mistakes answer at once.
"""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from keyword import iskeyword
from types import ModuleType

from transvase.errors import Interrupted, SettingsInvalid, TransvaseError, guarded

COMMANDS = {
    "demo": "Toute la chaîne sur un cabinet inventé, avec un DMP local. / The whole chain on an invented practice.",
    "init": "Écrire un fichier de réglages commenté. / Write a commented settings file.",
    "discover": "Découvrir une base et ébaucher sa correspondance. / Discover a database and draft its mapping.",
    "assess": "Évaluer une base avant tout départ. / Assess a database before anything moves.",
    "check": "Correspondance et verdicts, sans rien produire. / Mapping coverage and verdicts, nothing produced.",
    "extract": "Lire la base du cabinet. / Read the practice's database.",
    "export": "Produire l'archive de portabilité. / Make the portability archive.",
    "fhir": "Écrire les dossiers en FHIR, un fichier par type de ressource. / Write the records as FHIR, a file per type.",
    "request": "Inscrire et suivre les demandes de portabilité. / Register and follow portability requests.",
    "verify": "Vérifier une archive de portabilité. / Verify a portability archive.",
    "import": "Reprendre une archive dans un dossier de travail. / Read an archive back into a work folder.",
    "diff": "Comparer deux dossiers de travail ou archives. / Compare two work folders or archives.",
    "feed": "Alimenter le DMP. / Feed the DMP.",
    "mss": "Envoyer et recevoir par MSSanté. / Send and receive by MSSanté.",
    "insi": "Interroger INSi pour des patients nommés un à un. / Ask INSi about patients named one by one.",
    "audit": "Écrire le rapport d'audit. / Write the audit report.",
    "cda": "Écrire un document structuré d'un patient. / Write one structured document of a patient.",
    "explain": "Dire ce qu'un document est devenu et pourquoi. / Say what became of a document and why.",
    "sandbox": "Démarrer un DMP local strict. / Start a strict local DMP.",
    "dictionary": "Afficher le dictionnaire des données. / Print the data dictionary.",
    "ui": "Ouvrir l'écran de Dagster sur cette machine. / Open Dagster's screen on this machine.",
}


def module_of(name: str) -> ModuleType:
    """The module of a command; one whose name Python keeps for itself has an underscore."""
    return import_module(f"transvase.commands.{name}{'_' * iskeyword(name)}")


def parser_of(name: str) -> argparse.ArgumentParser:
    """The parser of one command, from its module."""
    module = module_of(name)
    parser = argparse.ArgumentParser(prog=f"transvase {name}", description=module.__doc__)
    module.arguments(parser)
    common = parser.add_argument_group("commun / common")
    common.add_argument("--lang", choices=("fr", "en"), default="fr", help="langue des messages / language of messages")
    return parser


def usage() -> str:
    """Help of the whole command."""
    width = max(map(len, COMMANDS))
    lines = "\n".join(f"  {name:<{width}}  {text}" for name, text in COMMANDS.items())
    return (
        "usage: transvase COMMANDE [options]\n\n"
        "Verse les dossiers d'un cabinet dans une archive de portabilité et dans le DMP, et le prouve.\n"
        "Pours a practice's records into a portability archive and the DMP, and proves it.\n\n"
        f"{lines}\n\n  transvase COMMANDE --help : options d'une commande / options of a command\n"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; its exit code (OPERATING.md lists them)."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if not given or given[0] in ("-h", "--help"):
        print(usage(), end="")
        return 0 if given else 2
    if given[0] == "--version":
        from transvase import __version__

        print(f"transvase {__version__}")
        return 0
    if given[0] not in COMMANDS:
        print(f"transvase: commande inconnue {given[0]!r} ; voir `transvase --help`.", file=sys.stderr)
        return 2
    options = parser_of(given[0]).parse_args(given[1:])
    options.called = given[0]
    # Every file of a command, whoever writes it (ledger, Dagster, a worker), is for its owner alone.
    os.umask(0o077)
    try:
        with guarded():
            code = int(module_of(given[0]).run(options))
            # Here and not at exit, where nobody could answer for it.
            sys.stdout.flush()
            _record(options, code)
            return code
    except TransvaseError as error:
        print(f"transvase: {_named(error, options).sentence(options.lang)}", file=sys.stderr)
        _record_failure(options, error)
        _forget(error)
        return error.exit_code
    except BrokenPipeError:
        # Who reads the output has seen enough (`| head`). What is left in the buffer must not be written again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        _record(options, 1)
        return 1
    except BaseException as error:
        # Inside a run Dagster answers Ctrl-C by an error of its own, no Exception either; only assets and pipelines know its class.
        if not isinstance(error, KeyboardInterrupt) and type(error).__name__ != "DagsterExecutionInterruptedError":
            raise
        print(f"transvase: {Interrupted().sentence(options.lang)}", file=sys.stderr)
        _record_failure(options, Interrupted())
        _forget(error)
        return Interrupted.exit_code


def _named(error: TransvaseError, options: argparse.Namespace) -> TransvaseError:
    """The error under the name of the settings file that the command read: what finds a setting wrong knows the setting only."""
    if not isinstance(error, SettingsInvalid) or not hasattr(options, "settings"):
        return error
    from transvase.settings import chosen

    return error.of(chosen(options.settings).name)


def _record(options: argparse.Namespace, code: int, error: TransvaseError | None = None) -> None:
    """End the record of the run, when the command began one; what could not be stamped or handed over is said."""
    recording = getattr(options, "recording", None)
    for said in recording.end(code, error) if recording is not None else ():
        print(f"transvase: {said.fr if options.lang == 'fr' else said.en}.", file=sys.stderr)


def _record_failure(options: argparse.Namespace, error: TransvaseError) -> None:
    """The same after an error: it was told, and no other may hide it. Without a closing the next run says that this one broke off."""
    with suppress(TransvaseError):
        _record(options, error.exit_code, error)


def _forget(error: BaseException | None) -> None:
    """Let go of the frames that an error holds: DuckDB writes a page on stderr about connections that outlive the interpreter."""
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error.__traceback__ = None
        error = error.__context__


if __name__ == "__main__":
    sys.exit(main())
