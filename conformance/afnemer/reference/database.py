"""One SQLite file: what every store of the Afnemer is built on. What is in it is the business of those stores."""

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class Database:
    """One SQLite file that survives a crash, safe to use from several threads.

    One that is not ``is_durable`` survives the end of its process, and not that of the machine: it does not wait for the disk.
    """

    def __init__(self, file: Path, tables: str, *, is_durable: bool = True) -> None:
        self._lock = threading.RLock()
        self._connection = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
        for pragma in ("journal_mode=WAL", f"synchronous={'FULL' if is_durable else 'OFF'}", "busy_timeout=5000"):
            self._connection.execute(f"PRAGMA {pragma}")
        self._connection.executescript(tables)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Keep everything that happens in the block, or nothing."""
        with self._lock:
            if self._connection.in_transaction:
                yield
                return
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def _rows(self, sql: str, *values: Any) -> list[Any]:
        with self._lock:
            return self._connection.execute(sql, values).fetchall()

    def _do(self, sql: str, *values: Any) -> None:
        with self._lock:
            self._connection.execute(sql, values)

    def _do_each(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """Execute a statement for each row, without holding all of them."""
        with self._lock:
            self._connection.executemany(sql, rows)
