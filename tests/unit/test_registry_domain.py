"""What an enrolment means, decided without I/O: a line each (P2, P3, M1, M5, M6, E3)."""

from datetime import date

import pytest

from services.registry.domain.guardian import GUARDIAN, LinkChild
from services.registry.domain.people import name_key
from services.registry.domain.school import SCHOOL, AdoptPolicy, OpenYear, RegisterSchool
from services.registry.domain.school_class import SCHOOL_CLASS, FormClass, IdentifyClass
from services.registry.domain.student import STUDENT, CorrectPupil, Enrol, MoveClass, Withdraw
from shared.contracts.event import Personal
from shared.contracts.policy import EMAIL, PAPER
from shared.contracts.registry import (
    ClassFormed,
    ClassIdentified,
    CredentialPolicyAdopted,
    EndReason,
    EnrolmentKind,
    GuardianDetails,
    GuardianDetailsCorrected,
    GuardianLinked,
    GuardianshipCorrected,
    Identifier,
    PersonIdentified,
    PersonKind,
    PupilDetails,
    Relationship,
    SchoolRegistered,
    SchoolYearOpened,
    StudentDetailsCorrected,
    StudentEnrolled,
    StudentMovedClass,
    StudentWithdrawn,
)
from shared.testing.bdd import given

YEAR, NEXT = "2025/2026", "2026/2027"
FIRST, NEW, CONTINUING = (
    EnrolmentKind.first_year,
    EnrolmentKind.new_to_the_school,
    EnrolmentKind.continuing,
)


def details(**changes: object) -> PupilDetails:
    usual = {
        "family_name": "Verdi",
        "given_name": "Anna",
        "birth_date": date(2014, 2, 3),
        "source": "sec",
        "external_id": "1",
    }
    return PupilDetails.model_validate(usual | changes)


def enrol(
    year: str = YEAR,
    class_id: str = "1A",
    kind: EnrolmentKind | None = None,
    entry: bool = True,
    **changes: object,
) -> Enrol:
    return Enrol("s", year, class_id, kind, entry, None, details(**changes))


def enrolled(
    year: str = YEAR, class_id: str = "1A", kind: EnrolmentKind = FIRST, **changes: object
) -> StudentEnrolled:
    personal: Personal[PupilDetails] = Personal(person="s", value=details(**changes))
    return StudentEnrolled(
        student="s", year=year, class_id=class_id, kind=kind, starts=None, details=personal
    )


def corrected(**changes: object) -> StudentDetailsCorrected:
    return StudentDetailsCorrected(student="s", details=Personal(person="s", value=details(**changes)))


def identified(source: str = "register", external_id: str = "77") -> PersonIdentified:
    value = Identifier(source=source, external_id=external_id)
    return PersonIdentified(person="s", kind=PersonKind.pupil, identifier=Personal(person="s", value=value))


def withdrawn(year: str = YEAR) -> StudentWithdrawn:
    return StudentWithdrawn(student="s", year=year, on=None, reason=EndReason.transfer)


class TestPupil:
    def test_entry_grade_is_a_first_year(self) -> None:
        given(STUDENT).when(enrol()).then(enrolled())

    def test_any_other_grade_is_new_to_the_school(self) -> None:
        given(STUDENT).when(enrol(entry=False)).then(enrolled(kind=NEW))

    def test_what_the_system_says_of_an_unknown_pupil_holds(self) -> None:
        given(STUDENT).when(enrol(kind=CONTINUING)).then(enrolled(kind=CONTINUING))

    def test_known_in_an_earlier_year_is_continuing(self) -> None:
        given(STUDENT, enrolled()).when(enrol(NEXT, "2A", entry=False)).then(enrolled(NEXT, "2A", CONTINUING))

    @pytest.mark.requirement("M6", part="the repeater of a first class")
    def test_a_repeater_of_a_first_class_is_continuing_whatever_the_file_says(self) -> None:
        given(STUDENT, enrolled()).when(enrol(NEXT, "1B", FIRST)).then(enrolled(NEXT, "1B", CONTINUING))

    def test_the_same_again_is_nothing(self) -> None:
        given(STUDENT, enrolled()).when(enrol()).then_nothing()

    def test_another_class_in_the_same_year_is_a_move(self) -> None:
        moved = StudentMovedClass(student="s", year=YEAR, from_class="1A", to_class="1B")
        given(STUDENT, enrolled()).when(enrol(class_id="1B")).then(moved)

    def test_a_correction_by_the_same_system(self) -> None:
        given(STUDENT, enrolled()).when(enrol(given_name="Annamaria")).then(corrected(given_name="Annamaria"))

    def test_what_is_not_said_is_not_taken_away(self) -> None:
        given(STUDENT, enrolled()).when(enrol(birth_date=None)).then_nothing()

    def test_another_system_adds_its_id_and_fills_gaps_only(self) -> None:
        said = enrol(given_name="ANNA", birth_date=date(2014, 3, 2), source="register", external_id="77")
        given(STUDENT, enrolled(codice_fiscale="X")).when(said).then(identified())
        filling = enrol(institutional_email="anna@scuola.it", source="register", external_id="77")
        given(STUDENT, enrolled()).when(filling).then(
            identified(), corrected(institutional_email="anna@scuola.it")
        )

    def test_another_system_said_twice_is_nothing(self) -> None:
        given(STUDENT, enrolled(), identified()).when(
            enrol(source="register", external_id="77")
        ).then_nothing()

    def test_who_enrols_for_a_new_year_describes_from_then_on(self) -> None:
        given(STUDENT, enrolled()).when(
            enrol(NEXT, "2A", given_name="Annamaria", birth_date=None, source="register", external_id="77")
        ).then(enrolled(NEXT, "2A", CONTINUING, given_name="Annamaria", source="register", external_id="77"))

    def test_an_id_that_is_somebody_elses_now_is_refused(self) -> None:
        said = enrol(family_name="Neri", given_name="Ugo", birth_date=date(2013, 1, 1))
        given(STUDENT, enrolled()).when(said).then_refused("another_person")

    def test_a_married_name_is_a_correction(self) -> None:
        given(STUDENT, enrolled()).when(enrol(family_name="Neri")).then(corrected(family_name="Neri"))

    def test_an_earlier_year_is_refused_unless_known(self) -> None:
        given(STUDENT, enrolled(NEXT)).when(enrol(YEAR)).then_refused("year_is_past")
        given(STUDENT, enrolled(YEAR), enrolled(NEXT)).when(enrol(YEAR, "1B")).then_nothing()

    @pytest.mark.requirement("M5", part="withdrawal, and return")
    def test_leaving_once_and_coming_back(self) -> None:
        leave = Withdraw("s", YEAR, None, EndReason.transfer)
        given(STUDENT, enrolled()).when(leave, leave).then(withdrawn())
        given(STUDENT, enrolled(), withdrawn()).when(enrol()).then(enrolled())
        given(STUDENT).when(leave).then_refused("not_enrolled")

    def test_moving_needs_an_enrolment(self) -> None:
        given(STUDENT, enrolled(), withdrawn()).when(MoveClass("s", YEAR, "1B")).then_refused("not_enrolled")
        given(STUDENT, enrolled()).when(MoveClass("s", YEAR, "1A")).then_nothing()

    def test_correcting_an_unknown_pupil_is_refused(self) -> None:
        given(STUDENT).when(CorrectPupil("s", details())).then_refused("pupil_unknown")

    def test_the_erased_are_not_enrolled_again_under_their_old_id(self) -> None:
        gone = enrolled().model_copy(update={"details": Personal[PupilDetails](person="s", value=None)})
        given(STUDENT, gone).when(enrol(NEXT)).then_refused("erased")


def person(**changes: object) -> GuardianDetails:
    usual = {
        "family_name": "Verdi",
        "given_name": "Carla",
        "email": "carla@example.org",
        "source": "sec",
        "external_id": "9",
    }
    return GuardianDetails.model_validate(usual | changes)


def link(
    student: str = "s",
    access: bool | None = None,
    justifies: bool | None = None,
    usually: bool = False,
    relationship: Relationship = Relationship.mother,
    **changes: object,
) -> LinkChild:
    return LinkChild("g", student, YEAR, relationship, access, justifies, usually, person(**changes))


def linked(
    student: str = "s", access: bool = True, justifies: bool = False, **changes: object
) -> GuardianLinked:
    return GuardianLinked(
        guardian="g",
        student=student,
        year=YEAR,
        relationship=Relationship.mother,
        data_access=access,
        justifies_online=justifies,
        details=Personal(person="g", value=person(**changes)),
    )


def changed(access: bool = True, justifies: bool = False) -> GuardianshipCorrected:
    return GuardianshipCorrected(
        guardian="g",
        student="s",
        relationship=Relationship.mother,
        data_access=access,
        justifies_online=justifies,
    )


class TestGuardian:
    def test_the_policy_decides_what_the_file_leaves_open(self) -> None:
        given(GUARDIAN).when(link()).then(linked())
        given(GUARDIAN).when(link(usually=True)).then(linked(justifies=True))
        given(GUARDIAN).when(link(access=False, justifies=False, usually=True)).then(linked(access=False))

    @pytest.mark.requirement("M1", part="a second child is a second guardianship")
    def test_a_second_child_is_a_second_link_of_the_same_guardian(self) -> None:
        given(GUARDIAN, linked()).when(link("t")).then(linked("t"))

    def test_the_same_again_is_nothing_also_when_the_policy_changed(self) -> None:
        given(GUARDIAN, linked()).when(link(usually=True)).then_nothing()

    def test_rights_change_only_when_said(self) -> None:
        given(GUARDIAN, linked()).when(link(access=False)).then(changed(access=False))
        given(GUARDIAN, linked(justifies=True)).when(link()).then_nothing()

    def test_an_unknown_relationship_does_not_unlearn_the_known_one(self) -> None:
        given(GUARDIAN, linked()).when(link(relationship=Relationship.other)).then_nothing()

    @pytest.mark.requirement("E3", part="an import never replaces an address")
    def test_the_address_is_the_first_one_given(self) -> None:
        given(GUARDIAN, linked()).when(link(email="altra@example.org")).then_nothing()
        given(GUARDIAN, linked()).when(link("t", email="altra@example.org")).then(linked("t"))

    def test_an_address_fills_a_gap(self) -> None:
        filled = GuardianDetailsCorrected(guardian="g", details=Personal(person="g", value=person()))
        given(GUARDIAN, linked(email=None)).when(link()).then(filled)

    def test_an_id_that_is_somebody_elses_now_is_refused(self) -> None:
        said = link(family_name="Neri", given_name="Ugo", codice_fiscale="B")
        given(GUARDIAN, linked(codice_fiscale="A")).when(said).then_refused("another_person")


class TestSchool:
    registered = SchoolRegistered(school="RMIC8AB00X", name="IC Verdi", customer_id="verdi")

    def test_registering_twice_is_nothing_and_otherwise_refused(self) -> None:
        command = RegisterSchool("RMIC8AB00X", "IC Verdi", "verdi")
        given(SCHOOL).when(command, command).then(self.registered)
        other = RegisterSchool("RMIC8AB00X", "IC Rossi", "verdi")
        given(SCHOOL, self.registered).when(other).then_refused("school_already_registered")

    def test_a_policy_is_adopted_with_a_reason(self) -> None:
        adopted = CredentialPolicyAdopted(school="RMIC8AB00X", policy=PAPER, reason="circolare 12")
        today = date(2026, 9, 1)
        given(SCHOOL, self.registered).when(AdoptPolicy(PAPER, " circolare 12 ", today)).then(adopted)
        given(SCHOOL, self.registered, adopted).when(AdoptPolicy(PAPER, "again", today)).then_nothing()
        given(SCHOOL, self.registered).when(AdoptPolicy(EMAIL, " ", today)).then_refused("reason_missing")
        given(SCHOOL).when(AdoptPolicy(PAPER, "x", today)).then_refused("school_unknown")

    def test_a_year_is_opened_once(self) -> None:
        command = OpenYear(YEAR, date(2025, 9, 1), date(2026, 8, 31))
        opened = SchoolYearOpened(
            school="RMIC8AB00X", year=YEAR, starts=date(2025, 9, 1), ends=date(2026, 8, 31)
        )
        given(SCHOOL, self.registered).when(command, command).then(opened)
        backwards = OpenYear(YEAR, date(2026, 9, 1), date(2025, 8, 31))
        given(SCHOOL, self.registered).when(backwards).then_refused("dates_reversed")


class TestClass:
    formed = ClassFormed(
        class_id="c",
        year=YEAR,
        title="1A",
        grade=1,
        section="A",
        curriculum=None,
        source="sec",
        external_id="1A",
    )

    def test_formed_once_and_known_under_several_ids(self) -> None:
        form = FormClass("c", YEAR, "1A", 1, "A", None, "sec", "1A")
        identify = IdentifyClass("register", "k1")
        known = ClassIdentified(class_id="c", year=YEAR, source="register", external_id="k1")
        given(SCHOOL_CLASS).when(form, form).then(self.formed)
        given(SCHOOL_CLASS, self.formed).when(identify, identify).then(known)
        given(SCHOOL_CLASS, self.formed).when(IdentifyClass("sec", "1A")).then_nothing()
        given(SCHOOL_CLASS).when(identify).then_refused("class_unknown")


@pytest.mark.parametrize("spelt", ["D'Angelò Zoë", "D’ANGELO  ZOE", "dangelo zoe"])
def test_names_are_compared_without_accents_signs_and_case(spelt: str) -> None:
    family, given_name = spelt.split()
    assert name_key(family, given_name) == "dangelozoe"
