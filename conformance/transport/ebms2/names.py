"""Every fixed name of ebMS 2.0 and of Digikoppeling's profile of it, once."""

from enum import StrEnum
from typing import Final

NS_SOAP: Final = "http://schemas.xmlsoap.org/soap/envelope/"
NS_EB: Final = "http://www.oasis-open.org/committees/ebxml-msg/schema/msg-header-2_0.xsd"
NS_XLINK: Final = "http://www.w3.org/1999/xlink"
NS_DS: Final = "http://www.w3.org/2000/09/xmldsig#"
NS_XML: Final = "http://www.w3.org/XML/1998/namespace"
VERSION: Final = "2.0"
MSH_SERVICE: Final = "urn:oasis:names:tc:ebxml-msg:service"
ERRORS_CONTEXT: Final = "urn:oasis:names:tc:ebxml-msg:service:errors"
ACTOR_TO_PARTY: Final = "urn:oasis:names:tc:ebxml-msg:actor:toPartyMSH"
ACTOR_NEXT_MSH: Final = "urn:oasis:names:tc:ebxml-msg:actor:nextMSH"
ACTOR_SOAP_NEXT: Final = "http://schemas.xmlsoap.org/soap/actor/next"
SOAP_ACTION: Final = '"ebXML"'


class Kind(StrEnum):
    """The seven kinds of messages; the value of the six signals is their Action."""

    USER = "UserMessage"
    ACKNOWLEDGMENT = "Acknowledgment"
    ERROR = "MessageError"
    PING = "Ping"
    PONG = "Pong"
    STATUS_REQUEST = "StatusRequest"
    STATUS_RESPONSE = "StatusResponse"


class ErrorCode(StrEnum):
    """The error codes of an ErrorList."""

    VALUE_NOT_RECOGNIZED = "ValueNotRecognized"
    NOT_SUPPORTED = "NotSupported"
    INCONSISTENT = "Inconsistent"
    OTHER_XML = "OtherXml"
    DELIVERY_FAILURE = "DeliveryFailure"
    TIME_TO_LIVE_EXPIRED = "TimeToLiveExpired"
    SECURITY_FAILURE = "SecurityFailure"
    MIME_PROBLEM = "MimeProblem"
    UNKNOWN = "Unknown"


class Severity(StrEnum):
    """How bad an error is."""

    WARNING = "Warning"
    ERROR = "Error"


class MessageStatus(StrEnum):
    """What a StatusResponse says of a message."""

    NOT_RECOGNIZED = "NotRecognized"
    UNAUTHORIZED = "UnAuthorized"
    RECEIVED = "Received"
    PROCESSED = "Processed"
    FORWARDED = "Forwarded"
