"""Errors a user may see. The class docstring is the message; it names records by internal reference, never by value.

Each class holds one exit code, listed in `OPERATING.md`; a retired number is not reused (a test checks both).
Anything here ends a command. A finding about one record is not an error but a verdict (`model/verdict.py`).
"""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple


class Said(NamedTuple):
    """A part of a message in both languages, when it is not a name or a number."""

    fr: str
    en: str


class TransvaseError(Exception):
    """The command could not do its work."""

    exit_code = 10
    # The same sentence for French readers, who come first on a terminal.
    french = ""

    def __init__(self, **facts: object) -> None:
        template = inspect.cleandoc(type(self).__doc__ or "").replace("\n", " ")
        super().__init__(template.format(**{k: v.en if isinstance(v, Said) else v for k, v in facts.items()}))
        self.facts = facts

    def sentence(self, language: str) -> str:
        """The message in French (`fr`) or English."""
        if language != "fr" or not self.french:
            return str(self)
        return self.french.format(**{k: v.fr if isinstance(v, Said) else v for k, v in self.facts.items()})

    def __reduce__(self) -> tuple[object, ...]:
        # Errors cross process borders; the default would pass the message as the only positional argument.
        return (_rebuild, (type(self), self.facts))


def _rebuild(cls: type[TransvaseError], facts: dict[str, object]) -> TransvaseError:
    return cls(**facts)


class BadCall(TransvaseError):
    """{what}; {mend}."""

    exit_code = 2
    french = "{what} ; {mend}."


class SettingsInvalid(TransvaseError):
    """Setting {name} in {file}: {what}; {mend}."""

    exit_code = 11
    french = "Réglage {name} de {file} : {what} ; {mend}."
    # What to do about a value that is wrong, and about one that is not there: it has no default to go back to.
    WRONG = Said(
        "corrigez-le, ou retirez la ligne pour reprendre la valeur par défaut",
        "correct it or remove the line to take the default",
    )
    MISSING = Said("donnez-lui une valeur", "give it a value")
    # How the settings file is called where the one that was read is not known.
    FILE = "transvase.toml"

    def __init__(self, **facts: object) -> None:
        super().__init__(**{"mend": self.WRONG, **facts})

    def of(self, file: str) -> SettingsInvalid:
        """The same error under the name of the settings file that was read; one about another file stays as it is."""
        return type(self)(**{**self.facts, "file": file}) if self.facts["file"] == self.FILE else self


class SourceMissing(TransvaseError):
    """Database {path} does not exist; give the path or the address of the practice's database in [source]."""

    exit_code = 20
    french = "La base {path} n'existe pas ; indiquez le chemin ou l'adresse de la base du cabinet dans [source]."


class SourceUnreadable(TransvaseError):
    """Database {path} cannot be read as {kind} ({reason}); check that it is complete and of that kind."""

    exit_code = 21
    french = (
        "La base {path} n'est pas lisible comme {kind} ({reason}) ; vérifiez qu'elle est complète et de cette nature."
    )


class SourceLocked(TransvaseError):
    """Database {path} is locked by another program; close it, or extract from a copy."""

    exit_code = 22
    french = "La base {path} est verrouillée par un autre programme ; fermez-le, ou extrayez depuis une copie."


class SourceUnreachable(TransvaseError):
    """The server of {path} does not answer; check that it is started, and its address in [source] url."""

    exit_code = 26
    french = "Le serveur de {path} ne répond pas ; vérifiez qu'il est démarré, et son adresse dans [source] url."


class SourceRefused(TransvaseError):
    """The server of {path} refuses the user or the password; check both, and the user's right to read."""

    exit_code = 27
    french = "Le serveur de {path} refuse l'utilisateur ou le mot de passe ; vérifiez-les, et son droit de lecture."


class SourceOutsideHours(TransvaseError):
    """It is not within {window}, the hours that [source] window leaves for reading; nothing is kept of what was read, run the same command
    again within them."""

    exit_code = 34
    french = (
        "Il n'est pas dans {window}, les heures que [source] window laisse à la lecture ; rien n'est gardé de ce qui a été lu, relancez "
        "la même commande pendant ces heures."
    )


class SchemaDrift(TransvaseError):
    """The schema of {path} differs from the mapping {product}: {differences}; update the mapping's columns.csv."""

    exit_code = 23
    french = (
        "Le schéma de {path} diffère de la correspondance {product} : {differences} ; mettez à jour son columns.csv."
    )


class MappingInvalid(TransvaseError):
    """Mapping {product}, file {file}: {what}; correct the file."""

    exit_code = 24
    french = "Correspondance {product}, fichier {file} : {what} ; corrigez le fichier."


class CellsUnaccounted(TransvaseError):
    """Table {table}: {source} cells in the source, {accounted} accounted for; report this, do not use the extraction."""

    exit_code = 25
    french = "Table {table} : {source} cellules dans la source, {accounted} retrouvées ; signalez-le et n'utilisez pas l'extraction."


class SourceVersion(TransvaseError):
    """Database {path} is of version {found}, mapping {product} serves {served}; nothing was read: have the mapping extended to that
    version, or give a database of a version it serves."""

    exit_code = 28
    french = (
        "La base {path} est de version {found}, la correspondance {product} sert {served} ; rien n'a été lu : faites étendre la "
        "correspondance à cette version, ou donnez une base d'une version qu'elle sert."
    )


class SourcePartial(TransvaseError):
    """Database {path} was not loaded to its end: {evidence}; nothing was read: restore it whole, then run the same command."""

    exit_code = 29
    french = (
        "La base {path} n'a pas été chargée jusqu'au bout : {evidence} ; rien n'a été lu : restaurez-la entière, puis relancez la "
        "même commande."
    )


class WorkMissing(TransvaseError):
    """Folder {path} holds no {what}; run `transvase {command}` first."""

    exit_code = 30
    french = "Le dossier {path} ne contient pas : {what} ; lancez d'abord `transvase {command}`."


class ExtractionStale(TransvaseError):
    """The extraction in {path} was made by another version of Transvase; run `transvase extract` again."""

    exit_code = 33
    french = "L'extraction de {path} vient d'une autre version de Transvase ; relancez `transvase extract`."


class DiskFull(TransvaseError):
    """No space left while writing {path}; free some and run the same command again, finished parts are kept."""

    exit_code = 31
    french = (
        "Plus de place pour écrire {path} ; libérez-en et relancez la même commande, les parties finies sont gardées."
    )


class OutputUnwritable(TransvaseError):
    """{path} cannot be written ({reason}); check the folder and its rights."""

    exit_code = 32
    french = "{path} ne peut pas être écrit ({reason}) ; vérifiez le dossier et ses droits."


class HistoryDamaged(TransvaseError):
    """Folder {path} of the work folder is damaged ({reason}); delete it and run the same command again: it holds the history of runs and
    no data of the practice."""

    exit_code = 35
    french = (
        "Le dossier {path} du dossier de travail est abîmé ({reason}) ; supprimez-le et relancez la même commande : il tient l'historique "
        "des exécutions et aucune donnée du cabinet."
    )


class ArchiveInvalid(TransvaseError):
    """Archive {path} fails verification (problems: {count}); ask its issuer for an intact copy."""

    exit_code = 40
    french = "L'archive {path} ne passe pas la vérification (anomalies : {count}) ; demandez une copie intacte à son émetteur."


class ArchiveLocked(TransvaseError):
    """Encrypted archive {path} does not open ({reason}); give the right key, or ask its issuer for an intact copy."""

    exit_code = 42
    french = "L'archive chiffrée {path} ne s'ouvre pas ({reason}) ; donnez la bonne clé, ou demandez une copie intacte à son émetteur."


class EvidenceBroken(TransvaseError):
    """Run record {number} of {path}: {what}; change nothing there, and compare the folder with a copy kept elsewhere."""

    exit_code = 41
    french = "Enregistrement {number} de {path} : {what} ; n'y changez rien, et comparez le dossier à une copie gardée ailleurs."


class CertificateRefused(TransvaseError):
    """The connection to {service} was refused ({reason}); check certificate, key and authority in [feed]."""

    exit_code = 50
    french = "Connexion refusée par {service} ({reason}) ; vérifiez certificat, clé et autorité dans [feed]."


class ServiceUnreachable(TransvaseError):
    """{service} does not answer ({reason}); what was not sent waits in the ledger, run the same command again."""

    exit_code = 51
    french = "{service} ne répond pas ({reason}) ; ce qui n'est pas parti attend dans le registre, relancez la même commande."


class FeederLocked(TransvaseError):
    """Another feeder holds the ledger {path}; wait for it to end."""

    exit_code = 52
    french = "Une autre alimentation tient le registre {path} ; attendez qu'elle finisse."


class EnvironmentMismatch(TransvaseError):
    """Environment {environment} refuses {what}; check [feed] environment before sending anything."""

    exit_code = 53
    french = "L'environnement {environment} refuse {what} ; vérifiez [feed] environment avant tout envoi."


class RefusedAlike(TransvaseError):
    """{service} refuses one document after another for the same cause, {code}, and the run stopped: {cause} Nothing is lost, the
    documents wait in the ledger."""

    exit_code = 54
    french = (
        "{service} refuse les documents l'un après l'autre pour la même cause, {code}, et l'envoi s'est arrêté : {cause} "
        "Rien n'est perdu, les documents attendent dans le registre."
    )


class LedgerUnreachable(TransvaseError):
    """The server of the ledger {path} does not answer, or ended the session; check that it is started, and its address in [feed] ledger,
    then run the same command again: what it committed is kept."""

    exit_code = 55
    french = (
        "Le serveur du registre {path} ne répond pas, ou a coupé la session ; vérifiez qu'il est démarré, et son adresse dans [feed] "
        "ledger, puis relancez la même commande : ce qu'il a enregistré est gardé."
    )


class LedgerRefused(TransvaseError):
    """The server of the ledger {path} refuses the base, the user or the password; check the three in [feed], and the user's right to the
    schema."""

    exit_code = 56
    french = (
        "Le serveur du registre {path} refuse la base, l'utilisateur ou le mot de passe ; vérifiez-les dans [feed], et le droit de cet "
        "utilisateur sur le schéma."
    )


class Interrupted(TransvaseError):
    """Interrupted; nothing half-written stands under its final name, run the same command again to go on."""

    exit_code = 130
    french = "Interrompu ; rien d'incomplet ne porte un nom définitif, relancez la même commande pour continuer."


class Defect(TransvaseError):
    """{kind} in {place}: this is a defect of Transvase, report it with these words, they hold nothing of a record."""

    exit_code = 70
    french = "{kind} dans {place} : c'est un défaut de Transvase, signalez-le avec ces mots, ils ne contiennent rien d'un dossier."


@contextmanager
def guarded() -> Iterator[None]:
    """Let our errors pass; anything else becomes a Defect that names its place only, since its text may quote a record."""
    try:
        yield
    except (TransvaseError, BrokenPipeError):
        raise
    except Exception as error:
        # DuckDB answers Ctrl-C by an error of its own.
        if isinstance(error, RuntimeError) and "interrupted" in str(error).lower():
            raise Interrupted() from None
        frames = [f for f in traceback.extract_tb(error.__traceback__) if "transvase" in f.filename]
        last = frames[-1] if frames else None
        place = f"{Path(last.filename).name}:{last.lineno}" if last else "a library"
        raise Defect(kind=type(error).__name__, place=place) from None
