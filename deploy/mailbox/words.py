"""The mailbox's few words, in Italian and English."""

from collections.abc import Mapping
from typing import Final

WORDS: Final[Mapping[str, Mapping[str, str]]] = {
    "it": {
        "title": "Casella di prova",
        "about": "Qui si leggono i messaggi che Custode spedisce in prova. Nessuno esce da questa macchina.",
        "search": "Cerca un destinatario",
        "find": "Cerca",
        "all": "Mostra tutti",
        "count": "{count} messaggi",
        "count_one": "1 messaggio",
        "none": "Nessun messaggio.",
        "none_for": "Nessun messaggio per «{to}».",
        "to": "A",
        "from": "Da",
        "received": "Ricevuto",
        "subject": "Oggetto",
        "no_subject": "(senza oggetto)",
        "newer": "Più recenti",
        "older": "Meno recenti",
        "pages": "Pagine",
        "page": "Pagina {page} di {pages}",
        "back": "Torna all'elenco",
        "as_sent": "Come appare",
        "as_text": "Solo testo",
        "source": "Sorgente (.eml)",
        "empty": "Svuota la casella",
        "missing": "Questo messaggio non c'è.",
        "skip": "Vai al contenuto",
    },
    "en": {
        "title": "Test mailbox",
        "about": "Here are the messages that Custode sends while being tried. None leaves this machine.",
        "search": "Find a recipient",
        "find": "Find",
        "all": "Show all",
        "count": "{count} messages",
        "count_one": "1 message",
        "none": "No messages.",
        "none_for": "No messages for “{to}”.",
        "to": "To",
        "from": "From",
        "received": "Received",
        "subject": "Subject",
        "no_subject": "(no subject)",
        "newer": "Newer",
        "older": "Older",
        "pages": "Pages",
        "page": "Page {page} of {pages}",
        "back": "Back to the list",
        "as_sent": "As it looks",
        "as_text": "Text only",
        "source": "Source (.eml)",
        "empty": "Empty the mailbox",
        "missing": "There is no such message.",
        "skip": "Skip to content",
    },
}


def language_of(accept: str | None) -> str:
    """`en` for a browser that asks for it before Italian, else `it`."""
    for part in (accept or "").split(","):
        tag = part.split(";")[0].strip().lower()[:2]
        if tag in WORDS:
            return tag
    return "it"
