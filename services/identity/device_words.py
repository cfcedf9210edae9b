"""What kind of device a session is on, in a word: enough for its holder to know it again, too little to follow anybody
(M10). No address is kept, and nothing else of what browsers tell of themselves."""

from shared.web.i18n import N_

WORDS = {
    "iphone": N_("iPhone"),
    "ipad": N_("iPad"),
    "android": N_("telefono o tablet Android"),
    "windows": N_("computer Windows"),
    "mac": N_("computer Mac"),
    "chromebook": N_("Chromebook"),
    "linux": N_("computer Linux"),
    "": N_("dispositivo"),
}
_SIGNS = (
    ("iPhone", "iphone"),
    ("iPad", "ipad"),
    ("Android", "android"),
    ("CrOS", "chromebook"),
    ("Windows", "windows"),
    ("Macintosh", "mac"),
    ("Linux", "linux"),
)


def device_word(user_agent: str | None) -> str:
    """One of `WORDS`."""
    return next((word for sign, word in _SIGNS if sign in (user_agent or "")), "")
