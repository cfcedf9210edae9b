"""What lists of mailboxes and of staff can say, by code: Italian, English."""

from typing import Final

LISTS: Final[dict[str, tuple[str, str]]] = {
    "mailbox_address": ("Indirizzo della casella non valido.", "Not a valid mailbox address."),
    "mailbox_codice_fiscale": (
        "Il codice fiscale non è valido: la riga resta fuori.",
        "The codice fiscale is not valid: the row stays out.",
    ),
    "mailbox_suspended": (
        "La casella è sospesa e non riceve: non viene attivata.",
        "The mailbox is suspended and does not receive: it is not activated.",
    ),
    "mailbox_pupil_unknown": (
        "Nessun alunno della scuola corrisponde: servono il suo codice, il codice fiscale, oppure cognome, nome e "
        "classe come risultano qui.",
        "No pupil of the school matches: give the id, the codice fiscale, or family name, given name and class as "
        "they are known here.",
    ),
    "mailbox_pupil_ambiguous": (
        "Più alunni corrispondono a questa riga: indicare il codice dell’alunno o il codice fiscale.",
        "Several pupils match this row: give the pupil's id or codice fiscale.",
    ),
    "mailbox_left": (
        "L’alunno non è più iscritto: la casella non viene attivata.",
        "The pupil is no longer enrolled: the mailbox is not activated.",
    ),
    "mailbox_taken": (
        "L’indirizzo è già la casella di un altro alunno: le credenziali andrebbero a lui.",
        "The address is another pupil's mailbox already: the credentials would reach them.",
    ),
    "mailbox_of_guardian": (
        "L’indirizzo è quello di un genitore: le credenziali di un alunno vanno solo alla casella della scuola.",
        "The address is a guardian's: a pupil's credentials go to the school's mailbox only.",
    ),
    "mailbox_twice": (
        "Lo stesso indirizzo è indicato per più alunni: nessuna di queste righe viene presa.",
        "The same address is given for several pupils: none of these rows is taken.",
    ),
    "mailbox_two_for_one": (
        "Per questo alunno il file indica due caselle: vale la prima.",
        "The file gives this pupil two mailboxes: the first counts.",
    ),
    "staff_email": ("Indirizzo e-mail non valido.", "Not a valid e-mail address."),
    "staff_kind": (
        "Il ruolo non si riconosce: docente, ata, segreteria o dirigente.",
        "The role cannot be recognised: docente, ata, segreteria or dirigente.",
    ),
    "staff_class_unknown": (
        "La classe {name} non c’è in questo anno scolastico: la persona entra senza.",
        "There is no class {name} in this school year: the person goes in without it.",
    ),
    "staff_same_email": (
        "Lo stesso indirizzo è già di un’altra persona: la riga resta fuori.",
        "The same address is another person's already: the row stays out.",
    ),
    "staff_ambiguous": (
        "Più persone con questo nome: indicare l’e-mail con cui sono note.",
        "Several people of this name: give the e-mail that they are known by.",
    ),
    "staff_twice": (
        "La stessa persona compare due volte: vale la prima riga.",
        "The same person is there twice: the first row counts.",
    ),
}
