"""The load generator: the only place that imports Locust. A profile file names its profile and says how one message is sent.

Importing this replaces the sockets of the process (gevent): only Locust's own processes do so.
"""

from conformance.load.generator.listeners import listen
from conformance.load.generator.session import Session
from conformance.load.generator.user import ScheduledUser, client_of

__all__ = ["ScheduledUser", "Session", "client_of", "listen"]
