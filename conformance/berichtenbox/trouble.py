"""What a fault does to an HTTP operation, on whichever face: the answer that comes instead of the work."""

import asyncio
from collections.abc import Mapping
from typing import Final

from starlette.responses import Response

from conformance.berichtenbox.faults import Fault
from conformance.berichtenbox.http import HALFWAY_BODY, HALFWAY_HEADERS, HALFWAY_STATUS, Dropped, bare
from conformance.transport.ebms2.http import HttpAnswer

NO_ANSWER: Final = 0
_LONGEST_DELAY_S: Final = 30.0


async def refusing(faults: Mapping[str, Fault]) -> Response | None:
    """Return the answer of a fault that keeps the work from being done, after the delay of one that is slow."""
    if "slow" in faults:
        await asyncio.sleep(min(float(faults["slow"].parameters["delay_s"]), _LONGEST_DELAY_S))
    if "reset-before-work" in faults:
        return Dropped()
    if "unavailable" in faults:
        answer = bare("Service Unavailable", 503)
        retry_after_s = int(faults["unavailable"].parameters["retry_after_s"])
        if retry_after_s:
            answer.headers["Retry-After"] = str(retry_after_s)
        return answer
    if "error-500" in faults:
        return bare(str(faults["error-500"].parameters["text"]), 500)
    if "status" in faults:
        location = str(faults["status"].parameters["location"])
        return Response(status_code=int(faults["status"].parameters["status"]), headers={"location": location} if location else None)
    return None


def spoiled(answer: Response, faults: Mapping[str, Fault]) -> Response:
    """Return the answer as a fault lets it arrive, now that the work is done."""
    if "truncated-answer" in faults:
        return Dropped(is_halfway=True)
    return Dropped() if "reset-after-work" in faults else answer


def seen_of(answer: HttpAnswer, faults: Mapping[str, Fault]) -> tuple[HttpAnswer, str]:
    """Return what the other side sees of an answer that is spoiled, and what happened to it; the answer itself and nothing otherwise."""
    if "truncated-answer" in faults:
        return HttpAnswer(HALFWAY_STATUS, HALFWAY_HEADERS, HALFWAY_BODY), "then a fault that was set broke off the answer halfway"
    if "reset-after-work" in faults:
        return HttpAnswer(NO_ANSWER), "then a fault that was set dropped the connection"
    return answer, ""


def status_of(answer: Response) -> int:
    """Return the status that goes on the record: nought when the connection is dropped."""
    return NO_ANSWER if isinstance(answer, Dropped) else answer.status_code
