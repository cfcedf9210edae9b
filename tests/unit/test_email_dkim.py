"""What we sign, another implementation of RFC 6376 accepts; and not when a byte of it is another (S4)."""

from base64 import b64encode
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as elliptic
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from services.notifications.channels.email.dkim import BadDkimKey, DkimSigner


@pytest.fixture(scope="module")
def key_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("dkim") / "key.pem"
    key = generate_private_key(public_exponent=65537, key_size=2048)
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return path


@pytest.fixture(scope="module")
def signer(key_file: Path) -> DkimSigner:
    return DkimSigner.from_file(key_file, "scuole.example", "custode")


def record(signer: DkimSigner) -> bytes:
    public = signer.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return b"v=DKIM1; k=rsa; p=" + b64encode(public)


def accepted(signer: DkimSigner, signed: bytes) -> bool:
    def dns(name: bytes, timeout: int = 5) -> bytes:
        assert name == b"custode._domainkey.scuole.example."
        return record(signer)

    return bool(dkim.verify(signed, dnsfunc=dns))


def mail(body: str, subject: str = "Le sue credenziali per l’Istituto «Via dei Tigli»") -> bytes:
    message = EmailMessage(policy=SMTP)
    message["Subject"] = subject
    message["From"] = "Istituto <custode@scuole.example>"
    message["To"] = "Zoë D’Angiò <anna@example.org>"
    message["Date"] = "Mon, 14 Sep 2026 08:00:00 +0200"
    message["Message-ID"] = "<d@scuole.example>"
    message.set_content(body, cte="quoted-printable")
    message.add_alternative(f"<p>{body}</p>", subtype="html", cte="quoted-printable")
    return message.as_bytes()


@pytest.mark.requirement("S4", part="DKIM")
@pytest.mark.parametrize(
    "body",
    [
        "Gentile Anna,\n\nla password è «x»\n",
        "",
        "\n\n\n",
        "  spazi \t in mezzo \n\n\n",
        ".punto\n..due\n",
        "x" * 4000,
    ],
)
def test_what_is_signed_is_accepted(signer: DkimSigner, body: str) -> None:
    signed = signer.signed(mail(body))
    assert accepted(signer, signed)
    assert all(len(line) <= 998 for line in signed.split(b"\r\n"))


def test_a_body_of_nothing_at_all_is_accepted(signer: DkimSigner) -> None:
    assert accepted(signer, signer.signed(b"From: a@scuole.example\r\nSubject: x\r\n\r\n"))


def test_what_was_changed_is_not(signer: DkimSigner) -> None:
    signed = signer.signed(mail("la password è «x»"))
    for before, after in ((b"anna@", b"ugo@"), (b"la password", b"La password"), (b"08:00:00", b"09:00:00")):
        assert before in signed
        assert not accepted(signer, signed.replace(before, after))
    assert not accepted(signer, b"From: Altri <x@altrove.example>\r\n" + signed), "a second From"


def test_ed25519_too(tmp_path: Path) -> None:

    key = Ed25519PrivateKey.generate()
    path = tmp_path / "key.pem"
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    signed = DkimSigner.from_file(path, "scuole.example", "custode").signed(mail("prova"))
    assert b"a=ed25519-sha256" in signed


def test_a_key_that_is_none_is_refused_without_being_shown(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    wrong = elliptic(SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    for content in (b"segreto", wrong):
        path.write_bytes(content)
        with pytest.raises(BadDkimKey) as refused:
            DkimSigner.from_file(path, "scuole.example", "custode")
        assert "segreto" not in str(refused.value)


def test_a_domain_that_is_none_is_refused(key_file: Path) -> None:
    with pytest.raises(BadDkimKey):
        DkimSigner.from_file(key_file, "scuole.example; v=1", "custode")
