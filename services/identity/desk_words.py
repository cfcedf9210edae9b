"""What the desk's pages of a credential say, as a secretary would: Italian message ids."""

from collections.abc import Callable, Mapping
from typing import Any

from services.identity.desk import Card, State
from shared.contracts import identity as own
from shared.contracts.event import Event
from shared.contracts.identity import AccountRole
from shared.contracts.policy import Channel
from shared.contracts.registry import IdentityCheck
from shared.web.i18n import N_, gettext

ROLES: Mapping[AccountRole, str] = {
    AccountRole.guardian: N_("Genitore o tutore"),
    AccountRole.pupil: N_("Alunno"),
    AccountRole.staff: N_("Personale"),
}
CHECKS: Mapping[IdentityCheck, str] = {
    IdentityCheck.identity_document: N_("Documento d’identità"),
    IdentityCheck.known_in_person: N_("Persona conosciuta"),
    IdentityCheck.called_back: N_("Richiamata al numero che la scuola ha"),
    IdentityCheck.delegate_with_document: N_("Delegato con delega e documento"),
}
CHANNELS: Mapping[str, str] = {
    Channel.none: N_("nessuna via"),
    Channel.slip: N_("su un tagliando, da stampare e consegnare"),
    Channel.email: N_("per e-mail, all’indirizzo dato all’iscrizione"),
    Channel.institutional_mailbox: N_("alla casella che la scuola ha dato all’alunno"),
    Channel.activation_link: N_("per e-mail, con un link di attivazione"),
}
STATES: Mapping[State, tuple[str, str, str]] = {
    State.none: ("neutral", N_("Senza credenziali"), N_("Non ha credenziali: si possono emettere.")),
    State.waiting: (
        "progress",
        N_("In attesa"),
        N_("Riceverà le credenziali appena si apre la loro via: il rilascio, la casella della scuola."),
    ),
    State.refused: ("warning", N_("Non emesse"), N_("Non sono state emesse credenziali.")),
    State.issued: (
        "progress",
        N_("Emesse, mai usate"),
        N_("Ha credenziali valide e non è ancora entrato. Si possono stampare o inviare di nuovo le stesse."),
    ),
    State.expired: (
        "warning",
        N_("Scadute"),
        N_(
            "Le credenziali ricevute sono scadute senza essere usate: si emettono di nuovo, non serve una richiesta."
        ),
    ),
    State.active: ("success", N_("Attive"), N_("Ha effettuato l’accesso e usa le sue credenziali.")),
    State.locked: (
        "warning",
        N_("Bloccate per troppi tentativi"),
        N_("Qualcuno ha provato troppe password: si entra solo dai dispositivi già usati."),
    ),
    State.suspended: (
        "danger",
        N_("Sospese"),
        N_("Con queste credenziali non si entra, finché non si riammettono."),
    ),
    State.revoked: (
        "danger",
        N_("Revocate"),
        N_("Le credenziali sono state tolte: se la persona torna, se ne emettono di nuove."),
    ),
    State.retired: (
        "neutral",
        N_("Ritirate"),
        N_("La scuola non dà più credenziali locali: si entra con SPID o CIE."),
    ),
}
BECAUSE: Mapping[str, str] = {
    "barred": N_("Per decisione della scuola."),
    "loss": N_("Perché perse, o viste da altri."),
    "withdrawn": N_("Perché non è più a scuola."),
    "other": N_("Per un altro motivo, scritto nella storia."),
    "merged": N_("Perché la persona aveva due schede: vale l’altro account."),
    "staff_left": N_("Perché non lavora più nella scuola."),
}
REFUSED: Mapping[str, str] = {
    "no_account": N_(
        "Non ne aveva dagli anni scorsi e non è una nuova iscrizione: la segreteria può emetterle."
    ),
    "role_without_credentials": N_("La regola della scuola non dà credenziali a chi ha questo ruolo."),
    "no_data_access": N_("Non può vedere i dati di nessun figlio."),
    "local_credentials_ended": N_("La scuola non dà più credenziali locali."),
}
REQUEST_STATES: Mapping[str, tuple[str, str]] = {
    "open": ("progress", N_("Da decidere")),
    "granted": ("success", N_("Accolta")),
    "denied": ("danger", N_("Respinta")),
}
ASKED_BY: Mapping[str, str] = {"holder": N_("dall’interessato, online"), "desk": N_("allo sportello")}


WITHOUT_COPY = N_(
    "Ha credenziali valide e non è ancora entrato. Quello che ha ricevuto vale ancora, ma la copia non c’è più: non si può "
    "ristampare né inviare di nuovo. Se è andato perso, servono credenziali nuove."
)


def about(card: Card) -> str:
    """The state in a sentence, with its reason."""
    kind = WITHOUT_COPY if card.state is State.issued and not card.slip else STATES[card.state][2]
    why = card.suspended if card.state is State.suspended else card.ended_because
    if card.state is State.refused and card.refused is not None:
        return f"{gettext(kind)} {gettext(REFUSED[card.refused])}"
    return f"{gettext(kind)} {gettext(BECAUSE[why])}" if why is not None else gettext(kind)


_SHREDDED: Mapping[str, str] = {
    "first_access": N_("La copia è stata distrutta: è entrato."),
    "handed_over": N_("La copia è stata distrutta: il tagliando è stato consegnato."),
    "superseded": N_("La copia è stata distrutta: ci sono credenziali più nuove."),
    "expired": N_("La password ricevuta è scaduta, e la copia è stata distrutta."),
    "revoked": N_("La copia è stata distrutta."),
}
_PLAIN: Mapping[type[Event], str] = {
    own.AccountOpened: N_("È stato aperto l’account."),
    own.SlipReturned: N_("La consegna del tagliando è stata annullata."),
    own.FirstAccessCompleted: N_("È entrato per la prima volta."),
    own.PinDisabled: N_("Il PIN è stato disattivato dopo 10 tentativi errati."),
    own.LossReported: N_("Segnalate come perse, o viste da altri."),
    own.RegenerationRequested: N_("È stata chiesta la rigenerazione."),
    own.RegenerationGranted: N_("La richiesta è stata accolta."),
    own.RegenerationDenied: N_("La richiesta è stata respinta."),
    own.CredentialsRegenerated: N_("Le vecchie credenziali non valgono più."),
    own.PupilCredentialsSeparated: N_("Separate da quelle del genitore."),
    own.AccountLocked: N_("Bloccate per troppi tentativi."),
    own.AccountUnlocked: N_("Sbloccate."),
    own.AccountReinstated: N_("Riammesse."),
    own.LocalCredentialsRetired: N_("Ritirate: la scuola non dà più credenziali locali."),
}


def _issued(e: own.CredentialsIssued) -> str:
    said = gettext(N_("Credenziali emesse (numero %(n)s), %(how)s."))
    return said % {"n": e.generation, "how": gettext(CHANNELS[e.channel])}


_TOLD: Mapping[type[Event], Callable[[Any], str]] = {
    own.CredentialsIssued: _issued,
    own.CredentialsKept: lambda e: gettext(N_("Conserva le credenziali per il %(year)s.")) % {"year": e.year},
    own.IssuanceRefused: lambda e: gettext(REFUSED[e.reason]),
    own.SlipShredded: lambda e: gettext(_SHREDDED[e.because]),
    own.PasswordChanged: lambda e: gettext(
        N_("Ha scelto la sua password.") if e.first else N_("Ha cambiato la password.")
    ),
    own.PinChanged: lambda e: gettext(N_("Ha scelto il PIN.") if e.first else N_("Ha cambiato il PIN.")),
    own.AccountSuspended: lambda e: gettext(N_("Sospese.")) + " " + gettext(BECAUSE[e.because]),
    own.AccountRevoked: lambda e: gettext(N_("Revocate.")) + " " + gettext(BECAUSE[e.because]),
}


def told(event: Event) -> str | None:
    """What happened, in a sentence; None: nothing that the desk would ask about."""
    if (teller := _TOLD.get(type(event))) is not None:
        return teller(event)
    plain = _PLAIN.get(type(event))
    return gettext(plain) if plain is not None else None


def note_of(event: Event) -> str | None:
    """What somebody wrote when it happened; None of those who were erased."""
    for name in ("motivation", "reason", "note"):
        written = getattr(event, name, None)
        value = getattr(written, "value", None)
        if value is not None and hasattr(value, "text"):
            return str(value.text)
    return None
