"""The mount under SCRIPT_NAME, as WSGI middleware."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

PROBES = ("/health", "/health/ready", "/metrics")
HEADERS = [("Content-Type", "text/plain; charset=utf-8"), ("X-Content-Type-Options", "nosniff")]
NOT_FOUND = b"Not found. This application is served under another path.\n"


class Prefix:
    """Serve an application under a prefix of whole path segments; anything else is a plain 404.

    Health probes and metrics answer without the prefix too, since orchestrators ask the process and not the proxy.

    Args:
        wsgi: the application.
        prefix: "" or "/a/b".
    """

    def __init__(self, wsgi: "WSGIApplication", prefix: str) -> None:
        self.wsgi = wsgi
        self.prefix = prefix

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Split the path into SCRIPT_NAME and PATH_INFO (PEP 3333)."""
        # a server that knows the prefix has split already: put the two together before looking
        path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
        if path == self.prefix or path.startswith(self.prefix + "/"):
            environ["SCRIPT_NAME"], environ["PATH_INFO"] = self.prefix, path[len(self.prefix) :]
        elif path in PROBES:
            environ["SCRIPT_NAME"], environ["PATH_INFO"] = "", path
        else:
            start_response("404 Not Found", HEADERS)
            return [NOT_FOUND]
        return self.wsgi(environ, start_response)
