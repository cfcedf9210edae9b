"""The sealed slip opens only with its key and for its credential (DESIGN 5, B1)."""

from base64 import urlsafe_b64decode
from dataclasses import replace

import pytest
from pydantic import ValidationError

from shared.sealing import (
    Binding,
    CannotOpen,
    ClaimedSlip,
    ClaimRefusal,
    ClaimReply,
    ClaimRequest,
    InitialSecret,
    MalformedKey,
    RefusedClaim,
    claimed_slip,
    new_private_key,
    open_secret,
    private_key_text,
    public_key_text,
    read_private_key,
    seal_secret,
)

SECRET = InitialSecret("abcd-efgh-jkmn-pqrs", "123456")
BINDING = Binding("MIIS00100A", "cred-1", 2, "key-1")


def test_what_is_sealed_to_a_key_opens_with_it() -> None:
    key = new_private_key()
    sealed = seal_secret(public_key_text(key), SECRET, BINDING)
    assert b"abcd" not in sealed
    opened = open_secret(read_private_key(private_key_text(key)), sealed, BINDING)
    assert (opened.password, opened.pin) == ("abcd-efgh-jkmn-pqrs", "123456")


def test_the_same_secret_never_looks_the_same() -> None:
    public = public_key_text(new_private_key())
    assert seal_secret(public, SECRET, BINDING) != seal_secret(public, SECRET, BINDING)


@pytest.mark.parametrize(
    "other",
    [
        replace(BINDING, school="X"),
        replace(BINDING, credential="cred-2"),
        replace(BINDING, generation=1),
        replace(BINDING, key_id="key-2"),
    ],
)
def test_a_copy_moved_elsewhere_opens_nothing(other: Binding) -> None:
    key = new_private_key()
    sealed = seal_secret(public_key_text(key), SECRET, BINDING)
    with pytest.raises(CannotOpen):
        open_secret(key, sealed, other)


def test_another_key_or_a_changed_byte_opens_nothing() -> None:
    key = new_private_key()
    sealed = seal_secret(public_key_text(key), SECRET, BINDING)
    for private, ciphertext in (
        (new_private_key(), sealed),
        (key, sealed[:-1] + bytes([sealed[-1] ^ 1])),
        (key, b""),
        (key, b"short"),
    ):
        with pytest.raises(CannotOpen):
            open_secret(private, ciphertext, BINDING)


def test_its_repr_shows_nothing() -> None:
    assert "abcd" not in f"{SECRET!r} {SECRET} {[SECRET]}" and "123456" not in repr(SECRET)


@pytest.mark.parametrize("text", ["", "AAAA", "!!!", "A" * 100])
def test_a_malformed_key_is_said_to_be_one(text: str) -> None:
    with pytest.raises(MalformedKey):
        seal_secret(text, SECRET, BINDING)


@pytest.mark.parametrize(
    "request_",
    [
        "",
        "null",
        "[]",
        "{}",
        '{"credentials": [], "reason": "send"}',
        '{"credentials": ["a", "a"], "reason": "send"}',
        '{"credentials": ["a b"], "reason": "send"}',
        '{"credentials": ["a"], "reason": "curiosity"}',
        '{"credentials": ["a"], "reason": "send", "more": 1}',
        '{"credentials": [' + ",".join(f'"c{n}"' for n in range(101)) + '], "reason": "send"}',
    ],
)
def test_a_malformed_claim_is_refused(request_: str) -> None:
    with pytest.raises(ValidationError):
        ClaimRequest.model_validate_json(request_)


def test_a_reply_goes_and_comes_back() -> None:
    sealed = seal_secret(public_key_text(new_private_key()), SECRET, BINDING)
    reply = ClaimReply(
        slips={"cred-1": claimed_slip(BINDING, sealed), "cred-2": RefusedClaim(refused=ClaimRefusal.gone)}
    )
    read = ClaimReply.model_validate_json(reply.encoded())
    slip = read.slips["cred-1"]
    assert isinstance(slip, ClaimedSlip)
    assert slip.ciphertext() == sealed == urlsafe_b64decode(slip.sealed)
    assert slip.binding("cred-1") == BINDING
    assert read == reply and read.error is None
    assert ClaimReply.model_validate_json(ClaimReply(error="no").encoded()).error == "no"
