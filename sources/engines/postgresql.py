"""PostgreSQL as a View, read through its Arrow driver (ADBC) in binary COPY streams.

What is asked and what the server answers are here; what becomes of the values belongs to `extract`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from transvase.errors import SourceLocked, SourceMissing, SourceRefused, SourceUnreachable, SourceUnreadable
from transvase.sources.engines.maps import as_values
from transvase.sources.sqlite import decode, quoted
from transvase.sources.view import QueryFault, Rows, SourceColumn, View

if TYPE_CHECKING:
    import pyarrow as pa

KIND = "PostgreSQL"
# Bytes that the driver gathers into one Arrow batch. Above 1 MB the rate does not change; a larger row is a batch of its own.
ARROW_BYTES = 4 << 20
# Types whose Arrow form is exact; `real` passes by its text, which is the shortest decimal the server reads back as the same.
_PLAIN = frozenset({"bool", "int2", "int4", "int8", "float8", "text", "varchar", "bytea"})
_SESSION = (
    "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
    # A value must have one text only, whatever the server's settings; and a hidden row is an error, not an absence.
    "SET LOCAL datestyle = 'ISO, YMD'",
    "SET LOCAL intervalstyle = 'postgres'",
    "SET LOCAL extra_float_digits = 1",
    "SET LOCAL standard_conforming_strings = on",
    "SET LOCAL row_security = off",
    "SET LOCAL lock_timeout = '5s'",
    "SET LOCAL statement_timeout = 0",
    "SET LOCAL idle_in_transaction_session_timeout = 0",
)
# Partitions count in their parent. A table the user may not read is listed, and reading it is refused: it is never passed over.
_CATALOG = """
SELECT c.relname::text, c.relkind::text, a.attname::text, format_type(a.atttypid, a.atttypmod),
       array_position(i.indkey::int2[], a.attnum)::int8
FROM pg_catalog.pg_class c
LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_catalog.pg_index i ON i.indrelid = c.oid AND i.indisprimary
WHERE c.relnamespace = {schema}::regnamespace AND c.relkind IN ('r', 'p', 'f') AND NOT c.relispartition
ORDER BY c.relname COLLATE "C", a.attnum
"""
_REASONS = {
    "42501": "the user may not read all its rows",
    "3F000": "it has no such schema",
}


class _Table(NamedTuple):
    kind: str
    columns: tuple[SourceColumn, ...]
    key: tuple[str, ...]


@contextmanager
def opened(url: str, password: str | None) -> Iterator[View]:
    """The database of `postgresql://user@server:port/database` in one REPEATABLE READ READ ONLY transaction, every table kept from
    being emptied or altered until the end. Tables are those of the schema given by `?schema=`, else of the first schema of the
    search path; views are left out, a partitioned table is one table, large objects (type `oid`) are not followed.

    bool, int, float, text and bytes come as such; any other type as the text the server writes, dates in ISO order, time stamps in
    the time zone the server is set to, `char(n)` without its padding. A row without primary key is named by its place (`ctid`).
    One reading at a time: a reading that another follows can no longer be read (RuntimeError).

    Raises SourceMissing for an unknown database, SourceUnreachable, SourceRefused, SourceUnreadable, SourceLocked after 5 seconds."""
    try:
        from adbc_driver_manager import dbapi as adbc
        from adbc_driver_postgresql import dbapi  # type: ignore[import-untyped, unused-ignore]
    except ImportError:
        reason = "driver missing: pip install 'transvase[postgresql]'"
        raise SourceUnreadable(path=KIND, kind=KIND, reason=reason) from None
    name, address, schema = _address(url, password)
    try:
        connection = dbapi.connect(address, autocommit=True)
    except adbc.Error as error:
        raise _unopened(str(error), name) from None
    try:
        view = _View(connection, name, schema)
        yield view
    finally:
        with suppress(Exception):
            # A reading left halfway is closed first: the driver refuses to close a connection that still streams.
            view.stop()
        with suppress(adbc.Error):
            connection.close()


def _address(url: str, password: str | None) -> tuple[str, str, str | None]:
    """Name for messages, address for the driver, schema asked for."""
    try:
        parts = urlsplit(url)
        host, database = parts.hostname, parts.path.strip("/")
        asked = dict(parse_qsl(parts.query, keep_blank_values=True))
    except ValueError:
        parts, host, database, asked = None, None, "", {}
    database = asked.get("dbname", database)
    if parts is None or parts.scheme not in ("postgresql", "postgres") or not database:
        raise SourceUnreadable(path=KIND, kind=KIND, reason="its URL is not postgresql://user@server/database")
    schema = asked.pop("schema", None)
    place = host or asked.get("host", "")
    name = f"{database}@{'localhost' if not place or place.startswith('/') else place}"
    # The client's encoding is the server's own unless asked, and Arrow texts are UTF-8.
    asked = {"connect_timeout": "10", "application_name": "transvase", **asked, "client_encoding": "UTF8"}
    if password is not None:
        asked["password"] = password
    return name, urlunsplit(parts._replace(query=urlencode(asked, quote_via=quote), fragment="")), schema


def _unopened(text: str, name: str) -> SourceMissing | SourceRefused | SourceUnreachable:
    """Our error for a connection that failed. The library keeps no code, only the server's sentence, in the server's language."""
    lower = text.lower()
    database = name.rpartition("@")[0].lower()
    if database in lower and "exist" in lower and ("database" in lower or "base de données" in lower):
        return SourceMissing(path=name)
    refused = any(word in lower for word in ("authenti", "password", "mot de passe", "pg_hba", "role", "rôle"))
    return SourceRefused(path=name) if refused else SourceUnreachable(path=name)


class _View:
    def __init__(self, connection: Any, name: str, schema: str | None) -> None:
        self.name = name
        self._connection = connection
        self._maps = ""
        self._reading: Any = None
        with self._errors():
            for statement in _SESSION:
                self._run(statement)
            if self._fetch("SELECT current_setting('server_encoding')")[0][0] == "SQL_ASCII":
                # Such a database keeps whatever bytes it was given, and the server would refuse to call them UTF-8.
                self._run("SET LOCAL client_encoding = 'SQL_ASCII'")
            if schema is not None:
                self._run(f"SET LOCAL search_path = {quoted(schema)}")
            # Null when the schema does not exist or the user may not use it.
            if self._fetch("SELECT current_schema()::text")[0][0] is None:
                raise SourceUnreadable(path=name, kind=KIND, reason=_REASONS["3F000"])
            self._tables = _tables(self._fetch(_CATALOG.format(schema="quote_ident(current_schema())")))
            if held := [quoted(t) for t, table in self._tables.items() if table.kind != "f"]:
                self._run(f"LOCK TABLE {', '.join(held)} IN ACCESS SHARE MODE")
            # A query refused goes back to here, so that the next one may be tried.
            self._run("SAVEPOINT reading")

    def tables(self) -> Mapping[str, tuple[SourceColumn, ...]]:
        return {name: table.columns for name, table in self._tables.items()}

    def count(self, table: str) -> int:
        self.stop()
        with self._errors():
            return int(self._fetch(f"SELECT count(*) FROM {self._from(table)}")[0][0])

    def codes(self, codes: Mapping[str, Sequence[tuple[str, str, str]]]) -> None:
        self._maps = as_values(codes)

    def query(self, sql: str, size: int) -> Rows:
        names, batches = self.arrow(sql)
        return Rows(names, _tuples(batches, size))

    def rows(self, table: str, columns: Sequence[str], size: int) -> Rows:
        batches = self.arrow_rows(table, columns)
        return Rows(("key", *columns), _tuples(batches, size))

    def arrow_rows(self, table: str, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """The rows of `rows`, as Arrow batches."""
        kept = ", ".join([self._key(table), *map(quoted, columns)])
        try:
            return self.arrow(f"SELECT {kept} FROM {self._from(table)}")[1]
        except QueryFault:
            raise SourceUnreadable(path=self.name, kind=KIND, reason=f"table {table} has changed") from None

    def arrow(self, sql: str) -> tuple[tuple[str, ...], Iterator[pa.RecordBatch]]:
        """The answer of `query`, as column names and Arrow batches of plain types."""
        self.stop()
        sql = sql.rstrip().rstrip(";")
        # The query stands in parentheses, so it may begin with WITH; being prepared, it can be one statement only.
        with self._errors(faults=True):
            cursor = self._connection.cursor()
            described = cursor.adbc_execute_schema(f"{self._maps}SELECT * FROM (\n{sql}\n) AS q")
            cursor.close()
        if not described.names:
            raise QueryFault("it gives no column")
        kinds = [(field.metadata or {}).get(b"POSTGRESQL:type", b"").decode() for field in described]
        aliases = [f"c{place}" for place in range(len(kinds))]
        kept = ", ".join(_expression(alias, kind) for alias, kind in zip(aliases, kinds, strict=True))
        text = f"{self._maps}SELECT {kept} FROM (\n{sql}\n) AS q({', '.join(aliases)})"
        with self._errors(faults=True):
            cursor = self._connection.cursor(
                adbc_stmt_kwargs={"adbc.postgresql.batch_size_hint_bytes": str(ARROW_BYTES)}
            )
            self._reading = cursor
            cursor.execute(text)
            reader = cursor.fetch_record_batch()
        return tuple(described.names), self._stream(cursor, reader)

    def stop(self) -> None:
        """End the reading under way, if any."""
        reading, self._reading = self._reading, None
        if reading is not None:
            with self._errors():
                reading.close()

    def _stream(self, cursor: Any, reader: Any) -> Iterator[pa.RecordBatch]:
        while True:
            if self._reading is not cursor:
                raise RuntimeError("another reading of this database has begun")
            with self._errors():
                try:
                    batch = reader.read_next_batch()
                except StopIteration:
                    break
            yield batch
        self.stop()

    @contextmanager
    def _errors(self, faults: bool = False) -> Iterator[None]:
        """Turn the driver's errors into ours: its own quote the query, and values. With `faults`, what the text of a query does wrong
        is a QueryFault. The transaction then goes on as before, if the server is still there."""
        import pyarrow as pa
        from adbc_driver_manager import dbapi as adbc

        broken = (adbc.Error, pa.ArrowException, OSError)
        try:
            yield
        except broken as error:
            reading, self._reading = self._reading, None
            with suppress(*broken):
                if reading is not None:
                    reading.close()
            alive = False
            with suppress(*broken):
                self._run("ROLLBACK TO SAVEPOINT reading")
                alive = True
            raise _translated(error, self.name, faults, alive) from None

    def _run(self, statement: str) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute(statement)

    def _fetch(self, statement: str) -> list[tuple[Any, ...]]:
        with self._connection.cursor() as cursor:
            cursor.execute(statement)
            found: list[tuple[Any, ...]] = cursor.fetchall()
            return found

    def _from(self, table: str) -> str:
        # A table others inherit from holds its own rows only here: theirs are read as tables of their own.
        return quoted(table) if self._tables[table].kind != "r" else f"ONLY {quoted(table)}"

    def _key(self, table: str) -> str:
        kind, _, key = self._tables[table]
        if key:
            return " || '|' || ".join(f"{quoted(column)}::text" for column in key)
        if kind == "r":
            return "ctid::text"
        if kind == "p":
            return "tableoid::regclass::text || ctid::text"
        # A foreign table has no place of its own for a row: its content names it, and its rank among equals.
        text = f"{quoted(table)}.*::text"
        digest = f"encode(sha256(convert_to({text}, 'UTF8')), 'hex')"
        return f"{digest} || '#' || row_number() OVER (PARTITION BY {text})"


def _tables(lines: list[tuple[Any, ...]]) -> dict[str, _Table]:
    found: dict[str, tuple[str, list[SourceColumn], list[tuple[int, str]]]] = {}
    for table, kind, column, declared, rank in lines:
        _, columns, key = found.setdefault(table, (kind, [], []))
        if column is not None:
            columns.append(SourceColumn(column, declared))
            if rank is not None:
                key.append((rank, column))
    return {
        name: _Table(kind, tuple(columns), tuple(c for _, c in sorted(key)))
        for name, (kind, columns, key) in found.items()
    }


def _expression(alias: str, kind: str) -> str:
    if kind in _PLAIN:
        return alias
    return f"{alias}::text::float8" if kind == "float4" else f"{alias}::text"


def _translated(error: Exception, name: str, faults: bool, alive: bool) -> Exception:
    state = getattr(error, "sqlstate", None) or ""
    if state in ("55P03", "40P01"):
        return SourceLocked(path=name)
    if faults and state != "42501" and (state[:2] in ("0A", "22", "42", "54") or state == "25006"):
        # Nothing but the text of the query was looked at when the server gave a code: no value can be in its sentence.
        said = dict(getattr(error, "details", ())).get(b"PG_DIAG_MESSAGE_PRIMARY", b"")
        return QueryFault(said.decode("utf-8", "replace").partition("\n")[0] or f"SQLSTATE {state}")
    reason = _REASONS.get(state) or (f"SQLSTATE {state}" if state and state[:2] not in ("08", "57") else "")
    if not reason and not alive:
        return SourceUnreachable(path=name)
    if not reason:
        # The driver keeps no code once rows are on their way.
        reason = "a value does not suit what is asked of it, or a limit of the server was reached"
    return SourceUnreadable(path=name, kind=KIND, reason=reason)


def _tuples(batches: Iterator[pa.RecordBatch], size: int) -> Iterator[list[tuple[Any, ...]]]:
    for batch in batches:
        for start in range(0, batch.num_rows, size):
            part = batch.slice(start, size)
            yield list(zip(*map(_values, part.columns), strict=True))


def _values(column: pa.Array) -> list[Any]:
    try:
        return column.to_pylist()  # type: ignore[no-any-return]
    except UnicodeDecodeError:
        # From a database that knows no encoding.
        return [None if raw is None else decode(raw) for raw in column.cast("binary").to_pylist()]
