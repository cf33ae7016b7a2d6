"""What a run carries to every asset: settings, clock, progress."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from transvase import __version__
from transvase.model.report import WHOLE, View
from transvase.model.request import EVERYTHING, Scope
from transvase.settings import Settings
from transvase.validators.expectations import Background

if TYPE_CHECKING:
    from transvase.assets.evidence import Recording

SOFTWARE = f"Transvase {__version__}"

# (step, done, total, detail)
Progress = Callable[[str, int, int, str], None]


def silent(step: str, done: int, total: int, detail: str) -> None:
    """No progress shown."""


@dataclass(frozen=True)
class Run:
    """A run of the pipeline. `clock` is aware; `schema` the official CDA schema to validate against, or None."""

    settings: Settings
    clock: datetime
    progress: Progress = field(default=silent)
    schema: Path | None = None
    # The feeder's own watch: a test or a demonstration may stop it, a real run reads the time of each write.
    now: Callable[[], datetime] | None = None
    # Whether an extraction reads everything again although nothing changed in the source.
    again: bool = False
    # What an export takes, and the number of the request that asked for it; 0 for the whole practice, asked by nobody.
    scope: Scope = EVERYTHING
    request: int = 0
    # Whether an export is a trial for who receives (status SAMPLE of PORT-15), not the delivery.
    sample: bool = False
    # What the audit report is about, and the file of its restricted annex, when one is asked for.
    view: View = WHOLE
    annex: Path | None = None
    # The record of this run, when a command or Dagster keeps one; `assets.evidence`.
    recording: Recording | None = None
    # The checks of this run's extraction, under way in a process beside it.
    background: list[Background] = field(default_factory=list)

    @property
    def work(self) -> Path:
        """Folder of the working copies."""
        return self.settings.work.folder

    @property
    def out(self) -> Path:
        """Folder of the archive: each request has its own, since two archives of one second would bear one name."""
        folder = self.settings.export.folder
        return folder / f"demande-{self.request:06d}" if self.request else folder

    @property
    def practice(self) -> dict[str, str]:
        """What the settings say of the practice beyond its database, by column of the canonical table."""
        given = self.settings.practice
        return {n: getattr(given, n) for n in ("name", "struct_idnat", "oid", "facility_type")}

    @property
    def contact(self) -> dict[str, str]:
        """Contact Portabilité."""
        given = self.settings.practice
        return {"name": given.contact_name, "email": given.contact_email, "phone": given.contact_phone}
