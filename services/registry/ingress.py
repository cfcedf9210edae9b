"""Commands that school systems publish on the bus (S3): each is carried out, repeated harmlessly, or quarantined."""

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from typing import Final

import orjson
from pydantic import ValidationError

from services.registry.enrolments import Enrolments, KeyReused, NotEntered, SchoolUnknown, Wanted
from services.registry.imports.problems import sentence
from services.registry.mailboxes import Mailboxes
from services.registry.requests import CommandEnvelope, EnrolmentRequest, MailboxRequest, fingerprint
from shared.contracts.event import Context
from shared.eventstore.units import IdempotencyKey
from shared.ids import new_id
from shared.messaging.ingress import Incoming, Poison
from shared.web.errors import field_errors

_SHOWN_FIELDS = 5
_WORDS: Final[Mapping[str, str]] = {
    "missing": "is missing",
    "extra_forbidden": "has a field that is not known here",
    "literal_error": "must be {expected}",
    "enum": "must be {expected}",
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "must have at most {max_length} characters",
    "too_long": "must have at most {max_length} elements",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "string_type": "is not a text",
    "tuple_type": "is not a list",
    "bool_type": "is neither true nor false",
    "bool_parsing": "is neither true nor false",
    "int_type": "is not a whole number",
    "int_parsing": "is not a whole number",
    "int_from_float": "is not a whole number",
    "date_type": "is not a date such as 2026-09-14",
    "date_parsing": "is not a date such as 2026-09-14",
    "date_from_datetime_parsing": "is not a date such as 2026-09-14",
    "date_from_datetime_inexact": "is not a date such as 2026-09-14",
}
"""What is wrong, by pydantic's kind of error; the parameters are limits and words of the contract."""


class Commands:
    def __init__(self, enrolments: Enrolments, mailboxes: Mailboxes) -> None:
        self._enrolments = enrolments
        self._mailboxes = mailboxes

    async def handle(self, batch: Sequence[Incoming]) -> Sequence[Poison | None]:
        """For `runtime.take_commands`. A fault of ours is raised: then the queue delivers again.

        A pupil's mailbox may follow right upon the enrolment: mailboxes come after the enrolments of their batch.
        """
        answers: dict[int, Poison | None] = {}
        enrolments: dict[int, Awaitable[Poison | None]] = {}
        mailboxes: dict[int, Awaitable[Poison | None]] = {}
        for n, incoming in enumerate(batch):
            match read_command(incoming):
                case (str() as message_id, EnrolmentRequest() as request):
                    enrolments[n] = self._enrolment(incoming.school, message_id, request)
                case (str() as message_id, MailboxRequest() as request):
                    mailboxes[n] = self._mailbox(incoming.school, message_id, request)
                case Poison() as poison:
                    answers[n] = poison
        for those in (enrolments, mailboxes):
            answers |= zip(those, await asyncio.gather(*those.values()), strict=True)
        return [answers[n] for n in range(len(batch))]

    async def _enrolment(self, school: str, message_id: str, request: EnrolmentRequest) -> Poison | None:
        key = IdempotencyKey(f"ingress/{school}", message_id, request.fingerprint())
        context = _context(school)
        answer = await self._enrolments.enter(Wanted(request, context, key))
        match answer:
            case SchoolUnknown():
                return Poison("the school is not registered here", message_id)
            case KeyReused():
                return Poison("this id was used before, for another enrolment", message_id)
            case NotEntered(findings):
                return Poison("; ".join(finding.text("en") for finding in findings), message_id)
        return None

    async def _mailbox(self, school: str, message_id: str, request: MailboxRequest) -> Poison | None:
        key = IdempotencyKey(f"ingress/{school}/mailboxes", message_id, fingerprint(request))
        done = await self._mailboxes.activate(school, [request.wanted(0)], _context(school), key=key)
        if done.key_reused:
            return Poison("this id was used before, for another mailbox", message_id)
        return Poison(sentence(done.wrong[0].code, "en", {}), message_id) if done.wrong else None


def _context(school: str) -> Context:
    return Context(actor=f"system:bus:{school}", correlation=new_id())


def read_command(incoming: Incoming) -> tuple[str, EnrolmentRequest | MailboxRequest] | Poison:
    """The message's id and what it asks, or why it cannot be carried out."""
    try:
        payload = orjson.loads(incoming.payload)
    except orjson.JSONDecodeError:
        return Poison("not JSON")
    message_id = payload.get("id") if isinstance(payload, dict) else None
    known_id = message_id if isinstance(message_id, str) and _usable(message_id) else None
    try:
        envelope = CommandEnvelope.model_validate(payload)
        if envelope.command == "ActivateMailbox":
            return envelope.id, MailboxRequest.model_validate({"source": envelope.source, **envelope.data})
        data = {"school": incoming.school, "source": envelope.source, **envelope.data}
        request = EnrolmentRequest.model_validate(data)
    except ValidationError as wrong:
        return Poison(_reasons(wrong), known_id)
    if request.school != incoming.school:
        return Poison("the enrolment is for another school than the publisher's", known_id)
    if request.source != envelope.source:
        return Poison("the enrolment names another source than the message", known_id)
    return envelope.id, request


def _usable(message_id: str) -> bool:
    """Whether an operator can be told this id: one that acts instead of being seen stays in the sealed payload."""
    return 0 < len(message_id) <= 200 and message_id.isprintable()


def _reasons(wrong: ValidationError) -> str:
    """Where and why, never what: pointers of the published names, and words of our own."""
    errors = wrong.errors(include_input=False, include_url=False)[:_SHOWN_FIELDS]
    places = [error["pointer"] for error in field_errors(errors)]
    told = (
        _reason(place, error["type"], error.get("ctx") or {})
        for place, error in zip(places, errors, strict=True)
    )
    return "invalid: " + "; ".join(told)


def _reason(place: str, kind: str, limits: Mapping[str, object]) -> str:
    if kind in ("model_type", "model_attributes_type", "dict_type"):
        words = "is not an object"
    elif kind in _WORDS:
        words = _WORDS[kind].format_map(limits).replace("'", "")
    else:
        words = f"is not in the expected form ({kind})"
    return f"the message {words}" if place in ("", "#", "#/") else f"{place}: {words}"
