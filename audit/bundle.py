"""An auditor's bundle: the three histories as files, an entry a line, byte for byte as it was written (S5)."""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from audit.history import BrokenHistory, BundleSource, Source, checked
from shared.contracts.event import SERVICES

MANIFEST = "manifest.json"


async def export(source: Source, folder: Path) -> Mapping[str, Any]:
    """Write the bundle into an empty folder; returns its manifest: per service, count and SHA-256 of the file."""
    services = {}
    for service in SERVICES:
        digest = hashlib.sha256()
        count = 0
        with (folder / f"{service}.jsonl").open("wb") as file:
            async for entry in checked(source, service):
                line = entry.raw + b"\n"
                digest.update(line)
                file.write(line)
                count = entry.position
        services[service] = {"entries": count, "sha256": digest.hexdigest()}
    manifest = {"exported": datetime.now(UTC).isoformat(timespec="seconds"), "services": services}
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")
    return manifest


async def verify(folder: Path) -> Mapping[str, int]:
    """Positions and school positions follow on from 1, nothing is missing against the manifest.

    Returns entries by service. Raises `BrokenHistory`, which names the place. Needs nothing that runs.
    """
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    counts = {}
    for service in SERVICES:
        schools: dict[str, int] = {}
        digest = hashlib.sha256()
        count = 0
        async for entry in checked(BundleSource(folder), service):
            digest.update(entry.raw + b"\n")
            expected = schools.get(entry.school, 0) + 1
            if entry.envelope["schoolsequence"] != str(expected):
                raise BrokenHistory(f"{service}:{entry.position}: {entry.school} lacks its number {expected}")
            schools[entry.school] = expected
            count = entry.position
        told = manifest["services"][service]
        if told != {"entries": count, "sha256": digest.hexdigest()}:
            raise BrokenHistory(f"{service}: the file is not the one that the manifest describes")
        counts[service] = count
    return counts
