"""The link at the end of each mail that stops them; nobody has to sign in for it."""

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from app.extensions import csrf
from app.services import digests_stop

mail_pages = Blueprint("mail", __name__, url_prefix="/mail")
csrf.exempt(mail_pages)  # the token in the address is the proof, and mail programs post it themselves (RFC 8058)


@mail_pages.get("/stop/<token>")
def ask(token: str) -> ResponseReturnValue:
    """Ask whether the mails shall stop: programs that look at links must not stop them."""
    return render_template("site/stop_mail.html", person=digests_stop.recipient(token), stopped=False)


@mail_pages.post("/stop/<token>")
def stop(token: str) -> ResponseReturnValue:
    """Stop the mails."""
    person = digests_stop.recipient(token)
    digests_stop.stop(person)
    return render_template("site/stop_mail.html", person=person, stopped=True)
