"""The password policy, for every way in which a password can be set.

Length and guessability only, no rules about characters (NIST SP 800-63B, section 3.1.1.2). The estimate is
zxcvbn's: it knows the common passwords, names, keyboard walks and their simple variations.
"""

from werkzeug.security import generate_password_hash
from zxcvbn import zxcvbn

from app.errors import Invalid

MIN_LENGTH = 12
MAX_LENGTH = 128  # hashing and estimating take time in proportion
ESTIMATED = 64  # zxcvbn's cost grows with the square of the length
MIN_SCORE = 2  # of 0-4: not guessable in 10^8 attempts


def check(password: str, *personal: str) -> None:
    """Refuse a password that is short or easily guessed.

    Args:
        password: what the user wants.
        personal: words that an attacker would try first, such as the username and the address.

    Raises:
        Invalid: with a sentence for the user.
    """
    if len(password) < MIN_LENGTH:
        raise Invalid(f"Use a password of at least {MIN_LENGTH} characters.")
    if len(password) > MAX_LENGTH:
        raise Invalid(f"Use a password of at most {MAX_LENGTH} characters.")
    if zxcvbn(password[:ESTIMATED], user_inputs=[word for word in personal if word])["score"] < MIN_SCORE:
        raise Invalid("This password is easy to guess. A few unrelated words make a good one.")


def hashed(password: str) -> str:
    """Return the Werkzeug hash (scrypt) of a password."""
    return generate_password_hash(password)
