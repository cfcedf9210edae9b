"""A small file with everything that goes wrong in real ones: what the demo and the manual show of bad input."""

from typing import Any, Final

from deploy.demo.mail_school import COLUMNS, PROFILE

NAME: Final = "elenco-da-correggere.csv"
FACTS: Final[dict[str, Any]] = {"file": NAME, "format": "secretariat", "codice": PROFILE.codice}

_GOOD: Final = {
    "codice_meccanografico": PROFILE.codice,
    "anno_scolastico": "2026/2027",
    "classe": "1",
    "sezione": "B",
    "indirizzo": "Turismo",
    "tipo_iscrizione": "prima",
    "data_nascita_alunno": "04/02/2012",
    "ruolo_genitore": "MADRE",
}
_HEADERS: Final = [*COLUMNS, "password_web", "colore_armadietto"]


def _row(pupil: str, guardian: str, **changes: str) -> str:
    code, family, given = pupil.split()
    guardian_family, guardian_given = guardian.split()
    row = {
        **_GOOD,
        "codice_alunno": code,
        "cognome_alunno": family,
        "nome_alunno": given,
        "codice_genitore": f"X{code}",
        "cognome_genitore": guardian_family,
        "nome_genitore": guardian_given,
        "email_iscrizione_genitore": f"{code.lower()}@famiglia.example",
        "password_web": "non-va-mai-letta",
        "colore_armadietto": "blu",
        **changes,
    }
    return ";".join(row.get(column, "") for column in _HEADERS)


def content() -> bytes:
    """Windows-1252 with `;`. Two rows are good, the others each have one fault."""
    lines = [
        ";".join(_HEADERS),
        _row("D0001 Nicolò Agnese", "Nicolò Marta"),
        _row("D0002 Ferri Luca", "Ferri Paola", data_nascita_alunno="31/02/2012"),
        _row("D0003 Costa Sara", "Costa Irene", codice_fiscale_genitore="CSTRNI80A41X100Q"),
        _row("D0004 Gatti Diego", "Gatti Laura", email_iscrizione_genitore="gatti.laura(at)famiglia.example"),
        _row("D0005 Sala Emma", "Sala Anna", ruolo_genitore="VICINA DI CASA"),
        _row("D0006 Villa Greta", "Villa Chiara", tipo_iscrizione="ripetente"),
        _row("D0007 =1+1 Marco", "Riva Silvia"),
        _row("D0008 Monti Elisa", "Monti Giulia", codice_meccanografico="ABC"),
        _row("D0009 Neri Davide", "Neri Sofia") + ";una;colonna;in;più",
        _row("D0010 Testa Noemi", "Testa Bianca", nome_alunno='"Noemi'),
        _row(
            "D0001 Nicolò Agnese",
            "Nicolò Paolo",
            classe="2",
            codice_genitore="XD0011",
            ruolo_genitore="PADRE",
        ),
        _row("D0012 Amato Pietro", "Amato Elena", accesso_dati="forse"),
        _row("D0013 Longo Irene", "Longo Maria"),
    ]
    return ("\r\n".join(lines) + "\r\n").encode("cp1252")
