"""What a case has the Berichtenbox answer on letters to one citizen, whatever batch they come in.

An Afnemer may send a bericht a batch or a thousand: a case that counts results would be unfair to one of them, a case that names citizens is not.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from conformance.messages.verwerkingsbericht import VerwerkingsCode

NO_RESULT: Final = None
"""Stands in a script for: no result on this bericht."""


@dataclass(slots=True)
class _Script:
    answers: list[VerwerkingsCode | None]
    is_endless: bool


class Scripts:
    """The scripts by BSN; safe to use from any thread."""

    def __init__(self) -> None:
        self._scripts: dict[str, _Script] = {}
        self._lock = threading.Lock()

    def set(self, bsn: str, answers: Sequence[VerwerkingsCode | None], *, is_endless: bool) -> None:
        """Answer the next letters to ``bsn`` so, one after another; the last answer is repeated for ever when ``is_endless``."""
        with self._lock:
            self._scripts[bsn] = _Script(list(answers), is_endless)

    def next(self, bsn: str) -> tuple[bool, VerwerkingsCode | None]:
        """Return whether the next answer on a letter to ``bsn`` is scripted, and that answer."""
        with self._lock:
            script = self._scripts.get(bsn)
            if script is None or not script.answers:
                return False, None
            if script.is_endless and len(script.answers) == 1:
                return True, script.answers[0]
            return True, script.answers.pop(0)

    def clear(self) -> None:
        """Forget every script."""
        with self._lock:
            self._scripts.clear()
