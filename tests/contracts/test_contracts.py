"""The published language: frozen once published, readable for ever (S2, DESIGN 3)."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import ClassVar

import orjson
import pytest

from shared.contracts import published
from shared.contracts.decoding import decode
from shared.contracts.entry import Place, encode, encode_data, subject_of
from shared.contracts.event import Context, Event, contract_of, contracts, personal_fields
from shared.contracts.registry import SchoolYearOpened, SchoolYearOpenedV1
from shared.testing.examples import FixedSealer, ShreddedKeys, example

GOLDEN = Path(__file__).parent / "golden"
SEALER = FixedSealer()
PLACE = Place(
    id="01990000-0000-7000-8000-000000000001",
    stream="example/1",
    stream_version=3,
    position=42,
    school="RMIC00000X",
    school_position=7,
    time=datetime(2026, 9, 14, 8, 0, tzinfo=UTC),
    seen={"registry": 5, "identity": 0},
)
CONTEXT = Context(actor="account-1", correlation="correlation-1", causation="event-1")


def entry_of(event_class: type[Event]) -> bytes:
    event = example(event_class)
    return encode(event, encode_data(event, PLACE.id, SEALER), PLACE, CONTEXT).entry


def golden_types() -> list[str]:
    return sorted(path.stem for path in GOLDEN.glob("*.json"))


def test_every_contract_is_published_as_it_stands() -> None:
    difference = published.compare()
    assert not difference.changed, str(published.ContractChanged(difference.changed))
    assert not difference.vanished, "a published contract is readable for ever"
    assert not difference.unpublished, "run `custode contracts` and commit what it writes"


def test_asyncapi_is_what_the_contracts_say() -> None:
    written = orjson.loads((published.PUBLISHED / published.ASYNCAPI).read_bytes())
    assert written == published.asyncapi()
    assert set(written["components"]["messages"]) == set(contracts())


def test_every_version_that_ever_existed_has_a_golden_file() -> None:
    """A new contract gets its golden file here, once; from then on it must be read as it is."""
    missing = sorted(set(contracts()) - set(golden_types()))
    assert not missing, "run `python -m tests.contracts.write_golden` and commit what it writes"


@pytest.mark.requirement("S2")
@pytest.mark.parametrize("type_name", golden_types())
def test_a_golden_entry_is_read_and_written_the_same_for_ever(type_name: str) -> None:
    entry = (GOLDEN / f"{type_name}.json").read_bytes()
    recorded = decode(entry, SEALER)
    assert recorded.position == 42 and recorded.school_position == 7 and recorded.seen == {"registry": 5}
    assert recorded.entry == entry
    event_class = contract_of(type_name)
    assert entry == entry_of(event_class), "the same event must come out as the same bytes"
    assert type(recorded.event).contract_name() == event_class.contract_name()
    name = f"{recorded.service}.evt.RMIC00000X.example.{event_class.contract_name()}"
    assert subject_of(entry) == name, "where it stands on the bus"


@pytest.mark.parametrize("type_name", golden_types())
def test_an_erased_person_leaves_the_history_readable(type_name: str) -> None:
    entry = (GOLDEN / f"{type_name}.json").read_bytes()
    recorded = decode(entry, ShreddedKeys())
    for name, _ in personal_fields(type(recorded.event)):
        assert getattr(recorded.event, name).value is None


@pytest.mark.parametrize("type_name", golden_types())
def test_nothing_personal_stands_open_in_an_entry(type_name: str) -> None:
    entry = (GOLDEN / f"{type_name}.json").read_text()
    for open_text in (
        "family_name-1",
        "given_name-1",
        "RSSMRA80A01H501U",
        "famiglia@example.org",
        "user_code-1",
    ):
        assert open_text not in entry


def test_an_older_version_is_brought_up_to_the_newest() -> None:
    entry = (GOLDEN / "custode.registry.SchoolYearOpened.v1.json").read_bytes()
    recorded = decode(entry, SEALER)
    assert recorded.event == SchoolYearOpened(
        school="RMIC00000X", year="2026/2027", starts=date(2026, 9, 1), ends=date(2027, 8, 31)
    )
    assert recorded.entry == entry, "the recorded bytes stay what they are"


def test_a_contract_changed_without_a_new_version_is_refused(tmp_path: Path) -> None:
    published.write(tmp_path)
    path = tmp_path / f"{SchoolYearOpenedV1.type_name()}.json"
    schema = orjson.loads(path.read_bytes())
    schema["properties"]["year"]["title"] = "Another"
    path.write_bytes(orjson.dumps(schema))
    with pytest.raises(published.ContractChanged, match=r"SchoolYearOpened\.v1"):
        published.write(tmp_path)


def test_an_entry_has_at_most_65535_bytes() -> None:
    class Huge(Event):
        service: ClassVar[str] = "registry"
        text: str

    event = Huge(text="x" * 65_535)
    with pytest.raises(Exception, match="at most 65535"):
        encode(event, encode_data(event, PLACE.id, SEALER), PLACE, CONTEXT)
