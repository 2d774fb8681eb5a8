"""The rest of the adapter face: CPAs, URL mappings and certificate mappings, kept for the life of the process."""

import base64
import binascii
import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from conformance.berichtenbox.box import Berichtenbox
from conformance.berichtenbox.cpas import Cpa, CpaRefused, new_test_cpa, read_cpa
from conformance.berichtenbox.http import bare, json_bytes, no_content, read_body
from conformance.transport import adapter

_MOST_KEPT: Final = 1_000
_TERM: Final = timedelta(days=3650)
_Handler = Callable[[Request], Awaitable[Response]]


def admin_routes(box: Berichtenbox) -> list[BaseRoute]:
    """Return the routes of ``/cpas``, ``/urlMappings`` and ``/certificateMappings``."""
    cpas, urls, certificates = _Cpas(box), _UrlMappings(), _CertificateMappings()
    routes: list[tuple[str, str, _Handler]] = [
        ("POST", "/cpas", cpas.insert),
        ("POST", "/cpas/validate", cpas.validate),
        ("GET", "/cpas", cpas.list),
        ("DELETE", "/cpas/cache", _cleared),
        ("GET", "/cpas/{cpa_id:path}", cpas.get),
        ("DELETE", "/cpas/{cpa_id:path}", cpas.delete),
        ("POST", "/urlMappings", urls.put),
        ("GET", "/urlMappings", urls.list),
        ("DELETE", "/urlMappings/cache", _cleared),
        ("DELETE", "/urlMappings/{source:path}", urls.delete),
        ("POST", "/certificateMappings", certificates.put),
        ("GET", "/certificateMappings", certificates.list),
        ("DELETE", "/certificateMappings", certificates.delete),
        ("DELETE", "/certificateMappings/cache", _cleared),
    ]
    return [Route(path, handler, methods=[method]) for method, path, handler in routes]


async def _cleared(_request: Request) -> Response:
    return no_content()


class _Cpas:
    """The CPAs by id; the one of the test connection is there from the start."""

    def __init__(self, box: Berichtenbox) -> None:
        now = box.clock.now()
        text = new_test_cpa(box.connection, now - _TERM, now + _TERM)
        self._box = box
        self._cpas: dict[str, Cpa] = {box.connection.cpa_id: read_cpa(text, now)}

    async def insert(self, request: Request) -> Response:
        try:
            cpa = read_cpa((await read_body(request)).decode(errors="replace"), self._box.clock.now())
        except CpaRefused as refusal:
            return bare(str(refusal), 400 if refusal.is_bad_request else 500)
        overwrites = request.query_params.get("overwrite", "false").lower() == "true"
        if cpa.cpa_id in self._cpas and not overwrites:
            return bare(f"java.lang.IllegalArgumentException: Did not insert CPA {cpa.cpa_id}! CPA already exists.", 400)
        if len(self._cpas) >= _MOST_KEPT:
            return bare(f"at most {_MOST_KEPT} CPAs are kept; delete some first", 500)
        self._cpas[cpa.cpa_id] = cpa
        return bare(cpa.cpa_id)

    async def validate(self, request: Request) -> Response:
        try:
            read_cpa((await read_body(request)).decode(errors="replace"), self._box.clock.now())
        except CpaRefused as refusal:
            return bare(str(refusal), 400 if refusal.is_bad_request else 500)
        return no_content()

    async def list(self, _request: Request) -> Response:
        return json_bytes(adapter.write_ids(sorted(self._cpas)))

    async def get(self, request: Request) -> Response:
        cpa = self._cpas.get(request.path_params["cpa_id"])
        return bare(cpa.text) if cpa else bare("", 404)

    async def delete(self, request: Request) -> Response:
        return no_content() if self._cpas.pop(request.path_params["cpa_id"], None) else bare("", 404)


class _UrlMappings:
    """Endpoint URLs by the URL of the CPA that they replace. An empty destination deletes."""

    def __init__(self) -> None:
        self._destinations: dict[str, str] = {}

    async def put(self, request: Request) -> Response:
        mapping = await _object(request)
        source, destination = mapping.get("source"), mapping.get("destination")
        if not isinstance(source, str) or not source.startswith(("http://", "https://")):
            return bare("Source invalid", 500)
        if destination == "":
            self._destinations.pop(source, None)
            return no_content()
        if not isinstance(destination, str) or not destination.startswith(("http://", "https://")) or len(self._destinations) >= _MOST_KEPT:
            return bare("Destination invalid", 500)
        self._destinations[source] = destination
        return no_content()

    async def list(self, _request: Request) -> Response:
        shown = [{"source": source, "destination": self._destinations[source]} for source in sorted(self._destinations)]
        return json_bytes(json.dumps(shown).encode())

    async def delete(self, request: Request) -> Response:
        # Raw and percent-encoded sources are both taken: clients differ, and a server may merge the slashes of a raw one.
        decoded = request.path_params["source"]
        raw = request.scope["raw_path"].decode("latin-1").partition("/urlMappings/")[2]
        for spelling in (decoded, raw, decoded.replace(":/", "://", 1)):
            if self._destinations.pop(spelling, None):
                return no_content()
        return bare("", 404)


class _CertificateMappings:
    """Certificates by the certificate that they replace, and the CPA for which they do."""

    def __init__(self) -> None:
        self._mappings: dict[tuple[str, str | None], str] = {}

    async def put(self, request: Request) -> Response:
        mapping = await _object(request)
        source, destination, cpa_id = mapping.get("source"), mapping.get("destination"), mapping.get("cpaId")
        if not _is_der(source) or not _is_der(destination) or len(self._mappings) >= _MOST_KEPT:
            return bare("java.security.cert.CertificateException: Could not parse certificate", 500)
        self._mappings[(str(source), None if cpa_id is None else str(cpa_id))] = str(destination)
        return no_content()

    async def list(self, _request: Request) -> Response:
        shown = [
            {"source": source, "destination": destination} | ({} if cpa_id is None else {"cpaId": cpa_id})
            for (source, cpa_id), destination in self._mappings.items()
        ]
        return json_bytes(json.dumps(shown).encode())

    async def delete(self, request: Request) -> Response:
        source = (await read_body(request)).decode("latin-1").strip()
        return no_content() if self._mappings.pop((source, request.query_params.get("cpaId")), None) else bare("", 404)


async def _object(request: Request) -> dict[str, Any]:
    """Return the JSON object of a request, empty for anything else: what is missing is refused by its name."""
    try:
        value = adapter.read_json(await read_body(request))
    except adapter.RequestRefused:
        return {}
    return value if isinstance(value, dict) else {}


def _is_der(text: Any) -> bool:
    """Tell whether a text is base64 of something that starts as a certificate does: an ASN.1 sequence."""
    if not isinstance(text, str):
        return False
    try:
        return base64.b64decode(text, validate=True)[:1] == b"\x30"
    except (binascii.Error, ValueError):
        return False
