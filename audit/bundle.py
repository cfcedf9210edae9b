"""An auditor's bundle: the three histories as files, an entry a line, byte for byte as it was written (S5)."""

import hashlib
import json
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from audit.history import BrokenHistory, BundleSource, Source, checked, merged
from shared.contracts.event import SERVICES

MANIFEST = "manifest.json"


async def export(source: Source, folder: Path) -> Mapping[str, Any]:
    """Write the bundle into an empty folder; returns its manifest: per service, count and SHA-256 of the file.

    Written in causal order, so that it is whole wherever a live history ends: no consequence without its cause.
    """
    counts = dict.fromkeys(SERVICES, 0)
    digests = {service: hashlib.sha256() for service in SERVICES}
    with ExitStack() as stack:
        files = {s: stack.enter_context((folder / f"{s}.jsonl").open("wb")) for s in SERVICES}
        async for entry in merged(source):
            line = entry.raw + b"\n"
            digests[entry.service].update(line)
            files[entry.service].write(line)
            counts[entry.service] = entry.position
    services = {s: {"entries": counts[s], "sha256": digests[s].hexdigest()} for s in SERVICES}
    manifest = {"exported": datetime.now(UTC).isoformat(timespec="seconds"), "services": services}
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")
    return manifest


async def verify(folder: Path) -> Mapping[str, int]:
    """Positions and school positions follow on from 1, nothing is missing against the manifest,
    and no entry stands there without what its writer had seen. Returns entries by service. Raises `BrokenHistory`, which names the place. Needs nothing that runs.
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
    async for _ in merged(BundleSource(folder)):
        pass
    return counts
