"""What was written and what is read of it are the same, attribute by attribute."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contracts.decoding import decode
from shared.contracts.entry import Place, encode, encode_data
from shared.contracts.event import Context, Event, Recorded, contracts, personal_fields
from shared.contracts.upcasters import superseded
from shared.testing.examples import FixedSealer, example

SEALER = FixedSealer()
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
PLACES = st.builds(
    Place,
    id=st.just("0192a000-0000-7000-8000-000000000001"),
    stream=TEXTS,
    stream_version=st.integers(1),
    position=st.integers(1),
    school=TEXTS,
    school_position=st.integers(1),
    time=st.datetimes(min_value=datetime(2000, 1, 1), timezones=st.just(UTC)),
    seen=st.dictionaries(st.sampled_from(["registry", "identity"]), st.integers(1)),
)
CONTEXTS = st.builds(
    Context, actor=TEXTS, correlation=TEXTS, causation=st.none() | TEXTS, traceparent=st.none() | TEXTS
)
BARE = b'{"specversion":"1.0","id":"1","type":"custode.identity.SignInSucceeded.v1","data":{"account":%b}}'
WRITTEN = [each for each in contracts().values() if each not in superseded()]


@given(st.sampled_from(WRITTEN), PLACES, CONTEXTS)
def test_all_that_was_recorded_is_read_again(
    event_class: type[Event], place: Place, context: Context
) -> None:
    event = example(event_class)
    written = encode(event, encode_data(event, place.id, SEALER), place, context)
    read = decode(written.entry, SEALER)
    for name in Recorded.__slots__:
        assert getattr(read, name) == getattr(written, name), name
        assert type(getattr(read, name)) is type(getattr(written, name)), name
    assert read.event.model_dump() == event.model_dump()
    assert read.event.model_fields_set == event.model_fields_set
    for part, content in personal_fields(event_class):
        if (personal := getattr(read.event, part)) is not None:
            assert type(personal.value) is content


def test_what_an_entry_does_not_say_is_not_invented() -> None:
    bare = decode(BARE % b'"a"', SEALER)
    with pytest.raises(KeyError):
        _ = bare.school
    with pytest.raises(AttributeError):
        _ = bare.nothing_of_the_kind  # type: ignore[attr-defined]


def test_what_is_no_entry_is_refused() -> None:
    with pytest.raises(ValueError):
        decode(b'{"specversion":"1.0"}', SEALER)
    with pytest.raises(ValueError):
        decode(BARE % b"5", SEALER)
