"""What the cases about TLS share: the certificates of the run, and a client of the Afnemer's gateway that does one thing wrong."""

import ssl
from functools import cache

from conformance.stage.judging import NotTestedError
from conformance.stage.line import Line
from conformance.stage.scene import Scene
from conformance.transport.ebms2.http import HttpOutcome, TroubleKind
from conformance.transport.ebms2.model import Message
from conformance.transport.ebms2.names import Kind
from conformance.transport.ebms2.posting import Poster
from conformance.transport.ebms2.reading import read_message
from conformance.transport.ebms2.writing import Outgoing
from conformance.transport.handshakes import FailedHandshake
from conformance.transport.misbehaving import Presenting, bad_client_contexts, careless_context, switched_off
from conformance.transport.pki import Pki, PkiError
from conformance.transport.shown import Shown, Trust, shake
from conformance.transport.tls import TlsFiles
from conformance.verdicts import Reason

_LOGIUS = "server"


def _line(scene: Scene) -> Line:
    if scene.line is None or scene.line.certificates is None:
        raise NotTestedError(Reason.FACE_NOT_USED, "this run has no TLS")
    return scene.line


def _certificates(scene: Scene) -> Pki:
    certificates = _line(scene).certificates
    if certificates is None:
        raise NotTestedError(Reason.FACE_NOT_USED, "this run has no TLS")
    return certificates


def presenting_of(scene: Scene) -> Presenting:
    """Return what the server of the Berichtenbox shows; raises :class:`NotTestedError` in a run without TLS."""
    presenting = _line(scene).presenting
    if presenting is None:
        raise NotTestedError(Reason.FACE_NOT_USED, "this run has no TLS")
    return presenting


def certificate_files(scene: Scene, name: str) -> TlsFiles:
    """Return the files of one certificate; raises :class:`NotTestedError` when the directory of an older version lacks it."""
    try:
        return _certificates(scene).files_of(name)
    except PkiError as error:
        raise NotTestedError(Reason.KIT_LIMIT, str(error)) from None


def trust_of(scene: Scene) -> Trust:
    """Return what the Berichtenbox knows of authorities."""
    return Trust.of(certificate_files(scene, _LOGIUS))


# -- handshakes with the gateway of the Afnemer ------------------------------------------------------------------------------------------------


@cache
def _bad_clients(certificates: Pki) -> dict[str, ssl.SSLContext]:
    contexts = dict(bad_client_contexts(certificates))
    for context in contexts.values():  # what is wrong with the server itself is another requirement
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return contexts


_switched_off = cache(switched_off)


def check_can_play(certificates: Pki, name: str, side: str = _LOGIUS) -> None:
    """Raise :class:`NotTestedError` for a client that the TLS library of this machine cannot play: it would be refused by everybody."""
    if name in _switched_off(certificates, side):
        text = f"the TLS library of this machine has what the client {name} offers switched off, so nobody can be seen to refuse it"
        raise NotTestedError(Reason.KIT_LIMIT, f"{text}; allow it in its configuration (MinProtocol, SECLEVEL), or run the kit on another machine")


def bad_client(scene: Scene, name: str) -> ssl.SSLContext:
    """Return a client of ``bad_client_contexts`` that does not look at the server; raises :class:`NotTestedError` when there is none."""
    try:
        check_can_play(_certificates(scene), name)
        return _bad_clients(_certificates(scene))[name]
    except PkiError as error:
        raise NotTestedError(Reason.KIT_LIMIT, str(error)) from None


def greet(scene: Scene, context: ssl.SSLContext | None = None) -> Shown | FailedHandshake:
    """Shake hands with the gateway of the Afnemer, by default as the Berichtenbox that takes anything; raises :class:`NotTestedError`."""
    try:
        return shake(_line(scene).gateway, context or careless_context(certificate_files(scene, _LOGIUS)))
    except OSError as error:
        raise NotTestedError(Reason.UNREACHABLE, f"nobody is there at the gateway of this Afnemer: {error}") from None


def welcomed(scene: Scene) -> Shown:
    """Return what the gateway shows to a good client; raises :class:`NotTestedError` when it shakes hands with nobody."""
    shown = greet(scene)
    if isinstance(shown, FailedHandshake) or not shown.chain:
        seen = shown.got if isinstance(shown, FailedHandshake) else "no certificate"
        raise NotTestedError(Reason.NO_TRAFFIC, f"the gateway of this Afnemer shakes hands with nobody: {seen}")
    return shown


# -- messages --------------------------------------------------------------------------------------------------------------------------------


def taken_result(scene: Scene) -> Message:
    """Have a letter delivered, and return its result once the gateway took it; raises :class:`NotTestedError` when it does not."""
    scene.deliver_one()

    def taken() -> list[str]:
        gone = [one for one in scene.box.exchanges(scene.start) if not one.is_incoming and one.kind == Kind.USER]
        return [one.message_id for one in gone if 200 <= one.status < 300]  # noqa: PLR2004  # success

    if not scene.wait(lambda: bool(taken())):
        raise NotTestedError(Reason.NO_TRAFFIC, f"the gateway of this Afnemer takes no results: {push_trouble(scene) or 'none was pushed'}")
    sending = scene.box.ledger.wire.sending(taken()[0])
    if sending is None:
        raise NotTestedError(Reason.NOT_SEEN, "the result is not in the ledger any more")
    return read_message(sending.delivery.content_type, sending.body).message


def push_trouble(scene: Scene) -> str:
    """Return why the last message could not be pushed to the gateway since the case began, empty when there was nothing."""
    failed = [one for one in scene.box.exchanges(scene.start) if not one.is_incoming and not one.status]
    return failed[-1].note if failed else ""


def post_as(scene: Scene, name: str, outgoing: Outgoing) -> HttpOutcome:
    """POST a message to the gateway as a bad client; raises :class:`NotTestedError` when nobody is there, or it takes too long."""
    with Poster(bad_client(scene, name)) as poster:
        outcome = poster.post(_line(scene).gateway, outgoing.content_type, outgoing.body)
    trouble = outcome.trouble
    if trouble is not None and trouble.kind in {TroubleKind.REFUSED, TroubleKind.TIMEOUT}:
        raise NotTestedError(Reason.UNREACHABLE, trouble.text)
    return outcome
