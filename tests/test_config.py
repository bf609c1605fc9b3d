"""The settings: what is refused, with which words, and what follows from them."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from config import DEVELOPMENT_KEY, Config, ConfigError
from tools.settings import PAGE, page, row

ROOT = Path(__file__).resolve().parents[1]
GOOD = {"SECRET_KEY": "k" * 32, "SQLALCHEMY_DATABASE_URI": "postgresql+psycopg://todos:hidden@db/todos"}


def refused(**environ: str) -> str:
    with pytest.raises(ConfigError) as error:
        Config.from_env(GOOD | environ)
    return str(error.value)


def test_production_is_the_default_and_needs_key_and_database():
    with pytest.raises(ConfigError) as error:
        Config.from_env({})
    assert "SECRET_KEY is missing" in str(error.value)
    assert "SQLALCHEMY_DATABASE_URI is missing" in str(error.value)
    assert Config.from_env(GOOD).APP_ENV == "production"


def test_development_has_defaults_for_both():
    config = Config.from_env({"APP_ENV": "development"})
    assert config.SECRET_KEY == DEVELOPMENT_KEY
    assert config.SQLALCHEMY_DATABASE_URI.startswith("sqlite:///")


def test_development_key_is_refused_in_production():
    assert "make your own" in refused(SECRET_KEY=DEVELOPMENT_KEY)


def test_all_problems_are_told_at_once_with_name_value_and_remedy():
    message = refused(PORT="eighty", APP_ENV="produktion", PROXY_HOPS="-1")
    assert "PORT=eighty: use a whole number from 1 to 65535" in message
    assert "APP_ENV=produktion: use one of production, development, test" in message
    assert "PROXY_HOPS=-1" in message


def test_secrets_are_never_in_a_message():
    assert "topsecret" not in refused(SECRET_KEY="topsecret")
    assert "hunter2" not in refused(SQLALCHEMY_DATABASE_URI="mysql://u:hunter2@db/x")
    assert "hunter2" not in refused(REDIS_URL="http://:hunter2@redis")


@pytest.mark.parametrize("given", ["/todo-flask-mvc", "todo-flask-mvc", "/todo-flask-mvc/", " todo-flask-mvc/ "])
def test_prefix_is_normalised(given):
    assert Config.from_env(GOOD | {"SCRIPT_NAME": given}).SCRIPT_NAME == "/todo-flask-mvc"


@pytest.mark.parametrize("given", ["", "/", "//"])
def test_no_prefix(given):
    assert Config.from_env(GOOD | {"SCRIPT_NAME": given}).SCRIPT_NAME == ""


@pytest.mark.parametrize("given", ["/tödo", "/a b", "/a/../b", "/a//b", "/a?b", "/a%2fb", "http://x"])
def test_bad_prefix_is_refused(given):
    assert "SCRIPT_NAME" in refused(SCRIPT_NAME=given)


def test_secret_can_be_a_file(tmp_path):
    (tmp_path / "key").write_text("f" * 40 + "\n")
    config = Config.from_env({**GOOD, "SECRET_KEY": "", "SECRET_KEY_FILE": str(tmp_path / "key")})
    assert config.SECRET_KEY == "f" * 40


def test_missing_secret_file_is_told():
    assert "SECRET_KEY_FILE=/nowhere/key cannot be read" in refused(SECRET_KEY_FILE="/nowhere/key")


@pytest.mark.parametrize("scheme", ["postgres://", "postgresql://"])
def test_database_driver_is_named(scheme):
    config = Config.from_env(GOOD | {"SQLALCHEMY_DATABASE_URI": f"{scheme}u:p@db/x"})
    assert config.SQLALCHEMY_DATABASE_URI == "postgresql+psycopg://u:p@db/x"


def test_cookie_and_root_follow_the_prefix():
    settings = Config.from_env(GOOD | {"SCRIPT_NAME": "todo"}).flask()
    assert (settings["APPLICATION_ROOT"], settings["SESSION_COOKIE_PATH"]) == ("/todo", "/todo")
    assert settings["SESSION_COOKIE_SECURE"] is True


def test_registration_is_closed_in_production_and_open_in_development():
    assert Config.from_env(GOOD).REGISTRATION_ENABLED is False
    assert Config.from_env({"APP_ENV": "development"}).REGISTRATION_ENABLED is True


def test_settings_are_frozen():
    with pytest.raises(AttributeError):
        Config.from_env(GOOD).PORT = 1


def documented(path: str) -> str:
    return (ROOT / path).read_text()


@pytest.mark.parametrize("name", [field.name for field in fields(Config)])
def test_every_setting_is_in_the_example_and_in_the_readme(name):
    assert f"{name}=" in documented(".env.example")
    assert f"| `{name}`" in documented("README.md")


@pytest.mark.parametrize("field", fields(Config), ids=lambda field: field.name)
def test_default_in_the_readme_is_the_one_of_the_code(field):
    [line] = [line for line in documented("README.md").splitlines() if line.startswith(f"| `{field.name}`")]
    expected = row(field.name, field.metadata["setting"])
    if field.name == "UPLOAD_TYPES":  # spelled out for people
        line, expected = (re.sub(r"\| (`image[^|]*|all of [^|]*)\|", "| all |", text) for text in (line, expected))
    assert line == expected.strip()


def test_page_of_the_settings_is_up_to_date():
    assert PAGE.read_text() == page(), "run: make settings"


def test_example_names_nothing_else():
    names = {line.lstrip("# ").split("=")[0] for line in documented(".env.example").splitlines() if "=" in line}
    assert {name for name in names if name.isupper()} <= {field.name for field in fields(Config)}
