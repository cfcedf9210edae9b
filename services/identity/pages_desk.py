"""The desk's pages of one holder's credential: how it stands, what can be done, and what that does (E6, P9, M5)."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated, Any
from urllib.parse import quote

import orjson
from fastapi import APIRouter, Depends, Form, Request
from starlette.responses import RedirectResponse, Response

from services.identity import desk_acts, desk_words
from services.identity.api_life import family_card
from services.identity.desk import Card, Relative
from services.identity.desk_acts import ACTS, Act
from services.identity.notes import written
from services.identity.operations_life import Acting
from services.identity.policies import Case, policy_role
from services.identity.refusals import telling
from services.identity.separation import separate
from services.identity.web import Front, front_of
from shared.contracts.event import Event, Recorded
from shared.contracts.identity import ReportedBy, RevocationReason, SuspensionReason
from shared.contracts.policy import CredentialPolicy, HolderRole
from shared.contracts.registry import IdentityCheck
from shared.eventstore.units import IdempotencyKey
from shared.ids import new_id
from shared.web.actions import Action, allowed
from shared.web.errors import TITLES, Problem
from shared.web.i18n import N_, gettext
from shared.web.navigation import desk_navigation
from shared.web.sessions import Principal

CARD, REQUESTS = "/accesso/sportello/credenziali", "/accesso/sportello/richieste"
ISSUE = "/accesso/emissioni"
Desk = Annotated[Principal, Depends(allowed(Action.request_regeneration))]
Text = Annotated[str, Form(max_length=4000)]
Once = Annotated[str, Form(max_length=100, pattern=r"^[A-Za-z0-9-]*$")]
MISSING_REASON = N_("Scriva il motivo.")
BAD_REASON = N_("Scriva il motivo in una frase, al massimo 500 caratteri e senza caratteri speciali.")
MISSING_CHECK = N_("Indichi come ha riconosciuto la persona.")
MISSING_WHY = N_("Scelga il motivo.")
SUSPENSIONS = {
    "barred": N_("Decisione della scuola"),
    "loss": N_("Perse o viste da altri"),
    "other": N_("Altro"),
}
REVOCATIONS = {"withdrawn": N_("Non è più a scuola"), "other": N_("Altro")}


@dataclass(frozen=True, slots=True)
class Filled:
    """A confirmed form: `errors` by field, as Italian message ids."""

    reason: str
    check: IdentityCheck | None
    why: str
    block: bool
    guardian: str | None
    errors: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Shown:
    """A holder's card with the policy that is in force for them."""

    card: Card
    policy: CredentialPolicy | None
    role: HolderRole
    relatives: Sequence[Relative]

    @property
    def name(self) -> str:
        return self.card.name or self.card.user_code or "—"


def desk_routes(front: Front) -> APIRouter:
    router = APIRouter(include_in_schema=False)
    _card(router, front)
    for act in ACTS.values():
        _act(router, front, act)
    return router


async def render(
    front: Front,
    request: Request,
    who: Principal,
    template: str,
    *,
    active: str = "",
    status: int = 200,
    **more: Any,
) -> Response:
    """A page of the desk."""
    return front.pages.render(
        request,
        template,
        status_code=status,
        school=front_of(await front.school_of(request, who)),
        navigation=desk_navigation(who, active),
        words=desk_words,
        **more,
    )


def _card(router: APIRouter, front: Front) -> None:
    @router.get(f"{CARD}/{{account}}", name="credential")
    async def show(request: Request, who: Desk, account: str, fatto: str = "") -> Response:
        shown = await _shown(front, account, who)
        requests = await front.desk.requests_of(account, who.school)
        history = await front.desk.history(account)
        actors = {r.actor for r in history} | {r.decider or r.asker for r in requests}
        asked = next((r for r in requests if r.state == "open"), None)
        acts = desk_acts.possible(shown.card, shown.policy, shown.role, asked=asked is not None)
        return await render(
            front,
            request,
            who,
            "credential.html",
            shown=shown,
            card=shown.card,
            done=ACTS.get(fatto),
            acts=desk_acts.offered(acts, who),
            issuable=desk_acts.can_be_issued(shown.card),
            issue_path=ISSUE,
            asked=asked,
            requests=requests,
            history=_told(history),
            names=await front.desk.names(actors),
            here=f"{CARD}/{account}",
            deliveries=f"/consegne/titolari/{quote(account)}",
        )


def _act(router: APIRouter, front: Front, act: Act) -> None:
    allowed_who = Annotated[Principal, Depends(allowed(act.action))]
    path = f"{CARD}/{{account}}/{act.slug}"

    async def page(
        request: Request, who: Principal, shown: Shown, key: str, filled: Filled | None = None
    ) -> Response:
        errors = {name: gettext(text) for name, text in filled.errors.items()} if filled else {}
        return await render(
            front,
            request,
            who,
            "credential_act.html",
            status=422 if errors else 200,
            act=act,
            shown=shown,
            title=gettext(act.title) % {"name": shown.name},
            consequences=desk_acts.consequences_of(act, shown.card, shown.policy, shown.role),
            errors=errors,
            filled=filled,
            checks=[(check.value, gettext(label)) for check, label in desk_words.CHECKS.items()],
            whys=[(value, gettext(label)) for value, label in _whys(act).items()],
            guardians=[(one.person, one.name) for one in shown.relatives if not one.child],
            key=key,
            back=f"{CARD}/{shown.card.account}",
        )

    async def form(request: Request, who: allowed_who, account: str) -> Response:
        shown = await _shown(front, account, who)
        asked = any(r.state == "open" for r in await front.desk.requests_of(account, who.school))
        if act not in desk_acts.possible(shown.card, shown.policy, shown.role, asked=asked):
            return RedirectResponse(f"{CARD}/{account}", status_code=303)
        return await page(request, who, shown, new_id())

    async def confirm(
        request: Request,
        who: allowed_who,
        account: str,
        motivo: Text = "",
        controllo: Text = "",
        perche: Text = "",
        blocca: Text = "",
        genitore: Text = "",
        chiave: Once = "",
    ) -> Response:
        shown = await _shown(front, account, who)
        filled = filled_form(act, motivo, controllo, perche, blocca, genitore)
        if filled.errors:
            return await page(request, who, shown, chiave or new_id(), filled)
        async with telling():
            target = await _DO[act.slug](
                front, account, filled, acting_by(who, act.slug, account, filled, chiave)
            )
        front.wake_issuer()
        return RedirectResponse(target or f"{CARD}/{account}?fatto={act.slug}", status_code=303)

    router.add_api_route(path, form, methods=["GET"], name=f"credential_{act.slug}")
    router.add_api_route(path, confirm, methods=["POST"], name=f"carry_out_{act.slug}")


def filled_form(
    act: Act, motivo: str, controllo: str, perche: str = "", blocca: str = "", genitore: str = ""
) -> Filled:
    """What was filled in, with what is missing."""
    errors: dict[str, str] = {}
    check = IdentityCheck(controllo) if controllo in set(IdentityCheck) else None
    if act.checks and check is None:
        errors["controllo"] = MISSING_CHECK
    whys = _whys(act)
    if whys and perche not in whys:
        errors["perche"] = MISSING_WHY
    reason = motivo
    if act.reason:
        try:
            reason = written(motivo)
        except ValueError as bad:
            errors["motivo"] = MISSING_REASON if str(bad) == "empty" else BAD_REASON
    return Filled(reason, check, perche, blocca == "si", genitore or None, errors)


def acting_by(who: Principal, what: str, about: str, filled: Filled, key: str) -> Acting:
    """A form that is sent twice does it once."""
    if not key:
        return Acting(who.school, who.account_id)
    said = [what, about, filled.reason, filled.check, filled.why, filled.block, filled.guardian]
    fingerprint = sha256(orjson.dumps(said)).digest()
    return Acting(who.school, who.account_id, IdempotencyKey(f"form/{who.account_id}", key, fingerprint))


async def _shown(front: Front, account: str, who: Principal) -> Shown:
    card = await family_card(front, account, who)
    now = front.commands.store.clock()
    policy = await front.queries.policy(who.school, now)
    case = Case(card.holder, card.role, who.school, None, policy, card.birth_date)
    relatives = await front.desk.relatives(card.holder, who.school)
    return Shown(card, policy, policy_role(case, now), relatives)


def _told(history: Sequence[Recorded[Event]]) -> list[tuple[Recorded[Event], str, str | None]]:
    told = ((r, desk_words.told(r.event), desk_words.note_of(r.event)) for r in history)
    return [(recorded, text, note) for recorded, text, note in told if text is not None]


def _whys(act: Act) -> Mapping[str, str]:
    return {"sospendi": SUSPENSIONS, "revoca": REVOCATIONS}.get(act.slug, {})


def _checked(filled: Filled) -> IdentityCheck:
    if filled.check is None:
        raise Problem(422, "identity-check-needed", TITLES[422], MISSING_CHECK)
    return filled.check


async def _loss(front: Front, account: str, filled: Filled, does: Acting) -> None:
    await front.life.report_loss(account, ReportedBy.desk, does, block=filled.block)


async def _regenerate(front: Front, account: str, filled: Filled, does: Acting) -> str | None:
    done = await front.life.regenerate(account, filled.reason, _checked(filled), does)
    return f"/consegne/titolari/{quote(account)}?stampa=ora" if done["issued"] else None


async def _ask(front: Front, account: str, filled: Filled, does: Acting) -> str:
    request = await front.life.request_regeneration(
        account, ReportedBy.desk, filled.reason, does, identity_check=_checked(filled)
    )
    return f"{REQUESTS}/{request}"


async def _suspend(front: Front, account: str, filled: Filled, does: Acting) -> None:
    await front.life.suspend(account, SuspensionReason(filled.why), filled.reason, does)


async def _reinstate(front: Front, account: str, filled: Filled, does: Acting) -> None:
    await front.life.reinstate(account, filled.reason, _checked(filled), does)


async def _revoke(front: Front, account: str, filled: Filled, does: Acting) -> None:
    await front.life.revoke(account, RevocationReason(filled.why), filled.reason, does)


async def _unlock(front: Front, account: str, filled: Filled, does: Acting) -> None:
    await front.life.unlock(account, _checked(filled), does)


async def _separate(front: Front, account: str, filled: Filled, does: Acting) -> str:
    """To where the slip is printed."""
    store = front.commands.store
    await separate(front.life, store, account, filled.guardian, _checked(filled), does)
    return f"/consegne/titolari/{quote(account)}?stampa=ora"


_DO: Mapping[str, Callable[[Front, str, Filled, Acting], Awaitable[str | None]]] = {
    "perdita": _loss,
    "rigenera": _regenerate,
    "richiesta": _ask,
    "sospendi": _suspend,
    "riammetti": _reinstate,
    "revoca": _revoke,
    "sblocca": _unlock,
    "separa": _separate,
}
