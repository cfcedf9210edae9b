"""What notifications is told: `CUSTODE_NOTIFICATIONS_…` (beside the database, keyring, bus and listen settings)."""

from email.utils import parseaddr
from pathlib import Path

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import SettingsConfigDict

from services.notifications.bounce_mailbox import bounce_place
from services.notifications.channels.email.address import mailbox
from services.notifications.channels.email.dkim import DkimSigner
from services.notifications.channels.email.server import mail_server
from services.notifications.return_paths import ReturnPaths
from shared.settings import ServiceSettings


class NotificationsSettings(ServiceSettings):
    """epoch_keys_file: private halves of the sealing keys, mode 0600, in a folder that no backup holds.
    smtp_url: `smtp[s]://[user:password@]host[:port][?starttls=required|offered]`.
    mail_from: the installation's mailbox, `Custode <custode@scuola.it>`; bounces come back to it.
    pace: messages a minute at most, as the mail provider allows. connections: to the mail server at once. first_retry_seconds: until a mail
    that was put off is tried again; later waits are longer in proportion.
    bounce_key_file: 32 bytes or more that return paths are authenticated with; without it nothing that comes back is
    known. bounce_address: where it comes back to, `bounce@scuola.it`, with anything behind a `+`; without it, to the
    sender. bounce_mailbox: where it is read, `maildir:///path` or `imaps://user:password@host[:port]/folder`.
    bounce_intake_key_file: the key with which the mail server may post what comes back; without it nobody may.
    dkim_key_file: a private key in PEM with which mails are signed; dkim_selector, dkim_domain (else the sender's): where
    its public half is published.
    """

    model_config = SettingsConfigDict(env_prefix="CUSTODE_NOTIFICATIONS_", extra="ignore")
    epoch_keys_file: Path
    smtp_url: SecretStr
    mail_from: str = "Custode <custode@localhost>"
    pace: int = Field(default=1200, ge=1, le=60_000)
    connections: int = Field(default=4, ge=1, le=20)
    first_retry_seconds: float = Field(default=60.0, gt=0, le=3600)
    bounce_key_file: Path | None = None
    bounce_address: str | None = None
    bounce_mailbox: SecretStr | None = None
    bounce_intake_key_file: Path | None = None
    bounce_poll_seconds: float = Field(default=30.0, gt=0, le=3600)
    dkim_key_file: Path | None = None
    dkim_selector: str = "custode"
    dkim_domain: str | None = None

    @field_validator("smtp_url")
    @classmethod
    def _is_a_mail_server(cls, value: SecretStr) -> SecretStr:
        mail_server(value.get_secret_value())
        return value

    @field_validator("bounce_mailbox")
    @classmethod
    def _is_a_place_to_read(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            bounce_place(value.get_secret_value())
        return value

    @field_validator("bounce_address")
    @classmethod
    def _is_an_address(cls, value: str | None) -> str | None:
        return str(mailbox(value)) if value else None

    @field_validator("mail_from")
    @classmethod
    def _is_a_mailbox(cls, value: str) -> str:
        mailbox(parseaddr(value)[1])
        return value

    @property
    def sender(self) -> str:
        """The plain address of `mail_from`."""
        return parseaddr(self.mail_from)[1]

    @property
    def signer(self) -> DkimSigner | None:
        """Raises `BadDkimKey`, `OSError`."""
        if self.dkim_key_file is None:
            return None
        domain = self.dkim_domain or self.message_id_domain
        return DkimSigner.from_file(self.dkim_key_file, domain, self.dkim_selector)

    @property
    def returns(self) -> ReturnPaths | None:
        """Raises `ValueError`, `OSError`."""
        if self.bounce_key_file is None:
            return None
        return ReturnPaths.from_file(self.bounce_key_file, self.bounce_address)

    @property
    def message_id_domain(self) -> str:
        """The domain that makes a delivery's id a Message-ID."""
        return mailbox(self.sender).domain
