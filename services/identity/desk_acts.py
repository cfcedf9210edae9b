"""What the desk can do with a credential as it stands, what that does, and how it is asked for."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.identity.desk import Card, State
from services.identity.desk_words import CHANNELS
from shared.contracts.identity import AccountRole, RevocationReason
from shared.contracts.policy import CredentialPolicy, HolderRole, Regeneration
from shared.web.actions import Action, may
from shared.web.i18n import N_, gettext
from shared.web.sessions import Principal


@dataclass(frozen=True, slots=True)
class Act:
    """`slug` ends its address. `checks`: it is asked how the holder was recognised; `reason`: why it is done. The texts
    are Italian message ids."""

    slug: str
    action: Action
    label: str
    title: str
    submit: str
    done: str
    hint: str
    checks: bool = True
    reason: bool = True


LOSS = Act(
    "perdita",
    Action.request_regeneration,
    N_("Segnala come perse"),
    N_("Segnalare come perse le credenziali di %(name)s?"),
    N_("Segnala come perse"),
    N_("Perdita registrata"),
    N_("Se sono state perse o viste da altri: si possono bloccare subito."),
    checks=False,
    reason=False,
)
REGENERATE = Act(
    "rigenera",
    Action.decide_regeneration,
    N_("Rigenera"),
    N_("Rigenerare le credenziali di %(name)s?"),
    N_("Rigenera le credenziali"),
    N_("Credenziali rigenerate"),
    N_("Le attuali smettono di valere e se ne emettono di nuove."),
)
ASK = Act(
    "richiesta",
    Action.request_regeneration,
    N_("Registra una richiesta di rigenerazione"),
    N_("Registrare la richiesta di %(name)s?"),
    N_("Registra la richiesta"),
    N_("Richiesta registrata"),
    N_("In questa scuola si rigenera solo in casi eccezionali: una persona incaricata decide."),
)
SUSPEND = Act(
    "sospendi",
    Action.suspend,
    N_("Sospendi"),
    N_("Sospendere le credenziali di %(name)s?"),
    N_("Sospendi"),
    N_("Credenziali sospese"),
    N_("Nessuno entra, finché non si riammettono."),
    checks=False,
)
REINSTATE = Act(
    "riammetti",
    Action.suspend,
    N_("Riammetti"),
    N_("Riammettere le credenziali di %(name)s?"),
    N_("Riammetti"),
    N_("Credenziali riammesse"),
    N_("Le stesse credenziali tornano a valere."),
)
REVOKE = Act(
    "revoca",
    Action.revoke,
    N_("Revoca"),
    N_("Revocare le credenziali di %(name)s?"),
    N_("Revoca per sempre"),
    N_("Credenziali revocate"),
    N_("Cancella per sempre password, PIN e tagliando."),
    checks=False,
)
UNLOCK = Act(
    "sblocca",
    Action.unlock,
    N_("Sblocca"),
    N_("Sbloccare le credenziali di %(name)s?"),
    N_("Sblocca"),
    N_("Credenziali sbloccate"),
    N_("Dimentica i tentativi sbagliati: si può entrare da qualunque dispositivo."),
    reason=False,
)
SEPARATE = Act(
    "separa",
    Action.separate,
    N_("Separa da quelle del genitore"),
    N_("Dare a %(name)s credenziali proprie?"),
    N_("Separa e vai alla stampa"),
    N_("Credenziali separate"),
    N_("Se usava quelle di un genitore: riceve subito le sue, su un tagliando."),
    reason=False,
)
ACTS = {act.slug: act for act in (LOSS, REGENERATE, ASK, SUSPEND, REINSTATE, REVOKE, UNLOCK, SEPARATE)}
_STANDING = (State.issued, State.active, State.locked)
_WITHOUT = (State.none, State.waiting, State.refused, State.expired)


def possible(card: Card, policy: CredentialPolicy | None, role: HolderRole, *, asked: bool) -> list[Act]:
    """What makes sense as things stand, the most wanted first. `asked`: a request is open."""
    stands = card.state in _STANDING
    renewable = stands or (card.state is State.suspended and card.suspended == "loss")
    desk = policy is not None and policy.of(role).regeneration is Regeneration.desk
    rules = (
        (UNLOCK, card.state is State.locked),
        (REINSTATE, card.state is State.suspended),
        (SEPARATE, card.role is AccountRole.pupil and card.state in _WITHOUT),
        (REGENERATE, renewable and desk and not asked),
        (ASK, renewable and not desk and not asked),
        (LOSS, stands),
        (SUSPEND, stands),
        (REVOKE, stands or card.state is State.suspended),
    )
    return [act for act, holds in rules if holds]


def offered(acts: Sequence[Act], who: Principal) -> list[Act]:
    """Those that the table lets them do."""
    return [act for act in acts if may(who, act.action)]


def can_be_issued(card: Card) -> bool:
    """Whether the desk's action of issuing would do something (P2)."""
    refused = card.state is State.refused and card.refused == "no_account"
    ended = card.state is State.revoked and card.ended_because != RevocationReason.merged
    return refused or ended or card.state is State.expired


def consequences_of(act: Act, card: Card, policy: CredentialPolicy | None, role: HolderRole) -> list[str]:
    """Sentences: what it will do."""
    how = gettext(CHANNELS[policy.of(role).channel]) if policy is not None else ""
    said: dict[Act, tuple[str, ...]] = {
        LOSS: (
            N_("Si registra che le credenziali sono state perse, o viste da altri."),
            N_("Se le blocca, da subito nessuno entra e ogni accesso aperto si chiude."),
            N_("Non se ne emettono di nuove: per quelle si chiede la rigenerazione."),
        ),
        REGENERATE: (DIES, N_("Se ne emettono di nuove: %(how)s.")),
        ASK: (
            N_("Si registra la richiesta con il motivo: resta nella storia, anche se sarà respinta."),
            N_("Le credenziali attuali non cambiano, finché qualcuno non decide."),
        ),
        SUSPEND: (
            N_("Da subito nessuno entra con queste credenziali, e ogni accesso aperto si chiude."),
            N_("La password non cambia: con la riammissione torna a valere."),
        ),
        REINSTATE: (
            N_("La password e il PIN di prima tornano a valere."),
            N_("Se altri li hanno visti, è meglio rigenerare le credenziali."),
        ),
        REVOKE: (
            N_("Password, PIN, tagliando e accessi aperti sono cancellati per sempre."),
            N_("Se la persona torna, riceve credenziali nuove."),
        ),
        UNLOCK: (
            N_("I tentativi sbagliati sono dimenticati: si può provare da qualunque dispositivo."),
            N_("La password non cambia."),
        ),
        SEPARATE: (
            N_(
                "L’alunno riceve subito un codice utente e una password suoi, su un tagliando da stampare adesso."
            ),
            N_("Con le sue credenziali non può giustificare le assenze."),
            N_(
                "Le credenziali del genitore restano: gli dica di cambiare la password, così le usa solo lui."
            ),
        ),
    }
    return [gettext(sentence) % {"how": how} for sentence in said[act]]


DIES = N_(
    "La password, il PIN e il tagliando attuali smettono di valere subito, e ogni accesso aperto si chiude."
)
