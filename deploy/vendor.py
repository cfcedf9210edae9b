"""`make vendor`: copy the web libraries that we ship out of npm, with version, licence and SHA-256.

npm installs into a temporary folder from package-lock.json (integrity checked by npm, no scripts run); the
files named in `PARTS` are copied byte for byte, but for what `without` cuts out. The folder's name carries the version, so that a copy can be
cached for ever. Custode itself never needs npm.
"""

import hashlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STATIC = ROOT / "shared" / "web" / "static"
ASSETS = ROOT / "tests" / "assets"

_FONT = "dist/fonts/Titillium_Web/titillium-web-v10-latin-ext_latin-{}.woff2"
_WEIGHTS = ("300", "regular", "italic", "600", "700")


@dataclass(frozen=True)
class Part:
    """An npm package and the files we take from it (path in the package -> path in our folder)."""

    package: str
    root: Path
    files: dict[str, str]
    without: dict[str, str] = field(default_factory=dict)
    """Path in the package -> pattern of what is cut out of it (exactly once)."""


PARTS = (
    Part(
        "bootstrap-italia",
        STATIC,
        {
            "dist/css/bootstrap-italia.min.css": "bootstrap-italia.min.css",
            "dist/svg/sprites.svg": "sprites.svg",
            "LICENSE": "LICENSE",
            "dist/fonts/Titillium_Web/OFL.txt": "fonts/OFL.txt",
            **{_FONT.format(w): f"fonts/titillium-web-{w}.woff2" for w in _WEIGHTS},
        },
        # The icon font of a video player that we have not, as a data: URL: our Content-Security-Policy refuses
        # it, and every page would say so in its console.
        without={"dist/css/bootstrap-italia.min.css": r"@font-face\{font-family:VideoJS;[^}]*\}"},
    ),
    Part("htmx.org", STATIC, {"dist/htmx.min.js": "htmx.min.js", "LICENSE": "LICENSE"}),
    Part("axe-core", ASSETS, {"axe.min.js": "axe.min.js", "LICENSE": "LICENSE"}),
)


def install(folder: Path) -> Path:
    """Install the locked packages into `folder`; returns its node_modules."""
    for name in ("package.json", "package-lock.json", ".npmrc"):
        shutil.copy(ROOT / name, folder / name)
    npm = shutil.which("npm")
    if npm is None:
        raise SystemExit("make vendor needs npm (Debian: apt-get install npm); Custode itself does not.")
    subprocess.run([npm, "ci", "--silent"], cwd=folder, check=True)
    return folder / "node_modules"


def copy(part: Part, modules: Path) -> dict[str, object]:
    """Copy one part's files; returns its entry of VENDORED.json."""
    source = modules / part.package
    about = json.loads((source / "package.json").read_text("utf-8"))
    target = part.root / "vendor" / f"{part.package}-{about['version']}"
    hashes: dict[str, str] = {}
    for origin, name in sorted(part.files.items()):
        content = (source / origin).read_bytes()
        if pattern := part.without.get(origin):
            content, cuts = re.subn(pattern.encode(), b"", content)
            if cuts != 1:
                raise SystemExit(f"{origin}: expected one match of what is cut out, found {cuts}")
        copied = target / name
        copied.parent.mkdir(parents=True, exist_ok=True)
        copied.write_bytes(content)
        hashes[name] = hashlib.sha256(content).hexdigest()
    return {
        "package": part.package,
        "version": about["version"],
        "licence": about["license"],
        "changed": sorted(part.files[origin] for origin in part.without),
        "folder": target.relative_to(part.root).as_posix(),
        "sha256": dict(sorted(hashes.items())),
    }


def main() -> None:
    """Make both vendor folders anew, and their VENDORED.json."""
    with tempfile.TemporaryDirectory() as temporary:
        modules = install(Path(temporary))
        for root in (STATIC, ASSETS):
            shutil.rmtree(root / "vendor", ignore_errors=True)
            entries = [copy(part, modules) for part in PARTS if part.root == root]
            (root / "VENDORED.json").write_text(json.dumps(entries, indent=2) + "\n", "utf-8")
            for entry in entries:
                sys.stdout.write(f"{entry['package']} {entry['version']} ({entry['licence']})\n")


if __name__ == "__main__":
    main()
