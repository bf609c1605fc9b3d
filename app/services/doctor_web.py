"""The site as visitors reach it: whether prefix, https and proxy headers arrive."""

import re
import ssl
from collections.abc import Iterator
from http.client import HTTPMessage
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from flask import current_app

from app.services.doctor_finding import Finding

SECONDS = 10


def examine(url: str) -> Iterator[Finding]:
    """Ask the login page at an address and look at what comes back."""
    prefix = current_app.config["SCRIPT_NAME"]
    if not re.fullmatch(rf"https?://[^/?#]+{re.escape(prefix)}/?", url):
        remedy = f"Give the address with SCRIPT_NAME, such as https://todos.example.org{prefix}/"
        yield Finding("url", "failed", f"{url} is not https://, a host and {prefix}/", remedy)
        return
    try:
        page, headers = fetch(f"{url.rstrip('/')}/login/")
    except HTTPError as error:
        found = f"the login page answers {error.code}"
        yield Finding("url", "failed", found, "Does the proxy pass the prefix on, and is the name in TRUSTED_HOSTS?")
        return
    except (URLError, ssl.SSLError, OSError) as error:
        yield Finding(
            "url", "failed", f"no answer: {getattr(error, 'reason', error)}", "Check name, proxy, certificate."
        )
        return
    outside = [
        link for link in re.findall(r'(?:href|src|action)="(/[^"]*)"', page) if not link.startswith(f"{prefix}/")
    ]
    if outside:
        yield Finding("prefix", "failed", f"{outside[0]} is outside of {prefix}", "Set SCRIPT_NAME to the prefix.")
    else:
        yield Finding("prefix", "ok", f"every link is inside of {prefix or '/'}")
    if url.startswith("https://") and "Strict-Transport-Security" not in headers:
        remedy = "Set PROXY_HOPS to the number of proxies, and let them send X-Forwarded-Proto."
        yield Finding("proxy headers", "failed", "the application takes https for http", remedy)
    elif url.startswith("https://"):
        yield Finding("proxy headers", "ok", "https arrives as https, and the certificate is trusted")
    else:
        yield Finding("https", "warning", "visitors come by http", "Serve by https.")


def fetch(url: str) -> tuple[str, HTTPMessage]:
    """Return a page and its headers."""
    with urlopen(Request(url, headers={"User-Agent": "flask doctor"}), timeout=SECONDS) as answer:  # noqa: S310, checked
        return answer.read(1 << 20).decode(errors="replace"), answer.headers
