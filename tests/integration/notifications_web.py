"""The desk's front in tests: the app on the fixtures' house, with sessions known by token."""

from datetime import UTC, datetime, timedelta

import httpx
from fastapi import FastAPI
from starlette.responses import RedirectResponse, Response

from services.notifications.operations import Desk
from services.notifications.web import build_web
from shared.settings import CommonSettings
from shared.web.cookies import session_cookie
from shared.web.sessions import Principal, Role, SessionToken, hash_token, new_token, set_session
from tests.integration.notifications_fixtures import SCHOOL, SITE, House


class Sessions:
    """As identity would answer."""

    def __init__(self) -> None:
        self._known: dict[bytes, Principal] = {}

    async def introspect(self, token_hash: bytes) -> Principal | None:
        return self._known.get(token_hash)

    def open(
        self,
        *roles: Role,
        school: str = SCHOOL,
        account: str = "account-desk",
        person: str = "person-desk",
        language: str = "it",
        strong: bool = True,
    ) -> str:
        """A new session's token."""
        token = new_token()
        self._known[hash_token(token)] = Principal(
            account_id=account,
            person_id=person,
            school=school,
            roles=frozenset(roles),
            must_change=False,
            session_expires=datetime.now(UTC) + timedelta(hours=1),
            language=language,
            strong=strong,
        )
        return token


def front(house: House, sessions: Sessions, site: str = SITE) -> FastAPI:
    common = CommonSettings(
        site_url=site, nats_url="nats://127.0.0.1:1", keyring_kek_file=house.settings.epoch_keys_file
    )
    desk = Desk(house.runtime.commands, house.runtime.bus, house.keys, site)
    app = build_web(common, house.runtime, desk, sessions, {})

    @app.get("/consegne/prova-ingresso")
    async def let_in(token: str) -> Response:
        answer = RedirectResponse("/consegne/", 303)
        set_session(answer, common.instance, SessionToken(token))
        return answer

    return app


def cookie(token: str) -> str:
    return f"{session_cookie('custode')}={token}"


def browser(app: FastAPI, token: str | None = None, accept: str = "text/html") -> httpx.AsyncClient:
    headers = {"Accept": accept, "Sec-Fetch-Site": "same-origin"}
    if token is not None:
        headers["Cookie"] = cookie(token)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=SITE, headers=headers)
