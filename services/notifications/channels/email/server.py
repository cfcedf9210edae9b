"""Which mail server to hand messages to, as one URL."""

import ipaddress
from dataclasses import dataclass, field
from typing import Final, Literal
from urllib.parse import parse_qs, unquote, urlsplit

_PORTS: Final = {"smtps": 465, "smtp": 25}
_SUBMISSION: Final = 587


@dataclass(frozen=True)
class MailServer:
    """A parsed SMTP URL; `repr` shows no password.

    `tls`: from the first byte (`implicit`), by STARTTLS that must be offered (`required`), or by STARTTLS when it
    is offered (`offered`), which whoever sits on the way can take out of the conversation.
    """

    host: str
    port: int
    tls: Literal["implicit", "required", "offered"]
    username: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)

    @property
    def in_the_clear(self) -> bool:
        """Whether messages may cross a network without TLS (RFC 3207, section 6)."""
        return self.tls == "offered" and not _loopback(self.host)


def mail_server(url: str) -> MailServer:
    """The server of ``smtp[s]://[user:password@]host[:port][?starttls=required|offered]``.

    STARTTLS is required unless the host is loopback or `starttls=offered` is written; with a user name it is
    required all the same, so that a password is only ever sent over TLS or to this machine itself. Raises
    `ValueError`, whose text never holds the URL.
    """
    parts = urlsplit(url)
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ValueError("the SMTP address is not of the form smtp://host:port or smtps://host:port")
    asked = parse_qs(parts.query).get("starttls", [None])[-1]
    if asked not in {None, "required", "offered"}:
        raise ValueError("starttls is either required or offered")
    username = unquote(parts.username) if parts.username else None
    tls: Literal["implicit", "required", "offered"] = "required"
    if parts.scheme == "smtps":
        tls = "implicit"
    elif asked != "required" and (_loopback(parts.hostname) or (asked == "offered" and not username)):
        tls = "offered"
    return MailServer(
        host=parts.hostname,
        port=parts.port or (_SUBMISSION if username and tls != "implicit" else _PORTS[parts.scheme]),
        tls=tls,
        username=username,
        password=unquote(parts.password) if parts.password else None,
    )


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
