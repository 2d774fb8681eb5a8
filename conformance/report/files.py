"""Writes files of the output directory: whole or not at all, and never through something that is no directory."""

import contextlib
import os
import tempfile
from pathlib import Path

from conformance.report.errors import OutputError


def make_directory(directory: Path) -> None:
    """Make a directory of the output; raises ``OutputError`` when something else has its place."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise OutputError(f"{directory}: expected a directory, this is (or lies in) a file.\n  Hint: choose another --out.") from error
    except OSError as error:
        raise OutputError(f"{directory}: cannot be made: {error.strerror}.") from error


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file beside its place and move it there, so that a reader sees the old file or the new one; raises ``OutputError``."""
    make_directory(path.parent)
    try:
        _write_and_move(path, data)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror}.") from error


def _write_and_move(path: Path, data: bytes) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".tmp-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise
