"""Why an operation on a credential was refused, and what to do instead: problems for pages and API alike."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from shared.decider import Refused
from shared.eventstore.units import ConcurrencyConflict, IdempotencyKeyReused
from shared.web.errors import TITLES, Problem
from shared.web.i18n import N_

_SUSPENDED = N_("L’account è sospeso: prima lo riammetta.")
_REVOKED = N_("L’account è stato revocato: se la persona torna, le si emettono credenziali nuove.")
_TOLD: dict[str, tuple[int, str]] = {
    "no_account": (404, N_("Questo account non c’è, o non è della sua scuola.")),
    "unknown_request": (404, N_("Questa richiesta non c’è, o non è della sua scuola.")),
    "staff": (409, N_("Al personale non si rigenerano le credenziali: si dà una password provvisoria.")),
    "suspended": (409, _SUSPENDED),
    "revoked": (409, _REVOKED),
    "retired": (409, N_("La scuola non dà più credenziali locali: si entra con SPID o CIE.")),
    "local_credentials_ended": (409, N_("La scuola non dà più credenziali locali: si entra con SPID o CIE.")),
    "role_without_credentials": (
        409,
        N_(
            "La regola della scuola non dà credenziali a chi ha questo ruolo: la regola si cambia dalla pagina «Regola»."
        ),
    ),
    "no_data_access": (
        409,
        N_(
            "Questo genitore non può vedere i dati di nessun figlio: prima corregga i suoi diritti nel registro."
        ),
    ),
    "nothing_to_regenerate": (
        409,
        N_("Non ci sono credenziali valide da rigenerare: le emetta di nuovo, non serve una richiesta."),
    ),
    "request_open": (409, N_("C’è già una richiesta aperta per questo account: prima decida quella.")),
    "decided": (409, N_("Questa richiesta ha già il suo esito. Chi chiede ancora apre una richiesta nuova.")),
    "exceptional": (
        409,
        N_(
            "In questa scuola le credenziali si rigenerano solo in casi eccezionali: registri la richiesta con il motivo, "
            "poi chi ne ha il diritto decide."
        ),
    ),
    "in_use": (
        409,
        N_("Queste credenziali sono già in uso: se sono andate perse, si chiede la rigenerazione."),
    ),
    "still_valid": (
        409,
        N_("Le credenziali emesse sono ancora valide: stampi o invii di nuovo le stesse."),
    ),
    "not_a_pupil": (
        409,
        N_("Si separano le credenziali di un alunno da quelle di un genitore: apra la scheda dell’alunno."),
    ),
    "not_enrolled": (409, N_("L’alunno non è iscritto a questa scuola.")),
    "not_their_guardian": (409, N_("Questa persona non è genitore o tutore dell’alunno.")),
    "exclusive_channel": (
        409,
        N_(
            "La regola della scuola consegna le credenziali degli alunni solo per un’altra via: al momento del rilascio "
            "arriveranno di là. Per consegnarle allo sportello occorre prima cambiare la regola."
        ),
    ),
    "no_sealing_key": (
        503,
        N_("In questo momento i tagliandi non si possono preparare: riprovi tra un minuto."),
    ),
    "no_policy": (
        409,
        N_("La scuola non ha ancora una regola per le credenziali: la adotti dalla pagina «Regola»."),
    ),
    "own_account": (409, N_("Nessuno chiude il proprio account: se ne occupa un collega.")),
}


def problem_of(refused: Refused) -> Problem:
    """As RFC 9457 has it; the type is the reason."""
    status, text = _TOLD.get(refused.reason, (409, TITLES[409]))
    headers = {"Retry-After": "60"} if status == 503 else None
    return Problem(status, refused.reason.replace("_", "-"), TITLES[status], text, headers=headers)


@asynccontextmanager
async def telling() -> AsyncIterator[None]:
    """Around an operation: what it refuses becomes a problem."""
    try:
        yield
    except Refused as refused:
        raise problem_of(refused) from None
    except IdempotencyKeyReused:
        raise Problem(
            422,
            "idempotency-key-reused",
            N_("Chiave di idempotenza già usata"),
            N_("Questa Idempotency-Key è già servita per una richiesta con altro contenuto."),
        ) from None
    except ConcurrencyConflict:
        raise Problem(
            409,
            "changed-meanwhile",
            TITLES[409],
            N_("Qualcuno ha cambiato questo account nello stesso momento: ricarichi la pagina e riprovi."),
        ) from None
