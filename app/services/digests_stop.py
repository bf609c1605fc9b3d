"""The link in each morning mail that ends them, for people who cannot or will not sign in."""

from flask import current_app
from itsdangerous import BadSignature, URLSafeSerializer
from sqlalchemy import update

from app.db import transaction
from app.errors import NotFound
from app.extensions import db
from app.models.users import User


def _signer() -> URLSafeSerializer:
    """Return what signs the link that stops the mails."""
    return URLSafeSerializer(current_app.config["SECRET_KEY"], salt="stop morning mails")


def token_of(user: User) -> str:
    """Return what the link that stops somebody's mails ends with."""
    return str(_signer().dumps(user.id))


def recipient(token: str) -> User:
    """Return whose mails a link stops.

    Raises:
        NotFound: when the link is damaged or the person gone.
    """
    try:
        user = db.session.get(User, _signer().loads(token))
    except BadSignature:
        user = None
    if user is None:
        raise NotFound("This link is damaged. Sign in and choose on your profile which mails you want.")
    return user


def stop(user: User) -> None:
    """Send somebody no more mails."""
    with transaction() as session:
        session.execute(update(User).where(User.id == user.id).values(mail="none"))
