"""Fills a Berichtenbox with letters before a run reads them: over the adapter face, as an Afnemer does, and seen in the lists of the citizens."""

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import httpx

from conformance.berichtenbox.population import citizens
from conformance.berichtenbox.presentatie_face import PATH
from conformance.load.judging import UnpreparedError
from conformance.load.leveringen import Batches, Ids, request_around
from conformance.messages.bsns import bsn_text
from conformance.messages.envelope import Action
from conformance.transport.adapter import REST_PATH

POST_PATH: Final = f"{REST_PATH}/ebms/messages"
_BATCH: Final = 50
_PATIENCE_S: Final = 120.0
_PAUSE_S: Final = 0.2
_ON_PAGE: Final = 100


def new_token() -> str:
    """Return the token of the ids of a run: another one each time, for a bericht is stored once, whatever the seed."""
    return secrets.token_hex(6)


def reading(bsn: str) -> Mapping[str, str]:
    """Return the headers with which a citizen reads."""
    return {"X-Ontvanger": f"BSN:{bsn}"}


def fill(client: httpx.Client, connection: Mapping[str, str], readers: int, letters: int, sizes: Sequence[int]) -> dict[str, list[str]]:
    """See that so many citizens have so many letters each, and return the BerichtIDs by BSN; raises :class:`UnpreparedError`."""
    bsns = [bsn_text(number) for number, _ in citizens(readers, 0)]
    found = {bsn: _letters(client, bsn) for bsn in bsns}
    short = max(letters - len(ids) for ids in found.values())
    if short > 0:
        _deliver(client, connection, bsns, short, sizes)
        _wait(lambda: all(len(_letters(client, bsn)) >= letters for bsn in reversed(bsns)))
        found = {bsn: _letters(client, bsn) for bsn in bsns}
    return {bsn: ids[:letters] for bsn, ids in found.items()}


def _letters(client: httpx.Client, bsn: str) -> list[str]:
    answer = client.get(f"{PATH}/berichten", params={"pageSize": _ON_PAGE}, headers=dict(reading(bsn)))
    body: Any = answer.json() if answer.is_success else None
    if not isinstance(body, dict):
        raise UnpreparedError(f"the berichtpresentatie answers {answer.status_code} to who asks for a list")
    return [str(item["berichtId"]) for item in body["berichten"]]


def _deliver(client: httpx.Client, connection: Mapping[str, str], bsns: Sequence[str], each: int, sizes: Sequence[int]) -> None:
    head, tail = request_around(connection, Action.BV_REQUEST)
    for start in range(0, len(bsns), _BATCH):
        part = bsns[start : start + _BATCH]
        batches = Batches(connection, Ids(new_token()), len(part), part, sizes)
        for number in range(each):
            content = b"".join((head, *batches.in_base64(number), tail))
            answer = client.post(POST_PATH, content=content, headers={"content-type": "application/json"})
            if not answer.is_success:
                raise UnpreparedError(f"the Berichtenbox refuses a batch with status {answer.status_code}: {answer.text[:200]}")


def _wait(is_there: Callable[[], bool]) -> None:
    until = time.monotonic() + _PATIENCE_S
    while not is_there():
        if time.monotonic() > until:
            raise UnpreparedError(f"letters that were accepted did not appear within {_PATIENCE_S:g} s")
        time.sleep(_PAUSE_S)
