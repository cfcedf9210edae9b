"""Staff accounts at the desk, under /accesso/sportello/personale: open, roles, password, close."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request
from starlette.responses import RedirectResponse, Response

from services.identity.operations import StaffOpened
from services.identity.operations_staff import Given, Member
from services.identity.pages_desk import Once
from services.identity.refusals_staff import problem_of, reason_told
from services.identity.web import Front, front_of
from shared.contracts.identity import StaffRole
from shared.decider import Refused
from shared.eventstore.units import IdempotencyKey
from shared.ids import new_id
from shared.web.actions import Action, allowed
from shared.web.i18n import N_, gettext
from shared.web.navigation import desk_navigation
from shared.web.sessions import Principal

Administrator = Annotated[Principal, Depends(allowed(Action.manage_staff))]
Text = Annotated[str, Form(max_length=500)]
Roles = Annotated[list[StaffRole] | None, Form(max_length=len(StaffRole))]
STAFF = "/accesso/sportello/personale"
NAMES: dict[StaffRole, str] = {
    StaffRole.secretary: N_("segreteria"),
    StaffRole.principal: N_("dirigente scolastico"),
    StaffRole.teacher: N_("docente"),
    StaffRole.auditor: N_("revisore"),
    StaffRole.administrator: N_("amministratore"),
}
WHAT: dict[StaffRole, str] = {
    StaffRole.secretary: N_("classi, tagliandi, campagne, richieste, importazioni"),
    StaffRole.principal: N_("come la segreteria; in più cambia la regola della scuola"),
    StaffRole.teacher: N_("registra la consegna dei tagliandi nelle sue classi"),
    StaffRole.auditor: N_("legge la storia, non cambia nulla"),
    StaffRole.administrator: N_("apre e chiude gli account del personale, cambia la regola della scuola"),
}
KINDS = {
    "teacher": N_("docente"),
    "ata": N_("personale ATA"),
    "secretary": N_("segreteria"),
    "principal": N_("dirigente scolastico"),
}
REASON_MISSING = N_("Scriva perché chiude l’account.")
NAMES_MISSING = N_("Scriva nome e cognome.")
NOBODY_CHOSEN = N_("Scelga una persona dall’elenco, oppure ne scriva nome e cognome.")


def staff_routes(front: Front) -> APIRouter:
    router = APIRouter(include_in_schema=False)
    _list(router, front)
    _member(router, front)
    return router


async def _render(front: Front, request: Request, who: Principal, name: str, **context: Any) -> Response:
    status = 422 if context.get("errors") else 200
    told: dict[str, Any] = {
        "errors": {},
        "roles": [(role, gettext(NAMES[role]), gettext(WHAT[role])) for role in StaffRole],
        "names": {role: gettext(name) for role, name in NAMES.items()},
        "kinds": {kind: gettext(name) for kind, name in KINDS.items()},
    }
    return front.pages.render(
        request,
        name,
        status_code=status,
        school=front_of(await front.school_of(request, who)),
        navigation=desk_navigation(who, STAFF),
        **(told | context),
    )


async def _shown(front: Front, request: Request, who: Principal, given: Given, *, opened: bool) -> Response:
    """The temporary password, this once: no address leads here again, and nothing keeps the page."""
    member = await front.staff.member(who.school, given.account)
    return await _render(
        front, request, who, "staff_password.html", given=given, member=member, opened=opened
    )


def _list(router: APIRouter, front: Front) -> None:
    async def form(
        request: Request, who: Principal, errors: dict[str, str] | None = None, **typed: object
    ) -> Response:
        people = await front.staff.to_open(who.school)
        wrong = errors or {}
        if not people and "persona" in wrong:  # the field is not on the page
            wrong = {"nome": gettext(NAMES_MISSING)}
        filled = {"person": "", "given_name": "", "family_name": "", "chosen": ()} | typed
        return await _render(
            front,
            request,
            who,
            "staff_opening.html",
            errors=wrong,
            appointed=people,
            once=new_id(),
            **filled,
        )

    @router.get(STAFF, name="staff")
    async def members(request: Request, who: Administrator, fatto: str | None = None) -> Response:
        found = await front.staff.members(who.school)
        return await _render(
            front, request, who, "staff.html", members=found, me=who.account_id, done=fatto or ""
        )

    @router.get(f"{STAFF}/apri", name="staff_opening")
    async def opening(request: Request, who: Administrator) -> Response:
        return await form(request, who)

    @router.post(f"{STAFF}/apri")
    async def open_(
        request: Request,
        who: Administrator,
        ruoli: Roles = None,
        persona: Text = "",
        nome: Text = "",
        cognome: Text = "",
        una_volta: Once = "",
    ) -> Response:
        typed = {"person": persona, "given_name": nome, "family_name": cognome, "chosen": tuple(ruoli or ())}
        if not persona and not (nome.strip() and cognome.strip()):
            return await form(request, who, {"persona": gettext(NOBODY_CHOSEN)}, **typed)
        key = IdempotencyKey(f"staff/{who.school}", una_volta, b"page") if una_volta else None
        try:
            opened = await front.staff.open(
                who.school,
                ruoli or (),
                actor=who.account_id,
                person=persona or None,
                given_name=nome,
                family_name=cognome,
                key=key,
            )
        except Refused as refused:
            where = {"no_role": "ruoli", "unusable_name": "nome"}.get(refused.reason, "persona")
            return await form(request, who, {where: gettext(reason_told(refused))}, **typed)
        if isinstance(opened, StaffOpened):
            return RedirectResponse(f"{STAFF}/{opened.account}?fatto=aperto", status_code=303)
        return await _shown(front, request, who, opened, opened=True)


def _member(router: APIRouter, front: Front) -> None:
    async def found(who: Principal, account: str) -> Member:
        try:
            return await front.staff.member(who.school, account)
        except Refused as refused:
            raise problem_of(refused) from None

    async def page(
        request: Request,
        who: Principal,
        account: str,
        errors: dict[str, str] | None = None,
        chosen: tuple[StaffRole, ...] | None = None,
        done: str = "",
    ) -> Response:
        member = await found(who, account)
        return await _render(
            front,
            request,
            who,
            "staff_member.html",
            member=member,
            chosen=member.roles if chosen is None else chosen,
            errors=errors or {},
            mine=account == who.account_id,
            done=done,
        )

    async def closing(
        request: Request, who: Principal, account: str, errors: dict[str, str] | None = None, note: str = ""
    ) -> Response:
        member = await found(who, account)
        return await _render(
            front, request, who, "staff_closing.html", member=member, errors=errors or {}, note=note
        )

    @router.get(f"{STAFF}/{{account}}", name="staff_member")
    async def member(
        request: Request, who: Administrator, account: str, fatto: str | None = None
    ) -> Response:
        return await page(request, who, account, done=fatto or "")

    @router.post(f"{STAFF}/{{account}}/ruoli", name="staff_roles")
    async def roles(request: Request, who: Administrator, account: str, ruoli: Roles = None) -> Response:
        await found(who, account)
        try:
            await front.staff.change_roles(who.school, account, ruoli or (), actor=who.account_id)
        except Refused as refused:
            wrong = {"ruoli": gettext(reason_told(refused))}
            return await page(request, who, account, wrong, tuple(ruoli or ()))
        return RedirectResponse(f"{STAFF}/{account}?fatto=ruoli", status_code=303)

    @router.post(f"{STAFF}/{{account}}/password", name="staff_reset")
    async def reset(request: Request, who: Administrator, account: str, passkey: Text = "") -> Response:
        await found(who, account)
        try:
            given = await front.staff.reset(
                who.school, account, actor=who.account_id, remove_passkeys=passkey == "si"
            )
        except Refused as refused:
            return await page(request, who, account, {"": gettext(reason_told(refused))})
        return await _shown(front, request, who, given, opened=False)

    @router.post(f"{STAFF}/{{account}}/sessioni", name="staff_sessions")
    async def sessions(request: Request, who: Administrator, account: str) -> Response:
        await found(who, account)
        await front.sessions.end_all(account, who.school, actor=who.account_id)
        return RedirectResponse(f"{STAFF}/{account}?fatto=sessioni", status_code=303)

    @router.get(f"{STAFF}/{{account}}/chiudi", name="staff_closing")
    async def ask(request: Request, who: Administrator, account: str) -> Response:
        return await closing(request, who, account)

    @router.post(f"{STAFF}/{{account}}/chiudi")
    async def close(request: Request, who: Administrator, account: str, motivo: Text = "") -> Response:
        await found(who, account)
        if not motivo.strip():
            return await closing(request, who, account, {"motivo": gettext(REASON_MISSING)})
        try:
            await front.staff.close(who.school, account, motivo.strip(), actor=who.account_id)
        except Refused as refused:
            return await closing(request, who, account, {"": gettext(reason_told(refused))}, motivo)
        return RedirectResponse(f"{STAFF}?fatto=chiuso", status_code=303)
