"""What every service's web front must be told: where the site is, and what this copy of it is called."""

import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

_DEFAULT_PORTS = {"http": 80, "https": 443}


def normalise_host(host: str) -> str:
    """A Host header or netloc in one spelling: lower case, default ports dropped."""
    host = host.strip().lower()
    return host.removesuffix(":80").removesuffix(":443")


@dataclass(frozen=True)
class WebSettings:
    """Settings of one web front.

    site_url: the public origin, e.g. `https://custode.scuola.it` or `http://localhost:8080`; no path.
    instance: name of this installation in cookie names (letters, digits, hyphens), so that two on one host
        do not take each other's sessions.
    extra_hosts: other values of the Host header that are ours, e.g. the process's own `127.0.0.1:8101`.
    body_limit: bytes of a request's body; body_limits: by path prefix (the longest wins), for uploads.
    body_idle_seconds: a body that has not ended is given up when nothing of it came for so long.
    """

    site_url: str
    instance: str = "custode"
    extra_hosts: tuple[str, ...] = ()
    sign_in_path: str = "/accesso/"
    sign_out_path: str = "/accesso/uscita"
    must_change_path: str = "/accesso/cambio-password"
    passkeys_path: str = "/accesso/passkey"
    own_path: str = "/accesso/il-mio-accesso"
    body_limit: int = 1024 * 1024
    body_limits: dict[str, int] = field(default_factory=dict)
    body_idle_seconds: float = 20.0

    def __post_init__(self) -> None:
        parts = urlsplit(self.site_url)
        if parts.scheme not in _DEFAULT_PORTS or not parts.hostname or parts.path not in ("", "/"):
            raise ValueError("site_url must be an origin such as https://custode.scuola.it")
        if not re.fullmatch(r"[A-Za-z0-9-]{1,40}", self.instance):
            raise ValueError("instance must be 1 to 40 letters, digits or hyphens")

    @property
    def https(self) -> bool:
        """Whether the site is served over TLS."""
        return urlsplit(self.site_url).scheme == "https"

    @property
    def origin(self) -> str:
        """The site's origin as browsers write it in `Origin`."""
        parts = urlsplit(self.site_url)
        return f"{parts.scheme}://{normalise_host(parts.netloc)}"

    @property
    def allowed_hosts(self) -> frozenset[str]:
        """Every Host header that is answered."""
        return frozenset(normalise_host(h) for h in (urlsplit(self.site_url).netloc, *self.extra_hosts))

    def limit_for(self, path: str) -> int:
        """Bytes that a request to `path` may send."""
        prefixes = [p for p in self.body_limits if path == p or path.startswith(p.rstrip("/") + "/")]
        return self.body_limits[max(prefixes, key=len)] if prefixes else self.body_limit
