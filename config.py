"""Every setting of the application: name, type, default and check."""

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
from zlib import crc32

from dotenv import dotenv_values, find_dotenv

from config_readers import (
    choice,
    database_uri,
    prefix,
    redis_url,
    secret_key,
    smtp_url,
    switch,
    text,
    token,
    web_address,
    whole,
    words,
)

ROOT = Path(__file__).resolve().parent
ENVIRONMENTS = ("production", "development", "test")
UPLOAD_TYPES = ("image/jpeg", "image/png", "image/gif", "image/webp", "application/pdf", "text/plain")
# where `make run` lets its own Valkey listen; a socket's path has to be shorter than 100 bytes
_SOCKET = ROOT / "var" / "valkey.sock"
SOCKET = _SOCKET if len(os.fsencode(_SOCKET)) < 90 else Path(f"/tmp/todos-{crc32(str(ROOT).encode()):x}.sock")  # noqa: S108
DEVELOPMENT_KEY = "development only, never used in production"


class ConfigError(Exception):
    """The settings cannot be used; the message lists every problem with its remedy."""


@dataclass(frozen=True)
class Setting:
    """What is known of one setting."""

    read: Callable[[str], Any]
    help: str
    production: str | None
    development: str | None
    secret: bool


def setting(
    read: Callable[[str], Any],
    help: str,
    default: str | None = None,
    *,
    development: str | None = None,
    secret: bool = False,
) -> Any:
    """Declare a setting; without a default it has to be given in production."""
    return field(metadata={"setting": Setting(read, help, default, development or default, secret)})


@dataclass(frozen=True)
class Config:
    """The settings, checked and frozen."""

    APP_ENV: str = setting(choice(*ENVIRONMENTS), "`production`, `development` or `test`", "production")
    SECRET_KEY: str = setting(
        secret_key, "Signs sessions and links; 32 characters or more", development=DEVELOPMENT_KEY, secret=True
    )
    SQLALCHEMY_DATABASE_URI: str = setting(
        database_uri, "PostgreSQL or SQLite", development=f"sqlite:///{ROOT}/var/todos.db", secret=True
    )
    REDIS_URL: str = setting(
        redis_url,
        "Redis or Valkey: `redis://`, `rediss://` or `unix://`",
        "redis://localhost:6379/0",
        development=f"unix://{SOCKET}",
        secret=True,
    )
    SCRIPT_NAME: str = setting(prefix, "URL prefix, with or without slashes", "")
    HOST: str = setting(text, "Address that gunicorn listens on", "127.0.0.1")
    PORT: int = setting(whole(1, 65535), "Port that gunicorn listens on", "5000")
    WEB_CONCURRENCY: int = setting(whole(1, 64), "gunicorn worker processes", "2")
    WEB_THREADS: int = setting(whole(1, 64), "Threads of each gunicorn worker", "4")
    WORKER_CONCURRENCY: int = setting(whole(1, 64), "Processes of each Celery worker", "2")
    HEARTBEAT_FILE: str = setting(
        text, "File that a worker or the scheduler touches while it lives, as the image has it; empty: none", ""
    )
    LOG_LEVEL: str = setting(
        choice("DEBUG", "INFO", "WARNING", "ERROR"), "`DEBUG`, `INFO`, `WARNING` or `ERROR`", "INFO"
    )
    LOG_FORMAT: str = setting(choice("text", "json"), "`text` for people or `json` for programs", "text")
    SLOW_REQUEST_MS: int = setting(
        whole(0, 600_000),
        "Milliseconds from which a request is logged as slow, with its statements; 0: none is",
        "1000",
    )
    METRICS_TOKEN: str = setting(
        token, "What Prometheus shows to read `/metrics`, 16 characters or more; empty: nobody can", "", secret=True
    )
    TRUSTED_HOSTS: tuple[str, ...] = setting(
        words(), "Host names this site answers to, comma-separated; empty: any. `.example.org` includes subdomains", ""
    )
    PROXY_HOPS: int = setting(whole(0, 9), "Reverse proxies in front whose X-Forwarded-* headers are believed", "0")
    SESSION_COOKIE_SECURE: bool = setting(switch, "Send the session cookie over https only", "1", development="0")
    SESSION_HOURS: int = setting(whole(1, 2160), "Hours without a visit after which a session ends", "12")
    SESSION_DAYS: int = setting(whole(1, 365), "Days after which a session ends however often it is used", "30")
    REGISTRATION_ENABLED: bool = setting(switch, "Let visitors register as Member", "0", development="1")
    LOGIN_LIMIT: str = setting(text, "Login and registration attempts per address", "20 per minute")
    AUDIT_DAYS: int = setting(whole(30, 36_500), "Days that the audit trail keeps an entry", "730")
    MAX_ACTIVE_JOBS: int = setting(whole(1, 10_000), "Jobs of one person that may wait or run at a time", "20")
    JOB_DAYS: int = setting(whole(1, 3650), "Days that an ended job is kept, with its result", "30")
    MAX_UPLOAD_MB: int = setting(whole(1, 2048), "Largest file that may be attached, in MiB", "25")
    USER_QUOTA_MB: int = setting(whole(1, 1_000_000), "Space for all files that one person uploads, in MiB", "2000")
    TODO_QUOTA_MB: int = setting(whole(1, 100_000), "Space for all files of one todo, in MiB", "200")
    MAX_IMAGE_MEGAPIXELS: int = setting(whole(1, 500), "Largest image, in millions of pixels", "64")
    UPLOAD_TYPES: tuple[str, ...] = setting(
        words(*UPLOAD_TYPES), "Types of files that may be attached, found in their content", ",".join(UPLOAD_TYPES)
    )
    SMTP_URL: str = setting(
        smtp_url,
        "Mail server: `smtp+starttls://USER:PASSWORD@HOST:587`, `smtps://` or `smtp://`; empty: no mails",
        "",
        secret=True,
    )
    MAIL_FROM: str = setting(text, "Sender of mails, such as `Todos <todos@example.org>`; needed for mails", "")
    PUBLIC_URL: str = setting(
        web_address, "Address of this site with its prefix, as it stands in mails; needed for mails", ""
    )
    TRASH_DAYS: int = setting(whole(1, 3650), "Days after which deleted todos are purged from the trash", "30")

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None, **overrides: str) -> "Config":
        """Read the settings from the environment, `NAME_FILE` files and, in development, `.env`.

        Raises:
            ConfigError: with one line for each setting that is missing or wrong.
        """
        given = surroundings() if environ is None else dict(environ)
        given.update(overrides)
        problems: list[str] = []
        lenient = given.get("APP_ENV", "production").strip().lower() in ENVIRONMENTS[1:]
        values = {f.name: _value(f.name, f.metadata["setting"], given, lenient, problems) for f in fields(cls)}
        if not lenient and values["SECRET_KEY"] == DEVELOPMENT_KEY:
            problems.append("SECRET_KEY is the development key: make your own")
        if values["SMTP_URL"]:
            missing = [name for name in ("MAIL_FROM", "PUBLIC_URL") if not values[name]]
            problems.extend(f"{name} is missing: SMTP_URL is given, and mails need it" for name in missing)
        if environ is None and not lenient and (taken := taken_by_flask()):
            problems.append(f".env is for development: remove it, or set FLASK_SKIP_DOTENV=1, or `flask` reads {taken}")
        if problems:
            raise ConfigError("The settings cannot be used:\n" + "\n".join(f"  - {p}" for p in problems))
        return cls(**values)

    def origin(self, name: str) -> str:
        """Say where a setting of this process comes from: `environment`, `.env`, `NAME_FILE` or `default`."""
        given = surroundings()
        if given.get(f"{name}_FILE") and type(self).__dataclass_fields__[name].metadata["setting"].secret:
            return f"{name}_FILE"
        if name in given:
            return ".env" if _file().get(name) == given[name] else "environment"
        return "default"

    def flask(self) -> dict[str, Any]:
        """Return the settings, and those of Flask and its extensions that follow from them."""
        own = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "TRUSTED_HOSTS"}
        return own | {
            # Flask's own check would also refuse probes, which come by IP address: see app/headers.py
            "ALLOWED_HOSTS": [host.lower() for host in self.TRUSTED_HOSTS],
            "TESTING": self.APP_ENV == "test",
            "APPLICATION_ROOT": self.SCRIPT_NAME or "/",
            "SESSION_COOKIE_NAME": "todos_session",
            "SESSION_COOKIE_PATH": self.SCRIPT_NAME or "/",
            "SESSION_COOKIE_HTTPONLY": True,
            "SESSION_COOKIE_SAMESITE": "Lax",
            "PERMANENT_SESSION_LIFETIME": self.SESSION_HOURS * 3600,
            "SEND_FILE_MAX_AGE_DEFAULT": 31_536_000,  # addresses of static files change with their content
            "WTF_CSRF_TIME_LIMIT": None,
            "WTF_CSRF_CHECK_DEFAULT": False,  # app/tokens.py checks: who comes with a token sends no form
            "JWT_ACCESS_TOKEN_EXPIRES": 900,
            "JWT_REFRESH_TOKEN_EXPIRES": self.SESSION_HOURS * 3600,
            "MAX_CONTENT_LENGTH": (self.MAX_UPLOAD_MB * 4 + 2) << 20,
            "RATELIMIT_STORAGE_URI": self.REDIS_URL.replace("unix://", "redis+unix://"),
            "RATELIMIT_STORAGE_OPTIONS": {"socket_connect_timeout": 1, "socket_timeout": 1},
            "RATELIMIT_IN_MEMORY_FALLBACK_ENABLED": True,
            "RATELIMIT_ENABLED": True,
            "FAB_CREATE_DB": False,
            "FAB_UPDATE_PERMS": False,
            "FAB_ADD_SECURITY_VIEWS": False,
            "FAB_ADD_MENU_API": False,
            "FAB_ADD_OPENAPI_VIEWS": False,  # ours are in app/views/api/description.py
            "FAB_OPENAPI_SERVERS": [{"url": self.SCRIPT_NAME or "/"}],
            "FAB_BASE_TEMPLATE": "admin/base.html",
            "APP_NAME": "Todos",
        }


def surroundings() -> dict[str, str]:
    """Return the environment, in development over what stands in `.env`."""
    both = _file() | os.environ
    return both if both.get("APP_ENV") == "development" else dict(os.environ)


def taken_by_flask() -> str:
    """Name the settings that the command `flask` took from a `.env`: it does so in production too, and nothing else."""
    skips = os.environ.get("FLASK_SKIP_DOTENV", "").lower() not in ("", "0", "false", "no")
    if skips or "flask" not in Path(sys.argv[0]).parts[-2:]:
        return ""
    file = dotenv_values(find_dotenv(usecwd=True))
    names = {setting.name + end for setting in fields(Config) for end in ("", "_FILE")}
    return ", ".join(sorted(name for name in names & set(file) if os.environ.get(name) == file[name]))


def _file() -> dict[str, str]:
    """Return what stands in `.env`."""
    return {name: value for name, value in dotenv_values(ROOT / ".env").items() if value is not None}


def _value(name: str, known: Setting, given: Mapping[str, str], lenient: bool, problems: list[str]) -> Any:
    """Return one checked value, or None with a line added to `problems`."""
    default = known.development if lenient else known.production
    raw = given.get(name, default)
    if path := given.get(f"{name}_FILE") if known.secret else None:
        try:
            raw = Path(path).read_text()
        except OSError as error:
            problems.append(f"{name}_FILE={path} cannot be read: {error.strerror}")
            return None
    if raw is None or (raw == "" and default is None):
        problems.append(f"{name} is missing. {known.help}")
        return None
    try:
        return known.read(raw)
    except ValueError as error:
        problems.append(f"{name}{'' if known.secret else '=' + raw}: {error}")
        return None
