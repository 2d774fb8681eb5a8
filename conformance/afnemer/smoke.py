"""Tries the driver once before anything is graded, so that a wrong address or a half shim gives one clear sentence instead of a red report."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from conformance.afnemer.driver import BadAnswer, Driver, DriverError, Letter, Verb
from conformance.messages.identities import same_guid

_UNKNOWN: Final = "5d0f7c5e-0000-4000-8000-00000000dead"  # nobody delivers under this id
_HINT_SAME: Final = "berichten answers the BerichtID and BatchID of the batch as sent, and bericht finds it under that BerichtID"


def smoke_check(driver: Driver, bsn: str, bericht_type: str) -> None:
    """Return when the Afnemer is well, delivers one bericht, knows its status, and does not know an id that was never used.

    Raises the :class:`DriverError` of the first step that fails; its text starts with what was tried.
    """
    with _step("is the Afnemer well"):
        driver.health()
    with _step("deliver one bericht"):
        (delivered,) = driver.deliver([Letter(bsn, bericht_type)])
    with _step("ask the status of the bericht that was just delivered"):
        status = driver.status(delivered.bericht_id)
        if status is None:
            raise BadAnswer(Verb.BERICHT, f"the status of {delivered.bericht_id}", "that the Afnemer does not know it", _HINT_SAME)
        if not same_guid(status.batch_id, delivered.batch_id):
            raise BadAnswer(Verb.BERICHT, f"batchId {delivered.batch_id}, as when it was delivered", status.batch_id, _HINT_SAME)
    with _step("ask the status of a bericht that does not exist"):
        if driver.status(_UNKNOWN) is not None:
            raise BadAnswer(Verb.BERICHT, "not found (404, exit code 3, None)", "a status", "do not make up a status for an id that you do not know")


@contextmanager
def _step(text: str) -> Iterator[None]:
    """Let an error say what was tried."""
    try:
        yield
    except DriverError as error:
        error.step = f"trying the driver ({text})"
        raise
