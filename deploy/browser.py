"""`python -m deploy.browser [--install]`: find Chromium for the tests that drive a real browser.

With --install, as root on a Debian-like system, install it. Exit code 1 only where nothing may be left out
(CI=true) and there is none; elsewhere it says what will be left out, and how to install it.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence

CANDIDATES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PACKAGE = "chromium"
APT_SECONDS = 600


def find_chromium() -> str | None:
    """The path of a Chromium: CUSTODE_CHROMIUM if it is set, else what is on the PATH; None if there is none."""
    given = os.environ.get("CUSTODE_CHROMIUM")
    if given:
        return given if shutil.which(given) else None
    return next((found for name in CANDIDATES if (found := shutil.which(name))), None)


def _apt(*arguments: str) -> bool:
    command = ["apt-get", "--yes", "--quiet", "-o", "DPkg::Lock::Timeout=120", *arguments]
    environment = dict(os.environ) | {"DEBIAN_FRONTEND": "noninteractive"}
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=APT_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        _say(f"apt-get {arguments[0]}: {error}")
        return False
    if done.returncode != 0:
        last = (done.stderr or done.stdout).strip().splitlines()[-1:]
        _say(f"apt-get {arguments[0]} failed: {' '.join(last)}")
    return done.returncode == 0


def install_chromium() -> bool:
    """Install Debian's Chromium; True when it worked. The package lists are fetched only if they are missing."""
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return False
    _say("installing Debian's chromium for the browser tests (once)")
    package = ("install", "--no-install-recommends", PACKAGE)
    return _apt(*package) or (_apt("update") and _apt(*package))


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def main(arguments: Sequence[str]) -> int:
    """The command; returns its exit code."""
    if find_chromium() is None and "--install" in arguments:
        install_chromium()
    found = find_chromium()
    if found is not None:
        _say(f"browser tests use {found}")
        return 0
    _say(
        "no Chromium: the browser tests are left out. Install it with `apt-get install chromium` (Debian, as root),"
    )
    _say("or point CUSTODE_CHROMIUM to one, to run them.")
    return 1 if os.environ.get("CI") == "true" else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
