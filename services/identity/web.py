"""What pages and API share: who serves them, the cookies of this service, the answer when all cores hash."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from starlette.requests import HTTPConnection, Request
from starlette.responses import Response

from services.identity.addresses import Address, Network, client_address
from services.identity.desk import DeskQueries
from services.identity.devices import COOKIE_SECONDS, device_cookie
from services.identity.operations_life import CredentialLife
from services.identity.operations_staff import StaffDesk
from services.identity.own import OwnAccess
from services.identity.passkeys import Passkeys
from services.identity.passwords import HasherBusy
from services.identity.queries import Queries, School
from services.identity.sessions import Opened, Sessions
from services.identity.showing import Client
from services.identity.signing_in import SignedIn, SigningIn
from shared.contracts.identity import AccountRole
from shared.eventstore.commands import Commands
from shared.web.cookies import cookie_header, language_cookie_header
from shared.web.errors import TITLES, Problem, problem_response
from shared.web.i18n import N_, ngettext
from shared.web.sessions import Principal, hash_token, session_token, set_session
from shared.web.settings import WebSettings
from shared.web.templating import Pages, SchoolFront

_CUSTOMER_ID = re.compile(r"[a-z0-9][a-z0-9-]{1,39}")
_CHANGED_SECONDS = 60
_SCHOOL_SECONDS = 400 * 24 * 3600

NOT_ACCEPTED = N_("Il codice utente o la password non corrispondono.")
NOT_ACCEPTED_HINT = N_(
    "Controlli di averli copiati per intero. Dopo alcuni tentativi errati occorre attendere, da pochi secondi fino a "
    "un’ora, prima di riprovare."
)


@dataclass(frozen=True)
class Front:
    settings: WebSettings
    pages: Pages
    commands: Commands
    queries: Queries
    signing_in: SigningIn
    sessions: Sessions
    wake_issuer: Callable[[], None]
    front_door: tuple[Network, ...]
    own: OwnAccess
    staff: StaffDesk
    passkeys: Passkeys
    life: CredentialLife
    desk: DeskQueries

    async def school_of(self, request: HTTPConnection, principal: Principal | None = None) -> School | None:
        """The signed-in holder's school, else the one whose address was opened last on this device."""
        if principal is not None:
            return await self.queries.school(principal.school)
        customer = request.cookies.get(self._school_cookie)
        return await self.school_at(customer) if customer else None

    async def school_at(self, customer_id: str) -> School | None:
        """The school with this customer id; nothing that cannot be one reaches the database."""
        return await self.queries.school_at(customer_id) if _CUSTOMER_ID.fullmatch(customer_id) else None

    def device(self, request: HTTPConnection) -> str | None:
        return request.cookies.get(device_cookie(self.settings.instance))

    def session(self, request: HTTPConnection) -> bytes | None:
        """The hash of the token that the request brought, whether or not it still holds."""
        token = session_token(request)
        return hash_token(token) if token is not None else None

    def address(self, request: HTTPConnection) -> Address | None:
        """Where the request comes from, as far as it may be believed."""
        forwarded = ",".join(request.headers.getlist("x-forwarded-for"))
        return client_address(request.client.host if request.client else None, forwarded, self.front_door)

    def remember_school(self, response: Response, school: School) -> None:
        header = cookie_header(self._school_cookie, school.customer_id, _SCHOOL_SECONDS)
        response.headers.append("Set-Cookie", header)

    def speak(self, response: Response, language: str) -> None:
        """Whoever shares this device with others reads it in their own language, from now on."""
        response.headers.append("Set-Cookie", language_cookie_header(self.settings.instance, language))

    def signed_in(self, response: Response, who: SignedIn) -> None:
        """The cookies of a new session, on a device that is known from now on."""
        self.give_session(response, who.session)
        name = device_cookie(self.settings.instance)
        response.headers.append("Set-Cookie", cookie_header(name, who.device, COOKIE_SECONDS))

    async def seconds_to_wait(self, request: HTTPConnection, user_code: str) -> int:
        return await self.signing_in.seconds_to_wait(user_code, self.device(request))

    def tell_changed(self, response: Response) -> None:
        """The page that says so is shown now, and to nobody who opens its address later."""
        header = cookie_header(self._changed_cookie, "si", _CHANGED_SECONDS)
        response.headers.append("Set-Cookie", header)

    def just_changed(self, request: HTTPConnection) -> bool:
        return self._changed_cookie in request.cookies

    def give_session(self, response: Response, session: Opened) -> None:
        set_session(response, self.settings.instance, session.token, session.max_age)

    @property
    def _changed_cookie(self) -> str:
        return f"__Host-{self.settings.instance}-changed"

    @property
    def _school_cookie(self) -> str:
        return f"__Host-{self.settings.instance}-school"


def client_of(front: Front, request: Request) -> Client:
    return Client(front.address(request), front.device(request))


def told_to_wait(seconds: int) -> str:
    wait = ngettext(
        "Attenda %(num)s secondo prima di riprovare.", "Attenda %(num)s secondi prima di riprovare.", seconds
    )
    return wait % {"num": seconds}


def start_of(role: AccountRole) -> str:
    """Where a signed-in holder starts: families in the register, staff at the desk."""
    return "/consegne/" if role is AccountRole.staff else "/registro/"


def front_of(school: School | None) -> SchoolFront | None:
    return SchoolFront(name=school.name) if school is not None else None


async def on_busy(request: Request, error: Exception) -> Response:
    """More sign-ins at once than this machine checks: in a moment."""
    problem = Problem(
        503,
        "too-many-sign-ins",
        TITLES[503],
        N_("In questo momento molte persone stanno accedendo. Riprovi tra qualche secondo."),
        headers={"Retry-After": str(HasherBusy.retry_after_seconds)},
    )
    return problem_response(request, problem)
