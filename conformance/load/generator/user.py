"""A user that sends what is due next: Locust's fast HTTP user, on an exact schedule."""

import contextlib
import ssl
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Final

import gevent
import httpx
from locust import FastHttpUser, task

from conformance.load.generator.session import Session
from conformance.transport import pki
from conformance.transport.tls import load_files

_REST_S: Final = 0.2
_GRACE: Final = 2  # times the patience of the norm: so that what is too late is seen to be
_LONGEST_S: Final = 300.0


class ScheduledUser(FastHttpUser):
    """Sends messages of the schedule until none is left. A profile says in :meth:`send` what one is, over ``self.client``, with a name.

    ``session`` is set before the first user comes. :meth:`prepare` runs once, before the users; :meth:`accompany` beside them.
    """

    abstract = True
    insecure = False  # or Locust would not look at the certificate of the other side
    session: ClassVar[Session]

    def __init__(self, environment: Any) -> None:
        patience = self.session.plan.demand.patience.total_seconds()
        self.network_timeout = self.connection_timeout = min(_LONGEST_S, max(10.0, _GRACE * patience))
        self.ssl_context_factory = self.tls_context
        super().__init__(environment)

    def on_start(self) -> None:
        """Open the connection before the first message is due: the handshake of TLS is no part of an answer."""
        host = self.host or ""
        if not host.startswith("https:"):
            return
        pool = self.client.client.clientpool.get_client(host)._connection_pool  # noqa: SLF001  # there is no other way to it
        with contextlib.suppress(OSError):  # the first message tells what is wrong
            pool.return_socket(pool.get_socket())

    @classmethod
    def prepare(cls, session: Session) -> None:
        """Make ready what the users need: once, in the process that leads the run. What it puts in ``session.facts`` every process gets."""

    @classmethod
    def accompany(cls, session: Session) -> None:
        """Do what goes on beside the users, such as fetching results: in one process; the run ends when it returns and all is sent."""

    def send(self, number: int) -> None:  # noqa: ARG002  # who says how needs it
        """Send message ``number`` of the run and read its answer."""
        raise TypeError(f"{type(self).__name__} does not say how a message is sent")

    @staticmethod
    def fail(answer: Any, text: str) -> None:
        """Make an answer a failure with a text; where there was no answer, what Locust says of that stays."""
        if answer.status_code:
            answer.failure(text)

    @task
    def follow(self) -> None:
        """Take the next message, wait until it is due, and send it."""
        turn = self.session.take()
        if turn is None:
            gevent.sleep(_REST_S)
            return
        try:
            self.send(turn.number)
        except Exception as error:
            self.session.finish(error)
            raise
        self.session.finish()

    @classmethod
    def tls_context(cls) -> ssl.SSLContext:
        """Return whom we trust and who we are: the test certificates of the connection, or who the machine trusts."""
        return context_of(cls.session)


def context_of(session: Session) -> ssl.SSLContext:
    """Return whom we trust and who we are in a run."""
    return _context(session.plan.connection.get("tls", ""))


@cache
def _context(directory: str) -> ssl.SSLContext:
    # Read once: for a hundred users it would take seconds, in which nobody sends anything.
    if not directory:
        return ssl.create_default_context()
    # Made here, for the one of `client_context` watches handshakes with a socket of its own, and gevent has another.
    return load_files(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), pki.load(Path(directory)).files_of("client"))


def client_of(session: Session, timeout_s: float = 60.0) -> httpx.Client:
    """Return a client for what goes on before and beside the users: its requests are not measured."""
    return httpx.Client(base_url=session.plan.target, timeout=timeout_s, trust_env=False, verify=context_of(session))
