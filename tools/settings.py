"""Write docs/configure.md from the settings: `make settings`."""

from dataclasses import fields

from config import ROOT, Config, Setting

PAGE = ROOT / "docs" / "configure.md"
HEAD = """# Configure

Written by `make settings` from `config.py`: change that file, not this one.

Every process reads the same settings from its environment. All problems are reported at once when it starts, each with
the name, the value (never a secret one) and the remedy. `flask config show` prints what a process gets and where from;
`flask doctor` says what is legal but seldom meant.

- **Production** is the default, and reads the environment only; `SECRET_KEY` and `SQLALCHEMY_DATABASE_URI` are a must.
- **Development** is asked for by `APP_ENV=development`, and also reads `.env`, over which the environment wins. The
  command `flask` would read a `.env` in production too, which web and worker would not: it refuses to start then.
- A setting marked 🔑 is never shown, and may come from a file: `SECRET_KEY_FILE=/run/secrets/key`, as Docker and
  Kubernetes mount secrets. The file wins.
- Yes and no are `1` and `0`. An empty value is the empty text, not the default.

| Name | Meaning | Default | In development |
|---|---|---|---|
"""


def shown(value: str | None) -> str:
    """Return a default as it stands in a table."""
    if value is None:
        return "required"
    return "the project's own" if str(ROOT) in value or "development only" in value else f"`{value}`" if value else ""


def row(name: str, setting: Setting) -> str:
    """Return the line of a setting."""
    same = setting.development == setting.production
    own = "the project's own" if name == "REDIS_URL" else "" if same else shown(setting.development)
    return f"| `{name}`{' 🔑' if setting.secret else ''} | {setting.help} | {shown(setting.production)} | {own} |\n"


def page() -> str:
    """Return the whole page."""
    return HEAD + "".join(row(field.name, field.metadata["setting"]) for field in fields(Config))


if __name__ == "__main__":
    PAGE.write_text(page())
