"""Each format as it comes: encodings, delimiters, Todoist, iCalendar, and bytes that are nothing of all that."""

import csv
import io
import json
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import Invalid
from app.services.exports import CsvFile
from app.services.imports_formats import records, survey
from app.services.imports_guess import guess
from app.services.imports_read import recognise
from app.services.imports_values import read

ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"]
TODOIST = """\ufeffTYPE,CONTENT,DESCRIPTION,PRIORITY,INDENT,AUTHOR,RESPONSIBLE,DATE,DATE_LANG,TIMEZONE
section,Errands,,,,,,,,
task,Buy soil @garden @shop,For the big one,1,1,Alice (14781400),Bob (14781401),2030-05-01 12:00,en,Europe/Berlin
note,The cheap one,,,,Alice (14781400),,,,
,,,,,,,,,
task,Water the plants,,4,2,,,every monday,en,
task,me@example.org,,3,1,,,,,
"""
CALENDAR = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//Somebody//Something//EN
BEGIN:VTIMEZONE
TZID:Europe/Berlin
END:VTIMEZONE
BEGIN:VEVENT
UID:event
SUMMARY:No todo
END:VEVENT
BEGIN:VTODO
UID:one@example.org
DTSTAMP:20260101T000000Z
SUMMARY:Water the plants\\, all
DESCRIPTION:The big one\\nfirst\\; and a line that is longer than seventy-five by
 tes, so it is folded
DUE;TZID=Europe/Berlin:20300501T233000
PRIORITY:2
CATEGORIES:home,garden
CATEGORIES:green
CREATED:20260101T080000Z
BEGIN:VALARM
ACTION:DISPLAY
END:VALARM
END:VTODO
BEGIN:VTODO
UID:two@example.org
SUMMARY:Buy soil
DUE;VALUE=DATE:20300502
STATUS:COMPLETED
COMPLETED:20260102T090000Z
END:VTODO
END:VCALENDAR
"""


def rows(data):
    """The rows of a file, read with the mapping that is guessed."""
    stream = io.BytesIO(data)
    source = recognise(stream)
    _, columns = survey(stream, source)
    return [read(record, guess(columns), 1) for record in records(stream, source)]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_table_is_read_in_each_encoding_with_each_delimiter(encoding, delimiter):
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=delimiter)
    writer.writerows([["Title", "Notes"], ["Grüße, “alle”; äöü", 'a "b"\nc'], [], ["Zwei", ""]])
    found = rows(out.getvalue().encode(encoding))
    assert [(row.number, row.fields["title"], row.fields["notes"]) for row in found] == [
        (2, "Grüße, “alle”; äöü", 'a "b"\nc'),
        (4, "Zwei", ""),
    ]


def test_todoist_becomes_todos():
    soil, plants, mail = rows(TODOIST.encode())
    assert (soil.number, soil.fields["title"], soil.fields["tags"]) == (3, "Buy soil", ["garden", "shop"])
    assert (soil.fields["notes"], soil.fields["priority"]) == ("For the big one\n\nThe cheap one", 0)
    assert (soil.fields["due_on"], soil.names["assignees"]) == (date(2030, 5, 1), ["Bob"])
    assert (plants.fields["notes"], plants.fields["priority"]) == ("Date in Todoist: every monday", 3)
    assert plants.fields["due_on"] is None
    assert (mail.fields["title"], mail.fields["tags"]) == ("me@example.org", [])
    assert not any(row.problems for row in (soil, plants, mail))


def test_tasks_of_a_calendar_become_todos():
    plants, soil = rows(CALENDAR.replace("\n", "\r\n").encode())
    assert plants.fields["title"] == "Water the plants, all"
    assert plants.fields["notes"].startswith("The big one\nfirst; and a line")
    assert plants.fields["notes"].endswith("seventy-five bytes, so it is folded")
    assert (plants.fields["due_on"], plants.fields["priority"]) == (date(2030, 5, 1), 0)
    assert plants.fields["tags"] == ["home", "garden", "green"]
    assert plants.fields["created_at"] == datetime(2026, 1, 1, 8, tzinfo=UTC)
    assert (soil.fields["due_on"], soil.fields["complete"]) == (date(2030, 5, 2), True)
    assert soil.fields["completed_at"] == datetime(2026, 1, 2, 9, tzinfo=UTC)
    assert not plants.problems
    assert plants.key != soil.key


def test_task_that_was_completed_on_a_day_was_at_its_begin():
    _, soil = rows(CALENDAR.replace("COMPLETED:20260102T090000Z", "COMPLETED;VALUE=DATE:20260102").encode())
    assert (soil.problems, soil.fields["completed_at"]) == ([], datetime(2026, 1, 2, tzinfo=UTC))


def test_task_that_is_damaged_is_one_wrong_row_and_no_more():
    damaged = {
        "PRIORITY:high": "Expected int, got: high",
        "PRIORITY:2\nDUE:20261331": "Wrong date format 20261331",
        "PRIORITY:2\nPRIORITY:3": "PRIORITY is there more than once",
        "PRIORITY:2\nDUE:" + "9" * 500: "Expected datetime, date, or time. Got: …",
    }
    for line, why in damaged.items():
        plants, soil = rows(CALENDAR.replace("PRIORITY:2", line).encode())
        assert [one.reason for one in plants.problems] == [f"The row is no task as RFC 5545 has it: {why}."]
        assert soil.fields["title"] == "Buy soil"
    cut = CALENDAR[: CALENDAR.index("STATUS")].encode()
    assert [one.reason for one in rows(cut)[1].problems] == ["The row does not end: END:VTODO is missing."]


def test_line_that_is_no_json_is_one_wrong_row():
    found = rows(b'{"title": "A", "tags": ["home"], "complete": true}\n\nnonsense\n[1]\n{"title": 5}\n')
    assert [(row.number, [one.reason for one in row.problems]) for row in found] == [
        (1, []),
        (3, ["The row is no JSON."]),
        (4, ["The row is no JSON object."]),
        (5, []),
    ]
    assert found[0].fields["tags"] == ["home"]
    assert found[0].fields["complete"] is True


@pytest.mark.parametrize("text", ['{"title": "a\\ud800"}', '{"title": "a\\u0000b"}', '{"\\udc00": 1, "title": "a"}'])
def test_what_no_text_has_is_one_wrong_row(text):
    assert [one.reason for one in rows(text.encode())[0].problems] == ["The row has characters that no text has."]


def test_pair_of_halves_is_one_character():
    assert rows(b'{"title": "\\ud83c\\udf31"}')[0].fields["title"] == "\N{SEEDLING}"


ENDLESS = ["title\n" + "a," * 600_000, "title\n" + '"\n",' * 300_000, '{"title": "' + "a" * 2_000_000]


@pytest.mark.parametrize("data", ENDLESS, ids=["cells", "lines", "json"])
def test_row_without_an_end_is_refused_before_it_fills_the_memory(data):
    with pytest.raises(Invalid, match=r"is longer than a million characters: a quotation mark may be missing\."):
        rows(data.encode())


def test_missing_quotation_mark_is_explained():
    found = rows(b'title,notes\n"A,b\n' + b"c,d\n" * 60_000)
    assert found[0].problems[0].reason.endswith("a quotation mark may be missing.")


def test_key_is_the_id_or_else_what_the_row_says():
    by_id = rows(b"id,title\nA-1,One\n")[0].key
    assert rows(b"id,title,notes\nA-1,Another,x\n")[0].key == by_id
    plain = rows(b"title,priority\nOne,high\n")[0].key
    assert rows(b"Priority;Title\nlow;One\n")[0].key == plain
    assert rows(b"title,notes\nOne,x\n")[0].key != plain


def test_instants_that_have_not_come_and_impossible_ones_are_wrong():
    later = datetime.now(UTC) + timedelta(days=2)
    for text in (later.isoformat(), "0001-01-01T00:00:00+14:00", "0001-01-01T00:00:00+00:00", "yesterday"):
        row = rows(f"title,created_at\nA,{text}\n".encode())[0]
        assert len(row.problems) == 1, text
    here = datetime(2026, 5, 1, 12, tzinfo=timezone(timedelta(hours=2)))
    row = rows(f"title,created_at\nA,{here.isoformat()}\n".encode())[0]
    assert row.fields["created_at"] == here


TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"], include_characters="\n\t"), max_size=60)


@given(st.lists(st.tuples(TEXT.map(lambda text: "t" + text.replace("\n", "")), TEXT), min_size=1, max_size=5))
def test_whatever_a_cell_says_comes_back_from_a_table_and_from_json(cells):
    with CsvFile("todos", ("title", "notes")) as file:
        file.write(cells)
        table = file.content().read()
    lines = "".join(json.dumps({"title": title, "notes": notes}) + "\n" for title, notes in cells)
    for data in (table, lines.encode()):
        found = [(row.fields["title"], row.fields["notes"]) for row in rows(data)]
        assert found == [(title.strip(), notes) for title, notes in cells]


@pytest.mark.parametrize("start", ["", "title,notes\n", "{", "BEGIN:VCALENDAR\nBEGIN:VTODO\n", TODOIST[:85]])
@given(data=st.one_of(st.binary(max_size=300), st.text(max_size=300).map(str.encode)))
def test_any_bytes_are_read_or_refused(start, data):
    with suppress(Invalid):
        assert rows(start.encode() + data)


def test_list_of_titles_without_any_delimiter_is_a_table():
    assert [row.fields["title"] for row in rows(b"Title\r\nAll\r\n\r\nNone\r\n")] == ["All", "None"]
