"""What the desk and the family decide of a guardianship, a line each (M1, M3, M4, M9, E3, E8, P8)."""

from datetime import date

import pytest

from services.registry.domain.access import Closed, Standing, closed, may_justify, of_age, pupil_may_justify
from services.registry.domain.guardian import GUARDIAN, LinkChild
from services.registry.domain.guardian_desk import (
    ActivateJustification,
    CorrectAddress,
    EndGuardianship,
    EndJustification,
    LiftRestriction,
    LinkAgain,
    RejectWrongChild,
    ReportWrongChild,
    RequestJustification,
    Restrict,
)
from services.registry.domain.guardian_merge import MergeInto, TakeOver
from services.registry.domain.staff import STAFF, Appoint, AssignClass, Leave, UnassignClass
from services.registry.domain.student import STUDENT
from services.registry.domain.student_desk import ActivateMailbox, ConsentToParent
from shared.contracts.event import Event, Personal
from shared.contracts.policy import EMAIL, PAPER, CredentialPolicy, GuardiansOfAge
from shared.contracts.registry import (
    ContactAddress,
    ContactAddressCorrected,
    EndGround,
    EnrolmentKind,
    GuardianDetails,
    GuardianDetailsCorrected,
    GuardianLinked,
    GuardianshipCorrected,
    GuardianshipEnded,
    GuardianshipRestricted,
    GuardianshipRestrictionLifted,
    GuardiansMerged,
    IdentityCheck,
    InstitutionalMailboxActivated,
    JustificationServiceActivated,
    JustificationServiceEnded,
    JustificationServiceRequested,
    Note,
    ParentalAccessConsented,
    PersonIdentified,
    PupilDetails,
    Relationship,
    RestrictionGround,
    StaffContact,
    StaffKind,
    StaffMemberAppointed,
    StaffMemberLeft,
    StudentEnrolled,
    TeacherAssigned,
    TeacherUnassigned,
    WrongChildRejected,
    WrongChildReported,
)
from shared.testing.bdd import given

YEAR = "2025/2026"
TODAY, TOMORROW, YESTERDAY = date(2026, 3, 2), date(2026, 3, 3), date(2026, 3, 1)
COURT = RestrictionGround.court_order
BY_CONSENT = PAPER.model_copy(update={"guardians_of_age": GuardiansOfAge.by_consent})


def details(**changes: object) -> GuardianDetails:
    usual = {
        "family_name": "Verdi",
        "given_name": "Ugo",
        "email": "ugo@example.org",
        "source": "sec",
        "external_id": "9",
    }
    return GuardianDetails.model_validate(usual | changes)


def linked(student: str = "s1", guardian: str = "g1", **changes: object) -> GuardianLinked:
    about = {k: changes.pop(k) for k in list(changes) if k in GuardianDetails.model_fields}
    usual: dict[str, object] = {
        "guardian": guardian,
        "student": student,
        "year": YEAR,
        "relationship": Relationship.father,
        "data_access": True,
        "justifies_online": False,
        "details": Personal[GuardianDetails](person=guardian, value=details(**about)),
    }
    return GuardianLinked.model_validate(usual | changes)


def said_again(**changes: object) -> LinkChild:
    usual = {"data_access": True, "justifies_online": True, "details": details()}
    wanted = usual | changes
    return LinkChild(
        "g1",
        "s1",
        "2026/2027",
        Relationship.father,
        wanted["data_access"],  # type: ignore[arg-type]
        wanted["justifies_online"],  # type: ignore[arg-type]
        False,
        wanted["details"],  # type: ignore[arg-type]
    )


def note(text: str = "decreto 5/2026", person: str = "g1") -> Personal[Note]:
    return Personal[Note](person=person, value=Note(text=text))


def restricted(on: date = TODAY, student: str = "s1", guardian: str = "g1") -> GuardianshipRestricted:
    why = note(person=guardian)
    return GuardianshipRestricted(guardian=guardian, student=student, on=on, ground=COURT, note=why)


def ended(on: date = TODAY, ground: EndGround = EndGround.court_order, **changes: str) -> GuardianshipEnded:
    guardian = changes.get("guardian", "g1")
    why = note(person=guardian)
    return GuardianshipEnded(
        guardian=guardian, student=changes.get("student", "s1"), on=on, ground=ground, note=why
    )


def restrict(on: date = TODAY, reason: str = "decreto 5/2026") -> Restrict:
    return Restrict("g1", "s1", on, COURT, reason, TODAY)


def end(on: date = TODAY) -> EndGuardianship:
    return EndGuardianship("g1", "s1", on, EndGround.court_order, "decreto 5/2026", TODAY)


@pytest.mark.requirement("M3", part="decided")
class TestRestriction:
    def test_from_today_or_a_later_day_never_backwards(self) -> None:
        given(GUARDIAN, linked()).when(restrict()).then(restricted())
        given(GUARDIAN, linked()).when(restrict(TOMORROW)).then(restricted(TOMORROW))
        given(GUARDIAN, linked()).when(restrict(YESTERDAY)).then_refused("date_is_past")

    def test_once_and_with_a_reason(self) -> None:
        given(GUARDIAN, linked(), restricted()).when(restrict()).then_nothing()
        given(GUARDIAN, linked(), restricted(YESTERDAY)).when(restrict(TOMORROW)).then_nothing()
        given(GUARDIAN, linked()).when(restrict(reason="  ")).then_refused("reason_missing")

    def test_a_planned_one_may_be_brought_forward(self) -> None:
        given(GUARDIAN, linked(), restricted(TOMORROW)).when(restrict()).then(restricted())

    def test_only_of_a_link_that_is_there(self) -> None:
        given(GUARDIAN, linked("s2")).when(restrict()).then_refused("not_linked")
        given(GUARDIAN).when(restrict()).then_refused("guardian_unknown")
        given(GUARDIAN, linked(), ended()).when(restrict()).then_refused("ended")

    def test_one_that_ends_later_can_be_shut_today(self) -> None:
        given(GUARDIAN, linked(), ended(TOMORROW)).when(restrict()).then(restricted())

    def test_a_system_that_says_access_again_undoes_nothing(self) -> None:
        given(GUARDIAN, linked(), restricted()).when(said_again(justifies_online=None)).then_nothing()
        assert GUARDIAN.fold([linked(), restricted()]).children["s1"].closed(TODAY)

    def test_lifted_by_the_desk(self) -> None:
        lifted = GuardianshipRestrictionLifted(guardian="g1", student="s1", note=note("revocato"))
        given(GUARDIAN, linked(), restricted()).when(LiftRestriction("g1", "s1", "revocato")).then(lifted)
        given(GUARDIAN, linked()).when(LiftRestriction("g1", "s1", "revocato")).then_nothing()


@pytest.mark.requirement("M3", part="ended")
class TestEnd:
    def test_from_a_day_and_once(self) -> None:
        given(GUARDIAN, linked()).when(end()).then(ended())
        given(GUARDIAN, linked(), ended()).when(end(TOMORROW)).then_nothing()
        given(GUARDIAN, linked()).when(end(YESTERDAY)).then_refused("date_is_past")

    def test_no_system_brings_it_back(self) -> None:
        given(GUARDIAN, linked(), ended()).when(said_again()).then_nothing()

    def test_the_desk_does_and_a_restriction_stands_on(self) -> None:
        again = LinkAgain("g1", "s1", "2026/2027", False)
        history: list[Event] = [linked(), restricted(), ended()]
        back = given(GUARDIAN, *history).when(again)
        back.then(linked(year="2026/2027"))
        assert GUARDIAN.fold([*history, linked(year="2026/2027")]).children["s1"].closed(TODAY)
        given(GUARDIAN, linked()).when(again).then_nothing()


@pytest.mark.requirement("M9", part="decided")
class TestWrongChild:
    reported = WrongChildReported(guardian="g1", student="s1", note=note("mai visto"))

    def test_closed_at_once_and_reported_once(self) -> None:
        command = ReportWrongChild("g1", "s1", "mai visto")
        given(GUARDIAN, linked()).when(command).then(self.reported)
        given(GUARDIAN, linked(), self.reported).when(command).then_nothing()
        given(GUARDIAN, linked(), ended()).when(command).then_refused("ended")
        assert GUARDIAN.fold([linked(), self.reported]).children["s1"].closed(TODAY)

    def test_right_after_all_or_wrong(self) -> None:
        rejected = WrongChildRejected(guardian="g1", student="s1", note=note("stato di famiglia"))
        right = RejectWrongChild("g1", "s1", "stato di famiglia")
        given(GUARDIAN, linked(), self.reported).when(right).then(rejected)
        given(GUARDIAN, linked()).when(right).then_nothing()
        assert not GUARDIAN.fold([linked(), self.reported, rejected]).children["s1"].closed(TODAY)
        wrong = EndGuardianship("g1", "s1", TODAY, EndGround.wrong_link, "decreto 5/2026", TODAY)
        given(GUARDIAN, linked(), self.reported).when(wrong).then(ended(ground=EndGround.wrong_link))


@pytest.mark.requirement("E3", part="the address is corrected")
class TestAddress:
    def corrected(self, email: str) -> ContactAddressCorrected:
        return ContactAddressCorrected(
            guardian="g1",
            address=Personal[ContactAddress](person="g1", value=ContactAddress(email=email)),
            identity_check=IdentityCheck.identity_document,
            reason=note("casella chiusa"),
        )

    def test_with_a_reason_and_an_identity_check(self) -> None:
        check = IdentityCheck.identity_document
        command = CorrectAddress("g1", "nuovo@example.org", check, "casella chiusa")
        given(GUARDIAN, linked()).when(command).then(self.corrected("nuovo@example.org"))
        given(GUARDIAN, linked(), self.corrected("nuovo@example.org")).when(command).then_nothing()
        unsaid = CorrectAddress("g1", "nuovo@example.org", check, "")
        given(GUARDIAN, linked()).when(unsaid).then_refused("reason_missing")

    def test_no_import_replaces_it_and_a_second_child_has_it(self) -> None:
        history: list[Event] = [linked(), self.corrected("nuovo@example.org")]
        given(GUARDIAN, *history).when(said_again(justifies_online=None)).then_nothing()
        second = LinkChild("g1", "s2", YEAR, Relationship.father, True, None, False, details())
        given(GUARDIAN, *history).when(second).then(linked("s2", email="nuovo@example.org"))


@pytest.mark.requirement("P8", part="a right of the guardianship")
class TestJustification:
    requested = JustificationServiceRequested(guardian="g1", student="s1")
    active = JustificationServiceActivated(guardian="g1", student="s1")
    over = JustificationServiceEnded(guardian="g1", student="s1", note=note("non più"))

    def test_asked_for_then_activated(self) -> None:
        asks, acts = RequestJustification("g1", "s1", TODAY), ActivateJustification("g1", "s1", TODAY)
        given(GUARDIAN, linked()).when(asks).then(self.requested)
        given(GUARDIAN, linked(), self.requested).when(asks).then_nothing()
        given(GUARDIAN, linked(), self.requested).when(acts).then(self.active)
        given(GUARDIAN, linked(), self.active).when(asks).then_nothing()

    @pytest.mark.parametrize(
        "shut",
        [
            [linked(data_access=False)],
            [linked(), restricted()],
            [linked(), ended()],
            [linked(), TestWrongChild.reported],
        ],
    )
    def test_only_of_a_guardian_who_may_see(self, shut: list[Event]) -> None:
        given(GUARDIAN, *shut).when(RequestJustification("g1", "s1", TODAY)).then_refused("no_access")
        given(GUARDIAN, *shut).when(ActivateJustification("g1", "s1", TODAY)).then_refused("no_access")

    def test_survives_from_year_to_year_and_no_system_undoes_it(self) -> None:
        given(GUARDIAN, linked(), self.active).when(said_again(justifies_online=False)).then_nothing()
        given(GUARDIAN, linked(), self.active, self.over).when(said_again()).then_nothing()

    def test_ended_or_refused_with_a_reason(self) -> None:
        ends = EndJustification("g1", "s1", "non più")
        given(GUARDIAN, linked(), self.active).when(ends).then(self.over)
        given(GUARDIAN, linked(), self.requested).when(ends).then(self.over)
        given(GUARDIAN, linked()).when(ends).then_nothing()
        given(GUARDIAN, linked(), self.active).when(EndJustification("g1", "s1", "")).then_refused(
            "reason_missing"
        )


@pytest.mark.requirement("M1", part="two records of one guardian")
class TestMerge:
    other: tuple[Event, ...] = (
        linked("s2", "g2", external_id="10", email=None, phone="06 123"),
        restricted(student="s2", guardian="g2"),
    )

    def take_over(self, *other: Event) -> TakeOver:
        return TakeOver("g1", GUARDIAN.fold(other or self.other), "stessa persona", TODAY)

    def test_children_ids_and_what_was_missing_move(self) -> None:
        given(GUARDIAN, linked()).when(self.take_over()).then(
            GuardianDetailsCorrected(
                guardian="g1", details=Personal[GuardianDetails](person="g1", value=details(phone="06 123"))
            ),
            linked("s2", phone="06 123"),
            GuardianshipRestricted(
                guardian="g1",
                student="s2",
                on=TODAY,
                ground=RestrictionGround.other,
                note=note("stessa persona"),
            ),
            PersonIdentified.model_validate(
                {
                    "person": "g1",
                    "kind": "guardian",
                    "identifier": {"person": "g1", "value": {"source": "sec", "external_id": "10"}},
                }
            ),
        )

    def test_of_two_rights_to_one_child_the_narrower_holds(self) -> None:
        other = linked("s1", "g2", data_access=False)
        given(GUARDIAN, linked()).when(self.take_over(other)).then(
            GuardianshipCorrected(
                guardian="g1",
                student="s1",
                relationship=Relationship.father,
                data_access=False,
                justifies_online=False,
            )
        )

    def test_what_was_ended_stays_ended(self) -> None:
        events = GUARDIAN.decide(
            GUARDIAN.fold([linked()]), self.take_over(linked("s2", "g2"), ended(guardian="g2", student="s2"))
        )
        link = GUARDIAN.fold([linked(), *events]).children["s2"]
        assert link.ended_on == TODAY
        assert not link.data_access

    def test_refused(self) -> None:
        codes = {"codice_fiscale": "RSSMRA85T10A562S"}, {"codice_fiscale": "VRDGLI80A01H501U"}
        contradicting = self.take_over(linked("s2", "g2", **codes[1]))
        given(GUARDIAN, linked(**codes[0])).when(contradicting).then_refused("another_person")
        disagreeing = self.take_over(linked("s1", "g2"), ended(guardian="g2"))
        given(GUARDIAN, linked()).when(disagreeing).then_refused("links_disagree")
        given(GUARDIAN, linked()).when(TakeOver("g1", GUARDIAN.initial(), "x", TODAY)).then_refused(
            "guardian_unknown"
        )

    def test_the_second_record_is_closed(self) -> None:
        why = note("stessa persona", "g2")
        merged = GuardiansMerged(guardian="g1", merged="g2", note=why)
        over = GuardianshipEnded(guardian="g2", student="s2", on=TODAY, ground=EndGround.merged, note=why)
        command = MergeInto("g2", "g1", "stessa persona", TODAY)
        given(GUARDIAN, *self.other).when(command).then(over, merged)
        given(GUARDIAN, *self.other, over, merged).when(command).then_nothing()
        planned = ended(TOMORROW, guardian="g2", student="s2")
        given(GUARDIAN, *self.other, planned).when(command).then(over, merged)
        later = LinkChild("g2", "s3", YEAR, Relationship.father, True, None, False, details())
        given(GUARDIAN, *self.other, over, merged).when(later).then_refused("merged")


def enrolled(born: date | None = date(2008, 3, 2)) -> StudentEnrolled:
    pupil = PupilDetails(
        family_name="Verdi", given_name="Anna", birth_date=born, source="sec", external_id="1"
    )
    return StudentEnrolled(
        student="s1",
        year=YEAR,
        class_id="1A",
        kind=EnrolmentKind.continuing,
        starts=None,
        details=Personal[PupilDetails](person="s1", value=pupil),
    )


@pytest.mark.requirement("E8", part="the mailbox is there")
def test_a_mailbox_is_activated_once_and_another_replaces_it() -> None:
    def active(address: str) -> InstitutionalMailboxActivated:
        mailbox = Personal[ContactAddress](person="s1", value=ContactAddress(email=address))
        return InstitutionalMailboxActivated(student="s1", mailbox=mailbox)

    given(STUDENT, enrolled()).when(ActivateMailbox("s1", "a@s.it")).then(active("a@s.it"))
    given(STUDENT, enrolled(), active("a@s.it")).when(ActivateMailbox("s1", "a@s.it")).then_nothing()
    given(STUDENT, enrolled(), active("a@s.it")).when(ActivateMailbox("s1", "b@s.it")).then(active("b@s.it"))
    given(STUDENT).when(ActivateMailbox("s1", "a@s.it")).then_refused("pupil_unknown")


@pytest.mark.requirement("M4", part="the pupil's consent")
def test_a_pupil_of_age_decides_what_a_parent_sees() -> None:
    yes = ParentalAccessConsented(student="s1", guardian="g1", consents=True)
    no = ParentalAccessConsented(student="s1", guardian="g1", consents=False)
    given(STUDENT, enrolled()).when(ConsentToParent("s1", "g1", True, TODAY)).then(yes)
    given(STUDENT, enrolled(), yes).when(ConsentToParent("s1", "g1", True, TODAY)).then_nothing()
    given(STUDENT, enrolled(), yes).when(ConsentToParent("s1", "g1", False, TODAY)).then(no)
    day_before = ConsentToParent("s1", "g1", True, YESTERDAY)
    given(STUDENT, enrolled()).when(day_before).then_refused("under_age")
    given(STUDENT, enrolled(None)).when(ConsentToParent("s1", "g1", True, TODAY)).then_refused("under_age")


@pytest.mark.parametrize(
    ("standing", "policy", "expected"),
    [
        (Standing(), PAPER, None),
        (Standing(), None, None),
        (Standing(linked=False), PAPER, Closed.not_linked),
        (Standing(data_access=False), PAPER, Closed.no_data_access),
        (Standing(restricted_on=TODAY), PAPER, Closed.restricted),
        (Standing(restricted_on=TOMORROW), PAPER, None),
        (Standing(ended_on=TODAY, reported=True), PAPER, Closed.ended),
        (Standing(ended_on=TOMORROW), PAPER, None),
        (Standing(reported=True), PAPER, Closed.reported),
        (Standing(birth_date=date(2008, 3, 2)), BY_CONSENT, Closed.consent_missing),
        (Standing(birth_date=date(2008, 3, 2), consents=False), BY_CONSENT, Closed.consent_missing),
        (Standing(birth_date=date(2008, 3, 2), consents=True), BY_CONSENT, None),
        (Standing(birth_date=date(2008, 3, 3)), BY_CONSENT, None),
        (Standing(birth_date=date(2008, 3, 2)), PAPER, None),
        (Standing(birth_date=None), BY_CONSENT, None),
    ],
)
def test_what_a_guardian_may_see_on_a_day(
    standing: Standing, policy: CredentialPolicy | None, expected: Closed | None
) -> None:
    assert closed(standing, policy, TODAY) is expected
    assert may_justify(standing._replace(justifies_online=True), policy, TODAY) is (expected is None)
    assert not may_justify(standing._replace(justifies_online=False), policy, TODAY)


@pytest.mark.requirement("P8", part="never of a pupil under age")
def test_no_policy_lets_a_pupil_under_age_justify() -> None:
    for policy in (PAPER, EMAIL):
        assert not pupil_may_justify(date(2008, 3, 3), policy, TODAY)
        assert not pupil_may_justify(None, policy, TODAY)
        assert pupil_may_justify(date(2008, 3, 2), policy, TODAY)
    alone = PAPER.model_copy(update={"pupils_of_age_justify_alone": False})
    assert not pupil_may_justify(date(2000, 1, 1), alone, TODAY)
    assert not of_age(date(2008, 2, 29), date(2026, 2, 28))
    assert of_age(date(2008, 2, 29), date(2026, 3, 1))


class TestStaff:
    contact = StaffContact(family_name="Neri", given_name="Lia", email="lia@example.org")
    appointed = StaffMemberAppointed(
        person="t1", kind=StaffKind.teacher, details=Personal[StaffContact](person="t1", value=contact)
    )
    teaches = TeacherAssigned(teacher="t1", class_id="1A")
    gone = StaffMemberLeft(person="t1")

    def test_appointed_once_and_again_after_leaving(self) -> None:
        command = Appoint("t1", StaffKind.teacher, self.contact)
        given(STAFF).when(command).then(self.appointed)
        given(STAFF, self.appointed).when(command).then_nothing()
        given(STAFF, self.appointed, self.gone).when(command).then(self.appointed)

    def test_teaches_when_appointed_or_with_an_account(self) -> None:
        given(STAFF, self.appointed).when(AssignClass("t1", "1A", False)).then(self.teaches)
        given(STAFF).when(AssignClass("t1", "1A", True)).then(self.teaches)
        given(STAFF).when(AssignClass("t1", "1A", False)).then_refused("not_appointed")
        given(STAFF, self.appointed, self.gone).when(AssignClass("t1", "1A", True)).then_refused(
            "not_appointed"
        )
        given(STAFF, self.appointed, self.teaches).when(AssignClass("t1", "1A", False)).then_nothing()

    def test_whoever_leaves_teaches_no_more(self) -> None:
        stops = TeacherUnassigned(teacher="t1", class_id="1A")
        given(STAFF, self.appointed, self.teaches).when(UnassignClass("t1", "1A")).then(stops)
        given(STAFF, self.appointed, self.teaches).when(Leave("t1")).then(stops, self.gone)
        given(STAFF, self.appointed, self.gone).when(Leave("t1")).then_nothing()
