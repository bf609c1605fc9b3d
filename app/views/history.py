"""The few pages that a visitor saw last, for the ways back."""

from flask import request, session

HISTORY = 3
HISTORY_PATH = 300  # characters


class History:
    """Where Back leads: a few short paths instead of FAB's absolute addresses, which overflow the cookie."""

    def update_redirect(self) -> None:
        """Remember the present page."""
        here = request.script_root + request.full_path.rstrip("?")
        pages = [page for page in session.get("page_history", []) if page != here]
        if len(here) <= HISTORY_PATH and request.method == "GET":
            session["page_history"] = [*pages, here][-HISTORY:]
