"""What whoever has lost their credentials is told, as the policy of their school has it: whom to ask, and for what.

No dead end (E6, M8): every answer names somebody who can help. The sentences are Italian message ids.
"""

from dataclasses import dataclass
from datetime import date

from shared.contracts.policy import Channel, CredentialPolicy, HolderRole, Regeneration, RolePolicy
from shared.web.i18n import N_

GUARDIANS, PUPILS, STAFF = N_("Genitori"), N_("Studenti"), N_("Personale della scuola")
_AGAIN = {
    Channel.slip: N_(
        "Se non è ancora entrato: la segreteria può ristampare lo stesso tagliando, finché è valido. Se è scaduto, ne "
        "prepara uno nuovo."
    ),
    Channel.email: N_(
        "Se non è ancora entrato: la segreteria può inviare di nuovo lo stesso messaggio, finché è valido. Se è scaduto, "
        "ne prepara uno nuovo."
    ),
    Channel.institutional_mailbox: N_(
        "Se non è ancora entrato: la segreteria può inviare di nuovo il messaggio alla casella data dalla scuola."
    ),
    Channel.activation_link: N_(
        "Se non è ancora entrato: la segreteria può inviare di nuovo il messaggio con il link di attivazione."
    ),
}
_EXCLUSIVE = {
    Channel.email: N_(
        "Le credenziali arrivano solo all’indirizzo e-mail dato all’iscrizione, in nessun altro modo. Se non lo usa più, "
        "chieda alla segreteria di correggerlo: le serve un documento d’identità."
    ),
    Channel.institutional_mailbox: N_(
        "Le credenziali degli studenti arrivano solo alla casella data dalla scuola, mai a un indirizzo privato."
    ),
}
_DESK = N_(
    "Se ha dimenticato la password: vada in segreteria con un documento d’identità. Riceverà nuove credenziali."
)
_EXCEPTIONAL = N_(
    "Se ha dimenticato la password: in questa scuola non si danno nuove credenziali, se non in casi eccezionali e "
    "motivati. Presenti in segreteria una richiesta con il motivo e un documento d’identità: una persona incaricata "
    "decide, e le dice l’esito."
)
_NONE = N_("La scuola non dà credenziali: chieda alla segreteria come avere le informazioni.")
_ENDED = N_(
    "In questa scuola non si entra più con codice utente e password, ma con SPID o CIE. Se non li ha, chieda alla "
    "segreteria."
)
_STAFF = N_(
    "Se ha perso password o passkey: si rivolga a chi amministra il registro nella scuola. Riceverà una password "
    "provvisoria, da cambiare al primo accesso."
)
UNKNOWN = N_("Vada in segreteria con un documento d’identità: le dirà che cosa prevede la scuola.")


@dataclass(frozen=True, slots=True)
class Advice:
    """`whom` and `sentences` are Italian message ids."""

    whom: str
    sentences: tuple[str, ...]


def advice(policy: CredentialPolicy | None, today: date, role: HolderRole | None = None) -> list[Advice]:
    """For everybody, or for `role` only."""
    if role is HolderRole.staff:
        return [Advice(STAFF, (_STAFF,))]
    guardians = Advice(GUARDIANS, _told(policy, HolderRole.guardian, today))
    under, of_age = (
        _told(policy, each, today) for each in (HolderRole.pupil_under_age, HolderRole.pupil_of_age)
    )
    if role is not None:
        chosen = {HolderRole.guardian: guardians, HolderRole.pupil_under_age: Advice(PUPILS, under)}
        return [chosen.get(role, Advice(PUPILS, of_age))]
    pupils = [Advice(PUPILS, under)]
    if of_age != under:
        pupils = [Advice(N_("Studenti minorenni"), under), Advice(N_("Studenti maggiorenni"), of_age)]
    return [guardians, *pupils, Advice(STAFF, (_STAFF,))]


def _told(policy: CredentialPolicy | None, role: HolderRole, today: date) -> tuple[str, ...]:
    if policy is None:
        return (UNKNOWN,)
    if policy.local_credentials_until is not None and today >= policy.local_credentials_until:
        return (_ENDED,)
    terms = policy.of(role)
    return (_NONE,) if terms.channel is Channel.none else tuple(_of(terms))


def _of(terms: RolePolicy) -> list[str]:
    told = [_AGAIN[terms.channel]]
    told.append(_EXCEPTIONAL if terms.regeneration is Regeneration.exceptional else _DESK)
    if terms.exclusive and terms.channel in _EXCLUSIVE:
        told.append(_EXCLUSIVE[terms.channel])
    return told
