"""In which language a holder reads pages, mails and slips (M14): their own choice, on the account's history."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from shared.contracts.event import Event
from shared.contracts.identity import AccountOpened, LanguageChosen, StaffAccountOpened
from shared.decider import Decider, Refused


@dataclass(frozen=True, slots=True)
class Reader:
    account: str = ""
    holder: str = ""
    language: str | None = None


@dataclass(frozen=True, slots=True)
class ChooseLanguage:
    """A BCP 47 tag of two letters, one of those on offer."""

    language: str


def decide(reader: Reader, command: ChooseLanguage) -> Sequence[Event]:
    if not reader.account:
        raise Refused("no_account", "there is no such account")
    if command.language == reader.language:
        return ()
    return (LanguageChosen(account=reader.account, holder=reader.holder, language=command.language),)


def evolve(reader: Reader, event: Event) -> Reader:
    match event:
        case AccountOpened() | StaffAccountOpened():
            return replace(reader, account=event.account, holder=event.holder)
        case LanguageChosen():
            return replace(reader, language=event.language)
    return reader


LANGUAGE: Decider[Reader, ChooseLanguage] = Decider("account", Reader, decide, evolve)
