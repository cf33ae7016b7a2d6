"""The two engines that may hold the ledger of submissions: a SQLite file, or a schema of a PostgreSQL server when several machines feed.

Here is what differs between them: opening, tables and what guards them, transactions, the lock. The questions asked of the tables are in
`submissions`, the same for both: `?` marks a value, text is ordered by code point.
"""

from __future__ import annotations

import hashlib
import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple, Protocol
from urllib.parse import parse_qs, unquote, urlsplit

from transvase.errors import (
    DiskFull,
    FeederLocked,
    LedgerRefused,
    LedgerUnreachable,
    OutputUnwritable,
    Said,
    SettingsInvalid,
    TransvaseError,
)
from transvase.formats.files import private_folder

# Layout of a SQLite file, kept in its user_version.
_LAYOUT = 1
# {text} is the engine's text, compared by code point; {row} what ends a table.
_TABLES = """
CREATE TABLE IF NOT EXISTS submission (
  id {text} PRIMARY KEY,           -- unique_id and destination
  document {text} NOT NULL,        -- key of the canonical document
  version {text} NOT NULL,         -- key of the canonical document_version
  patient {text} NOT NULL,         -- key of the canonical patient
  destination {text} NOT NULL,
  unique_id {text} NOT NULL,
  sha1 {text} NOT NULL DEFAULT '', -- of the bytes that were validated and sent
  size INTEGER NOT NULL DEFAULT 0,
  state {text} NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0,
  code {text} NOT NULL DEFAULT '', -- last code of the registry
  act {text} NOT NULL,             -- local date of the act: the legal deadline
  changed {text} NOT NULL,
  rank INTEGER NOT NULL DEFAULT 1  -- versionNumber: which version of the document replaces which
){row};
CREATE TABLE IF NOT EXISTS event (
  number INTEGER PRIMARY KEY,
  submission {text} NOT NULL REFERENCES submission (id),
  at {text} NOT NULL,
  event {text} NOT NULL,
  state {text} NOT NULL,
  code {text} NOT NULL,
  previous {text} NOT NULL,
  digest {text} NOT NULL,
  proof {text} NOT NULL DEFAULT '' -- of what the row says beside its state: the plan, the bytes sent, or the operator's reference
){row};
CREATE TABLE IF NOT EXISTS head (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  events INTEGER NOT NULL,
  digest {text} NOT NULL           -- of the last event: a tail cut off is missed
){row};
"""
_AROUND = """
INSERT INTO head SELECT 1, count(*), coalesce((SELECT digest FROM event ORDER BY number DESC LIMIT 1), '') FROM event
  {unless_there};
CREATE INDEX IF NOT EXISTS submission_state ON submission (state, act);
CREATE INDEX IF NOT EXISTS submission_document ON submission (document);
CREATE INDEX IF NOT EXISTS event_submission ON event (submission, number);
"""
_GUARDS_OF_SQLITE = """
CREATE TRIGGER IF NOT EXISTS event_kept BEFORE UPDATE ON event BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
CREATE TRIGGER IF NOT EXISTS event_stays BEFORE DELETE ON event BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
CREATE TRIGGER IF NOT EXISTS head_follows BEFORE UPDATE ON head WHEN NEW.events <> OLD.events + 1
  BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
CREATE TRIGGER IF NOT EXISTS head_stays BEFORE DELETE ON head BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
"""
_GUARDS_OF_POSTGRESQL = """
CREATE OR REPLACE FUNCTION kept() RETURNS trigger LANGUAGE plpgsql AS $body$
  BEGIN RAISE EXCEPTION 'events are append-only' USING ERRCODE = 'integrity_constraint_violation'; END $body$;
CREATE TRIGGER event_kept BEFORE UPDATE ON event FOR EACH ROW EXECUTE FUNCTION kept();
CREATE TRIGGER event_stays BEFORE DELETE ON event FOR EACH ROW EXECUTE FUNCTION kept();
CREATE TRIGGER event_full BEFORE TRUNCATE ON event FOR EACH STATEMENT EXECUTE FUNCTION kept();
CREATE TRIGGER head_follows BEFORE UPDATE ON head FOR EACH ROW WHEN (NEW.events <> OLD.events + 1) EXECUTE FUNCTION kept();
CREATE TRIGGER head_stays BEFORE DELETE ON head FOR EACH ROW EXECUTE FUNCTION kept();
CREATE TRIGGER head_full BEFORE TRUNCATE ON head FOR EACH STATEMENT EXECUTE FUNCTION kept();
"""
_ADDED = {
    "submission": "rank INTEGER NOT NULL DEFAULT 1",
    "event": "proof TEXT NOT NULL DEFAULT ''",
}
# Seconds for the session of a feeder that was killed to end on the server.
_PATIENCE = 1
_OPENING = 15
SCHEMA = "transvase"


class Server(NamedTuple):
    """A ledger on a server: `postgresql://user@host:port/base`, with `?schema=` when it is not `transvase`, and the password. One
    schema is the ledger of one practice."""

    url: str
    password: str

    @property
    def schema(self) -> str:
        """The schema of the practice."""
        return parse_qs(urlsplit(self.url).query).get("schema", [SCHEMA])[0]

    @property
    def name(self) -> str:
        """How messages name it: base and schema."""
        return f"{urlsplit(self.url).path.lstrip('/')}/{self.schema}"


Place = Path | Server


class Engine(Protocol):
    """An open ledger in one engine."""

    def execute(self, sql: str, values: Sequence[Any] = ()) -> Any:
        """Run a statement; a cursor with `fetchone`, `fetchall`, `rowcount` that can be iterated."""

    def stream(self, sql: str) -> Any:
        """Rows of a question that may be longer than memory."""

    def transaction(self) -> AbstractContextManager[None]:
        """All or nothing, on the disk at the end; one writer at a time."""

    def lock(self) -> AbstractContextManager[None]:
        """Keep a second feeder out. FeederLocked."""

    def close(self) -> None:
        """Close it."""


def exists(place: Place) -> bool:
    """A ledger was begun there. LedgerUnreachable, LedgerRefused, SettingsInvalid without the server's driver."""
    if isinstance(place, Path):
        return place.is_file()
    with _connected(place) as base, _told(place):
        found = base.execute("SELECT to_regclass(%s) IS NOT NULL", (f'"{place.schema}".head',)).fetchone()
    return bool(found and found[0])


def opened(place: Place) -> Engine:
    """The ledger of a place, made when it is not there. OutputUnwritable; of a server also LedgerUnreachable, LedgerRefused, DiskFull, and
    SettingsInvalid without its driver."""
    return Sqlite(place) if isinstance(place, Path) else Postgresql(place)


class Sqlite:
    """A private file; its lock is another one beside it."""

    def __init__(self, path: Path) -> None:
        private_folder(path.parent)
        self._path = path
        try:
            self.base = sqlite3.connect(path, isolation_level=None, timeout=30)
            self.base.execute("PRAGMA journal_mode = WAL")
            # FULL: an intent that the disk may forget would let a document be sent twice.
            self.base.execute("PRAGMA synchronous = FULL")
            if self.base.execute("PRAGMA user_version").fetchone()[0] < _LAYOUT:
                self._laid_out()
        except sqlite3.DatabaseError as error:
            raise OutputUnwritable(
                path=path.name, reason=getattr(error, "sqlite_errorname", type(error).__name__)
            ) from None
        path.chmod(0o600)
        self.execute, self.stream, self.close = self.base.execute, self.base.execute, self.base.close

    def _laid_out(self) -> None:
        """Create the tables, or give those of an older file what they lack, in one transaction."""
        lacking = ""
        for table, column in _ADDED.items():
            names = [row[1] for row in self.base.execute(f"PRAGMA table_info({table})")]
            if names and column.split()[0] not in names:
                lacking += f"ALTER TABLE {table} ADD COLUMN {column};"
        made = _TABLES.format(text="TEXT", row=" STRICT")
        # After the columns that an older file lacks.
        around = _AROUND.format(unless_there="WHERE true ON CONFLICT DO NOTHING") + _GUARDS_OF_SQLITE
        self.base.executescript(f"BEGIN IMMEDIATE;{made}{lacking}{around}PRAGMA user_version = {_LAYOUT};COMMIT;")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """BEGIN IMMEDIATE: the writer is alone from the first statement."""
        self.base.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self.base.execute("ROLLBACK")
            raise
        self.base.execute("COMMIT")

    @contextmanager
    def lock(self) -> Iterator[None]:
        """A lock held by a database connection is released by the system when the process dies, on every system."""
        lock = sqlite3.connect(self._path.with_name(self._path.name + ".lock"), isolation_level=None, timeout=0)
        try:
            try:
                lock.execute("BEGIN EXCLUSIVE")
            except sqlite3.OperationalError:
                raise FeederLocked(path=self._path.name) from None
            yield
        finally:
            lock.close()


def _connected(server: Server) -> Any:
    """A session of the server, each statement its own transaction unless one is begun. Errors as `opened`."""
    try:
        import psycopg
    except ImportError:
        raise SettingsInvalid(
            name="feed.ledger",
            file="transvase.toml",
            what=Said("il manque le pilote de PostgreSQL", "the driver of PostgreSQL is missing"),
            mend=Said(
                "installez-le : pip install 'transvase[postgresql]'", "install it: pip install 'transvase[postgresql]'"
            ),
        ) from None
    parts = urlsplit(server.url)
    with _told(server):
        return psycopg.connect(
            host=parts.hostname,
            port=parts.port or 5432,
            user=unquote(parts.username or ""),
            password=server.password or None,
            dbname=unquote(parts.path.lstrip("/")),
            autocommit=True,
            client_encoding="UTF8",
            connect_timeout=_OPENING,
            application_name="transvase",
            # The server ends the session, and so the lock, of a machine that lost its power; a commit waits for the disk, whatever
            # the server's default.
            options="-c tcp_keepalives_idle=30 -c tcp_keepalives_interval=10 -c tcp_keepalives_count=3 "
            "-c synchronous_commit=on -c idle_in_transaction_session_timeout=0",
        )


# Classes and codes of SQLSTATE that say that the session is over or cannot begin now, and that the base, the user or a right is not there.
_AWAY = ("08", "57P", "53300")
_REFUSED = ("28", "3D", "3F", "42501")
_NO_ROOM = "53100"
# A connection that fails bears no code, only the server's sentence in its language.
_REFUSING = ("authenti", "password", "mot de passe", "pg_hba", "role", "rôle", "does not exist", "n'existe pas")


@contextmanager
def _told(server: Server) -> Iterator[None]:
    """What the server or the way to it refuses, in an error of ours; what only a defect explains passes. A server's sentence may quote a
    value: no word of it is kept."""
    import psycopg

    try:
        yield
    except psycopg.Error as error:
        found = _error(error, server)
        if found is None:
            raise
        raise found from None


def _error(error: Any, server: Server) -> TransvaseError | None:
    """Our error for one of the driver; None for a statement that the server could not take."""
    import psycopg

    code = error.sqlstate or ""
    # The names of bases, users and machines, which stand in quotes, say nothing of the cause.
    words = re.sub(r"\"[^\"]*\"|«[^»]*»|(?<= )'[^']*'", "", str(error)).lower() if not code else ""
    if code.startswith(_REFUSED) or any(word in words for word in _REFUSING):
        return LedgerRefused(path=server.name)
    if code == _NO_ROOM:
        return DiskFull(path=server.name)
    if not isinstance(error, (psycopg.OperationalError, psycopg.InterfaceError)):
        return None
    if not code or code.startswith(_AWAY):
        return LedgerUnreachable(path=server.name)
    return OutputUnwritable(path=server.name, reason=code)


class Postgresql:
    """A schema of a server. The feeder's lock is held by the session that writes: a session that is lost can write no more."""

    def __init__(self, server: Server) -> None:
        self._server, self._locked, self._streams = server, False, 0
        self.base = _connected(server)
        schema = '"' + server.schema.replace('"', '""') + '"'
        number = int.from_bytes(hashlib.sha256(f"transvase {server.schema}".encode()).digest()[:8], "big", signed=True)
        self._number = number
        try:
            with _told(server):
                self.execute(f"SET search_path = {schema}")
                if self.execute("SELECT to_regclass('head')").fetchone()[0] is None:
                    with self.base.transaction():
                        # Two machines that begin at once: the second waits, then finds the tables.
                        self.execute("SELECT pg_advisory_xact_lock(?)", (number ^ 1,))
                        self.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
                        if self.execute("SELECT to_regclass('head')").fetchone()[0] is None:
                            self.base.execute(_TABLES.format(text='text COLLATE "C"', row=""))
                            self.base.execute(_AROUND.format(unless_there="") + _GUARDS_OF_POSTGRESQL)
        except BaseException:
            self.close()
            raise

    def execute(self, sql: str, values: Sequence[Any] = ()) -> Any:
        """As `Engine`; LedgerUnreachable when the session is lost."""
        with _told(self._server):
            return self.base.execute(sql.replace("?", "%s"), values)

    def stream(self, sql: str) -> Iterator[Any]:
        """By a cursor of the server, which outlives its transaction and ends with the session; errors as `execute`."""
        self._streams += 1
        with _told(self._server):
            cursor = self.base.cursor(f"transvase_{self._streams}", withhold=True)
            cursor.itersize = 2000
            yield from cursor.execute(sql)

    def close(self) -> None:
        """End the session, and with it the lock."""
        self.base.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """The chain's head is taken first: the second writer waits, then reads what the first has written."""
        with _told(self._server), self.base.transaction():
            self.execute("SELECT one FROM head FOR UPDATE")
            yield

    @contextmanager
    def lock(self) -> Iterator[None]:
        """An advisory lock of the session, one for each schema: the server frees it when the process or its machine is gone."""
        import psycopg

        if self._locked:
            # The server would let the same session in again.
            raise FeederLocked(path=self._server.name)
        with _told(self._server):
            try:
                with self.base.transaction():
                    self.base.execute(f"SET LOCAL lock_timeout = '{_PATIENCE}s'")
                    self.base.execute("SELECT pg_advisory_lock(%s)", (self._number,))
            except psycopg.errors.LockNotAvailable:
                raise FeederLocked(path=self._server.name) from None
        self._locked = True
        try:
            yield
        finally:
            self._locked = False
            # A session that is lost holds nothing any more.
            with suppress(psycopg.Error):
                self.base.execute("SELECT pg_advisory_unlock(%s)", (self._number,))
