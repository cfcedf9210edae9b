"""The cookies of the site, all `__Host-` (Secure, Path=/, no Domain) with the instance's name in theirs."""

from http.cookies import SimpleCookie

from shared.web.i18n import language_cookie

_YEAR = 365 * 24 * 3600


def session_cookie(instance: str) -> str:
    """Name of the session's cookie."""
    return f"__Host-{instance}-session"


def cookie_header(name: str, value: str, max_age: int | None) -> str:
    """A Set-Cookie header. `max_age` in seconds; None ends with the browser, 0 deletes."""
    cookie: SimpleCookie = SimpleCookie()
    cookie[name] = value
    morsel = cookie[name]
    morsel["path"] = "/"
    morsel["secure"] = True
    morsel["httponly"] = True
    morsel["samesite"] = "Lax"
    if max_age is not None:
        morsel["max-age"] = max_age
    return morsel.OutputString()


def language_cookie_header(instance: str, tag: str) -> str:
    """A Set-Cookie header that remembers the language for a year."""
    return cookie_header(language_cookie(instance), tag, _YEAR)
