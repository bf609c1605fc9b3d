"""Headers that every answer carries, and the hosts that the site answers to.

Our own few lines instead of Flask-Talisman: one policy and one exception are all that is needed.
"""

from flask import Flask, Response, abort, current_app, g, request
from flask.sessions import SecureCookieSessionInterface, SessionMixin
from werkzeug.sansio.utils import host_is_trusted

BASE = (
    "default-src 'none'; connect-src 'self'; font-src 'self'; form-action 'self'; frame-ancestors 'none'; "
    "base-uri 'none'; img-src 'self' blob: data:; manifest-src 'self'; "
)
SITE = BASE + "script-src 'self'; style-src 'self'"
SWAGGER = SITE + " 'unsafe-inline'"  # Swagger UI draws with inline styles
FILES = ("static", "appbuilder.static")
UNATTENDED = "NotificationPages.unread"  # asked by a script while nobody is at the keyboard


class Sessions(SecureCookieSessionInterface):
    """Flask's sessions, but files that anybody may keep carry nobody's cookie, and the bell's script no newer one.

    A file that arrives late would bring a session back that has just ended; the script would keep one alive for ever.
    """

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        """Set the cookie on pages only, and never for who comes with a token."""
        if request.endpoint not in (*FILES, UNATTENDED) and not g.get("by_token"):
            super().save_session(app, session, response)


def refuse_unknown_host() -> None:
    """Refuse requests for a host that is not ours; probes come by IP address and may."""
    allowed = current_app.config["ALLOWED_HOSTS"]
    if (
        allowed
        and not (request.endpoint or "").startswith(("health.", "metrics."))
        and not host_is_trusted(request.host.lower(), allowed)
    ):
        abort(400)


def secure(response: Response) -> Response:
    """Add what browsers need to know; pages that show private data are not kept by anybody."""
    headers = response.headers
    policy = SWAGGER if request.path.startswith("/swagger") else SITE
    headers.setdefault("Content-Security-Policy", policy)
    headers.setdefault("X-Content-Type-Options", "nosniff")
    headers.setdefault("X-Frame-Options", "DENY")
    headers.setdefault("Referrer-Policy", "same-origin")
    headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
    headers.setdefault("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
    if request.is_secure:
        headers.setdefault("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
    is_file = request.endpoint in FILES and response.status_code < 400
    if not is_file:
        headers.setdefault("Cache-Control", "no-store")
    return response


def init_app(app: Flask) -> None:
    """Check hosts before, and add headers after, every request."""
    app.session_interface = Sessions()
    app.before_request(refuse_unknown_host)
    app.after_request(secure)
