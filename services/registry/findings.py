"""What the registry finds out about a row when it decides: the catalogue, Italian first. Nobody's data is in it."""

import dataclasses
from collections.abc import Mapping
from typing import Final, Literal

Severity = Literal["error", "warning"]

ERRORS: Final[Mapping[str, tuple[str, str]]] = {
    "school_unknown": (
        "La scuola {school} non è registrata: registrarla con «custode school add», poi ripetere.",
        "The school {school} is not registered: register it with 'custode school add', then repeat.",
    ),
    "school_foreign": (
        "Il file parla anche della scuola {school}, per la quale chi importa non è autorizzato.",
        "The file also speaks of the school {school}, for which the importer has no authority.",
    ),
    "school_anothers": (
        "Il file parla della scuola {school}, non della sua ({own}): nulla entra. Controlli di aver scelto il file giusto.",
        "The file speaks of the school {school}, not of yours ({own}): nothing goes in. Check that it is the right file.",
    ),
    "class_unknown": (
        "La classe dell’iscrizione non è nel file.",
        "The enrolment's class is not in the file.",
    ),
    "another_person": (
        "Questo codice apparteneva a un’altra persona, con altro nome e altri dati: la riga resta fuori.",
        "This id was another person's, with another name and other data: the row stays out.",
    ),
    "identifiers_disagree": (
        "Il codice è di una persona già nota, il codice fiscale di un’altra: da chiarire allo sportello.",
        "The id is one known person's, the codice fiscale another's: to be settled at the desk.",
    ),
    "year_is_past": (
        "L’alunno è già iscritto a un anno scolastico successivo.",
        "The pupil is enrolled in a later school year already.",
    ),
    "dates_reversed": (
        "L’anno scolastico termina prima di iniziare.",
        "The school year ends before it starts.",
    ),
    "not_enrolled": (
        "L’alunno non è iscritto a quell’anno scolastico.",
        "The pupil is not enrolled in that school year.",
    ),
    "merged": (
        "Questo genitore è stato unito a un’altra scheda: ripetere l’operazione.",
        "This guardian was merged into another record: repeat the operation.",
    ),
    "erased": (
        "I dati di questa persona sono stati cancellati su sua richiesta.",
        "This person's data was erased at their request.",
    ),
}

WARNINGS: Final[Mapping[str, tuple[str, str]]] = {
    "address_differs": (
        "L’indirizzo e-mail differisce da quello dato all’iscrizione e non è stato cambiato: un file non cambia mai "
        "un indirizzo.",
        "The address differs from the one given at enrolment and was not changed: an address is never changed by a "
        "file.",
    ),
    "pupil_differs": (
        "Un altro programma della scuola descrive l’alunno diversamente: restano i dati di chi lo ha iscritto.",
        "Another of the school's systems describes the pupil otherwise: the enrolling system's data stays.",
    ),
    "guardian_differs": (
        "Un altro programma della scuola descrive il genitore diversamente: restano i dati già noti.",
        "Another of the school's systems describes the guardian otherwise: what is known stays.",
    ),
    "pupil_maybe_known": (
        "C’è già un alunno con lo stesso nome e la stessa data di nascita: iscritto a parte, da confrontare allo "
        "sportello. Con il codice fiscale sarebbe riconosciuto.",
        "There is a pupil of the same name and birth date: enrolled apart, to be compared at the desk. A codice "
        "fiscale would tell.",
    ),
    "guardian_maybe_known": (
        "L’alunno ha già un genitore con questo nome: non aggiunto, da confrontare allo sportello. Con il codice "
        "fiscale sarebbe riconosciuto.",
        "The pupil already has a guardian of this name: not added, to be compared at the desk. A codice fiscale "
        "would tell.",
    ),
    "guardianship_ended": (
        "Lo sportello ha chiuso il legame fra questo genitore e l’alunno: un file non lo riapre.",
        "The desk has ended the link between this guardian and the pupil: a file does not bring it back.",
    ),
    "guardian_twice": (
        "Lo stesso genitore compare due volte per questo alunno: vale la prima.",
        "The same guardian is there twice for this pupil: the first counts.",
    ),
    "already_over": (
        "L’iscrizione è già terminata e l’alunno non risultava iscritto: lasciata fuori.",
        "The enrolment is over and the pupil was not enrolled: left out.",
    ),
    "ending_unknown": (
        "Il file termina qualcosa che qui non risulta: nessun effetto.",
        "The file ends something that is not known here: no effect.",
    ),
    "guardian_ending": (
        "Un’importazione non scollega un genitore: si fa allo sportello.",
        "An import does not unlink a guardian: that is done at the desk.",
    ),
    "class_ending": (
        "Il file elimina una classe: gli alunni restano iscritti finché non lo dicono le loro righe.",
        "The file removes a class: its pupils stay enrolled until rows of their own say otherwise.",
    ),
    "birth_date_changed": (
        "La data di nascita dell’alunno è cambiata rispetto a quella nota: verificare che sia giusta.",
        "The pupil's birth date changed from the one that was known: check that it is right.",
    ),
    "class_of_another_door": (
        "Classe e sezione indicate sono di un’altra classe dello stesso anno scolastico: vale il codice della "
        "classe.",
        "Grade and section are those of another class of the same school year: the class's id counts.",
    ),
    "class_second": (
        "Nasce una seconda classe {title}: quella che c’è già ha un altro codice. Se è la stessa classe, non importi "
        "questo file: vi scriva il codice di quella che c’è già.",
        "A second class {title} comes about: the one that is there has another id. If it is the same class, do not "
        "import this file: put the id of the one that is there into it.",
    ),
    "kind_assumed": (
        "{count} alunni oltre il primo anno sono senza tipo di iscrizione e vengono trattati come nuovi: "
        "riceveranno le credenziali.",
        "{count} pupils beyond the entry grade have no enrolment kind and are treated as new: they will be issued "
        "credentials.",
    ),
    "guardians_without_email": (
        "{count} genitori sono senza indirizzo e-mail: la scuola invia le credenziali soltanto lì.",
        "{count} guardians have no e-mail address: the school's policy sends credentials only there.",
    ),
    "missing_from_bulk": (
        "{count} alunni iscritti non compaiono più in questo file, che si dice completo: restano iscritti.",
        "{count} enrolled pupils are not in this file, which calls itself complete: they stay enrolled.",
    ),
}


@dataclasses.dataclass(frozen=True, slots=True)
class Finding:
    """`field` is ours (`pupil`, `guardian.email`); `index` the guardian's place in the enrolment."""

    code: str
    field: str | None = None
    index: int | None = None
    params: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def severity(self) -> Severity:
        return "error" if self.code in ERRORS else "warning"

    def text(self, language: Literal["it", "en"]) -> str:
        italian, english = ERRORS.get(self.code) or WARNINGS[self.code]
        return (italian if language == "it" else english).format_map(self.params)

    @property
    def message(self) -> dict[str, str]:
        return {"it": self.text("it"), "en": self.text("en")}
