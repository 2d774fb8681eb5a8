"""Puts the test-control interface on your own sender: copy this file, and run it beside your application in your test environment.

    python shim.py your_package.your_module:YourSender [PORT]

YourSender has the methods of docs/test-control.md: gezondheid(), berichten(verzoek), bericht(bericht_id), herlevering(verzoek),
abonnementen(verzoek), abonnement(verzoek_id), validatie(verzoek). They take and return dicts; None means unknown, ValueError refuses.
"""  # noqa: INP001  # a script

import importlib
import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

VERBS = {  # method and path: the method of the sender, and the status when it succeeds
    ("GET", "/gezondheid"): ("gezondheid", 200),
    ("POST", "/berichten"): ("berichten", 202),
    ("GET", "/berichten/"): ("bericht", 200),
    ("POST", "/herlevering"): ("herlevering", 202),
    ("POST", "/abonnementen"): ("abonnementen", 202),
    ("GET", "/abonnementen/"): ("abonnement", 200),
    ("POST", "/validatie"): ("validatie", 200),
}


def make_handler(sender: object) -> type[BaseHTTPRequestHandler]:
    """Return a request handler that passes each verb on to ``sender``."""

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            folder, slash, subject = self.path[1:].partition("/")
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            name, status = VERBS.get((self.command, f"/{folder}{slash}"), ("", 404))
            method: Any = getattr(sender, name, None) if name else None
            try:
                arguments = [unquote(subject)] if slash else [json.loads(body)] if body else []
                value = method(*arguments) if method else None
                status = status if value is not None else 404 if method else 501
            except ValueError as error:
                status, value = 422, {"status": 422, "detail": str(error)}
            content = json.dumps(value or {"status": status, "detail": "unknown, or not offered"}).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json" if status < 400 else "application/problem+json")  # noqa: PLR2004  # errors
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = answer  # noqa: N815  # the names that http.server looks for

    return Handler


if __name__ == "__main__":
    sys.path.insert(0, "")  # the current directory is importable
    module_name, _, class_name = sys.argv[1].partition(":")
    sender = getattr(importlib.import_module(module_name), class_name)()
    with ThreadingHTTPServer(("127.0.0.1", int((sys.argv[2:] or ["9001"])[0])), make_handler(sender)) as server:
        print(f"test-control on http://127.0.0.1:{server.server_port}", flush=True)  # noqa: T201  # says where it listens
        server.serve_forever()
