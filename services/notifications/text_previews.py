"""What a message looks like with a school's own words, for somebody who does not exist: no secret, no name of anybody."""

from datetime import datetime, timedelta
from typing import Final

from services.notifications.channels.email import compose as credentials
from services.notifications.channels.email import notices
from services.notifications.channels.email.message import Bodies, Envelope
from services.notifications.channels.languages import Language
from services.notifications.channels.people import Child, SchoolHead
from services.notifications.domain.school_texts import Template, Words
from services.notifications.queries import School
from shared.contracts.policy import CredentialPolicy, HolderRole, PinRule, Regeneration
from shared.policies import local_day

_NAME: Final = "Maria Rossi"
_SENDER: Final = "custode@localhost"
_RECIPIENT: Final = "maria.rossi@example.org"


def preview(
    template: Template, language: Language, words: Words, school: School, site_url: str, now: datetime
) -> Bodies:
    """As a parent would read it today, by the policy in force."""
    day = local_day(now)
    rule = school.policy.of(HolderRole.guardian) if isinstance(school.policy, CredentialPolicy) else None
    head = SchoolHead(name=school.name, code=school.code)
    site = f"{site_url.rstrip('/')}/s/{school.customer_id}"
    envelope = Envelope(
        id="preview",
        domain="localhost",
        sender=_SENDER,
        recipient=_RECIPIENT,
        recipient_name=_NAME,
        school=head,
        language=language,
        sent_at=now,
    )
    match template:
        case Template.credentials:
            return credentials.bodies_of(
                credentials.CredentialMail(
                    delivery_id="preview",
                    domain="localhost",
                    sender=_SENDER,
                    recipient=_RECIPIENT,
                    school=head,
                    holder_name=_NAME,
                    role="guardian",
                    user_code="••••••••",
                    password="••••-••••-••••-••••",  # noqa: S106
                    pin="••••••" if rule is not None and rule.pin is PinRule.issued else None,
                    site_address=site,
                    expires_on=day + timedelta(days=rule.initial_secret_days if rule else 14),
                    sent_at=now,
                    concerning=(Child("Anna Rossi", "1A"),),
                    language=language,
                    words=words,
                )
            )
        case Template.reminder:
            exceptional = rule is not None and rule.regeneration is Regeneration.exceptional
            return notices.bodies_of(
                notices.ReminderMail(
                    envelope=envelope,
                    role="guardian",
                    came_by="mail",
                    delivered_on=day - timedelta(days=7),
                    expires_on=day + timedelta(days=7),
                    lost="exceptional" if exceptional else "desk",
                    site_address=site,
                    words=words,
                )
            )
        case Template.circular:
            return notices.bodies_of(
                notices.CircularMail(
                    envelope=envelope,
                    role="guardian",
                    number="1",
                    day=day,
                    subject="Credenziali per il registro elettronico",
                    signed_by="Anna Neri",
                    page_address=f"{site_url.rstrip('/')}/circolari/{school.customer_id}/esempio",
                    words=words,
                )
            )
