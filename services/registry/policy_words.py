"""A policy in a school's own words: no name of ours, one sentence a rule."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final

from services.registry.domain.credential_rules import Contradiction
from services.registry.policy_days import last_day_text
from services.registry.policy_terms import SCHOOL_FIELDS, Difference, Preview
from shared.contracts.policy import (
    Channel,
    CredentialPolicy,
    FirstChange,
    GuardiansOfAge,
    HolderRole,
    Justification,
    PinRule,
    Regeneration,
    RolePolicy,
)
from shared.dates import short_date
from shared.web.i18n import N_, gettext, ngettext

ROLES: Final[Mapping[HolderRole, str]] = {
    HolderRole.guardian: N_("Genitori"),
    HolderRole.pupil_under_age: N_("Alunni minorenni"),
    HolderRole.pupil_of_age: N_("Alunni maggiorenni"),
    HolderRole.staff: N_("Personale"),
}
FIELDS: Final[Mapping[str, str]] = {
    "channel": N_("Consegna"),
    "exclusive": N_("Altri modi"),
    "pin": N_("PIN"),
    "first_change": N_("Primo accesso"),
    "regeneration": N_("Credenziali perse"),
    "initial_secret_days": N_("Durata della password iniziale"),
    "campaign_opens": N_("Inizio delle consegne"),
    "justification": N_("Giustificazione online"),
    "pupils_of_age_justify_alone": N_("Giustificazione dei maggiorenni"),
    "guardians_of_age": N_("Genitori di alunni maggiorenni"),
    "local_credentials_until": N_("Fine delle credenziali della scuola"),
    "staff_password_only_until": N_("Personale senza passkey"),
    "reminder_days": N_("Promemoria"),
}
CHANNELS: Final[Mapping[Channel, str]] = {
    Channel.email: N_("Per e-mail, all’indirizzo dato all’iscrizione."),
    Channel.slip: N_("Su un tagliando di carta, in classe o allo sportello."),
    Channel.institutional_mailbox: N_(
        "Nella casella istituzionale dell’alunno, appena è attiva; mai a un indirizzo privato."
    ),
    Channel.activation_link: N_("Con un collegamento di attivazione, all’indirizzo dato all’iscrizione."),
    Channel.none: N_("Nessuna credenziale."),
}
PINS: Final[Mapping[PinRule, str]] = {
    PinRule.none: N_("Senza PIN."),
    PinRule.issued: N_("Con un PIN, consegnato insieme alla password."),
    PinRule.chosen: N_("Con un PIN, scelto al primo accesso."),
}
CHANGES: Final[Mapping[FirstChange, str]] = {
    FirstChange.forced: N_("La password iniziale va cambiata al primo accesso."),
    FirstChange.recommended: N_("Cambiare la password al primo accesso è consigliato, non obbligatorio."),
}
REGENERATIONS: Final[Mapping[Regeneration, str]] = {
    Regeneration.desk: N_("Chi le perde ne riceve di nuove allo sportello."),
    Regeneration.exceptional: N_(
        "Chi le perde non ne riceve di nuove, salvo casi eccezionali e motivati, decisi di volta in volta."
    ),
}
CHANNELS_IN_SHORT: Final[Mapping[Channel, str]] = {
    Channel.email: N_("Per e-mail"),
    Channel.slip: N_("Su tagliando di carta"),
    Channel.institutional_mailbox: N_("Nella casella istituzionale"),
    Channel.activation_link: N_("Collegamento di attivazione"),
    Channel.none: N_("Nessuna credenziale"),
}
PINS_IN_SHORT: Final[Mapping[PinRule, str]] = {
    PinRule.none: N_("Senza PIN"),
    PinRule.issued: N_("Consegnato con la password"),
    PinRule.chosen: N_("Scelto al primo accesso"),
}
CHANGES_IN_SHORT: Final[Mapping[FirstChange, str]] = {
    FirstChange.forced: N_("Cambio obbligatorio"),
    FirstChange.recommended: N_("Cambio consigliato"),
}
REGENERATIONS_IN_SHORT: Final[Mapping[Regeneration, str]] = {
    Regeneration.desk: N_("Di nuovo allo sportello"),
    Regeneration.exceptional: N_("Solo casi eccezionali"),
}
_EXCLUSIVE: Final = {
    True: N_("In nessun altro modo, nemmeno allo sportello."),
    False: N_("Lo sportello può consegnarle anche su carta."),
}
JUSTIFICATIONS: Final[Mapping[Any, str]] = {
    Justification.by_request: N_("Si attiva per il genitore che la chiede."),
    Justification.by_default: N_("È attiva per tutti i genitori."),
}
_ALONE: Final = {
    True: N_("L’alunno maggiorenne giustifica da solo."),
    False: N_("Anche per l’alunno maggiorenne giustifica il genitore."),
}
GUARDIANS_OF_AGE: Final[Mapping[Any, str]] = {
    GuardiansOfAge.keep: N_("Continuano a vedere i dati dell’alunno."),
    GuardiansOfAge.by_consent: N_("Vedono i dati dell’alunno soltanto con il suo consenso."),
}
_NEVER: Final[Mapping[str, str]] = {
    "reminder_days": N_("Nessun promemoria."),
    "campaign_opens": N_("Appena un’iscrizione arriva."),
    "local_credentials_until": N_("Nessuna: la scuola continua a dare credenziali proprie."),
    "staff_password_only_until": N_("Mai: chi rigenera, importa o cambia la regola entra con la passkey."),
}
_FROM: Final[Mapping[str, str]] = {
    "campaign_opens": N_("Dal %(day)s."),
    "local_credentials_until": N_(
        "Dal %(day)s nessuno ne riceve più, e quelle esistenti vengono ritirate (SPID o CIE)."
    ),
    "staff_password_only_until": N_("Fino al %(day)s basta la password."),
}
_WRONG: Final[Mapping[str, str]] = {
    "email_of_pupil": N_(
        "Gli alunni non danno un indirizzo all’iscrizione: scelga la casella istituzionale o il tagliando."
    ),
    "mailbox_of_guardian": N_("La casella istituzionale è soltanto degli alunni."),
    "staff_in_person": N_("Il personale riceve l’accesso dall’amministratore, di persona."),
    "link_not_offered": N_(
        "Il collegamento di attivazione non è ancora disponibile: scelga l’e-mail o il tagliando."
    ),
    "exclusive_of_nothing": N_("«In nessun altro modo» non ha senso dove non ci sono credenziali."),
    "pin_of_nothing": N_("Senza credenziali non c’è nemmeno un PIN."),
    "pin_on_slip": N_(
        "Un PIN non va mai su un tagliando che l’alunno porta a casa: lo si scelga al primo accesso, oppure senza PIN."
    ),
    "campaign_after_end": N_(
        "Le consegne comincerebbero quando le credenziali della scuola sono già finite: corregga una delle due date."
    ),
}
REFUSALS: Final[Mapping[str, str]] = {
    "reason_missing": N_("Indichi il motivo: la delibera o la circolare che lo dispone."),
    "reason_unusable": N_("Il motivo ha da 1 a 500 caratteri, senza caratteri di controllo."),
    "in_force_from_past": N_("Una regola entra in vigore oggi o più avanti, mai prima."),
    "in_force_from_far": N_("Una regola si adotta al massimo due anni prima: controlli la data."),
    "policy_changed": N_("Intanto è stata adottata un’altra regola: riveda l’anteprima, poi confermi."),
    "policy_contradictory": N_("La regola si contraddice: corregga ciò che è indicato."),
    "school_unknown": N_("La scuola non è registrata."),
}


def of_field(role: HolderRole | None, field: str, value: Any) -> str:
    """One rule as a sentence, in the request's language; a dash where there was none."""
    if value is None and field in ("channel", "justification", "guardians_of_age"):
        return "–"
    if field == "channel" and role is HolderRole.staff and value is Channel.none:
        return gettext(N_("Di persona, dall’amministratore."))
    words: Mapping[str, Mapping[Any, str]] = {
        "channel": CHANNELS,
        "exclusive": _EXCLUSIVE,
        "pin": PINS,
        "first_change": CHANGES,
        "regeneration": REGENERATIONS,
        "justification": JUSTIFICATIONS,
        "pupils_of_age_justify_alone": _ALONE,
        "guardians_of_age": GUARDIANS_OF_AGE,
    }
    if field in words:
        return gettext(words[field][value]) if value is not None else "–"
    return _counted(field, value)


def _counted(field: str, value: Any) -> str:
    """Rules that are a number of days or a date; None is a rule too, but for how long a password lives."""
    if field == "initial_secret_days":
        return "–" if value is None else ngettext("%(n)s giorno.", "%(n)s giorni.", value) % {"n": value}
    if value is None:
        return gettext(_NEVER[field])
    if field == "reminder_days":
        told = ngettext(
            "A chi non è mai entrato, dopo %(n)s giorno.",
            "A chi non è mai entrato, dopo %(n)s giorni.",
            value,
        )
        return told % {"n": value}
    if value.year == date.max.year:
        return gettext(N_("Basta la password, senza un termine."))
    day = last_day_text(value) if field == "staff_password_only_until" else short_date(value)
    return gettext(_FROM[field]) % {"day": day}


def of_role(role: HolderRole, rules: RolePolicy) -> list[tuple[str, str]]:
    """(what it is about, the rule): only what makes sense where there are credentials at all."""
    left_out = {"exclusive"} if rules.channel is Channel.slip and not rules.exclusive else set()
    fields = ["channel"] if rules.channel is Channel.none else list(RolePolicy.model_fields)
    fields = [field for field in fields if field not in left_out]
    return [(gettext(FIELDS[f]), of_field(role, f, getattr(rules, f))) for f in fields]


def of_roles(policy: CredentialPolicy) -> list[tuple[str, list[tuple[str, str]]]]:
    """(whom it concerns, their rules): pupils once where their age makes no difference."""
    alike = policy.pupil_under_age == policy.pupil_of_age
    found = []
    for role in HolderRole:
        if alike and role is HolderRole.pupil_of_age:
            continue
        title = N_("Alunni") if alike and role is HolderRole.pupil_under_age else ROLES[role]
        found.append((gettext(title), of_role(role, policy.of(role))))
    return found


def of_school(policy: CredentialPolicy) -> list[tuple[str, str]]:
    return [(gettext(FIELDS[f]), of_field(None, f, getattr(policy, f))) for f in SCHOOL_FIELDS]


def difference(each: Difference) -> tuple[str, str, str]:
    """(what it is about, as it is, as it would be)."""
    before, after = (of_field(each.role, each.field, value) for value in (each.before, each.after))
    return gettext(FIELDS[each.field]), before, after


def wrong(contradiction: Contradiction) -> str:
    said = gettext(_WRONG[contradiction.code])
    return said if contradiction.role is None else f"{gettext(ROLES[contradiction.role])}: {said}"


def consequences(preview: Preview) -> list[str]:
    """What adopting it does and does not do, in sentences."""
    said = [_from_when(preview)]
    said += [
        gettext(N_("La regola prevista dal %(day)s non entrerà più in vigore.")) % {"day": short_date(day)}
        for day in sorted({planned.in_force_from for planned in preview.replaces})
    ]
    for role in HolderRole:
        if preview.of_role(role) or preview.old is None:
            said += _for_role(preview, role)
    return [*said, *_dates(preview)]


def _from_when(preview: Preview) -> str:
    if preview.today:
        return gettext(
            N_("Da subito vale per chi aspetta o riceverà le credenziali: quelle già date non cambiano.")
        )
    return gettext(
        N_(
            "Dal %(day)s vale per chi allora aspetta o riceverà le credenziali: quelle già date non cambiano, "
            "e fino al giorno prima vale la regola di adesso."
        )
    ) % {"day": short_date(preview.day)}


def _for_role(preview: Preview, role: HolderRole) -> Sequence[str]:
    channel, said = preview.new.of(role).channel, []
    without = preview.numbers.out_of_reach(role, channel)
    if without and role is HolderRole.guardian:
        said.append(
            ngettext(
                "%(n)s genitore è senza indirizzo e-mail: aspetterà finché lo sportello non ne registra uno.",
                "%(n)s genitori sono senza indirizzo e-mail: aspetteranno finché lo sportello non ne registra uno.",
                without,
            )
            % {"n": without}
        )
    elif without:
        text = ngettext(
            "%(role)s: %(n)s è senza casella istituzionale attiva, e aspetterà che lo sia.",
            "%(role)s: %(n)s sono senza casella istituzionale attiva, e aspetteranno che lo sia.",
            without,
        )
        said.append(text % {"role": gettext(ROLES[role]), "n": without})
    before = None if preview.old is None else preview.old.of(role).channel
    if role is not HolderRole.staff and channel is Channel.none:
        text = gettext(N_("%(role)s: chi non ha ancora credenziali non ne riceverà."))
        said.append(text % {"role": gettext(ROLES[role])})
    elif before is Channel.none and channel is not Channel.none:
        text = gettext(
            N_("%(role)s: chi era rimasto senza credenziali può riceverle dallo sportello, non da solo.")
        )
        said.append(text % {"role": gettext(ROLES[role])})
    return said


def _dates(preview: Preview) -> Sequence[str]:
    said = []
    ends = preview.new.local_credentials_until
    if ends is not None and ends <= preview.day:
        said.append(
            gettext(N_("Le credenziali della scuola finiscono subito: quelle esistenti vengono ritirate."))
        )
    password = preview.new.staff_password_only_until
    if (password is None or password <= preview.day) and "staff_password_only_until" in {
        each.field for each in preview.of_role(None)
    }:
        said.append(
            gettext(
                N_(
                    "Da quel giorno chi rigenera, importa o cambia la regola deve avere una passkey: controlli che "
                    "qualcuno l’abbia già registrata."
                )
            )
        )
    return said
