"""From a letter and its secret to the mail that carries it: what is the same for every mail of the installation."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from email.message import EmailMessage

from services.notifications.channels.email.backoff import SCHEDULE
from services.notifications.channels.email.compose import CredentialMail
from services.notifications.channels.languages import Role, known_language
from services.notifications.channels.people import Child, SchoolHead
from services.notifications.letters import Letter, last_day
from services.notifications.return_paths import Kind, ReturnPaths
from shared.policies import ROME
from shared.sealing import InitialSecret

_ROLES: dict[str, Role] = {"guardian": "guardian", "pupil": "pupil", "staff": "staff"}


@dataclass(frozen=True, slots=True)
class PostOffice:
    """`sender` is a plain address; `pace`: messages a minute at most; `concurrency`: messages at once;
    `first_retry`: how long after the first try that was deferred, see `backoff`; `returns`: by which what comes back is
    known, None: what comes back is not read."""

    site_url: str
    sender: str
    message_id_domain: str
    pace: int = 1200
    concurrency: int = 8
    first_retry: timedelta = SCHEDULE[0]
    returns: ReturnPaths | None = None

    def stamped(self, message: EmailMessage, kind: Kind, of: str, attempt: int) -> EmailMessage:
        """The message, saying which one it is, should it come back."""
        return message if self.returns is None else self.returns.stamp(message, kind, of, attempt)

    def mail(self, letter: Letter, secret: InitialSecret, now: datetime) -> CredentialMail:
        """The mail of one delivery; its name makes the Message-ID, so that a repeat is known as one."""
        return CredentialMail(
            delivery_id=letter.message_name,
            domain=self.message_id_domain,
            sender=self.sender,
            recipient=letter.address,
            school=SchoolHead(name=letter.school_name, code=letter.school),
            holder_name=letter.spoken_name,
            role=_ROLES[letter.role],
            user_code=letter.user_code,
            password=secret.password,
            pin=secret.pin,
            site_address=letter.site_address(self.site_url),
            expires_on=last_day(letter.expires),
            sent_at=now.astimezone(ROME),
            concerning=tuple(Child(child.spoken_name, child.class_title) for child in letter.children),
            language=known_language(letter.language),
            must_change=letter.must_change,
            words=letter.words,
        )
