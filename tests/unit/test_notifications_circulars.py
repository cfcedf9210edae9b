"""Notices, circulars and a school's own words, decided."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given as any_of
from hypothesis import strategies as st

from services.notifications.domain.circular import (
    CIRCULAR,
    READING,
    Content,
    MarkRead,
    Publish,
    Withdraw,
    circular_id,
    faults,
    paragraphs,
    plain_number,
    school_year,
)
from services.notifications.domain.delivery_commands import RecordAccepted, RecordDeferred, RecordFailed
from services.notifications.domain.notice import (
    NOTICE,
    AttemptNotice,
    DropNotice,
    RecordNoticeBounce,
    RequestNotice,
    circular_notice_id,
    reminder_id,
)
from services.notifications.domain.school_texts import (
    TEXTS,
    AdaptTemplate,
    AdoptLetterhead,
    Template,
    Words,
    filled,
    word_faults,
)
from shared.contracts.notifications import (
    Audience,
    BounceKind,
    CircularAudience,
    CircularPublished,
    CircularRead,
    CircularWithdrawn,
    DeliveryProblem,
    LetterheadAdopted,
    MailTemplateAdapted,
    NoticeAccepted,
    NoticeAttempted,
    NoticeBounced,
    NoticeDeferred,
    NoticeFailed,
    NoticeKind,
    NoticeRequested,
    ReminderSent,
)
from shared.testing.bdd import given

LATER = datetime(2026, 9, 14, tzinfo=UTC) + timedelta(minutes=1)
ASKED = NoticeRequested(notice="n", kind=NoticeKind.circular, holder="h", about="c")
REMINDER = NoticeRequested(
    notice="n", kind=NoticeKind.reminder, holder="h", about="credential", account="a", number=2
)
TRIED = NoticeAttempted(notice="n", attempt=1)


def test_asked_for_twice_is_one_message() -> None:
    command = RequestNotice("n", NoticeKind.circular, "h", "c")
    given(NOTICE).when(command).then(ASKED)
    given(NOTICE, ASKED).when(command).then_nothing()
    assert circular_notice_id("c", "h") != circular_notice_id("c", "i") != circular_notice_id("d", "i")
    assert reminder_id("c", 1) != reminder_id("c", 2)


def test_a_third_reminder_is_refused() -> None:
    third = RequestNotice("n", NoticeKind.reminder, "h", "credential", "a", 3)
    given(NOTICE).when(third).then_refused("too_many_reminders")


def test_every_try_has_one_outcome() -> None:
    given(NOTICE, ASKED).when(AttemptNotice()).then(TRIED)
    given(NOTICE, ASKED, TRIED).when(RecordAccepted(1, 250)).then(
        NoticeAccepted(notice="n", attempt=1, code=250)
    )
    given(NOTICE, ASKED, TRIED).when(RecordAccepted(2, 250)).then_nothing()
    busy = DeliveryProblem.server_busy
    given(NOTICE, ASKED, TRIED).when(RecordDeferred(1, 450, busy, LATER)).then(
        NoticeDeferred(notice="n", attempt=1, code=450, problem=busy, retry_at=LATER)
    )
    given(NOTICE, ASKED, TRIED).when(RecordFailed(1, 550, DeliveryProblem.mailbox_unknown)).then(
        NoticeFailed(notice="n", attempt=1, code=550, problem=DeliveryProblem.mailbox_unknown)
    )
    accepted = NoticeAccepted(notice="n", attempt=1, code=250)
    given(NOTICE, ASKED, TRIED, accepted).when(AttemptNotice()).then_refused("already_settled")
    given(NOTICE).when(AttemptNotice()).then_refused("not_requested")


def test_a_reminder_that_left_is_one_that_was_sent() -> None:
    given(NOTICE, REMINDER, TRIED).when(RecordAccepted(1, 250)).then(
        NoticeAccepted(notice="n", attempt=1, code=250),
        ReminderSent(notice="n", account="a", holder="h", credential="credential", number=2),
    )


def test_a_server_that_says_later_for_ever_is_given_up() -> None:
    tries = [NoticeAttempted(notice="n", attempt=n) for n in range(1, 19)]
    given(NOTICE, ASKED, *tries).when(RecordDeferred(18, 450, DeliveryProblem.server_busy, LATER)).then(
        NoticeFailed(notice="n", attempt=18, code=450, problem=DeliveryProblem.gave_up)
    )


def test_what_comes_back_counts_once() -> None:
    accepted = NoticeAccepted(notice="n", attempt=1, code=250)
    bounced = NoticeBounced(notice="n", attempt=1, kind=BounceKind.permanent, status="5.1.1")
    command = RecordNoticeBounce(1, BounceKind.permanent, "5.1.1")
    given(NOTICE, ASKED, TRIED, accepted).when(command).then(bounced)
    given(NOTICE, ASKED, TRIED, accepted, bounced).when(command).then_nothing()
    given(NOTICE, ASKED).when(command).then_nothing()
    # A report may be faster than the server's word: that word says nothing new then.
    given(NOTICE, ASKED, TRIED, bounced).when(RecordAccepted(1, 250)).then_nothing()


def test_what_has_nothing_left_to_say_is_dropped_unless_it_has_an_outcome() -> None:
    drop = DropNotice(DeliveryProblem.no_longer_available)
    given(NOTICE, ASKED).when(drop).then(
        NoticeFailed(notice="n", attempt=0, code=None, problem=DeliveryProblem.no_longer_available)
    )
    failed = NoticeFailed(notice="n", attempt=0, code=None, problem=DeliveryProblem.no_address)
    given(NOTICE, ASKED, failed).when(drop).then_nothing()


def content(**changes: Any) -> Content:
    values: dict[str, Any] = {
        "number": "12",
        "day": date(2026, 9, 3),
        "subject": "Credenziali",
        "text": "Uno.\n\nDue.",
        "signed_by": "Anna Neri",
        "audience": CircularAudience(audiences=(Audience.guardians,)),
    }
    return Content(**(values | changes))


def published(of: Content) -> CircularPublished:
    return CircularPublished(
        circular="c",
        school="RMIC8AB00X",
        year=of.year,
        number=of.number,
        day=of.day,
        subject=of.subject,
        text=of.text,
        signed_by=of.signed_by,
        audience=of.audience,
    )


@pytest.mark.requirement("E11", part="number and date")
def test_a_number_is_given_once_in_a_school_year() -> None:
    first = published(content())
    command = Publish("c", "RMIC8AB00X", content(), ())
    given(CIRCULAR).when(command).then(first)
    given(CIRCULAR, first).when(command).then_nothing()
    other = Publish("c", "RMIC8AB00X", content(subject="Altro"), ())
    given(CIRCULAR, first).when(other).then_refused("number_taken")
    withdrawn = CircularWithdrawn(circular="c", reason="data sbagliata")
    given(CIRCULAR, first, withdrawn).when(command).then_refused("number_taken")
    assert school_year(date(2026, 8, 31)) == "2025/2026"
    assert school_year(date(2026, 9, 1)) == "2026/2027"
    same = {circular_id("S", "2026/2027", n) for n in ("12 bis", "012 BIS", "12/bis", "12-bis")}
    assert len(same) == 1
    different = {circular_id("S", "2026/2027", n) for n in ("12", "1 2", "12 bis", "120", "b12")}
    assert len(different) == 5


def test_what_is_not_complete_is_not_published() -> None:
    wrong = content(
        number="!", subject=" ", text="a\u202eb", signed_by="x" * 121, audience=CircularAudience(audiences=())
    )
    assert faults(wrong) == {
        "number": "bad_number",
        "subject": "empty",
        "text": "unreadable",
        "signed_by": "too_long",
        "audiences": "empty",
    }
    given(CIRCULAR).when(Publish("c", "S", wrong, ())).then_refused("not_complete")
    assert faults(content(text="字" * 20_000)) == {"text": "too_long"}, "one entry of the history holds it"
    assert not faults(content(text="ї" * 20_000))


def test_withdrawn_once_and_with_a_reason() -> None:
    first = published(content())
    given(CIRCULAR).when(Withdraw("x")).then_refused("not_published")
    given(CIRCULAR, first).when(Withdraw(" ")).then_refused("reason_needed")
    withdrawn = CircularWithdrawn(circular="c", reason="data sbagliata")
    given(CIRCULAR, first).when(Withdraw(" data sbagliata ")).then(withdrawn)
    given(CIRCULAR, first, withdrawn).when(Withdraw("altro")).then_nothing()


def test_read_once() -> None:
    command = MarkRead("c", "h", Audience.teachers)
    read = CircularRead(circular="c", holder="h", audience=Audience.teachers)
    given(READING).when(command).then(read)
    given(READING, read).when(command).then_nothing()


def test_paragraphs_are_divided_by_empty_lines() -> None:
    assert paragraphs("a\r\nb\r\n\r\n \t\r\nc\n\n") == ("a\nb", "c")


def test_a_letterhead_and_words_are_adopted_once() -> None:
    command = AdoptLetterhead("S", ("IC Tigli", "Via"), ("CF",))
    adopted = LetterheadAdopted(school="S", head=("IC Tigli", "Via"), foot=("CF",))
    given(TEXTS).when(command).then(adopted)
    given(TEXTS, adopted).when(command).then_nothing()
    given(TEXTS).when(AdoptLetterhead("S", ())).then_refused("bad_letterhead")
    given(TEXTS).when(AdoptLetterhead("S", ("a\nb",))).then_refused("bad_letterhead")
    own = Words(subject="{scuola}: ciao")
    adapt = AdaptTemplate("S", Template.reminder, "it", own)
    adapted = MailTemplateAdapted(
        school="S", template="reminder", language="it", subject="{scuola}: ciao", opening=None, closing=None
    )
    given(TEXTS).when(adapt).then(adapted)
    given(TEXTS, adapted).when(adapt).then_nothing()
    given(TEXTS).when(AdaptTemplate("S", Template.reminder, "it", Words())).then_nothing()
    bad = AdaptTemplate("S", Template.reminder, "it", Words(closing="{password}"))
    given(TEXTS).when(bad).then_refused("bad_words")


def test_what_is_wrong_with_words_is_said_by_part() -> None:
    assert word_faults(Words("a\nb", "{", "x" * 601)) == {
        "subject": "unreadable",
        "opening": "unknown_placeholder",
        "closing": "too_long",
    }
    assert word_faults(Words(opening="{{nome}}")) == {"opening": "unknown_placeholder"}
    assert word_faults(Words("{nome}", "{scuola}", "{indirizzo}")) == {}


@any_of(st.text(), st.text(), st.text())
def test_a_value_is_never_taken_for_a_placeholder(name: str, school: str, link: str) -> None:
    values = {"nome": name, "scuola": school, "indirizzo": link}
    assert filled("{nome}|{scuola}|{indirizzo}", values) == f"{name}|{school}|{link}"


@any_of(st.text(alphabet="0123456789abcABC /.-", min_size=1, max_size=20))
def test_a_number_has_one_plain_form(number: str) -> None:
    assert plain_number(plain_number(number)) == plain_number(number)
