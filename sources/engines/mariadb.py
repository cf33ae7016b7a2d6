"""MariaDB and MySQL as a View, read row by row as the server sends them (asyncmy, driven from synchronous code).

Why this driver, tried on a million rows of six columns: Debian's ODBC driver keeps a whole answer in memory, cuts long texts at a
size given beforehand and loses zero dates; PyMySQL is six times slower; this one streams whole tuples as fast as ODBC gives Arrow.
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
import struct
from collections.abc import Coroutine, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

from transvase.errors import SourceLocked, SourceMissing, SourceRefused, SourceUnreachable, SourceUnreadable
from transvase.sources.engines.batches import by_weight
from transvase.sources.engines.maps import refuse_repeated
from transvase.sources.view import QueryFault, Rows, SourceColumn, View

KIND = "MariaDB"
# Waiting for a lock, in seconds; the server's own default is a day.
PATIENCE = 5
# A reader that works on its rows is slow to take the next ones, and the server would hang up after a minute. In seconds.
DAY = 86_400
# Bytes that may wait in the socket: with it a reading of ten million rows takes 47 MB, without it some hundreds.
RECEIVED = 256 << 10
_SESSION = {
    "net_write_timeout": DAY,
    "wait_timeout": DAY,
    "lock_wait_timeout": PATIENCE,
    "innodb_lock_wait_timeout": PATIENCE,
    # MariaDB's, then MySQL's; the other does not know it.
    "max_statement_time": 0,
    "idle_transaction_timeout": 0,
    "idle_readonly_transaction_timeout": 0,
    "max_execution_time": 0,
}
_WITH = re.compile(
    r"(?:\s|--[^\n]*\n|#[^\n]*\n|/\*.*?\*/)*with\b\s*(?P<recursive>recursive\b)?", re.IGNORECASE | re.DOTALL
)
_BINARY = re.compile(r"(?:tiny|medium|long)?blob|(?:var)?binary|geometry|point|linestring|polygon|multi\w+|geom\w+")
# Codes of the protocol (field types) and of the server (errors).
_TINY, _SHORT, _LONG, _FLOAT, _DOUBLE, _LONGLONG, _INT24, _BIT = 1, 2, 3, 4, 5, 8, 9, 16
_PLAIN, _CHECKED = "disable", ("verify-ca", "verify-full")
_UNKNOWN_DATABASE, _LOCKED, _UNKNOWN_VARIABLE = 1049, (1205, 1213), 1193
_REFUSED = {1044, 1045, 1698, 1142, 1143, 1227, 1251, 2054, 2061}
# Interrupted by the server or by the network; anything else is about what was asked.
_LOST = {1053, 1152, 1153, 1158, 1159, 1160, 1161, 1184, 1317, 1927, 2002, 2003, 2006, 2013, 2014, 2055, 4031}


class _Table(NamedTuple):
    columns: tuple[SourceColumn, ...]
    # Of the primary key, else of the first unique index of columns that are never null; else none.
    key: tuple[str, ...]


@contextmanager
def opened(url: str, password: str | None) -> Iterator[View]:
    """The database of `mariadb://user@server:port/database` (or `mysql://`, `?unix_socket=` for a local one) in one transaction WITH
    CONSISTENT SNAPSHOT, READ ONLY. With `?sslmode=verify-full` it is read over TLS or not at all, the server's certificate being one of
    the authorities of `&sslrootcert=` (a PEM file; the system's without it) and bearing the server's name, which `verify-ca` lets be.

    Tables whose engine keeps no snapshot (MyISAM, Aria) are locked against writing until the end, by a second connection; that asks for
    the right LOCK TABLES. Views and sequences are left out, and so is what the user may not see.

    Whole numbers, BIT and BOOL are int, FLOAT and DOUBLE float (the shortest decimal of a FLOAT), binary strings and geometries bytes;
    any other type is the text the server writes, whatever the character set of its column, time stamps in the time zone the server is
    set to. A ZEROFILL column is a number in a query, and keeps its zeros in `rows`.

    InnoDB gives rows no number: without primary key nor unique index, a row is named by the SHA-256 of its cells, `#`, and its rank
    among equal rows. One reading at a time: a reading that another follows can no longer be read (RuntimeError).

    Raises SourceMissing for an unknown database, SourceUnreachable, SourceRefused, SourceUnreadable, SourceLocked after 5 seconds."""
    try:
        import asyncmy  # noqa: F401
    except ImportError:
        reason = "driver missing: pip install 'transvase[mariadb]'"
        raise SourceUnreadable(path=KIND, kind=KIND, reason=reason) from None
    name, where = _address(url, password)
    loop = asyncio.new_event_loop()
    session = _Session(loop, where, name)
    guard: _Session | None = None
    try:
        for variable, value in _SESSION.items():
            session.set(variable, value)
        if unsafe := session.fetch(_UNSAFE):
            guard = _Session(loop, where, name)
            guard.set("lock_wait_timeout", PATIENCE)
            guard.set("wait_timeout", DAY)
            guard.run(f"LOCK TABLES {', '.join(f'{quoted(t)} READ' for (t,) in unsafe)}")
        session.run("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        session.run("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")
        yield _View(session)
    finally:
        session.close()
        if guard is not None:
            guard.close()
        loop.close()


_UNSAFE = """
SELECT t.TABLE_NAME FROM information_schema.TABLES t JOIN information_schema.ENGINES e ON e.ENGINE = t.ENGINE
WHERE t.TABLE_SCHEMA = DATABASE() AND t.TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED')
  AND COALESCE(e.TRANSACTIONS, 'NO') <> 'YES' ORDER BY 1
"""
_COLUMNS = """
SELECT t.TABLE_NAME, c.COLUMN_NAME, c.COLUMN_TYPE FROM information_schema.TABLES t
JOIN information_schema.COLUMNS c ON c.TABLE_SCHEMA = t.TABLE_SCHEMA AND c.TABLE_NAME = t.TABLE_NAME
WHERE t.TABLE_SCHEMA = DATABASE() AND t.TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED')
ORDER BY c.ORDINAL_POSITION
"""
_KEYS = """
SELECT s.TABLE_NAME, s.INDEX_NAME, s.COLUMN_NAME, s.NULLABLE FROM information_schema.STATISTICS s
WHERE s.TABLE_SCHEMA = DATABASE() AND s.NON_UNIQUE = 0
ORDER BY s.INDEX_NAME <> 'PRIMARY', s.INDEX_NAME, s.SEQ_IN_INDEX
"""


def _address(url: str, password: str | None) -> tuple[str, dict[str, Any]]:
    """Name for messages, arguments for the driver."""
    try:
        parts = urlsplit(url)
        host, port, database = parts.hostname, parts.port, unquote(parts.path.strip("/"))
        asked = dict(parse_qsl(parts.query))
    except ValueError:
        parts, host, port, database, asked = None, None, None, "", {}
    if parts is None or parts.scheme not in ("mariadb", "mysql") or not database:
        raise SourceUnreadable(path=KIND, kind=KIND, reason="its URL is not mariadb://user@server/database")
    secret = password if password is not None else unquote(parts.password or "")
    where = {
        "host": host or "localhost",
        "port": port or 3306,
        "unix_socket": asked.get("unix_socket"),
        "ssl": _trust(asked.get("sslmode", _PLAIN), asked.get("sslrootcert")),
        "user": unquote(parts.username or ""),
        # The driver would write a text as Latin-1; servers read UTF-8.
        "password": secret.encode(),
        "database": database,
    }
    return f"{database}@{host or 'localhost'}", where


def _trust(mode: str, authorities: str | None) -> ssl.SSLContext | None:
    """What a server's certificate is checked against; none without TLS."""
    if mode == _PLAIN and authorities is None:
        return None
    if mode not in _CHECKED:
        # A mode that encrypts and checks nothing would let anyone answer in the server's stead.
        reason = f"sslmode in its URL is not one of {', '.join((_PLAIN, *_CHECKED))}"
        raise SourceUnreadable(path=KIND, kind=KIND, reason=reason)
    try:
        context = ssl.create_default_context(cafile=authorities)
    except OSError:
        # Also what OpenSSL says of a file that is no PEM.
        raise SourceUnreadable(path=KIND, kind=KIND, reason="sslrootcert in its URL is no readable PEM file") from None
    context.check_hostname = mode == "verify-full"
    return context


class _Session:
    """One connection, its errors made ours."""

    def __init__(self, loop: asyncio.AbstractEventLoop, where: Mapping[str, Any], name: str) -> None:
        import asyncmy

        self.name = name
        self._loop = loop
        asked = {**where, "charset": "utf8mb4", "conv": _DECODERS, "autocommit": True, "connect_timeout": 10}
        with self.errors():
            # Given a socket, the driver would begin TLS before the server has spoken, which is not this protocol.
            line = _line_to(where) if where["ssl"] is None else None
            try:
                self._connection = loop.run_until_complete(_made(asyncmy.connect(**asked, sock=line)))
            except BaseException:
                if line is not None:
                    line.close()
                raise

    def wait(self, work: Coroutine[Any, Any, Any]) -> Any:
        """The result of a step of the driver. The loop runs only when the step must wait for the network: each turn of it takes in more
        bytes, which would pile up in memory when the rows already here are enough."""
        try:
            waiting = work.send(None)
        except StopIteration as done:
            return done.value
        return self._loop.run_until_complete(_made(_Rest(work, waiting)))

    def cursor(self) -> Any:
        """A cursor that keeps no row."""
        from asyncmy.cursors import SSCursor

        return self._connection.cursor(cursor=SSCursor)

    def fetch(self, sql: str) -> list[tuple[Any, ...]]:
        with self.errors():
            cursor = self._connection.cursor()
            self.wait(cursor.execute(sql))
            return list(self.wait(cursor.fetchall()))

    def run(self, sql: str) -> None:
        with self.errors():
            self.wait(self._connection.cursor().execute(sql))

    def set(self, variable: str, value: int) -> None:
        """Set a variable of the session, if this server has it."""
        from asyncmy import errors

        with self.errors():
            try:
                self.wait(self._connection.cursor().execute(f"SET SESSION {variable} = {value}"))
            except errors.MySQLError as error:
                if error.args[0] != _UNKNOWN_VARIABLE:
                    raise

    @contextmanager
    def errors(self, faults: bool = False) -> Iterator[None]:
        """Turn the driver's errors into ours: its own quote the query, and values. With `faults`, what the text of a query does wrong
        is a QueryFault."""
        from asyncmy import errors

        try:
            yield
        except (errors.MySQLError, OSError, EOFError, UnicodeDecodeError) as error:
            raise _translated(error, self.name, faults) from None

    def close(self) -> None:
        """Hang up, without waiting for rows still on their way."""
        with suppress(AttributeError):
            self._connection.close()
            # The transport closes on the loop's next turn.
            self._loop.run_until_complete(asyncio.sleep(0))


def _line_to(where: Mapping[str, Any]) -> socket.socket:
    """A socket to the server. Left to itself the system lets some MB wait in it, which the driver turns into rows all at once."""
    if where["unix_socket"]:
        line = socket.socket(socket.AF_UNIX)
        line.settimeout(10)
        line.connect(where["unix_socket"])
    else:
        line = socket.create_connection((where["host"], where["port"]), timeout=10)
    line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVED)
    line.setblocking(False)
    return line


async def _made(work: Any) -> Any:
    return await work


class _Rest:
    """A coroutine that has begun, from what it waits for."""

    def __init__(self, work: Coroutine[Any, Any, Any], waiting: Any) -> None:
        self._work = work
        self._waiting = waiting

    def __await__(self) -> Generator[Any, Any, Any]:
        waiting = self._waiting
        while True:
            try:
                given = yield waiting
            except BaseException as error:
                step = partial(self._work.throw, error)
            else:
                step = partial(self._work.send, given)
            try:
                waiting = step()
            except StopIteration as done:
                return done.value


class _View:
    def __init__(self, session: _Session) -> None:
        self.name = session.name
        self._session = session
        self._maps = ""
        self._reading: Any = None
        columns: dict[str, list[SourceColumn]] = {}
        for table, column, declared in session.fetch(_COLUMNS):
            columns.setdefault(table, []).append(SourceColumn(column, declared))
        keys = _keys(session.fetch(_KEYS))
        self._tables = {t: _Table(tuple(columns[t]), keys.get(t, ())) for t in sorted(columns)}

    def tables(self) -> Mapping[str, tuple[SourceColumn, ...]]:
        return {name: table.columns for name, table in self._tables.items()}

    def count(self, table: str) -> int:
        self._stop()
        return int(self._session.fetch(f"SELECT count(*) FROM {quoted(table)}")[0][0])

    def codes(self, codes: Mapping[str, Sequence[tuple[str, str, str]]]) -> None:
        refuse_repeated(codes)
        self._maps = ", ".join(
            f"{quoted('map_' + name)} AS ({' UNION ALL '.join(map(_line, lines)) or _line(('', '', '')) + ' FROM DUAL WHERE 1 = 0'})"
            for name, lines in codes.items()
        )

    def query(self, sql: str, size: int) -> Rows:
        before, source = self._source(sql)
        names, kinds = self._described(f"{before}SELECT * {source} LIMIT 0")
        kept = ", ".join(
            f"(q.{quoted(n)} + 0e0) AS {quoted(n)}" if kind == _FLOAT else f"q.{quoted(n)}"
            for n, kind in zip(names, kinds, strict=True)
        )
        text = f"{before}SELECT {kept} {source}"
        return Rows(names, self._read(text, [i for i, kind in enumerate(kinds) if kind == _FLOAT], size, faults=True))

    def rows(self, table: str, columns: Sequence[str], size: int) -> Rows:
        declared = dict(self._tables[table].columns)
        kept = [self._key(table), *(_cell(column, declared[column]) for column in columns)]
        text = f"SELECT {', '.join(kept)} FROM {quoted(table)}"
        singles = [i for i, column in enumerate(columns, 1) if declared[column].startswith("float")]
        return Rows(("key", *columns), self._read(text, singles, size, faults=False, weighed=bool(columns)))

    def _source(self, sql: str) -> tuple[str, str]:
        """What comes before SELECT, and the query in parentheses after it, with the code mappings where it sees them."""
        sql = sql.rstrip().rstrip(";")
        if not self._maps:
            return "", f"FROM (\n{sql}\n) AS q"
        if begins := _WITH.match(sql):
            # MariaDB hides the tables of an outer WITH from those of an inner one: they are made one.
            return "", f"FROM (WITH {begins['recursive'] or ''} {self._maps},\n{sql[begins.end() :]}\n) AS q"
        return f"WITH {self._maps} ", f"FROM (\n{sql}\n) AS q"

    def _described(self, text: str) -> tuple[tuple[str, ...], tuple[int, ...]]:
        """Names and types of the columns of a query. Being prepared, it can be one statement only; being in parentheses, only a query."""
        self._stop()
        session = self._session
        with session.errors(faults=True):
            cursor = session.cursor()
            session.wait(cursor.execute(f"SET @transvase_query = {_literal(text)}"))
            session.wait(cursor.execute("PREPARE transvase_query FROM @transvase_query"))
            session.wait(cursor.execute("EXECUTE transvase_query"))
            described = cursor.description
            session.wait(cursor.close())
            session.run("DEALLOCATE PREPARE transvase_query")
        return tuple(d[0] for d in described), tuple(d[1] for d in described)

    def _read(
        self, text: str, singles: list[int], size: int, faults: bool, weighed: bool = False
    ) -> Iterator[list[tuple[Any, ...]]]:
        """Send the query now; its rows come as they are asked for."""
        self._stop()
        session = self._session
        with session.errors(faults):
            cursor = session.cursor()
            self._reading = cursor
            session.wait(cursor.execute(text))
        return self._batches(cursor, singles, size, weighed)

    def _batches(self, cursor: Any, singles: list[int], size: int, weighed: bool) -> Iterator[list[tuple[Any, ...]]]:
        session = self._session

        def fetch(number: int) -> list[tuple[Any, ...]]:
            if self._reading is not cursor:
                raise RuntimeError("another reading of this database has begun")
            try:
                with session.errors():
                    rows: list[tuple[Any, ...]] = session.wait(cursor.fetchmany(number))
            except (SourceUnreadable, SourceLocked):
                # What was still to come cannot be told from a new answer: nothing more is asked of this connection.
                self._reading = None
                session.close()
                raise
            return [_shortened(row, singles) for row in rows] if singles else list(rows)

        yield from by_weight(fetch, size) if weighed else iter(lambda: fetch(size), [])
        self._stop()

    def _stop(self) -> None:
        """End the reading under way, if any: the server cannot be told to send no more, so the rest is read and dropped."""
        reading, self._reading = self._reading, None
        if reading is not None:
            with self._session.errors():
                self._session.wait(reading.close())

    def _key(self, table: str) -> str:
        columns, key = self._tables[table]
        declared = dict(columns)
        if key:
            return f"CONCAT_WS('|', {', '.join(_text(column, declared[column]) for column in key)})"
        # Each cell is digested first: a cell may be as large as a packet of the server.
        cells = ", ".join(f"COALESCE(SHA2({_text(c, kind)}, 256), '-')" for c, kind in columns)
        digest = f"SHA2(CONCAT_WS(',', {cells}), 256)"
        return f"CONCAT({digest}, '#', ROW_NUMBER() OVER (PARTITION BY {digest}))"


def _keys(lines: list[tuple[Any, ...]]) -> dict[str, tuple[str, ...]]:
    """Columns that name a row, by table: those of the first index, the primary one coming first, that admits no null."""
    indexes: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for table, index, column, nullable in lines:
        indexes.setdefault((table, index), []).append((column, nullable))
    found: dict[str, tuple[str, ...]] = {}
    for (table, _), columns in indexes.items():
        if all(column is not None and nullable != "YES" for column, nullable in columns):
            found.setdefault(table, tuple(column for column, _ in columns))
    return found


def _cell(column: str, declared: str) -> str:
    """SQL reading a column as stored."""
    if declared.startswith("float"):
        # Sent as it is, the server would round it to six digits.
        return f"({quoted(column)} + 0e0)"
    return f"CAST({quoted(column)} AS CHAR)" if "zerofill" in declared else quoted(column)


def _text(column: str, declared: str) -> str:
    """SQL giving a column as text."""
    if _BINARY.match(declared):
        return f"HEX({quoted(column)})"
    if declared.startswith("bit"):
        return f"CAST(CAST({quoted(column)} AS UNSIGNED) AS CHAR)"
    return f"CAST({_cell(column, declared)} AS CHAR)"


def _literal(text: str) -> str:
    """A text for SQL; in hexadecimal, which no setting of the server reads otherwise."""
    return f"CONVERT(X'{text.encode().hex()}' USING utf8mb4)"


def _line(line: tuple[str, str, str]) -> str:
    # A binary collation gives way to none and wins over every `_ci` one: the join never meets an illegal mix, and compares exactly.
    cells = zip(line, ("local", "code", "reason"), strict=True)
    return "SELECT " + ", ".join(f"{_literal(text)} COLLATE utf8mb4_bin AS {quoted(name)}" for text, name in cells)


def quoted(name: str) -> str:
    """An identifier for SQL."""
    return "`" + name.replace("`", "``") + "`"


def _bits(raw: bytes) -> int:
    return int.from_bytes(raw, "big")


# What is not here stays as the server sends it: text, or bytes for binary strings.
_DECODERS: dict[int, Any] = {
    _TINY: int,
    _SHORT: int,
    _INT24: int,
    _LONG: int,
    _LONGLONG: int,
    _FLOAT: float,
    _DOUBLE: float,
    _BIT: _bits,
}


def _shortened(row: tuple[Any, ...], singles: list[int]) -> tuple[Any, ...]:
    values = list(row)
    for place in singles:
        values[place] = shortest(values[place])
    return tuple(values)


def shortest(value: float | None) -> float | None:
    """The shortest decimal that a single-precision number stands for: 0.1 rather than 0.10000000149011612."""
    if value is None:
        return None
    stored = struct.pack("f", value)
    for digits in range(6, 9):
        shorter = float(f"{value:.{digits}g}")
        # The largest number, cut, may be too large for single precision.
        with suppress(OverflowError):
            if struct.pack("f", shorter) == stored:
                return shorter
    return float(f"{value:.9g}")


def _translated(error: BaseException, name: str, faults: bool) -> Exception:
    code = error.args[0] if error.args and isinstance(error.args[0], int) else 0
    if code == _UNKNOWN_DATABASE:
        return SourceMissing(path=name)
    if code in _LOCKED:
        return SourceLocked(path=name)
    if code in _REFUSED:
        return SourceRefused(path=name)
    if refused := _tls(error):
        reason = refused
    elif isinstance(error, UnicodeDecodeError):
        reason = "a text is not in the character set the server says"
    elif code in _LOST or isinstance(error, OSError | EOFError) or not code:
        return SourceUnreachable(path=name)
    elif faults:
        # Nothing but the text of the query was looked at yet.
        return QueryFault(str(error.args[1]).partition("\n")[0])
    else:
        reason = f"error {code}"
    return SourceUnreadable(path=name, kind=KIND, reason=reason)


def _tls(error: BaseException) -> str:
    """What TLS refused, when it is what failed; empty otherwise."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, ssl.SSLError):
        cause = cause.__cause__ or cause.__context__
    if cause is None:
        return ""
    if isinstance(cause, ssl.SSLCertVerificationError):
        return "the server's certificate does not come from the authorities trusted, or is not in its name, or is out of date"
    return "the server speaks no TLS, or none that is safe"
