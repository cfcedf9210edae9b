"""Words for circulars, messages and a school's own texts (N_: marked here, translated where they are shown)."""

from collections.abc import Mapping
from typing import Final

from services.notifications.domain.school_texts import Template
from services.notifications.labels_family import AUDIENCES
from shared.contracts.notifications import Audience
from shared.web.i18n import N_

__all__ = [
    "AUDIENCES",
    "AUDIENCE_HINTS",
    "LETTERHEAD_FAULTS",
    "NOTICES",
    "TEMPLATES",
    "TEMPLATE_HINTS",
    "WORD_FAULTS",
]

AUDIENCE_HINTS: Final[Mapping[Audience, str]] = {
    Audience.guardians: N_("All’indirizzo e-mail di ciascun genitore o tutore."),
    Audience.pupils: N_("Alla casella istituzionale, quando è attiva."),
    Audience.teachers: N_("All’indirizzo indicato negli incarichi; la dirigente o il dirigente compreso."),
    Audience.ata: N_("All’indirizzo indicato negli incarichi; la segreteria compresa."),
    Audience.public: N_("Nella pagina pubblica della scuola: la legge chiunque, senza accedere."),
}
NOTICES: Final[Mapping[str, str]] = {
    "requested": N_("in attesa"),
    "attempting": N_("in attesa"),
    "deferred": N_("si riprova"),
    "accepted": N_("inviato"),
    "failed": N_("non inviato"),
    "bounced": N_("tornato indietro"),
}
TEMPLATES: Final[Mapping[Template, str]] = {
    Template.credentials: N_("Credenziali"),
    Template.reminder: N_("Promemoria"),
    Template.circular: N_("Circolare"),
}
TEMPLATE_HINTS: Final[Mapping[Template, str]] = {
    Template.credentials: N_("Il messaggio con codice utente e password iniziale."),
    Template.reminder: N_("A chi ha ricevuto le credenziali e non è mai entrato."),
    Template.circular: N_("L’avviso che una circolare è stata pubblicata."),
}
WORD_FAULTS: Final[Mapping[str, str]] = {
    "empty": N_("Scriva un testo, oppure lasci vuoto per usare quello predefinito."),
    "too_long": N_("Il testo è troppo lungo."),
    "unreadable": N_("Contiene caratteri che non si leggono: li cancelli e li riscriva."),
    "unknown_placeholder": N_(
        "Tra parentesi graffe possono stare solo {nome}, {scuola} e {indirizzo}: corregga le altre."
    ),
}
LETTERHEAD_FAULTS: Final[Mapping[str, str]] = {
    "empty": N_("Scriva almeno una riga: di solito il nome della scuola."),
    "too_many_lines": N_("Al massimo sei righe."),
    "bad_line": N_(
        "Una riga è troppo lunga (120 caratteri al massimo) o contiene caratteri che non si leggono."
    ),
}
