"""Identity's secrets beside its history: one live credential, one valid password, no slip past its life, and one
delivery asked for each (DESIGN 5)."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import orjson

from deploy.inspection.accounts import Account, Issued, told
from deploy.inspection.aggregates import aggregates
from deploy.inspection.finding import Finding, Invariant, Wrong, found
from deploy.inspection.snapshots import SQL, Look, Snapshot
from services.identity.operations import TEMPORARY
from services.notifications.domain.delivery import delivery_id

Row = Mapping[str, Any]
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
        verifiers = {r["account"]: dict(r) for r in await snapshot.connection.fetch(SQL("verifiers"), ids)}
        slips: dict[str, list[Row]] = defaultdict(list)
        for row in await snapshot.connection.fetch(SQL("slips"), ids):
            slips[row["account"]].append(dict(row))
        for account in accounts:
            for text in account.wrong:
                wrong[Invariant.credentials].add(text)
            for text in judge_password(account, verifiers.get(account.id), snapshot.taken):
                wrong[Invariant.passwords].add(f"account {account.id} {text}")
            for text in judge_slips(account, slips[account.id], snapshot.taken):
                wrong[Invariant.slips].add(f"account {account.id} {text}")
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


def judge_password(account: Account, row: Row | None, now: datetime) -> list[str]:
    """What is wrong with an account's verifier; `row` is None where there is none."""
    if row is None:
        return ["has no password"] if _must_have(account, now) else []
    said, credential = [], account.credential
    if not row["hashed"] or row["school"] != account.school:
        said.append("has a verifier that is none, or of another school")
    if account.revoked:
        said.append("has a password, but was revoked or retired")
    elif account.staff:
        expected = (
            {"temporary"} if account.reset else {"chosen"} if account.chosen else {"chosen", "temporary"}
        )
        if row["kind"] not in expected or (account.reset and row["expires"] != account.reset):
            said.append(f"has a {row['kind']} password that its history does not know")
    elif credential is None:
        said.append("has a password, but no credential")
    else:
        said += _of_credential(credential, row, now)
        if row["pin"] is not account.pin:
            said.append("has a PIN that it should not have, or lacks one")
    return said


def _of_credential(credential: Issued, row: Row, now: datetime) -> list[str]:
    said: list[str] = []
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
    if account.revoked:
        return False
    if account.staff:
        if account.chosen:
            return True
        ends = account.reset or (account.opened or now) + TEMPORARY
        return now < ends
    return account.credential is not None and account.credential.opens(now)


def judge_slips(account: Account, rows: Sequence[Row], now: datetime) -> list[str]:
    """What is wrong with the sealed slips of an account."""
    said, credential = [], account.credential
    due = credential if credential is not None and credential.slip else None
    for row in rows:
        if due is None or row["credential"] != due.credential:
            said.append(f"has the slip of {row['credential']}, which was replaced, used or ended")
            continue
        if (row["generation"], row["expires"], row["school"]) != (due.generation, due.expires, due.school):
            said.append(f"has a slip of {due.credential} with other terms than were issued")
        if row["expires"] + GRACE < now:
            said.append(f"has a slip of {due.credential} past its life")
    if due is not None and not rows:
        said.append(f"lacks the slip of {due.credential}")
    return said


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
