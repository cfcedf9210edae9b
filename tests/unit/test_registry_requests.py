"""Enrolments from outside: what is read, and how a refusal speaks without repeating anything."""

from typing import Any

import orjson
import pytest
from pydantic import ValidationError

from services.registry.ingress import read_command
from services.registry.requests import EnrolmentRequest
from shared.messaging.ingress import Incoming, Poison

SCHOOL = "RMIC8AB00X"


def data(**changes: Any) -> dict[str, Any]:
    usual = {
        "school_year": "2025/26",
        "class": {"id": "c1", "grade": 1, "section": "a"},
        "pupil": {"id": "7", "family_name": " Verdi ", "given_name": "Anna", "codice_fiscale": ""},
        "guardians": [],
    }
    return usual | changes


def message(**changes: Any) -> Incoming:
    usual = {"id": "m1", "source": "registro", "command": "Enrol", "data": data()}
    return Incoming(SCHOOL, orjson.dumps(usual | changes))


def test_what_is_read_is_cleaned() -> None:
    read = read_command(message())
    assert not isinstance(read, Poison)
    message_id, request = read
    assert isinstance(request, EnrolmentRequest)
    assert message_id == "m1"
    assert (request.school, request.source, request.school_year) == (SCHOOL, "registro", "2025/2026")
    assert request.pupil.family_name == "Verdi"
    assert request.pupil.codice_fiscale is None
    assert request.class_fact().title == "1a"
    assert request.class_fact().section == "A"


def test_the_fingerprint_is_of_what_was_said_not_of_its_spelling() -> None:
    one = EnrolmentRequest.model_validate(data(school=SCHOOL, source="r"))
    same = EnrolmentRequest.model_validate(data(school=SCHOOL.lower(), source="r", school_year="2025-2026"))
    other = EnrolmentRequest.model_validate(data(school=SCHOOL, source="r", kind="continuing"))
    assert one.fingerprint() == same.fingerprint() != other.fingerprint()


@pytest.mark.parametrize(
    ("incoming", "reason", "message_id"),
    [
        (Incoming(SCHOOL, b"{"), "not JSON", None),
        (Incoming(SCHOOL, b"[]"), "invalid: the message is not an object", None),
        (message(command="Erase"), "invalid: #/command: must be Enrol", "m1"),
        (message(id=""), "invalid: #/id: must have at least 1 characters", None),
        (message(data=data(pupil={"id": "7"})), "invalid: #/pupil/family_name: is missing", "m1"),
        (message(data=data(school="MIIS00100A")), "another school", "m1"),
        (message(data=data(source="other")), "another source", "m1"),
        (message(data=data(password="x")), "invalid: the message has a field that is not known here", "m1"),
        (message(data=data(pupil="7")), "invalid: #/pupil: is not an object", "m1"),
        (message(data=data(kind="x")), "#/kind: must be first_year, new_to_the_school or continuing", "m1"),
        (message(data=data(starts="7")), "#/starts: is not a date such as 2026-09-14", "m1"),
        (
            message(data=data(school_year="7")),
            "#/school_year: is not in the expected form (school_year)",
            "m1",
        ),
    ],
)
def test_poison_says_why(incoming: Incoming, reason: str, message_id: str | None) -> None:
    read = read_command(incoming)
    assert isinstance(read, Poison)
    assert reason in read.reason
    assert read.message_id == message_id


@pytest.mark.parametrize("secret", ["VRDNNA14B43H501A", "carla@", "\u202eanna", "x" * 1001])
def test_poison_never_repeats_the_message(secret: str) -> None:
    pupil = {
        "id": "7",
        "family_name": secret + "\u202e",
        "given_name": "\x00" + secret,
        "codice_fiscale": secret,
        "institutional_email": secret,
    }
    read = read_command(message(data=data(pupil=pupil)))
    assert isinstance(read, Poison)
    assert secret not in read.reason


def test_a_password_is_never_taken() -> None:
    with pytest.raises(ValidationError):
        EnrolmentRequest.model_validate(
            data(
                school=SCHOOL,
                source="r",
                pupil={"id": "7", "family_name": "V", "given_name": "A", "password": "segreta"},
            )
        )
