"""E-mail addresses as SMTP carries them, checked before they get near a header or an envelope."""

import re
from dataclasses import dataclass
from typing import Final

# Dot-atoms (RFC 5322) with the letters of RFC 6531. Quoted local parts exist on paper only, and hide injections.
_ATOM: Final = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\u00a1-\U0010fffd-]+"
_LOCAL: Final = re.compile(rf"{_ATOM}(\.{_ATOM})*")
_LABEL: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


class BadAddress(ValueError):
    """Not one plain e-mail address. The text never holds the address."""


@dataclass(frozen=True, repr=False)
class Mailbox:
    """A checked address: `local` as given, `domain` in ASCII (IDNA) and lower case."""

    local: str
    domain: str

    @property
    def international(self) -> bool:
        """Whether only a server with SMTPUTF8 (RFC 6531) can take it."""
        return not self.local.isascii()

    def __str__(self) -> str:
        return f"{self.local}@{self.domain}"

    def __repr__(self) -> str:
        return "Mailbox(…)"


def mailbox(address: str) -> Mailbox:
    """The mailbox of one address; surrounding white space is forgiven. Raises `BadAddress`."""
    local, at, domain = address.strip().rpartition("@")
    if not at or not 0 < len(local.encode()) <= 64 or not _LOCAL.fullmatch(local):
        raise BadAddress("the part before @ is not one that mail servers take")
    if not all(character.isprintable() and not character.isspace() for character in local):
        raise BadAddress("the part before @ holds invisible characters")
    try:
        ascii_domain = domain.encode("idna").decode("ascii").lower()
    except UnicodeError as error:
        raise BadAddress("the domain cannot be written in ASCII") from error
    labels = ascii_domain.split(".")
    if len(ascii_domain) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise BadAddress("the domain is not one")
    return Mailbox(local, ascii_domain)
