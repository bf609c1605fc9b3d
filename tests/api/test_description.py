"""The OpenAPI document, and the page to try the API out."""

import re

import pytest
from openapi_spec_validator import validate

from tests.conftest import PREFIX


@pytest.mark.parametrize(("prefix", "server"), [("", "/"), (PREFIX, PREFIX)])
def test_description_is_valid_and_names_the_server_with_its_prefix(program, make_app, prefix, server):
    answer = program("alice", on=make_app(SCRIPT_NAME=prefix))("GET", "/_openapi")
    assert answer.status_code == 200
    validate(answer.json)
    assert answer.json["servers"] == [{"url": server}]
    assert answer.json["security"] == [{"key": []}, {"jwt": []}, {"session": []}]


def test_description_has_every_operation_of_the_api_and_no_other(app, program):
    described = program("alice")("GET", "/_openapi").json["paths"]
    found = {(path, method.upper()) for path, methods in described.items() for method in methods}
    rules = [rule for rule in app.url_map.iter_rules() if rule.rule.startswith("/api/v1/")]
    known = {(re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule), method) for rule in rules for method in rule.methods}
    assert found == {(path, method) for path, method in known if method not in ("HEAD", "OPTIONS")}


def test_every_operation_describes_what_it_takes_gives_and_refuses(program):
    description = program("alice")("GET", "/_openapi").json
    for path, methods in description["paths"].items():
        for method, spec in methods.items():
            assert spec["summary"], path
            assert spec["tags"], path
            statuses = set(spec["responses"])
            assert statuses & {"200", "201", "202", "204"}, (path, method)
            assert "security" in spec or {"401", "403"} <= statuses, (path, method)
            assert "{" not in path or "404" in statuses, (path, method)
            assert ("requestBody" in spec) <= ({"400", "413", "415"} <= statuses), (path, method)


def test_page_to_try_the_api_out_begins_with_bodies_that_are_accepted(app, program):
    operations = [getattr(function, "operation", None) for function in app.view_functions.values()]
    bodies = {known.body for known in operations if known and known.body}
    assert len(bodies) >= 9
    for schema in bodies:
        assert schema().load(schema.example), schema
    shown = program("alice")("GET", "/_openapi").json["paths"]["/api/v1/todos/"]["post"]["requestBody"]["content"]
    assert shown["application/json"]["example"]["title"] == "Water the plants"


def test_unknown_version_is_not_there(program, login):
    assert login("alice").get("/api/v2/_openapi").status_code == 404


def test_page_to_try_the_api_out_stays_under_the_prefix(login, make_app):
    answer = login("alice", make_app(SCRIPT_NAME=PREFIX)).get("/swagger/v1")
    assert answer.status_code == 200
    links = re.findall(r'(?:href|src|action)="([^"#]+)"', answer.text)
    assert len(links) > 3
    assert [link for link in links if not link.startswith(f"{PREFIX}/")] == []
    assert f'data-document="{PREFIX}/api/v1/_openapi"' in answer.text
