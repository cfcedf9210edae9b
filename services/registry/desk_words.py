"""What stands between a guardian and a child, and what was done, in the desk's words."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Final, NamedTuple

from services.registry.domain.access import Closed
from services.registry.people_queries import Relation
from shared.contracts.event import Event, Recorded
from shared.contracts.policy import CredentialPolicy
from shared.contracts.registry import (
    ContactAddressCorrected,
    EndGround,
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
    ParentalAccessConsented,
    PersonIdentified,
    RestrictionGround,
    StaffKind,
    StudentDetailsCorrected,
    StudentEnrolled,
    StudentMovedClass,
    StudentWithdrawn,
    WrongChildRejected,
    WrongChildReported,
)
from shared.dates import short_date
from shared.web.i18n import N_, gettext

RESTRICTION_GROUNDS: Final[Mapping[str, str]] = {
    RestrictionGround.court_order: N_("provvedimento del giudice"),
    RestrictionGround.parental_responsibility: N_("responsabilità genitoriale limitata o sospesa"),
    RestrictionGround.pupil_of_age: N_("richiesta dell’alunno maggiorenne"),
    RestrictionGround.other: N_("altro (lo dica nel motivo)"),
}
END_GROUNDS: Final[Mapping[str, str]] = {
    EndGround.court_order: N_("provvedimento del giudice"),
    EndGround.wrong_link: N_("non è suo figlio: legame sbagliato"),
    EndGround.other: N_("altro (lo dica nel motivo)"),
}
ENDED_BY_MERGING: Final = N_("schede unite")
IDENTITY_CHECKS: Final[Mapping[str, str]] = {
    IdentityCheck.identity_document: N_("documento d’identità mostrato allo sportello"),
    IdentityCheck.known_in_person: N_("conosciuto di persona"),
    IdentityCheck.called_back: N_("richiamato al numero già noto alla scuola"),
    IdentityCheck.delegate_with_document: N_("delegato, con delega e documento"),
}
STAFF_KINDS: Final[Mapping[str, str]] = {
    StaffKind.teacher: N_("docente"),
    StaffKind.ata: N_("ATA"),
    StaffKind.secretary: N_("segreteria"),
    StaffKind.principal: N_("dirigente scolastico"),
}
CLOSED: Final[Mapping[Closed, tuple[str, str]]] = {
    Closed.not_linked: ("neutral", N_("Non collegato")),
    Closed.ended: ("neutral", N_("Legame chiuso")),
    Closed.reported: ("warning", N_("Segnalato: «non è mio figlio»")),
    Closed.restricted: ("danger", N_("Accesso ai dati limitato")),
    Closed.no_data_access: ("danger", N_("Senza accesso ai dati")),
    Closed.consent_missing: ("warning", N_("Attende il consenso dell’alunno maggiorenne")),
}
_HISTORY: Final[Mapping[type[Event], str]] = {
    StudentEnrolled: N_("Iscritto"),
    StudentMovedClass: N_("Passato a un’altra classe"),
    StudentWithdrawn: N_("Iscrizione terminata"),
    StudentDetailsCorrected: N_("Dati anagrafici aggiornati"),
    PersonIdentified: N_("Riconosciuto anche da un altro programma della scuola"),
    GuardianLinked: N_("Collegato all’alunno"),
    GuardianshipCorrected: N_("Legame aggiornato"),
    GuardianDetailsCorrected: N_("Dati del genitore aggiornati"),
    GuardianshipRestricted: N_("Accesso ai dati limitato"),
    GuardianshipRestrictionLifted: N_("Limitazione tolta"),
    GuardianshipEnded: N_("Legame chiuso"),
    WrongChildReported: N_("Il genitore ha segnalato: «non è mio figlio»"),
    WrongChildRejected: N_("Segnalazione respinta: il legame è giusto"),
    GuardiansMerged: N_("Scheda unita a un’altra"),
    ContactAddressCorrected: N_("Indirizzo per le credenziali corretto"),
    InstitutionalMailboxActivated: N_("Casella della scuola attivata"),
    JustificationServiceRequested: N_("Giustificazione online chiesta dal genitore"),
    JustificationServiceActivated: N_("Giustificazione online attivata"),
    JustificationServiceEnded: N_("Giustificazione online tolta o non concessa"),
    ParentalAccessConsented: N_("Consenso dell’alunno maggiorenne"),
}
_BY_FAMILY: Final = (
    WrongChildReported,
    JustificationServiceRequested,
    ParentalAccessConsented,
)
_GROUNDS: Final = {**RESTRICTION_GROUNDS, **END_GROUNDS, EndGround.merged.value: ENDED_BY_MERGING}


class Told(NamedTuple):
    """One line of a person's history. `who` and `why` may be empty; `about`: the other person of the link."""

    when: datetime
    what: str
    about: str
    details: str
    why: str
    who: str


def told(recorded: Recorded[Event], actors: Mapping[str, str], names: Mapping[str, str], person: str) -> Told:
    event: Any = recorded.event
    other = next(
        (i for i in (getattr(event, "student", ""), getattr(event, "guardian", "")) if i and i != person), ""
    )
    return Told(
        recorded.time,
        gettext(_HISTORY.get(type(event), type(event).__name__)),
        names.get(other, ""),
        _details(event),
        _why(event),
        _who(recorded, actors),
    )


def _details(event: Any) -> str:
    parts = []
    if (on := getattr(event, "on", None)) is not None:
        parts.append(gettext(N_("dal %(day)s")) % {"day": short_date(on)})
    if (ground := getattr(event, "ground", None)) is not None:
        parts.append(gettext(_GROUNDS[ground.value]))
    if isinstance(event, ContactAddressCorrected):
        parts.append(gettext(IDENTITY_CHECKS[event.identity_check]))
    if isinstance(event, ParentalAccessConsented):
        parts.append(gettext(N_("dato")) if event.consents else gettext(N_("tolto")))
    return "; ".join(parts)


def _why(event: Any) -> str:
    note = getattr(event, "note", None) or (
        event.reason if isinstance(event, ContactAddressCorrected) else None
    )
    return note.value.text if note is not None and note.value is not None else ""


def _who(recorded: Recorded[Event], actors: Mapping[str, str]) -> str:
    actor = recorded.actor
    if actor in actors:
        return actors[actor]
    if isinstance(recorded.event, _BY_FAMILY):
        pupil = isinstance(recorded.event, ParentalAccessConsented)
        return gettext(N_("l’alunno")) if pupil else gettext(N_("il genitore"))
    if actor == "operator" or actor.startswith("system:command-line"):
        return gettext(N_("chi gestisce l’impianto"))
    if actor.startswith("system:"):
        return gettext(N_("un programma della scuola"))
    return gettext(N_("il personale della scuola"))


class Standing(NamedTuple):
    """How a link stands today, as a badge, and what more there is to know."""

    kind: str
    label: str
    notes: tuple[str, ...]


def standing(relation: Relation, policy: CredentialPolicy | None, on: date) -> Standing:
    why = relation.closed(policy, on)
    kind, label = ("success", gettext(N_("Vede i dati"))) if why is None else _closed(why)
    return Standing(kind, label, tuple(_notes(relation, policy, on)))


def _closed(why: Closed) -> tuple[str, str]:
    kind, label = CLOSED[why]
    return kind, gettext(label)


def _notes(relation: Relation, policy: CredentialPolicy | None, on: date) -> list[str]:
    known, notes = relation.standing, []
    if known.restricted_on is not None:
        ground = RESTRICTION_GROUNDS[relation.restriction_ground or RestrictionGround.other]
        values = {"day": short_date(known.restricted_on), "ground": gettext(ground)}
        notes.append(gettext(N_("Limitato dal %(day)s: %(ground)s.")) % values)
    if known.ended_on is not None:
        ground = _GROUNDS[relation.end_ground or EndGround.other]
        values = {"day": short_date(known.ended_on), "ground": gettext(ground)}
        notes.append(gettext(N_("Chiuso dal %(day)s: %(ground)s.")) % values)
        return notes
    if relation.may_justify(policy, on):
        notes.append(gettext(N_("Giustifica online.")))
    elif relation.service == "requested":
        notes.append(gettext(N_("Ha chiesto di giustificare online: da decidere.")))
    else:
        notes.append(gettext(N_("Non giustifica online.")))
    return notes
