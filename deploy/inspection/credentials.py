"""Identity's secrets beside its history: one live credential, one valid password, no slip past its life, and one
delivery asked for each (DESIGN 5)."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import asyncpg
import orjson

from deploy.inspection.accounts import Account, Issued, told
from deploy.inspection.aggregates import aggregates
from deploy.inspection.finding import Finding, Invariant, Wrong, found
from deploy.inspection.snapshots import SQL, Look, Snapshot
from services.identity.operations import TEMPORARY
from services.notifications.domain.delivery import delivery_id

GRACE = timedelta(minutes=5)
"""Housekeeping comes once a minute: what is at the end of its life may stand for as long."""


async def credentials(look: Look) -> list[Finding]:
    """A walk through all accounts, beside the verifiers and the sealed slips as of the same moment."""
    if (snapshot := look.snapshots.get("identity")) is None:
        return []
    wrong = {
        i: Wrong() for i in (Invariant.credentials, Invariant.passwords, Invariant.slips, Invariant.requests)
    }
    counts = dict.fromkeys(("accounts", "credentials", "verifiers", "slips", "requested", "not-read-yet"), 0)
    notifications = look.snapshots.get("notifications")
    async for some in aggregates(snapshot, "account"):
        accounts = [told(one) for one in some]
        ids = [account.id for account in accounts]
        verifiers = {r["account"]: r for r in await snapshot.connection.fetch(SQL("verifiers"), ids)}
        slips: dict[str, list[asyncpg.Record]] = defaultdict(list)
        for row in await snapshot.connection.fetch(SQL("slips"), ids):
            slips[row["account"]].append(row)
        for account in accounts:
            for text in account.wrong:
                wrong[Invariant.credentials].add(text)
            _password(account, verifiers.get(account.id), snapshot.taken, wrong[Invariant.passwords])
            _slip(account, slips[account.id], snapshot.taken, wrong[Invariant.slips])
        if notifications is not None:
            issued = [(account, one) for account in accounts for one in account.issued]
            counts["not-read-yet"] += await _requested(issued, notifications, wrong[Invariant.requests])
            counts["requested"] += len(issued)
        counts["accounts"] += len(accounts)
        counts["credentials"] += sum(account.credential is not None for account in accounts)
        counts["verifiers"] += len(verifiers)
        counts["slips"] += sum(map(len, slips.values()))
    await _of_nobody(snapshot, wrong)
    shown = {
        Invariant.credentials: ("accounts", "credentials"),
        Invariant.passwords: ("verifiers",),
        Invariant.slips: ("slips",),
    }
    findings = [found(i, "identity", wrong[i], {n: counts[n] for n in names}) for i, names in shown.items()]
    if notifications is not None:
        asked = {"issued": counts["requested"], "not-read-yet": counts["not-read-yet"]}
        findings.append(found(Invariant.requests, "notifications", wrong[Invariant.requests], asked))
    return findings


def _password(account: Account, row: asyncpg.Record | None, now: datetime, wrong: Wrong) -> None:
    named = f"account {account.id}"
    if row is None:
        if _must_have(account, now):
            wrong.add(f"{named} has no password")
        return
    if not row["hashed"] or row["school"] != account.school:
        wrong.add(f"{named} has a verifier that is none, or of another school")
    credential = account.credential
    if account.staff:
        expected = (
            {"temporary"} if account.reset else {"chosen"} if account.chosen else {"chosen", "temporary"}
        )
        if row["kind"] not in expected or (account.reset and row["expires"] != account.reset):
            wrong.add(f"{named} has a {row['kind']} password that its history does not know")
    elif credential is None:
        wrong.add(f"{named} has a password, but no credential")
    else:
        for text in _of_credential(credential, row, now):
            wrong.add(f"{named} {text}")


def _of_credential(credential: Issued, row: asyncpg.Record, now: datetime) -> list[str]:
    said = []
    if row["pin"] is not credential.pin:
        said.append("has a PIN that was not issued, or lacks one that was")
    if row["kind"] != ("chosen" if credential.changed else "initial"):
        return [*said, f"has a {row['kind']} password that its history does not know"]
    if credential.changed:
        return said
    expected = (credential.expires, credential.must_change, credential.accessed)
    if (row["expires"], row["must_change"], row["accessed"]) != expected:
        said.append("has an initial password with other terms than were issued")
    if not credential.opens(now - GRACE):
        said.append("has an initial password past its life")
    return said


def _must_have(account: Account, now: datetime) -> bool:
    if account.staff:
        if account.chosen:
            return True
        ends = account.reset or (account.opened or now) + TEMPORARY
        return now < ends
    return account.credential is not None and account.credential.opens(now)


def _slip(account: Account, rows: Sequence[asyncpg.Record], now: datetime, wrong: Wrong) -> None:
    credential = account.credential
    due = credential is not None and credential.slip
    for row in rows:
        if credential is None or not due or row["credential"] != credential.credential:
            wrong.add(f"the slip of {row['credential']} should be gone: replaced, used or ended")
            continue
        if (row["generation"], row["expires"], row["school"]) != (
            credential.generation,
            credential.expires,
            credential.school,
        ):
            wrong.add(f"the slip of {row['credential']} has other terms than were issued")
        if row["expires"] + GRACE < now:
            wrong.add(f"the slip of {row['credential']} is past its life")
    if credential is not None and due and not rows:
        wrong.add(f"the slip of {credential.credential} is not there")


async def _of_nobody(snapshot: Snapshot, wrong: Mapping[Invariant, Wrong]) -> None:
    for invariant, statement in (
        (Invariant.passwords, "verifiers_of_nobody"),
        (Invariant.slips, "slips_of_nobody"),
    ):
        count = await snapshot.connection.fetchval(SQL(statement))
        if count:
            wrong[invariant].add(f"{count} of accounts that were never opened")


async def _requested(issued: Sequence[tuple[Account, Issued]], reader: Snapshot, wrong: Wrong) -> int:
    """How many were not read yet; of all others there is one delivery. Its id is derived from the credential and
    its generation, so that there cannot be two (see the deliveries' own ids)."""
    upto = reader.cursors.get("identity", 0)
    read = [(account, one) for account, one in issued if one.position <= upto]
    streams = {f"delivery/{delivery_id(one.credential, one.generation)}": (a, one) for a, one in read}
    rows = await reader.connection.fetch(SQL("first_entries"), list(streams))
    there = {row["stream"]: orjson.loads(row["entry"])["data"] for row in rows}
    for stream, (account, one) in streams.items():
        data = there.get(stream)
        if data is None:
            wrong.add(f"credential {one.credential} was issued, and no delivery asked for")
        elif (data.get("account"), data.get("credential"), data.get("channel")) != (
            account.id,
            one.credential,
            one.channel,
        ):
            wrong.add(f"the delivery of credential {one.credential} is of another")
    return len(issued) - len(read)
