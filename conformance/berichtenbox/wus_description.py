"""The WSDL of the BerichtenboxValidatieService and its schemas, as a SOAP client loads them from the server: every location leads back to it."""

from pathlib import Path, PurePosixPath
from typing import Final

from conformance import specs
from conformance.messages.guard import etree, parse

_IMPORT: Final = "{http://www.w3.org/2001/XMLSchema}import"
_ADDRESS: Final = "{http://schemas.xmlsoap.org/wsdl/soap/}address"
_SCHEMAS: Final = frozenset({"validatie-dienst", "validatie-types", "validatie-gedeeld"})


def wsdl(url: str) -> bytes:
    """Return the WSDL with ``url`` as the address of the service."""
    return _served(specs.path("wsdl/validatieservice.wsdl"), url)


def schema(name: str, url: str) -> bytes | None:
    """Return the schema that ``?xsd=name`` asks for, ``None`` for one that is not there."""
    return _served(specs.path(f"xsd/{name}.xsd"), url) if name in _SCHEMAS else None


def _served(path: Path, url: str) -> bytes:
    root = parse(path.read_bytes())
    for element in root.iter(_IMPORT):
        element.set("schemaLocation", f"{url}?xsd={PurePosixPath(element.get('schemaLocation', '')).stem}")
    for element in root.iter(_ADDRESS):
        element.set("location", url)
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")
