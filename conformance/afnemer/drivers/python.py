"""Reaches an Afnemer as an object in this process: a class with a method a verb, that takes and returns the JSON of test-control as dicts."""

import importlib
import inspect
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any, Self

from conformance.afnemer.driver import LOOKS_UP, BadAnswer, CannotDo, DriverError, Refused, Unreachable, Verb, quote


class PythonCaller:
    """Calls the methods of an instance of ``target`` (``package.module:Class``).

    The class is made with ``connection``, the ``BERICHTENBOX_*`` variables, when its constructor takes an argument. A method that raises
    ``ValueError`` refuses; one that is missing, or raises ``NotImplementedError``, is not offered. There is no time limit: a method runs in this
    process.
    """

    def __init__(self, target: str, connection: Mapping[str, str] | None = None) -> None:
        self._party = _make(_load(target), target, dict(connection or {}))

    @classmethod
    def of(cls, instance: object) -> Self:
        """Return a caller of an object that exists already."""
        caller = cls.__new__(cls)
        caller._party = instance  # noqa: SLF001  # a second constructor
        return caller

    def __repr__(self) -> str:
        return f"<PythonCaller {type(self._party).__name__}>"

    def call(self, verb: Verb, body: Mapping[str, Any] | None = None, subject: str | None = None) -> Any:
        """Return what the method of ``verb`` returns; raises :class:`DriverError`."""
        method = self._method(verb)
        if method is None:
            raise CannotDo(f"{type(self._party).__name__} has no method {verb}", verb=verb)
        arguments: list[Any] = [subject] if verb in LOOKS_UP else [] if body is None else [dict(body)]
        try:
            return method(*arguments)
        except ValueError as error:
            raise Refused(str(error) or "ValueError, without an explanation", verb=verb) from error
        except NotImplementedError as error:
            why = f": {quote(str(error))}" if str(error) else ""
            raise CannotDo(f"{type(self._party).__name__}.{verb} is not implemented{why}", verb=verb) from error
        except Exception as error:
            raise BadAnswer(verb, "a return value, or ValueError to refuse", _described(error), "see the traceback of the Afnemer's code") from error

    def settle(self) -> bool:
        """Tell whether the Afnemer has a method ``settle`` that says so."""
        return self._says("settle")

    def restart(self) -> bool:
        """Tell whether the Afnemer has a method ``restart`` that says that it did."""
        return self._says("restart")

    def advance(self, seconds: float) -> bool:
        """Tell whether the Afnemer has a method ``advance`` that says that it moved the clock of its gateway."""
        return self._says("advance", seconds)

    def close(self) -> None:
        """Call ``close`` where there is one."""
        self._says("close")

    def _says(self, name: str, *arguments: float) -> bool:
        method = self._method(name)
        try:
            return method is not None and method(*arguments) is True
        except Exception as error:
            raise DriverError(f"{type(self._party).__name__}.{name} raised {_described(error)}") from error

    def _method(self, name: str) -> Callable[..., Any] | None:
        method = getattr(self._party, name, None)
        return method if callable(method) else None


def _load(target: str) -> Callable[..., Any]:
    """Return the class or factory that ``target`` names; the current directory is importable."""
    module_name, colon, name = target.partition(":")
    if not (module_name and colon and name):
        raise Unreachable(f"[driver] python = {target!r} is not package.module:Class")
    if not {"", os.getcwd()} & set(sys.path):  # noqa: PTH109  # sys.path holds texts
        sys.path.insert(0, os.getcwd())  # noqa: PTH109  # idem
    try:
        found = getattr(importlib.import_module(module_name), name)
    except Exception as error:
        raise Unreachable(f"[driver] python = {target!r} cannot be imported: {_described(error)}") from error
    if not callable(found):
        raise Unreachable(f"[driver] python = {target!r} is not a class")
    return found  # type: ignore[no-any-return]  # callable was just checked


def _make(found: Callable[..., Any], target: str, connection: dict[str, str]) -> object:
    try:
        return found(connection) if _takes_argument(found) else found()
    except Exception as error:
        raise Unreachable(f"{target} cannot be made: {_described(error)}") from error


def _takes_argument(found: Callable[..., Any]) -> bool:
    try:
        inspect.signature(found).bind({})
    except (TypeError, ValueError):
        return False
    return True


def _described(error: Exception) -> str:
    return f"{type(error).__name__}: {quote(str(error))}"
