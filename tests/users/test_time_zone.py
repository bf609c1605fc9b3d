"""The time zone: chosen by the person, or guessed from the browser once."""

from app.extensions import db
from app.models import User
from tests.factories import create_user


def zone(user: User) -> tuple[str, bool]:
    db.session.expire_all()
    return user.time_zone, user.time_zone_known


def test_browser_is_asked_once_and_its_zone_taken(login, cast):
    client = login("alice")
    assert "data-guess-time-zone" in client.get("/todos").text
    assert client.send("/profile/time-zone", {"time_zone": "Pacific/Kiritimati"}).json == {"taken": True}
    assert "data-guess-time-zone" not in client.get("/todos").text
    assert client.send("/profile/time-zone", {"time_zone": "Europe/Berlin"}).json == {"taken": False}
    assert zone(cast.alice) == ("Pacific/Kiritimati", True)


def test_choice_of_the_person_stays_even_if_it_is_utc(login, cast):
    client = login("alice")
    form = {"first_name": "Alice", "last_name": "A", "email": "alice@example.org", "time_zone": "UTC"}
    assert client.send("/profile", form).status_code == 302
    assert client.send("/profile/time-zone", {"time_zone": "Europe/Berlin"}).json == {"taken": False}
    assert zone(cast.alice) == ("UTC", True)


def test_nonsense_is_refused_and_asked_again(login, cast):
    client = login("alice")
    for name in ("", "Mars/Olympus", "../../etc/passwd", "Europe/Berlin\x00"):
        assert client.send("/profile/time-zone", {"time_zone": name}).status_code == 400
    assert zone(cast.alice) == ("UTC", False)


def test_registration_tells_the_zone(app):
    facts = {"first_name": "D", "last_name": "D", "email": "d@example.org", "username": "dora"}
    form = facts | {"time_zone": "Asia/Tokyo", "password": "plain horse battery staple"}
    assert app.test_client().send("/register", form).status_code == 302
    user = db.session.query(User).filter_by(username="dora").one()
    assert zone(user) == ("Asia/Tokyo", True)


def test_zone_that_the_machine_does_not_know_breaks_no_page(app):
    person = create_user("lost", "Admin", time_zone="Atlantis/Capital", time_zone_known=True)
    client = app.test_client().sign_in(person)
    trail = "/admin/audit/list/?since=2020-01-01"
    for path in ("/todos", "/users", f"/users/{person.id}", "/jobs", "/notifications", trail):
        assert client.get(path).status_code == 200, path
