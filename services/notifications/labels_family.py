"""Words that families read too (M14): translated into every language."""

from collections.abc import Mapping
from typing import Final

from shared.contracts.notifications import Audience
from shared.web.i18n import N_

AUDIENCES: Final[Mapping[Audience, str]] = {
    Audience.guardians: N_("Genitori"),
    Audience.pupils: N_("Alunne e alunni"),
    Audience.teachers: N_("Docenti"),
    Audience.ata: N_("Personale ATA"),
    Audience.public: N_("Sito web"),
}
