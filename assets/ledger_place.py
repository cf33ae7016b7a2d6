"""Where the ledger of submissions of a practice stands: a file of the work folder, or the server that the settings name."""

from __future__ import annotations

from transvase.ledger.engines import Place, Server
from transvase.ledger.submissions import LEDGER
from transvase.settings import Settings, ledger_password


def ledger_place(settings: Settings) -> Place:
    """The place; whether a ledger was begun there is `engines.exists`. SettingsInvalid for an unreadable password file."""
    url = settings.feed.ledger
    return Server(url, ledger_password(settings)) if url else settings.work.folder / LEDGER
