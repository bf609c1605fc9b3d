"""Make the secrets of an installation, from the standard library alone: `python3 tools/keys.py compose`, or an overlay.

    python3 tools/keys.py compose                    .env and secrets/, for compose.yaml
    python3 tools/keys.py k8s/overlays/dev           secrets.env there, the databases' passwords included
    python3 tools/keys.py k8s/overlays/production    secrets.env there; the databases' addresses are yours to fill in

Nothing that exists is overwritten: to make a key anew, remove its file first.
"""

import secrets
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DATABASE = "postgresql+psycopg://todos:{password}@postgresql:5432/todos"
REDIS = "redis://:{password}@valkey:6379/0"
DOTENV = """\
# Read by compose.yaml, for everything that is no secret; the secrets are the files in secrets/.
# Where the site is: http://localhost:8080/todo-flask-mvc/
TODOS_PORT=8080
SCRIPT_NAME=/todo-flask-mvc

# The image: built here by `docker compose build`, or one that you pull.
TODOS_IMAGE=todos:local

# Host names the site answers to, comma-separated; empty: any.
TRUSTED_HOSTS=

# 1 as soon as people come by https, and only then: browsers send secure cookies over nothing else.
SESSION_COOKIE_SECURE=0

# For mails: the sender, this site's address, and in secrets/smtp_url the server, as smtp+starttls://USER:PASSWORD@HOST:587
MAIL_FROM=
PUBLIC_URL=

# Let visitors register by themselves: 0 or 1.
REGISTRATION_ENABLED=0
"""


def main(arguments: list[str]) -> None:
    """Make what the first argument asks for."""
    if len(arguments) != 1 or arguments[0].startswith("-"):
        sys.exit(__doc__)
    if arguments[0] == "compose":
        compose(ROOT)
    else:
        kubernetes(Path(arguments[0]))


def compose(root: Path) -> None:
    """Write what compose.yaml needs. The folder is closed to others; containers see its files as another user."""
    folder = root / "secrets"
    folder.mkdir(mode=0o700, exist_ok=True)
    password, redis = key(), key()
    texts = {
        "secret_key": key(),
        "postgres_password": password,
        "database_uri": DATABASE.format(password=password),
        "valkey.conf": f"requirepass {redis}\n",
        "redis_url": REDIS.format(password=redis),
        "smtp_url": "",
        "metrics_token": key(),
    }
    if any((folder / name).exists() for name in texts):
        sys.exit(f"{folder} has secrets already, which belong together: remove all of them to make new ones.")
    for name, text in texts.items():
        write(folder / name, text, 0o644)
    if not (root / ".env").exists():
        write(root / ".env", DOTENV, 0o644)


def kubernetes(overlay: Path) -> None:
    """Write secrets.env of an overlay; where the overlay has databases of its own, with their passwords."""
    if not (overlay / "kustomization.yaml").is_file():
        sys.exit(f"{overlay} is no overlay: it has no kustomization.yaml.")
    password, redis = key(), key()
    lines = [f"SECRET_KEY={key()}"]
    if (overlay / "postgresql.yaml").exists():
        lines += [f"POSTGRES_PASSWORD={password}", f"SQLALCHEMY_DATABASE_URI={DATABASE.format(password=password)}"]
        lines += [f"REDIS_PASSWORD={redis}", f"REDIS_URL={REDIS.format(password=redis)}"]
    else:
        lines += ["SQLALCHEMY_DATABASE_URI=postgresql+psycopg://USER:PASSWORD@HOST:25060/todos?sslmode=require"]
        lines += ["REDIS_URL=rediss://USER:PASSWORD@HOST:25061/0"]
        print("Fill in the addresses of PostgreSQL and Redis, and of the mail server if there is one.")
    lines += [f"METRICS_TOKEN={key()}", "SMTP_URL="]  # no mails while it is empty
    path = overlay / "secrets.env"
    if path.exists():
        sys.exit(f"{path} exists already: remove it to make new secrets.")
    write(path, "\n".join(lines) + "\n", 0o600)


def key() -> str:
    """Return 64 characters that nobody can guess."""
    return secrets.token_hex(32)


def write(path: Path, text: str, mode: int) -> None:
    """Write a file that is never wider open than at the end."""
    path.touch(mode=0o600, exist_ok=False)
    path.write_text(text)
    path.chmod(mode)
    print(f"Made {path}")


if __name__ == "__main__":
    main(sys.argv[1:])
