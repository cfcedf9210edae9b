"""The desk's pages of the school's policy: what holds, in words; another one, its preview, its adoption."""

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import ValidationError
from starlette.responses import Response

from services.registry import policy_forms, policy_words
from services.registry.authority import registry_of
from services.registry.domain.credential_rules import wrong_day
from services.registry.policy_book import Book, Standing
from services.registry.policy_terms import Preview, differences
from shared.contracts.policy import PRESETS, CredentialPolicy, HolderRole
from shared.decider import Refused
from shared.web.actions import Action, allowed, may
from shared.web.errors import TITLES, Problem
from shared.web.i18n import N_, gettext
from shared.web.navigation import desk_navigation
from shared.web.sessions import Principal
from shared.web.state import web_state
from shared.web.templating import SchoolFront

router = APIRouter(include_in_schema=False)
POLICY: Final = "/registro/sportello/regola"
STANDINGS: Final[Mapping[Standing, tuple[str, str]]] = {
    Standing.in_force: ("success", N_("In vigore")),
    Standing.planned: ("progress", N_("Prevista")),
    Standing.past: ("neutral", N_("Passata")),
    Standing.replaced: ("neutral", N_("Sostituita prima di entrare in vigore")),
}
_STARTS: Final = {"carta": "paper", "email": "email"}
MaySee = Annotated[Principal, Depends(allowed(Action.see_policy))]
MayChange = Annotated[Principal, Depends(allowed(Action.change_policy))]


@router.get(POLICY, response_class=HTMLResponse, name="policy")
async def show(request: Request, who: MaySee, fatto: str = "") -> Response:
    book = await registry_of(request).policies.book(who.school)
    in_force = book.in_force
    return await _render(
        request,
        who,
        "policy.html",
        book=book,
        in_force=in_force,
        roles=[] if in_force is None else policy_words.of_roles(in_force.policy),
        rules=[] if in_force is None else policy_words.of_school(in_force.policy),
        planned=[(version, _changes(book, version.policy)) for version in book.planned],
        standings=STANDINGS,
        may_change=may(who, Action.change_policy),
        done=fatto,
    )


@router.get(f"{POLICY}/modifica", response_class=HTMLResponse, name="edit_policy")
async def edit(request: Request, who: MayChange, da: str = "") -> Response:
    """A form filled with one of the two circulars' rules (`da=carta`, `da=email`), or with those of today."""
    policies = registry_of(request).policies
    book = await policies.book(who.school)
    preset = PRESETS.get(_STARTS.get(da, ""))
    if preset is not None:
        start = await policies.starting_from(who.school, preset)
    else:
        start = PRESETS["paper"] if book.in_force is None else book.in_force.policy
    values = policy_forms.fields(start) | {"dal": book.today.isoformat()}
    return await _form(request, who, values, {})


@router.post(f"{POLICY}/modifica", response_class=HTMLResponse)
async def edit_again(request: Request, who: MayChange) -> Response:
    """Back from the preview, with what was written there."""
    policy, day, _, _ = await _sent(request)
    return await _form(request, who, policy_forms.fields(policy) | {"dal": day.isoformat()}, {})


@router.post(f"{POLICY}/anteprima", response_class=HTMLResponse, name="preview_policy")
async def preview(request: Request, who: MayChange) -> Response:
    async with request.form(max_files=0, max_fields=60) as form:
        values = policy_forms.typed(form)
    policy, errors = policy_forms.read(values)
    day, unreadable = policy_forms.read_day(values["dal"])
    if unreadable:
        errors["dal"] = unreadable
    elif day is not None and (wrong := wrong_day(day, registry_of(request).today)):
        errors["dal"] = gettext(policy_words.REFUSALS[wrong])
    if policy is None or day is None or errors:
        return await _form(request, who, values, errors)
    found = await registry_of(request).policies.preview(who.school, policy, day)
    return await _previewed(request, who, found)


@router.post(POLICY, response_class=HTMLResponse, name="adopt_policy")
async def adopt(request: Request, who: MayChange) -> Response:
    policy, day, seen, reason = await _sent(request)
    registry = registry_of(request)
    try:
        changed = await registry.adopt_policy(
            who.school, policy, reason, day, seen=seen, actor=who.account_id
        )
    except Refused as refused:
        found = await registry.policies.preview(who.school, policy, day)
        about = "motivo" if refused.reason.startswith("reason") else ""
        errors = {about: gettext(policy_words.REFUSALS[refused.reason])}
        return await _previewed(request, who, found, errors, reason)
    return RedirectResponse(f"{POLICY}?fatto={'si' if changed else 'uguale'}", status_code=303)


async def _sent(request: Request) -> tuple[CredentialPolicy, date, int | None, str]:
    """What the preview carried along: the policy, its day, what was seen then, and the reason."""
    async with request.form(max_files=0, max_fields=10) as form:
        sent = {name: str(form.get(name) or "") for name in ("regola", "dal", "visto", "motivo")}
    try:
        policy = CredentialPolicy.model_validate_json(sent["regola"])
        return policy, date.fromisoformat(sent["dal"]), int(sent["visto"]), sent["motivo"]
    except (ValidationError, ValueError):
        raise Problem(
            400,
            "policy-unreadable",
            TITLES[400],
            N_("Ricominci dalla pagina della regola: ciò che è arrivato non è completo."),
        ) from None


async def _form(
    request: Request, who: Principal, values: Mapping[str, str], errors: Mapping[str, str]
) -> Response:
    return await _render(
        request,
        who,
        "policy_edit.html",
        status_code=422 if errors else 200,
        values=values,
        errors=errors,
        roles=[(role, gettext(policy_words.ROLES[role])) for role in policy_forms.ROLES],
        channels={role: policy_forms.channels(role) for role in policy_forms.ROLES},
        words=policy_words,
        name_of=policy_forms.name_of,
        texts=_options,
        triples=lambda words: [(value, text, "") for value, text in _options(words)],
    )


async def _previewed(
    request: Request,
    who: Principal,
    found: Preview,
    errors: Mapping[str, str] | None = None,
    reason: str = "",
) -> Response:
    changed = [
        (gettext(policy_words.ROLES[role]), *found.numbers.of(role), told)
        for role in HolderRole
        if (told := [policy_words.difference(each) for each in found.of_role(role)])
    ]
    return await _render(
        request,
        who,
        "policy_preview.html",
        status_code=422 if errors else 200,
        preview=found,
        changed=changed,
        general=[policy_words.difference(each) for each in found.of_role(None)],
        consequences=policy_words.consequences(found),
        hidden={
            "regola": found.new.model_dump_json(),
            "dal": found.day.isoformat(),
            "visto": str(found.seen),
        },
        errors=errors or {},
        reason=reason,
    )


def _options(words: Mapping[Any, str]) -> list[tuple[str, str]]:
    return [(value.value, gettext(text)) for value, text in words.items()]


def _changes(book: Book, planned: CredentialPolicy) -> list[tuple[str, str, str, str]]:
    """(whom it concerns, what it is about, as it is, as it will be)."""
    found = differences(None if book.in_force is None else book.in_force.policy, planned)
    everyone = gettext(N_("Tutta la scuola"))
    return [
        (everyone if each.role is None else gettext(policy_words.ROLES[each.role]), *_told(each))
        for each in found
    ]


_told = policy_words.difference


async def _render(
    request: Request, who: Principal, template: str, status_code: int = 200, **context: Any
) -> HTMLResponse:
    school = await registry_of(request).queries.school(who.school)
    return web_state(request).pages.render(
        request,
        template,
        status_code=status_code,
        school=None if school is None else SchoolFront(name=school.name),
        navigation=desk_navigation(who, POLICY),
        **context,
    )
