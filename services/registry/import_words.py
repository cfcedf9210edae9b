"""What an import did, or would do, in a secretary's words."""

from collections.abc import Sequence

from services.registry.expected import Expected
from services.registry.report import Counts, Report, ReportedProblem
from shared.dates import short_date
from shared.web.i18n import N_, current_language, gettext, ngettext

SHOWN = 200
"""Rows to correct that a page lists; the errors first."""


def summary(counts: Counts) -> str:
    """Such as "12 nuovi, 288 confermati, 3 righe errate"."""
    said = [
        ngettext("%(n)s nuovo", "%(n)s nuovi", counts.new_pupils) % {"n": counts.new_pupils},
        ngettext("%(n)s confermato", "%(n)s confermati", confirmed(counts)) % {"n": confirmed(counts)},
        ngettext("%(n)s riga errata", "%(n)s righe errate", counts.errors) % {"n": counts.errors},
    ]
    return ", ".join(said)


def confirmed(counts: Counts) -> int:
    return counts.kept + counts.unchanged


def figures(counts: Counts) -> list[tuple[str, int]]:
    """The rest of what it does, as far as there is something to say."""
    named = [
        (N_("Iscrizioni lette"), counts.enrolments),
        (N_("Alunni nuovi"), counts.new_pupils),
        (N_("Alunni confermati"), confirmed(counts)),
        (N_("Alunni che cambiano classe"), counts.moved),
        (N_("Alunni che lasciano la scuola"), counts.withdrawn),
        (N_("Genitori nuovi"), counts.new_guardians),
        (N_("Legami nuovi tra genitori e alunni"), counts.new_guardianships),
        (N_("Classi nuove"), counts.new_classes),
        (N_("Dati corretti"), counts.corrected),
        (N_("Da confrontare allo sportello"), counts.proposals),
        (N_("Iscritti che il file non ha più"), counts.missing),
        (N_("Avvertimenti"), counts.warnings),
        (N_("Righe errate"), counts.errors),
    ]
    return [(gettext(name), number) for name, number in named if number]


def credentials(expected: Expected) -> list[str]:
    """What the policy in force makes of the newcomers, one sentence a kind."""
    day = "" if expected.campaign_opens is None else short_date(expected.campaign_opens)
    said = [
        (
            expected.by_mail,
            ngettext(
                "%(n)s persona riceverà le credenziali per e-mail.",
                "%(n)s persone riceveranno le credenziali per e-mail.",
                expected.by_mail,
            ),
        ),
        (
            expected.on_slips,
            ngettext(
                "%(n)s tagliando sarà da stampare.", "%(n)s tagliandi saranno da stampare.", expected.on_slips
            ),
        ),
        (
            expected.wait_for_campaign,
            ngettext(
                "%(n)s persona aspetterà il %(day)s, quando cominciano le consegne.",
                "%(n)s persone aspetteranno il %(day)s, quando cominciano le consegne.",
                expected.wait_for_campaign,
            ),
        ),
        (
            expected.wait_for_mailbox,
            ngettext(
                "%(n)s alunno aspetterà la casella istituzionale.",
                "%(n)s alunni aspetteranno la casella istituzionale.",
                expected.wait_for_mailbox,
            ),
        ),
        (
            expected.wait_for_address,
            ngettext(
                "%(n)s genitore è senza indirizzo e-mail: aspetterà finché lo sportello non ne registra uno.",
                "%(n)s genitori sono senza indirizzo e-mail: aspetteranno finché lo sportello non ne registra uno.",
                expected.wait_for_address,
            ),
        ),
        (
            expected.wait_for_policy,
            ngettext(
                "%(n)s persona aspetterà che la scuola adotti una regola.",
                "%(n)s persone aspetteranno che la scuola adotti una regola.",
                expected.wait_for_policy,
            ),
        ),
        (
            expected.not_foreseen,
            ngettext(
                "%(n)s persona non riceverà credenziali: la regola non le prevede.",
                "%(n)s persone non riceveranno credenziali: la regola non le prevede.",
                expected.not_foreseen,
            ),
        ),
        (
            expected.for_the_desk,
            ngettext(
                "%(n)s persona è nuova qui ma non per la scuola: non riceve nulla finché lo sportello non lo decide.",
                "%(n)s persone sono nuove qui ma non per la scuola: non ricevono nulla finché lo sportello non lo "
                "decide.",
                expected.for_the_desk,
            ),
        ),
    ]
    return [text % {"n": number, "day": day} for number, text in said if number]


def problems(report: Report) -> Sequence[ReportedProblem]:
    """The errors first, each in the order of the file."""
    return sorted(report.problems, key=lambda problem: problem.severity != "error")[:SHOWN]


def message(problem: ReportedProblem) -> str:
    return problem.message["it" if current_language() == "it" else "en"]
