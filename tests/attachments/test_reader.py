"""A file in the database reads like a file in memory."""

import io

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.extensions import db
from app.services.attachments import Reader, open_file, stage
from tests.attachments.samples import CHUNK, text

DATA = text(2 * CHUNK + 11)
PLACES = st.one_of(
    st.integers(0, len(DATA) + 20), st.sampled_from([CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, len(DATA) - 1, len(DATA)])
)
STEPS = st.one_of(
    st.tuples(st.just("read"), st.one_of(st.integers(0, 50), st.integers(CHUNK - 2, CHUNK + 2), st.none())),
    st.tuples(st.just("seek"), PLACES, st.just(io.SEEK_SET)),
    st.tuples(st.just("seek"), st.integers(0, 50), st.just(io.SEEK_CUR)),
    st.tuples(st.just("seek"), st.integers(-len(DATA), 20), st.just(io.SEEK_END)),
    st.tuples(st.just("tell")),
)


@pytest.fixture
def file(cast):
    return stage(cast.alice, io.BytesIO(DATA), "a.txt", "text/plain")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEPS, max_size=12))
def test_reader_does_what_a_stream_in_memory_does(file, steps):
    mine, theirs = open_file(file), io.BytesIO(DATA)
    with mine:
        for name, *args in steps:
            assert getattr(mine, name)(*args) == getattr(theirs, name)(*args)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=PLACES, size=st.integers(1, 2 * CHUNK))
def test_bare_reader_returns_what_is_there_and_nothing_only_at_the_end(file, place, size):
    reader = Reader(db.engine, file.id, file.size)
    assert reader.seek(place) == place
    part = reader.read(size)
    assert DATA[place : place + size].startswith(part)
    assert bool(part) == (place < len(DATA))
    assert reader.tell() == place + len(part)


def test_reader_holds_no_connection_between_chunks(file):
    before = db.engine.pool.checkedout()
    with open_file(file) as stream:
        stream.read(10)
        assert db.engine.pool.checkedout() == before
