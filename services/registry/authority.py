"""Who may speak for which school: one of its systems with an API key, or one of its staff, signed in."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.routing import APIRoute
from starlette.responses import Response

from services.registry.api_keys import Scope
from services.registry.operations import Registry
from shared.web.actions import Action, allowed
from shared.web.errors import Problem
from shared.web.i18n import N_
from shared.web.sessions import principal_of, sign_in_problem


@dataclass(frozen=True, slots=True)
class Speaker:
    """`school` is the only one that they may speak for; `actor` is what their deeds are signed with; `scopes` is what
    they may do: what its key says for a system, what they are doing now for a person."""

    school: str
    actor: str
    scopes: frozenset[Scope]


def registry_of(request: Request) -> Registry:
    registry: Registry = request.app.state.registry_service
    return registry


async def _key_holder(request: Request, header: str) -> Speaker:
    """From `Authorization: Bearer <api key>`; 401 as a problem. Asked once a request."""
    known: Speaker | None = getattr(request.state, "speaker", None)
    if known is not None:
        return known
    scheme, _, secret = header.partition(" ")
    key = await registry_of(request).api_keys.find(secret.strip()) if scheme.lower() == "bearer" else None
    if key is None:
        raise Problem(
            401,
            "api-key-unknown",
            N_("Chiave non riconosciuta"),
            N_("La chiave è sbagliata o è stata revocata: chi gestisce l’impianto può farne una nuova."),
            headers={"WWW-Authenticate": "Bearer"},
        )
    holder = request.state.speaker = Speaker(key.school, key.actor, key.scopes)
    return holder


def _nobody(request: Request) -> Problem:
    """401 for a program without a key; a browser goes to the sign-in page all the same."""
    return Problem(
        401,
        "api-key-missing",
        N_("Chiave API mancante"),
        N_("Serve una chiave API (Authorization: Bearer …)."),
        headers={"WWW-Authenticate": "Bearer"},
        page=sign_in_problem(request).page,
    )


class May:
    """A dependency: whoever speaks, if they may do this: a system by its key's scopes, a person by the table of actions."""

    def __init__(self, scope: Scope, action: Action) -> None:
        self.scope = scope
        self.action = action
        self._allowed = allowed(action)

    async def __call__(self, request: Request) -> Speaker:
        header = request.headers.get("authorization")
        if header is None:
            if await principal_of(request) is None:
                raise _nobody(request)
            principal = await self._allowed(request)
            return Speaker(principal.school, principal.account_id, frozenset({self.scope}))
        who = await _key_holder(request, header)
        if self.scope not in who.scopes:
            raise Problem(
                403,
                "api-key-scope",
                N_("Chiave senza questo permesso"),
                N_("A questa chiave manca il permesso «%(scope)s»: ne occorre una che lo abbia."),
                values={"scope": self.scope.value},
            )
        return who


Enrolling = Annotated[Speaker, Depends(May(Scope.enrol, Action.import_files))]
Importing = Annotated[Speaker, Depends(May(Scope.import_, Action.import_files))]
Reading = Annotated[Speaker, Depends(May(Scope.read, Action.see_people))]
Activating = Annotated[Speaker, Depends(May(Scope.mailboxes, Action.activate_mailboxes))]


class AuthorisedFirst(APIRoute):
    """Asks who speaks before the body is read, on the headers alone: FastAPI by itself reads and parses it first."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        doors = [each.call for each in self.dependant.dependencies if isinstance(each.call, May)]

        async def authorised(request: Request) -> Response:
            for may in doors:
                await may(request)
            return await handle(request)

        return authorised


async def must_speak_for(registry: Registry, who: Speaker, school: str) -> None:
    """404 for a school that is not registered, 403 for another school than the speaker's."""
    if await registry.queries.school(school) is None:
        raise Problem(
            404,
            "school-unknown",
            N_("Scuola non registrata"),
            N_("Nessuna scuola con questo codice meccanografico è registrata qui."),
        )
    if school != who.school:
        raise Problem(
            403,
            "school-foreign",
            N_("Scuola di altri"),
            N_("Questa chiave, o questo profilo, vale per un’altra scuola."),
        )
