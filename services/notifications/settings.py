"""What notifications is told: `CUSTODE_NOTIFICATIONS_…` (beside the database, keyring, bus and listen settings)."""

from email.utils import parseaddr
from pathlib import Path

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import SettingsConfigDict

from services.notifications.channels.email.address import mailbox
from services.notifications.channels.email.server import mail_server
from shared.settings import ServiceSettings


class NotificationsSettings(ServiceSettings):
    """epoch_keys_file: private halves of the sealing keys, mode 0600, in a folder that no backup holds.
    smtp_url: `smtp[s]://[user:password@]host[:port][?starttls=required|offered]`.
    mail_from: the installation's mailbox, `Custode <custode@scuola.it>`; bounces come back to it.
    pace: messages a minute at most, as the mail provider allows. connections: to the mail server at once. first_retry_seconds: until a mail
    that was put off is tried again; later waits are longer in proportion.
    """

    model_config = SettingsConfigDict(env_prefix="CUSTODE_NOTIFICATIONS_", extra="ignore")
    epoch_keys_file: Path
    smtp_url: SecretStr
    mail_from: str = "Custode <custode@localhost>"
    pace: int = Field(default=1200, ge=1, le=60_000)
    connections: int = Field(default=4, ge=1, le=20)
    first_retry_seconds: float = Field(default=60.0, gt=0, le=3600)

    @field_validator("smtp_url")
    @classmethod
    def _is_a_mail_server(cls, value: SecretStr) -> SecretStr:
        mail_server(value.get_secret_value())
        return value

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
    def message_id_domain(self) -> str:
        """The domain that makes a delivery's id a Message-ID."""
        return mailbox(self.sender).domain
