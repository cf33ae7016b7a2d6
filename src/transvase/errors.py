"""Errors a user may see. The class docstring is the message; it names records by internal reference, never by value.

Each class holds one exit code, listed in `OPERATING.md`; a retired number is not reused (a test checks both).
Anything here ends a command. A finding about one record is not an error but a verdict (`model/verdict.py`).
"""

from __future__ import annotations

import inspect


class TransvaseError(Exception):
    """The command could not do its work."""

    exit_code = 10

    def __init__(self, **facts: object) -> None:
        template = inspect.cleandoc(type(self).__doc__ or "").replace("\n", " ")
        super().__init__(template.format(**facts))
        self.facts = facts

    def __reduce__(self) -> tuple[object, ...]:
        # Errors cross process borders; the default would pass the message as the only positional argument.
        return (_rebuild, (type(self), self.facts))


def _rebuild(cls: type[TransvaseError], facts: dict[str, object]) -> TransvaseError:
    return cls(**facts)


class BadCall(TransvaseError):
    """{what}; {mend}."""

    exit_code = 2


class SettingsInvalid(TransvaseError):
    """Setting {name} in {file}: {what}; correct it or remove the line to take the default."""

    exit_code = 11


class SourceMissing(TransvaseError):
    """Database {path} does not exist; give the path of the practice's database in [source] path."""

    exit_code = 20


class SourceUnreadable(TransvaseError):
    """Database {path} cannot be read as {kind} ({reason}); check that it is complete and of that kind."""

    exit_code = 21


class SourceLocked(TransvaseError):
    """Database {path} is locked by another program; close it, or extract from a copy."""

    exit_code = 22


class SchemaDrift(TransvaseError):
    """The schema of {path} differs from the mapping {product}: {differences}; update the mapping's columns.csv."""

    exit_code = 23


class MappingInvalid(TransvaseError):
    """Mapping {product}, file {file}: {what}; correct the file."""

    exit_code = 24


class CellsUnaccounted(TransvaseError):
    """Table {table}: {source} cells in the source, {accounted} accounted for; report this, do not use the extraction."""

    exit_code = 25


class WorkMissing(TransvaseError):
    """Folder {path} holds no {what}; run `transvase {command}` first."""

    exit_code = 30


class DiskFull(TransvaseError):
    """No space left while writing {path}; free some and run the same command again, finished parts are kept."""

    exit_code = 31


class OutputUnwritable(TransvaseError):
    """{path} cannot be written ({reason}); check the folder and its rights."""

    exit_code = 32


class ArchiveInvalid(TransvaseError):
    """Archive {path} fails verification with {count} problems; ask its issuer for an intact copy."""

    exit_code = 40


class CertificateRefused(TransvaseError):
    """The connection to {service} was refused ({reason}); check certificate, key and authority in [feed]."""

    exit_code = 50


class ServiceUnreachable(TransvaseError):
    """{service} does not answer ({reason}); what was not sent waits in the ledger, run the same command again."""

    exit_code = 51


class FeederLocked(TransvaseError):
    """Another feeder holds the ledger {path}; wait for it to end."""

    exit_code = 52


class EnvironmentMismatch(TransvaseError):
    """Environment {environment} refuses {what}; check [feed] environment before sending anything."""

    exit_code = 53


class Interrupted(TransvaseError):
    """Interrupted; nothing half-written stands under its final name, run the same command again to go on."""

    exit_code = 130
