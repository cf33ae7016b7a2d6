"""Dagster's own SQLite event log with its connections kept for the length of a run. The files and their content are Dagster's; what
changes is that a run of two hundred events does not open, compile, sync and close nine hundred times (measured: a third of the time).

Only the process that runs a job uses this; the screen and the daemon read the same files with Dagster's class.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._core.storage.event_log.sqlite.sqlite_event_log import INDEX_SHARD_NAME
from dagster._core.storage.sql import create_engine
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage, _event_logs_directory
from dagster._serdes import ConfigurableClassData
from sqlalchemy import Engine, event
from sqlalchemy.engine import Connection
from sqlalchemy.pool import QueuePool


class KeptEventLog(SqliteEventLogStorage):
    """The event log of one process that runs jobs."""

    def __init__(self, base_dir: str) -> None:
        self._engines: dict[str, Engine] = {}
        super().__init__(base_dir)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        with self._db_lock:
            if shard not in self._engines:
                self._engines[shard] = self._engine(shard)
            with self._engines[shard].connect() as connection, connection.begin():
                yield connection

    def _engine(self, shard: str) -> Engine:
        engine = create_engine(
            self.conn_string_for_shard(shard),
            poolclass=QueuePool,
            pool_size=1,
            connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS, "check_same_thread": False},
        )

        @event.listens_for(engine, "connect")
        def _prepare(connection: Any, _: object) -> None:
            # Whole after a crash of the process or of the machine, at worst without its last events: the evidence of what was
            # done is in the ledger and the manifests, never here.
            connection.execute("PRAGMA synchronous = NORMAL")
            if shard != INDEX_SHARD_NAME:
                # The screen watches the file of a run, which changes only when the write-ahead log is carried over.
                connection.execute("PRAGMA wal_autocheckpoint = 1")

        if shard not in self._initialized_dbs:
            self._initdb(engine)
            self._initialized_dbs.add(shard)
        return engine

    def dispose(self) -> None:
        """Close what was kept."""
        super().dispose()
        for engine in self._engines.values():
            engine.dispose()
        self._engines.clear()


class KeptStorage(DagsterSqliteStorage):
    """Dagster's storage of a folder, with the event log above."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__(base_dir, inst_data)
        self._event_log_storage = KeptEventLog(_event_logs_directory(base_dir))

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData, config_value: Mapping[str, Any]) -> KeptStorage:
        """As Dagster calls it."""
        return cls(config_value["base_dir"], inst_data)


def overrides(home: str) -> dict[str, Any]:
    """What an instance of the folder `home` takes instead of its file's storage."""
    storage = {"module": __name__, "class": KeptStorage.__name__, "config": {"base_dir": home}}
    return {"storage": {"custom": storage}}
