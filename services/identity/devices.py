"""Known devices: a signed cookie names the device, a table says which accounts have signed in on it (DESIGN 7).

Guesses from elsewhere then slow nobody down who signs in where they always do.
"""

import hmac
import secrets
from base64 import urlsafe_b64encode
from hashlib import sha256

from services.identity.passwords import Peppers

COOKIE_SECONDS = 400 * 24 * 3600
_ID_BYTES = 12
_ID_LENGTH = 16


class Devices:
    def __init__(self, peppers: Peppers) -> None:
        self._key = peppers.derived("device-cookie")

    def new(self) -> str:
        return secrets.token_urlsafe(_ID_BYTES)

    def cookie(self, device: str) -> str:
        return f"{device}.{self._signature(device)}"

    def read(self, cookie: str | None) -> str | None:
        """The device that a cookie of ours names; None for anything else."""
        device, _, signature = (cookie or "").partition(".")
        if len(device) != _ID_LENGTH or not signature.isascii():
            return None
        return device if hmac.compare_digest(signature, self._signature(device)) else None

    def _signature(self, device: str) -> str:
        return urlsafe_b64encode(hmac.digest(self._key, device.encode(), sha256)[:16]).decode().rstrip("=")


def device_cookie(instance: str) -> str:
    """Name of the cookie."""
    return f"__Host-{instance}-device"
