"""A program that shows a key."""

import pytest

from tests.factories import bearer, create_key


class Program:
    """Speaks JSON with the API in the name of somebody, without any cookie.

    Args:
        app: the application.
        user: whose key it has.
        scope: of the key.
    """

    def __init__(self, app, user, scope="write"):
        self.app, self.headers = app, bearer(create_key(user, scope))

    def __call__(self, method, path, body=None, **headers):
        """Make a request and return the answer; a header If_Match is sent as If-Match."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        more = {} if body is None else {"json": body}
        return self.app.test_client().open(
            f"/api/v1{path}", method=method, headers=self.headers | named, buffered=True, **more
        )


@pytest.fixture
def program(app, cast):
    """Returns a function that starts a program in the name of one of the cast."""
    return lambda name, scope="write", on=None: Program(on or app, getattr(cast, name), scope)


def check_problem(answer, status):
    """Check that an answer is a problem as RFC 9457 has it, and return it."""
    assert answer.status_code == status, answer.text
    assert answer.content_type == "application/problem+json"
    assert answer.json["status"] == status
    assert answer.json["detail"]
    return answer.json
