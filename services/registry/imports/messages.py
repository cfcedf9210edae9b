"""Every sentence an import can say, in Italian and in English, by code. Italian first: the desk reads it."""

from typing import Final

from services.registry.imports.messages_files import FILE, ROWS
from services.registry.imports.messages_people import LISTS

# code: (Italian, English)
CELLS: Final[dict[str, tuple[str, str]]] = {
    "missing": ("Manca un valore obbligatorio.", "A required value is missing."),
    "overlong": (
        "Il valore è troppo lungo (massimo {limit} caratteri).",
        "The value is too long ({limit} characters at most).",
    ),
    "control_character": (
        "Il valore contiene un carattere di controllo ({point}).",
        "The value holds a control character ({point}).",
    ),
    "bidi_override": (
        "Il valore contiene un comando che rovescia la direzione del testo ({point}).",
        "The value holds a character that overrides the direction of text ({point}).",
    ),
    "lone_surrogate": (
        "Il valore contiene mezzo carattere (surrogato isolato).",
        "The value holds half a character (a lone surrogate).",
    ),
    "damaged_character": (
        "Il valore contiene un carattere già perso prima dell'esportazione ({point}).",
        "The value holds a character that was lost before the export ({point}).",
    ),
    "unusable_character": (
        "Il valore contiene un carattere che qui non può stare ({point}).",
        "The value holds a character that cannot be here ({point}).",
    ),
    "invisible_removed": (
        "Tolti caratteri invisibili ({point}).",
        "Invisible characters were removed ({point}).",
    ),
    "formula": (
        "Il valore comincia come una formula di foglio di calcolo.",
        "The value starts like a spreadsheet formula.",
    ),
    "date_format": (
        "La data non è scritta come 2012-02-04, 04/02/2012 o 4/2/2012.",
        "The date is not written as 2012-02-04, 04/02/2012 or 4/2/2012.",
    ),
    "date_impossible": ("Questa data non esiste.", "This date does not exist."),
    "date_range": (
        "La data è fuori da ogni limite ragionevole.",
        "The date is out of any reasonable range.",
    ),
    "dates_reversed": ("La data di fine precede quella di inizio.", "The end date precedes the start date."),
    "school_year": (
        "L'anno scolastico non è scritto come 2026/2027.",
        "The school year is not written as 2026/2027.",
    ),
    "grade": (
        "L'anno di corso non si riconosce.",
        "The grade cannot be recognised.",
    ),
    "email": (
        "Indirizzo e-mail non valido: la persona entra senza indirizzo.",
        "Not a valid e-mail address: the person goes in without one.",
    ),
    "phone": (
        "Numero di telefono non valido: la persona entra senza telefono.",
        "Not a valid phone number: the person goes in without one.",
    ),
    "language": (
        "Lingua non riconosciuta: la persona entra senza lingua.",
        "Unknown language: the person goes in without one.",
    ),
    "yes_no": ("Si attende «si» o «no».", "'si' or 'no' is expected."),
    "not_listed": ("Valore non previsto. Ammessi: {allowed}.", "Unexpected value. Allowed: {allowed}."),
    "meccanografico_shape": (
        "Il codice meccanografico è fatto di due lettere e otto lettere o cifre.",
        "A codice meccanografico is two letters and eight letters or digits.",
    ),
    "fiscale_length": (
        "Il codice fiscale di una persona ha 16 caratteri: la persona entra senza.",
        "A person's codice fiscale has 16 characters: the person goes in without it.",
    ),
    "fiscale_of_organisation": (
        "Undici cifre sono un codice provvisorio o di un ente: la persona entra senza codice fiscale.",
        "Eleven digits are a provisional or an organisation's code: the person goes in without codice fiscale.",
    ),
    "fiscale_shape": (
        "Lettere e cifre del codice fiscale non sono al loro posto: la persona entra senza.",
        "Letters and digits of the codice fiscale are misplaced: the person goes in without it.",
    ),
    "fiscale_check_digit": (
        "L'ultima lettera del codice fiscale non torna: la persona entra senza.",
        "The last letter of the codice fiscale is wrong: the person goes in without it.",
    ),
    "fiscale_date": (
        "Il codice fiscale contiene una data di nascita che non esiste: la persona entra senza.",
        "The codice fiscale holds a birth date that does not exist: the person goes in without it.",
    ),
    "fiscale_birth_date": (
        "Il codice fiscale e la data di nascita non concordano: controllare la data.",
        "The codice fiscale and the birth date disagree: check the date.",
    ),
    "fiscale_of_pupil": (
        "Il codice fiscale del genitore è quello dell'alunno: il genitore entra senza.",
        "The guardian's codice fiscale is the pupil's: the guardian goes in without it.",
    ),
}

PEOPLE: Final[dict[str, tuple[str, str]]] = {
    "school_unknown": (
        "La scuola indicata non è nel file, o il suo codice non è valido.",
        "The school named is not in the file, or its code is not valid.",
    ),
    "school_code_in_id": (
        "Il codice meccanografico manca in identifier: preso da sourcedId.",
        "The codice meccanografico is missing from identifier: taken from sourcedId.",
    ),
    "no_school": (
        "Nel file non c'è nessuna scuola con un codice meccanografico valido.",
        "No school with a valid codice meccanografico is in the file.",
    ),
    "year_unknown": (
        "La classe non porta a un anno scolastico del file.",
        "The class does not lead to a school year of the file.",
    ),
    "year_assumed": (
        "La classe non porta a un anno scolastico: assegnata all'unico anno del file.",
        "The class leads to no school year: the only year of the file was taken.",
    ),
    "year_start_not_end": (
        "L'anno in schoolYear non è quello in cui la sessione finisce: valgono le date.",
        "The year in schoolYear is not the one in which the session ends: the dates were followed.",
    ),
    "no_homeroom": (
        "Nel file non c'è nessuna classe di tipo homeroom: nessuna iscrizione si può leggere.",
        "No class of type homeroom is in the file: no enrolment can be read.",
    ),
    "class_unknown": (
        "La classe «{id}» non è nel file.",
        "The class '{id}' is not in the file.",
    ),
    "class_out": (
        "La classe «{id}» è stata lasciata fuori per un errore.",
        "The class '{id}' was left out because of an error.",
    ),
    "user_unknown": (
        "La persona «{id}» non è nel file.",
        "The person '{id}' is not in the file.",
    ),
    "pupil_out": (
        "La persona «{id}» è stata lasciata fuori per un errore.",
        "The person '{id}' was left out because of an error.",
    ),
    "agent_unknown": (
        "Il familiare «{id}» non è nel file.",
        "The relative '{id}' is not in the file.",
    ),
    "agent_not_guardian": (
        "«{id}» non ha il ruolo di genitore, tutore o familiare: non viene collegato.",
        "'{id}' has no role of parent, guardian or relative: not linked.",
    ),
    "id_twice": (
        "Lo stesso identificativo compare due volte: vale la prima riga.",
        "The same id is there twice: the first row counts.",
    ),
    "two_classes": (
        "L'alunno risulta in due classi nello stesso periodo: vale la prima.",
        "The pupil is in two classes at the same time: the first counts.",
    ),
    "duplicate_row": (
        "La riga ripete la riga {line}.",
        "The row repeats line {line}.",
    ),
    "contradiction": (
        "Non concorda con la riga {line}, che parla dello stesso alunno: la riga resta fuori.",
        "It disagrees with line {line} about the same pupil: the row stays out.",
    ),
    "guardian_contradiction": (
        "Non concorda con la riga {line}, che parla dello stesso genitore: vale la prima.",
        "It disagrees with line {line} about the same guardian: the first counts.",
    ),
    "same_codice_fiscale": (
        "Lo stesso codice fiscale è già di un altro alunno (riga {line}): l'alunno resta fuori.",
        "Another pupil has the same codice fiscale (line {line}): the pupil stays out.",
    ),
    "role_of_nobody": (
        "Il ruolo è di una persona che non è nel file.",
        "The role belongs to a person who is not in the file.",
    ),
    "relationship_unknown": (
        "Ruolo del genitore non riconosciuto: letto come «altro».",
        "Unknown relationship: read as 'other'.",
    ),
    "guardian_without_pupil": (
        "{count} familiari non sono collegati ad alcun alunno: lasciati fuori.",
        "{count} guardians are linked to no pupil: left out.",
    ),
}

MESSAGES: Final[dict[str, tuple[str, str]]] = {**FILE, **ROWS, **CELLS, **PEOPLE, **LISTS}
