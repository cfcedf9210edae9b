"""Why something about staff accounts, passkeys or sessions was refused, and what to do instead."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.requests import Request
from starlette.responses import Response

from services.identity.refusals import problem_of as other_problem_of
from services.identity.refusals import telling
from shared.decider import Refused
from shared.web.errors import TITLES, Problem, problem_response
from shared.web.i18n import N_

_TOLD: dict[str, tuple[int, str]] = {
    "unknown_account": (404, N_("Questo account non c’è, o non è della sua scuola.")),
    "unknown_person": (
        404,
        N_("Questa persona non risulta in servizio nella scuola, oppure ha già un account."),
    ),
    "unknown_passkey": (404, N_("Questa passkey non c’è più.")),
    "no_role": (422, N_("Scelga almeno un ruolo. A chi lascia la scuola si chiude l’account.")),
    "unusable_name": (422, N_("Scriva un nome, senza caratteri di controllo e non troppo lungo.")),
    "already_open": (409, N_("Questa persona ha già un account.")),
    "not_staff": (409, N_("Questo non è l’account di chi lavora nella scuola.")),
    "closed": (409, N_("L’account è sospeso o chiuso.")),
    "last_administrator": (
        409,
        N_("È l’unico amministratore della scuola: prima dia questo ruolo a un’altra persona, poi ripeta."),
    ),
    "own_account": (409, N_("Nessuno chiude il proprio account: se ne occupa un altro amministratore.")),
    "passkey_needed": (
        403,
        N_("Per questo acceda con una delle sue passkey. Se le ha perse, un amministratore le toglie."),
    ),
    "last_passkey": (409, N_("È l’unica che ha e la scuola ne chiede una: prima ne registri un’altra.")),
    "passkey_known": (409, N_("Questa passkey è già registrata.")),
    "too_many_passkeys": (409, N_("Ha già 20 passkey: prima ne tolga una.")),
    "not_accepted": (
        422,
        N_("La passkey non è stata riconosciuta: forse sono passati più di cinque minuti. Ricominci."),
    ),
}


def reason_told(refused: Refused) -> str:
    """The message id of what to do instead."""
    told = _TOLD.get(refused.reason)
    return told[1] if told is not None else other_problem_of(refused).detail or TITLES[409]


def problem_of(refused: Refused) -> Problem:
    """As RFC 9457 has it; the type is the reason."""
    if refused.reason not in _TOLD:
        return other_problem_of(refused)
    status, text = _TOLD[refused.reason]
    return Problem(status, refused.reason.replace("_", "-"), TITLES[status], text)


async def on_refused(request: Request, error: Exception) -> Response:
    """Exception handler: what became impossible after it was looked at, as when somebody else was faster."""
    assert isinstance(error, Refused)
    return problem_response(request, problem_of(error))


@asynccontextmanager
async def telling_staff() -> AsyncIterator[None]:
    """Around an operation: what it refuses becomes a problem."""
    async with telling():
        try:
            yield
        except Refused as refused:
            raise problem_of(refused) from None
