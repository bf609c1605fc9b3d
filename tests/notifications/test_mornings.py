"""What people are told in the morning, by the bell and by mail."""

import re
import socket
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.policy import default
from types import SimpleNamespace

import pytest
from aiosmtpd.controller import Controller
from sqlalchemy import select, update

from app.db import transaction
from app.extensions import db
from app.models import MorningMail, Notification, User
from app.models.users import LANGUAGES
from app.services import mornings_mail
from app.services.digests_words import WORDS
from app.tasks.users import greet
from tests.factories import create_todo

NOON = datetime(2030, 5, 10, 11, 30, tzinfo=UTC)  # a Friday; morning in UTC
TODAY = NOON.date()
DAY = timedelta(days=1)


class Sink:
    """A mail server's memory; what it refuses is by the address."""

    def __init__(self):
        self.mails = []
        self.refused = ()
        self.hangs_up = False

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address in self.refused:
            return "550 nobody here"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        mail = message_from_bytes(envelope.content, policy=default)
        head = "\n".join(f"{name}: {value}" for name, value in mail.items())
        body = mail.get_content().replace("\r\n", "\n")
        self.mails.append(SimpleNamespace(to=envelope.rcpt_tos, text=f"{head}\n\n{body}"))
        if self.hangs_up:
            server.transport.close()
        return "250 OK"


@pytest.fixture
def sink():
    with socket.socket() as probe:  # the controller cannot choose a free port by itself
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    handler = Sink()
    controller = Controller(handler, hostname="127.0.0.1", port=port)
    controller.start()
    handler.url = f"smtp://127.0.0.1:{port}"
    yield handler
    controller.stop()


@pytest.fixture
def mailing(make_app, sink):
    """The application with a mail server."""
    mail = {"SMTP_URL": sink.url, "MAIL_FROM": "Todos <todos@example.org>", "PUBLIC_URL": "https://example.org/todo"}
    app = make_app(**mail)
    with app.app_context():
        yield app


def set_user(user, **values):
    with transaction() as session:
        session.execute(update(User).where(User.id == user.id).values(**values))


def lines(user):
    db.session.rollback()
    return db.session.scalars(select(Notification.todo_id).where(Notification.user_id == user.id)).all()


def test_due_todos_ring_once_for_owner_and_assignees_without_any_mail(cast):
    todo = create_todo(cast.alice, due_on=TODAY, assignees=[cast.bob])
    create_todo(cast.alice, due_on=TODAY, complete=True)
    create_todo(cast.alice, due_on=TODAY, deleted_at=NOON)
    create_todo(cast.alice, due_on=TODAY + DAY)
    for minutes in (0, 15):
        greet(NOON + timedelta(minutes=minutes))
    assert (lines(cast.alice), lines(cast.bob), lines(cast.charlie)) == ([todo.id], [todo.id], [])


@pytest.mark.parametrize(
    ("zone", "instant", "day"),
    [
        ("Pacific/Kiritimati", "2030-05-09T17:00", "2030-05-10"),  # UTC+14
        ("Pacific/Pago_Pago", "2030-05-10T18:00", "2030-05-10"),  # UTC-11
        ("Europe/Berlin", "2030-03-31T05:00", "2030-03-31"),  # the day on which the clocks go forward
        ("Europe/Berlin", "2030-10-27T06:00", "2030-10-27"),  # and the day on which they go back
    ],
)
def test_morning_comes_where_the_person_is(cast, zone, instant, day):
    at = datetime.fromisoformat(instant).replace(tzinfo=UTC)
    set_user(cast.alice, time_zone=zone)
    todo = create_todo(cast.alice, due_on=datetime.fromisoformat(day).date())
    greet(at - timedelta(minutes=1))
    assert lines(cast.alice) == []
    greet(at)
    assert lines(cast.alice) == [todo.id]


def test_mail_says_what_is_due_and_where(mailing, sink, cast):
    create_todo(cast.alice, "Pay the rent", due_on=TODAY - DAY, priority=0)
    todo = create_todo(cast.alice, "Water\tthe plants", due_on=TODAY)
    create_todo(cast.alice, "Buy seeds", due_on=TODAY + 3 * DAY)
    create_todo(cast.alice, "Much later", due_on=TODAY + 30 * DAY)
    create_todo(cast.bob, "Somebody else's", due_on=TODAY)
    set_user(cast.bob, mail="none")
    greet(NOON)
    (mail,) = sink.mails
    assert mail.to == ["alice@example.org"]
    assert "Subject: Todos: 1 overdue, 1 due today, 1 due soon" in mail.text
    assert re.search(r"Overdue\s+\* Pay the rent \(Thu 9 May, urgent\)", mail.text)
    assert f"Water the plants (Fri 10 May)\n  https://example.org/todo/todos/{todo.id}\n" in mail.text
    assert "Much later" not in mail.text
    assert "Somebody else" not in mail.text


@pytest.mark.parametrize(
    ("language", "said"),
    [
        (
            "de",
            ("1 heute fällig", "Guten Morgen, Alice.", "(Fr. 10 Mai, dringend)", "Keine solchen Mails mehr: https:"),
        ),
        ("fr", ("1 pour aujourd’hui", "Bonjour Alice,", "(ven. 10 mai, urgent)", "Ne plus recevoir ces messages : ht")),
        ("xx", ("1 due today", "Good morning, Alice.", "(Fri 10 May, urgent)", "No more of these mails: https:")),
    ],
)
def test_mail_reads_in_the_language_of_the_person(mailing, sink, cast, language, said):
    create_todo(cast.alice, due_on=TODAY, priority=0)
    set_user(cast.alice, language=language)
    greet(NOON)
    for words in said:
        assert words in sink.mails[0].text


def test_each_language_has_words_for_all_of_the_mail_and_can_be_chosen(login, cast):
    assert list(WORDS) == list(LANGUAGES)
    for words in WORDS.values():
        assert (words.counts.keys(), words.headings.keys()) == (WORDS["en"].counts.keys(), WORDS["en"].headings.keys())
    client = login("alice")
    facts = {"first_name": "Alice", "last_name": "M", "email": "alice@example.org", "time_zone": "UTC", "mail": "due"}
    assert client.send("/profile", facts | {"language": "fr"}).status_code == 302
    assert '<option selected value="fr">Français</option>' in client.get("/profile").text
    assert client.send("/profile", facts | {"language": "xx"}).status_code == 400


@pytest.mark.parametrize(("wish", "due", "count"), [("due", 1, 0), ("due", 0, 1), ("digest", 1, 1), ("none", 0, 0)])
def test_people_choose_which_mails_they_get(mailing, sink, cast, wish, due, count):
    create_todo(cast.alice, due_on=TODAY + due * DAY)
    set_user(cast.alice, mail=wish)
    greet(NOON)
    assert len(sink.mails) == count


def test_one_mail_a_day_and_the_next_day_again(mailing, sink, cast):
    create_todo(cast.alice, due_on=TODAY)
    for instant in (NOON, NOON + timedelta(minutes=15), NOON + DAY):
        greet(instant)
    ids = [re.search(r"Message-ID: <([\d-]+)", mail.text)[1] for mail in sink.mails]
    assert ids == [str(TODAY), str(TODAY + DAY)]


def test_mail_of_a_worker_that_died_in_between_is_not_sent_twice(mailing, sink, cast):
    create_todo(cast.alice, due_on=TODAY)
    assert mornings_mail.take(cast.alice, TODAY)
    assert not mornings_mail.take(cast.alice, TODAY)
    greet(NOON)
    assert sink.mails == []


def test_server_that_hangs_up_gets_no_mail_twice_and_the_others_theirs_later(mailing, sink, cast):
    for person in (cast.alice, cast.bob):
        create_todo(person, due_on=TODAY)
    sink.hangs_up = True
    greet(NOON)
    sink.hangs_up = False
    greet(NOON)
    assert sorted(mail.to[0] for mail in sink.mails) == ["alice@example.org", "bob@example.org"]


def test_refused_address_does_not_stop_the_others(mailing, sink, cast, caplog):
    for person in (cast.alice, cast.bob):
        create_todo(person, due_on=TODAY)
    sink.refused = ("alice@example.org",)
    greet(NOON)
    assert [mail.to for mail in sink.mails] == [["bob@example.org"]]
    assert f"refuses the morning mail to user {cast.alice.id}" in caplog.text


def test_server_that_is_away_takes_nothing_in_hand(make_app, cast, caplog):
    create_todo(cast.alice, due_on=TODAY)
    app = make_app(SMTP_URL="smtp://127.0.0.1:1", MAIL_FROM="a@example.org", PUBLIC_URL="https://example.org")
    with app.app_context():
        greet(NOON)
    assert db.session.scalars(select(MorningMail)).all() == []
    assert "the mail server does not answer" in caplog.text
    assert len(lines(cast.alice)) == 1


def test_link_in_the_mail_stops_the_mails_but_not_by_being_looked_at(mailing, sink, cast):
    create_todo(cast.alice, due_on=TODAY)
    greet(NOON)
    link = re.search(r"List-Unsubscribe: <https://example.org/todo(/mail/stop/\S+)>", sink.mails[0].text)[1]
    client = mailing.test_client()
    assert "alice@example.org" in client.get(link).text
    greet(NOON + DAY)
    assert client.post(link, data={"List-Unsubscribe": "One-Click"}).status_code == 200
    greet(NOON + 2 * DAY)
    assert len(sink.mails) == 2


@pytest.mark.parametrize("token", ["x", "MQ.x", "eyJ9"])
def test_damaged_link_stops_nothing(app, token):
    client = app.test_client()
    assert (client.get(f"/mail/stop/{token}").status_code, client.post(f"/mail/stop/{token}").status_code) == (404, 404)


def test_wish_is_kept_on_the_profile(login, cast):
    client = login("alice")
    facts = {"first_name": "Alice", "last_name": "M", "email": "alice@example.org", "time_zone": "UTC", "mail": "due"}
    assert client.send("/profile", facts).status_code == 302
    assert re.search(r'<option selected value="due">', client.get("/profile").text)
    assert client.send("/profile", facts | {"mail": "daily"}).status_code == 400
