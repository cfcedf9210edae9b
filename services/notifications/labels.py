"""What states, steps and problems are called, in the words of a school office. Italian is the message id."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from services.notifications.domain.states import State
from services.notifications.operations import WhyNot
from shared.contracts.notifications import (
    AlertKind,
    DeliveryProblem,
    HandedTo,
    HandOverBy,
    PrintingReason,
    ResendingReason,
)
from shared.contracts.registry import Relationship
from shared.web.i18n import N_


class Label(NamedTuple):
    """`kind` is a badge's; the word says it without the colour. `meaning` explains it in a sentence."""

    word: str
    kind: str
    meaning: str


STATES: Final[Mapping[State, Label]] = {
    State.to_decide: Label(
        N_("Da decidere"), "warning", N_("È stata chiesta la rigenerazione: qualcuno deve decidere.")
    ),
    State.not_issued: Label(
        N_("Non emessa"), "warning", N_("Non risulta un accesso dagli anni scorsi: si può emettere.")
    ),
    State.waiting: Label(
        N_("In attesa"),
        "neutral",
        N_("Si emette appena la scuola apre le consegne, o appena è attiva la casella dell’alunno."),
    ),
    State.to_print: Label(N_("Da stampare"), "warning", N_("Il tagliando è pronto e va stampato.")),
    State.printed: Label(N_("Stampata"), "progress", N_("Il tagliando è stampato e va consegnato.")),
    State.handed_over: Label(
        N_("Consegnata"), "progress", N_("Il tagliando è stato consegnato; manca il primo accesso.")
    ),
    State.queued: Label(N_("In attesa di invio"), "progress", N_("L’e-mail parte tra poco.")),
    State.sending: Label(N_("Invio in corso"), "progress", N_("L’e-mail è in partenza.")),
    State.sent: Label(
        N_("Inviata"),
        "progress",
        N_("Il server di posta ha preso in carico l’e-mail; manca il primo accesso."),
    ),
    State.deferred: Label(
        N_("Rimandata"), "warning", N_("Il server di posta chiede di riprovare: lo facciamo da soli.")
    ),
    State.bounced: Label(
        N_("Tornata indietro"),
        "danger",
        N_("L’e-mail era stata presa in carico, poi è tornata indietro: non è arrivata."),
    ),
    State.undelivered: Label(
        N_("Non recapitata"), "danger", N_("L’e-mail è stata respinta e non sarà più tentata.")
    ),
    State.no_address: Label(
        N_("Senza indirizzo"), "danger", N_("All’iscrizione non è stato dato un indirizzo e-mail.")
    ),
    State.expired: Label(
        N_("Scaduta"), "warning", N_("La password iniziale è scaduta prima del primo accesso.")
    ),
    State.locked: Label(
        N_("Bloccata"),
        "danger",
        N_(
            "Troppi tentativi da dispositivi sconosciuti: entra solo da quelli già usati, finché non si sblocca."
        ),
    ),
    State.suspended: Label(
        N_("Sospesa"),
        "warning",
        N_("Con queste credenziali non si entra, finché non sono riattivate o rigenerate."),
    ),
    State.activated: Label(N_("Attivata"), "success", N_("Il titolare è entrato almeno una volta.")),
    State.revoked: Label(
        N_("Revocata"),
        "neutral",
        N_("L’accesso è stato chiuso: chi torna a scuola riceve credenziali nuove."),
    ),
    State.retired: Label(
        N_("Ritirata"), "neutral", N_("La scuola non usa più credenziali proprie: si entra con SPID o CIE.")
    ),
    State.not_foreseen: Label(
        N_("Non prevista"), "neutral", N_("Per questa persona la scuola non prevede credenziali.")
    ),
    State.no_data_access: Label(
        N_("Senza accesso ai dati"),
        "neutral",
        N_(
            "Alla scuola risulta che questa persona non può vedere i dati di questi alunni: non si stampa e non si invia "
            "nulla."
        ),
    ),
}
"""In the order in which the desk wants to see them: first what it has to do something about."""

PROBLEMS: Final[Mapping[DeliveryProblem, str]] = {
    DeliveryProblem.no_address: N_("Nessun indirizzo e-mail dato all’iscrizione"),
    DeliveryProblem.address_invalid: N_("L’indirizzo dato all’iscrizione non è un indirizzo e-mail"),
    DeliveryProblem.channel_unavailable: N_("Il canale previsto dalla scuola non è disponibile"),
    DeliveryProblem.other_channel_forbidden: N_("La scuola non ammette altri canali"),
    DeliveryProblem.no_longer_available: N_("La password iniziale non è più disponibile"),
    DeliveryProblem.mailbox_unknown: N_("La casella non esiste"),
    DeliveryProblem.mailbox_full: N_("La casella è piena"),
    DeliveryProblem.rejected: N_("Il server di posta ha rifiutato il messaggio"),
    DeliveryProblem.server_busy: N_("Il server di posta chiede di riprovare più tardi"),
    DeliveryProblem.not_reached: N_("Il server di posta non ha risposto"),
    DeliveryProblem.gave_up: N_("Troppi tentativi senza esito"),
}

REASONS: Final[Mapping[PrintingReason, str]] = {
    PrintingReason.first_printing: N_("Prima stampa"),
    PrintingReason.lost: N_("Tagliando smarrito"),
    PrintingReason.unreadable: N_("Tagliando rovinato o illeggibile"),
    PrintingReason.printer_fault: N_("Stampa non riuscita"),
    PrintingReason.not_collected: N_("Tagliando non ritirato"),
    PrintingReason.other: N_("Altro motivo"),
}

RESENDING: Final[Mapping[ResendingReason, str]] = {
    ResendingReason.not_received: N_("Non risulta ricevuta"),
    ResendingReason.deleted: N_("Cancellata per errore da chi l’ha ricevuta"),
    ResendingReason.address_corrected: N_("Indirizzo corretto"),
    ResendingReason.other: N_("Altro motivo"),
}

WHY_NOT: Final[Mapping[WhyNot, str]] = {
    WhyNot.by_mail_only: N_("la scuola invia queste credenziali solo per e-mail"),
    WhyNot.by_mail: N_("queste credenziali vanno per e-mail"),
    WhyNot.nothing_to_print: N_("non c’è un tagliando da stampare"),
    WhyNot.ended: N_("la password iniziale è già stata usata, sostituita o è scaduta"),
    WhyNot.asked_too_often: N_("il tagliando è stato richiesto troppe volte"),
    WhyNot.key_missing: N_("la password iniziale non si può aprire con le chiavi di questa installazione"),
    WhyNot.not_printable: N_("mancano dati per comporre il tagliando"),
    WhyNot.handed_over: N_("il tagliando è già stato consegnato: la sua copia non esiste più"),
    WhyNot.no_data_access: N_("questa persona non può vedere i dati dell’alunno"),
}

RELATIONSHIPS: Final[Mapping[str, str]] = {
    Relationship.father.value: N_("Padre"),
    Relationship.mother.value: N_("Madre"),
    Relationship.legal_guardian.value: N_("Tutore"),
    Relationship.foster.value: N_("Affidatario"),
    Relationship.grandfather.value: N_("Nonno"),
    Relationship.grandmother.value: N_("Nonna"),
    Relationship.uncle.value: N_("Zio"),
    Relationship.aunt.value: N_("Zia"),
    Relationship.brother.value: N_("Fratello"),
    Relationship.sister.value: N_("Sorella"),
    Relationship.other.value: N_("Altro familiare"),
}

CHANNELS: Final[Mapping[str, str]] = {
    "none": N_("Nessuno"),
    "slip": N_("Tagliando"),
    "email": N_("E-mail"),
    "institutional_mailbox": N_("Casella istituzionale"),
    "activation_link": N_("Link di attivazione"),
}

STATUSES: Final[Mapping[str, Label]] = {
    "requested": Label(N_("Da consegnare"), "progress", ""),
    "attempting": Label(N_("Invio in corso"), "progress", ""),
    "deferred": Label(N_("Rimandata"), "warning", ""),
    "accepted": Label(N_("Inviata"), "success", ""),
    "bounced": Label(N_("Tornata indietro"), "danger", ""),
    "failed": Label(N_("Non recapitata"), "danger", ""),
    "refused": Label(N_("Non effettuata"), "danger", ""),
    "printed": Label(N_("Stampata"), "progress", ""),
    "handed_over": Label(N_("Consegnata"), "success", ""),
    "superseded": Label(
        N_("Annullata"), "neutral", N_("Le credenziali sono state usate o sostituite prima.")
    ),
}
"""A delivery's own status, where a holder's state is not meant."""

HANDED_TO: Final[Mapping[HandedTo, str]] = {
    HandedTo.holder: N_("all’intestatario"),
    HandedTo.pupil: N_("all’alunno, brevi manu"),
    HandedTo.guardian: N_("a un genitore o tutore"),
    HandedTo.delegate: N_("a un delegato"),
}

HANDED_BY: Final[Mapping[HandOverBy, str]] = {
    HandOverBy.scan: N_("con il codice QR del foglio"),
    HandOverBy.tick: N_("segnando il nome"),
    HandOverBy.list: N_("dall’elenco firmato"),
}


class AlertLabel(NamedTuple):
    """`meaning`: what happened; `remedy`: what to do about it."""

    title: str
    meaning: str
    remedy: str


ALERTS: Final[Mapping[AlertKind, AlertLabel]] = {
    AlertKind.access_before_hand_over: AlertLabel(
        N_("Primo accesso prima della consegna"),
        N_(
            "Qualcuno è entrato con il foglio di un genitore che non risulta consegnato: la consegna non è stata "
            "registrata, oppure il foglio è stato aperto da altri, forse dall’alunno."
        ),
        N_(
            "Chieda al genitore se è entrato lui. Se sì, registri la consegna; se no, sospenda le credenziali e ne "
            "emetta di nuove."
        ),
    ),
    AlertKind.claims_over_limit: AlertLabel(
        N_("Password iniziale richiesta troppe volte"),
        N_("La stessa password iniziale è stata stampata o inviata più di cinque volte."),
        N_(
            "Guardi nella scheda chi l’ha ristampata o rispedita e perché. Se non è spiegabile, annulli le credenziali "
            "e ne emetta di nuove."
        ),
    ),
    AlertKind.campaign_bounces: AlertLabel(
        N_("Molte e-mail tornano indietro"),
        N_(
            "Più del cinque per cento delle e-mail di una campagna è tornato indietro: forse gli indirizzi importati sono sbagliati."
        ),
        N_(
            "Metta in pausa la campagna, controlli gli indirizzi con il programma di segreteria, poi la riprenda."
        ),
    ),
}
