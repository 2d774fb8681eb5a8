"""Group commit: many who wait, one disk sync. An answer goes out only after the commit that holds its work."""

import asyncio
import contextlib
import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from conformance.berichtenbox.ledger import Ledger, Offer, Writing

_AT_ONCE: Final = 500
_LINGER_S: Final = 0.003  # when several came at once, more are on their way, and a commit costs as much for ten as for two


@dataclass(frozen=True, slots=True)
class _Waiting:
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[None]
    offer: Offer | None = None
    work: Callable[[Writing], None] | None = None

    def write(self, writing: Writing) -> None:
        if self.offer is not None:
            writing.add_offers([self.offer])
        if self.work is not None:
            self.work(writing)


class GroupCommitter:
    """Collects what is to be written and commits it together; ``accepted`` is called after each commit that brought offers."""

    def __init__(self, ledger: Ledger, accepted: Callable[[], None]) -> None:
        self._ledger = ledger
        self._accepted = accepted
        self._is_busy = False
        self._queue: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="group-commit", daemon=True)
        self._thread.start()

    async def store(self, offer: Offer, also: Callable[[Writing], None] | None = None) -> None:
        """Return once ``offer`` is on disk, with what ``also`` writes; raises what the ledger raises."""
        await self._wait_for(offer=offer, work=also)

    async def do(self, work: Callable[[Writing], None]) -> None:
        """Return once ``work`` is done and on disk; raises what it raises."""
        await self._wait_for(work=work)

    async def _wait_for(self, offer: Offer | None = None, work: Callable[[Writing], None] | None = None) -> None:
        loop = asyncio.get_running_loop()
        waiting = _Waiting(loop, loop.create_future(), offer, work)
        self._queue.put(waiting)
        await waiting.future

    def stop(self) -> None:
        """Write what waits, then end."""
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        is_running = True
        while is_running:
            group, is_running = self._next_group()
            if group:
                self._commit(group)
            del group  # a message of 100 MB would stay until the next one comes

    def _next_group(self) -> tuple[list[_Waiting], bool]:
        group: list[_Waiting] = []
        item = self._queue.get()
        if self._is_busy:
            time.sleep(_LINGER_S)
        while item is not None:
            group.append(item)
            if len(group) >= _AT_ONCE:
                return group, True
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                return group, True
        return group, False

    def _commit(self, group: Sequence[_Waiting]) -> None:
        self._is_busy = len(group) > 1
        offers = [waiting.offer for waiting in group if waiting.offer is not None]
        works: list[Callable[[Writing], None]] = [waiting.work for waiting in group if waiting.work is not None]
        if offers:
            works.insert(0, lambda writing: writing.add_offers(offers))
        try:
            self._ledger.write(works)
        except Exception as error:  # noqa: BLE001  # whoever waits must hear of it, whatever it is
            self._commit_one_by_one(group, error)
        else:
            _answer_all(group)
        if offers:
            self._accepted()

    def _commit_one_by_one(self, group: Sequence[_Waiting], error: Exception) -> None:
        """One bad work must not take the others down with it."""
        if len(group) == 1:
            _answer(group[0], error)
            return
        for waiting in group:
            try:
                self._ledger.write([waiting.write])
            except Exception as own_error:  # noqa: BLE001  # idem
                _answer(waiting, own_error)
            else:
                _answer(waiting)


def _answer_all(group: Sequence[_Waiting]) -> None:
    by_loop: dict[asyncio.AbstractEventLoop, list[_Waiting]] = {}
    for waiting in group:
        by_loop.setdefault(waiting.loop, []).append(waiting)
    for loop, mine in by_loop.items():
        _tell(loop, _resolve, mine)


def _tell(loop: asyncio.AbstractEventLoop, call: Callable[..., None], *arguments: object) -> None:
    with contextlib.suppress(RuntimeError):  # the loop ended: nobody waits there any more, but elsewhere they do
        loop.call_soon_threadsafe(call, *arguments)


def _resolve(group: Sequence[_Waiting]) -> None:
    for waiting in group:
        if not waiting.future.done():
            waiting.future.set_result(None)


def _answer(waiting: _Waiting, error: Exception | None = None) -> None:
    def settle() -> None:
        if waiting.future.done():
            return
        if error is None:
            waiting.future.set_result(None)
        else:
            waiting.future.set_exception(error)

    _tell(waiting.loop, settle)
