"""The peer: `eventsourcing` with its PostgreSQL module, on the same server, with the same durability.

The settings are those of its documentation: the JSON transcoder, no cipher, no compressor, no cache; a pool as
large as its threads are many, so that none waits for a connection.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from urllib.parse import parse_qs, unquote, urlsplit
from uuid import UUID

from eventsourcing.application import Application
from eventsourcing.cryptography import AESCipher
from eventsourcing.domain import Aggregate, event
from eventsourcing.persistence import JSONTranscoder, Transcoding

THREADS = 32
Details = dict[str, str | None]


class DateAsIso(Transcoding):
    type = date
    name = "date"

    def encode(self, obj: date) -> str:
        return obj.isoformat()

    def decode(self, data: str) -> date:
        return date.fromisoformat(data)


class Student(Aggregate):
    """A pupil, as registry's aggregate is one: enrolled, described, moved."""

    @event("Enrolled")
    def __init__(
        self, student: str, school: str, year: str, class_id: str, kind: str, starts: date, details: Details
    ) -> None:
        self.student = student
        self.school = school
        self.enrolments = {year: (class_id, kind, starts)}
        self.details = details

    @event("DetailsCorrected")
    def correct(self, details: Details) -> None:
        self.details = details


class School(Application[UUID]):
    def register_transcodings(self, transcoder: JSONTranscoder) -> None:
        super().register_transcodings(transcoder)
        transcoder.register(DateAsIso())

    def correct(self, student: UUID, details: Details) -> None:
        """One command: load, change, save."""
        aggregate: Student = self.repository.get(student)
        aggregate.correct(details)
        self.save(aggregate)


@contextmanager
def open_peer(url: str, *, sealed: bool = False) -> Iterator[School]:
    """The application on a database of its own, whose owner `url` names. `sealed`: with its own AES cipher, which
    puts one key over every event.
    """
    cipher = {"CIPHER_TOPIC": "eventsourcing.cryptography:AESCipher", "CIPHER_KEY": AESCipher.create_key(32)}
    parts = urlsplit(url)
    where = parse_qs(parts.query)
    application = School(
        {
            "PERSISTENCE_MODULE": "eventsourcing.postgres",
            "POSTGRES_DBNAME": parts.path.lstrip("/"),
            "POSTGRES_HOST": parts.hostname or where["host"][0],
            "POSTGRES_PORT": str(parts.port or where["port"][0]),
            "POSTGRES_USER": parts.username or "",
            "POSTGRES_PASSWORD": unquote(parts.password or ""),
            "POSTGRES_POOL_SIZE": str(THREADS),
            **(cipher if sealed else {}),
        }
    )
    try:
        yield application
    finally:
        application.close()
