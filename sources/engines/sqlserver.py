"""Microsoft SQL Server as `sources.view.Tables`, through the maker's own driver, which brings its ODBC layer with it (mssql-python).

No server could be run where this was written: the texts of SQL, the table of types and the errors of a server that does not answer or
refuses TLS are tested, what a server answers is not (`tests/unit/sources/engines/test_sqlserver.py` says it in full).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from transvase.errors import (
    SourceLocked,
    SourceMissing,
    SourceRefused,
    SourceUnreachable,
    SourceUnreadable,
    TransvaseError,
)
from transvase.sources.engines.cursor import CursorTables, Form, Table
from transvase.sources.engines.mariadb import shortest
from transvase.sources.view import SourceColumn, Tables

KIND = "SQL Server"
PORT = 1433
# Seconds that opening a connection may take; milliseconds that a lock is waited for.
PATIENCE, LOCK = 10, 5000
_MODES = {"verify-full": "yes", "disable": "no"}
# What makes one consistent view: a base that keeps versions, or one that nobody writes.
STATE = "SELECT snapshot_isolation_state, CAST(is_read_only AS int) FROM sys.databases WHERE name = DB_NAME()"
SESSION = (f"SET LOCK_TIMEOUT {LOCK}", "SET TEXTSIZE 2147483647")
SNAPSHOT = ("SET TRANSACTION ISOLATION LEVEL SNAPSHOT", "BEGIN TRANSACTION")
# The type that a user's own stands for is named; those of the CLR have one number for all.
COLUMNS = """
SELECT s.name, t.name, c.name, TYPE_NAME(CASE WHEN c.system_type_id = 240 THEN c.user_type_id ELSE c.system_type_id END),
       CAST(c.max_length AS int), CAST(c.precision AS int), CAST(c.scale AS int), CASE WHEN s.name = SCHEMA_NAME() THEN 1 ELSE 0 END
FROM sys.tables t JOIN sys.schemas s ON s.schema_id = t.schema_id JOIN sys.columns c ON c.object_id = t.object_id
WHERE t.is_ms_shipped = 0 ORDER BY s.name, t.name, c.column_id
"""
KEYS = """
SELECT s.name, t.name, c.name FROM sys.tables t JOIN sys.schemas s ON s.schema_id = t.schema_id
JOIN sys.indexes i ON i.object_id = t.object_id AND i.is_primary_key = 1
JOIN sys.index_columns k ON k.object_id = i.object_id AND k.index_id = i.index_id
JOIN sys.columns c ON c.object_id = k.object_id AND c.column_id = k.column_id
ORDER BY s.name, t.name, k.key_ordinal
"""
# How each type is read: the SQL around a column's name, the Python type, and what is made of the value.
_WHOLE = ("{}", int, None)
_TEXT = ("{}", str, None)
_LONG = ("CONVERT(nvarchar(max), {})", str, None)
_BYTES = ("CONVERT(varbinary(max), {})", bytes, bytes)
# Style 121: ISO order, with every digit of the seconds and the offset of a zone.
_MOMENT = ("CONVERT(varchar(40), {}, 121)", str, None)
FORMS: dict[str, tuple[str, type, Any]] = {
    "bit": ("{}", bool, bool),
    "tinyint": _WHOLE,
    "smallint": _WHOLE,
    "int": _WHOLE,
    "bigint": _WHOLE,
    "float": ("{}", float, None),
    "real": ("{}", float, shortest),
    "decimal": ("CONVERT(varchar(50), {})", str, None),
    "numeric": ("CONVERT(varchar(50), {})", str, None),
    # Style 2: four decimals, as stored; without it, two.
    "money": ("CONVERT(varchar(50), {}, 2)", str, None),
    "smallmoney": ("CONVERT(varchar(50), {}, 2)", str, None),
    "date": ("CONVERT(varchar(10), {}, 23)", str, None),
    "time": _MOMENT,
    "datetime": _MOMENT,
    "smalldatetime": _MOMENT,
    "datetime2": _MOMENT,
    "datetimeoffset": _MOMENT,
    "char": ("RTRIM({})", str, None),
    "nchar": ("RTRIM({})", str, None),
    "varchar": _TEXT,
    "nvarchar": _TEXT,
    "sysname": _TEXT,
    "text": _LONG,
    "ntext": _LONG,
    "xml": _LONG,
    "json": _LONG,
    "sql_variant": ("CONVERT(nvarchar(4000), {})", str, None),
    "uniqueidentifier": ("CONVERT(char(36), {})", str, None),
    "hierarchyid": ("CONVERT(nvarchar(4000), {})", str, None),
    "binary": _BYTES,
    "varbinary": _BYTES,
    "image": _BYTES,
    "timestamp": _BYTES,
    "geography": _BYTES,
    "geometry": _BYTES,
}
# The driver's own sentences, one for each SQLSTATE; what the server said is beside them, and quotes.
_REFUSED = ("Invalid authorization specification",)
_UNREACHABLE = (
    "Client unable to establish connection",
    "Communication link failure",
    "Connection failure during transaction",
    "Connection not open",
    "Connection timeout expired",
    "Server rejected the connection",
)
_LOCKED = ("Serialization failure", "Timeout expired")
# Numbers and words that the driver's ODBC layer gives in English, whatever the language of the server.
_NO_TLS = ("ssl provider", "encryption", "certificate", "tls")


@contextmanager
def opened(url: str, password: str) -> Iterator[Tables]:
    """The database of `sqlserver://user@server:port/database` (`?instance=` for a named instance; without a user, the session's own) in
    one SNAPSHOT transaction, asked for with read-only intent. The base must allow it (ALLOW_SNAPSHOT_ISOLATION) or be read only:
    otherwise a reading would either mix moments or hold the practice's own writing, and is refused.

    The connection is under TLS and the server's certificate checked against the system's authorities; `?sslmode=disable` for a server
    that has none.

    Whole numbers, booleans, floats (the shortest decimal of a `real`), texts and bytes come as such; decimals, money, dates and
    identifiers as the text the server writes; `char(n)` without its padding. Tables outside the user's own schema are `schema.table`.

    Raises SourceMissing, SourceUnreachable, SourceRefused, SourceUnreadable, SourceLocked after 5 seconds."""
    try:
        import mssql_python
    except (ImportError, RuntimeError):
        reason = "driver missing: pip install 'transvase[sqlserver]'"
        raise SourceUnreadable(path=KIND, kind=KIND, reason=reason) from None
    name, asked = address(url, password)
    broken = (mssql_python.Error, UnicodeError)
    try:
        connection = mssql_python.connect(asked, autocommit=True, timeout=PATIENCE)
    except broken as error:
        raise translated(error, name) from None
    try:
        try:
            cursor = connection.cursor()
            for statement in SESSION:
                cursor.execute(statement)
            ((versions, untouched),) = cursor.execute(STATE).fetchall()
            if versions != 1 and not untouched:
                reason = (
                    "it keeps no versions for a consistent reading: have ALTER DATABASE ... SET ALLOW_SNAPSHOT_ISOLATION ON run, "
                    "or read a copy that is read only"
                )
                raise SourceUnreadable(path=name, kind=KIND, reason=reason)
            if versions == 1:
                for statement in SNAPSHOT:
                    cursor.execute(statement)
            found, types = catalogue(
                *([tuple(line) for line in cursor.execute(sql).fetchall()] for sql in (COLUMNS, KEYS))
            )
            cursor.close()
        except broken as error:
            raise translated(error, name) from None
        yield CursorTables(
            name,
            KIND,
            found,
            connection.cursor,
            lambda table, entry: [form(c.name, types[table, c.name]) for c in entry.columns],
            broken,
            lambda error: translated(error, name),
        )
    finally:
        with suppress(mssql_python.Error):
            connection.close()


def address(url: str, password: str) -> tuple[str, str]:
    """Name for messages, connection string for the driver. SourceUnreadable, without a word of it, when it is no such address."""
    try:
        parts = urlsplit(url)
        host, port, database = parts.hostname, parts.port, unquote(parts.path.strip("/"))
        asked = dict(parse_qsl(parts.query))
    except ValueError:
        parts, host, port, database, asked = None, None, None, "", {}
    if parts is None or parts.scheme != "sqlserver" or not host or not database:
        raise SourceUnreadable(path=KIND, kind=KIND, reason="its URL is not sqlserver://user@server/database")
    mode = asked.get("sslmode", "verify-full")
    if mode not in _MODES:
        reason = f"sslmode in its URL is not one of {', '.join(_MODES)}"
        raise SourceUnreadable(path=KIND, kind=KIND, reason=reason)
    # A named instance tells its port itself.
    place = f"{host}\\{asked['instance']}" if "instance" in asked else f"{host},{port or PORT}"
    who = {"Trusted_Connection": "yes"}
    if parts.username:
        who = {"UID": unquote(parts.username), "PWD": password or unquote(parts.password or "")}
    wanted = {
        "Server": place,
        "Database": database,
        **who,
        "Encrypt": _MODES[mode],
        "TrustServerCertificate": "no",
        "ApplicationIntent": "ReadOnly",
    }
    return f"{database}@{host}", ";".join(f"{key}={braced(value)}" for key, value in wanted.items())


def braced(value: str) -> str:
    """A value of a connection string, in which nothing else begins."""
    return "{" + value.replace("}", "}}") + "}"


def quoted(name: str) -> str:
    """An identifier for SQL."""
    return "[" + name.replace("]", "]]") + "]"


def catalogue(
    columns: Sequence[tuple[Any, ...]], keys: Sequence[tuple[Any, ...]]
) -> tuple[dict[str, Table], dict[tuple[str, str], str]]:
    """Tables, and the bare type of each column, of the answers to COLUMNS and KEYS."""
    found: dict[tuple[str, str], list[SourceColumn]] = {}
    named: dict[tuple[str, str], str] = {}
    types: dict[tuple[str, str], str] = {}
    for schema, table, column, bare, length, precision, scale, own in columns:
        name = named.setdefault((schema, table), table if own else f"{schema}.{table}")
        found.setdefault((schema, table), []).append(SourceColumn(column, declared(bare, length, precision, scale)))
        types[name, column] = bare
    primary: dict[tuple[str, str], list[str]] = {}
    for schema, table, column in keys:
        primary.setdefault((schema, table), []).append(column)
    return {
        named[place]: Table(".".join(map(quoted, place)), tuple(kept), tuple(primary.get(place, ())))
        for place, kept in found.items()
    }, types


def declared(bare: str, length: int, precision: int, scale: int) -> str:
    """A type as a script would write it."""
    if bare in ("decimal", "numeric"):
        return f"{bare}({precision},{scale})"
    if bare in ("char", "varchar", "binary", "varbinary"):
        return f"{bare}({'max' if length < 0 else length})"
    if bare in ("nchar", "nvarchar"):
        return f"{bare}({'max' if length < 0 else length // 2})"
    return f"{bare}({scale})" if bare in ("time", "datetime2", "datetimeoffset") else bare


def form(column: str, bare: str) -> Form:
    """How a column is read; of a type unknown here, the text that the server makes of it."""
    text, kind, made = FORMS.get(bare, _LONG)
    return Form(text.format(quoted(column)), kind, made)


def translated(error: BaseException, name: str) -> TransvaseError:
    """Our error for the driver's."""
    said = str(getattr(error, "driver_error", ""))
    words = str(getattr(error, "ddbc_error", "")).lower()
    if isinstance(error, UnicodeError):
        return SourceUnreadable(path=name, kind=KIND, reason="a text is not in the character set of its column")
    if said in _REFUSED:
        # The server tells an unknown database from a wrong password by a number that the driver does not keep.
        return SourceMissing(path=name) if "cannot open database" in words else SourceRefused(path=name)
    if said in _UNREACHABLE and any(word in words for word in _NO_TLS):
        reason = "TLS failed: the server offers none, or its certificate is not one that this system trusts"
        return SourceUnreadable(path=name, kind=KIND, reason=reason)
    if said in _UNREACHABLE:
        return SourceUnreachable(path=name)
    if said in _LOCKED:
        return SourceLocked(path=name)
    return SourceUnreadable(path=name, kind=KIND, reason=said or type(error).__name__)
