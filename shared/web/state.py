"""What a web app carries for its requests, in one typed place (`app.state.web`)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.requests import HTTPConnection

from shared.web.settings import WebSettings

if TYPE_CHECKING:
    from shared.web.confirmation import Confirmer
    from shared.web.sessions import Introspector
    from shared.web.templating import Pages


@dataclass(frozen=True)
class WebState:
    """Settings, pages, the one who knows sessions and the one who redeems confirmations."""

    settings: WebSettings
    pages: "Pages"
    introspector: "Introspector | None" = None
    confirmer: "Confirmer | None" = None


def web_state(connection: HTTPConnection) -> WebState:
    """The state of the app that this request is for."""
    state = connection.scope["app"].state.web
    assert isinstance(state, WebState)
    return state
