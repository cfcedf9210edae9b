"""The secretariat's CSV (S3, M11)."""

import datetime as dt
from collections.abc import Mapping

import pytest
from stdnum.it.codicefiscale import calc_check_digit

from services.registry.imports import Parsed, Refused, parse_file
from services.registry.imports.secretariat_layout import COLUMNS
from shared.contracts.registry import EndReason, EnrolmentKind, Relationship

PUPIL_CF = "FRRLCU12B44X100" + str(calc_check_digit("FRRLCU12B44X100"))
MOTHER_CF = "FRRPLA80A41X100" + str(calc_check_digit("FRRPLA80A41X100"))

ROW = {
    "codice_meccanografico": "TOISDEMO02",
    "anno_scolastico": "2026/2027",
    "classe": "1",
    "sezione": "A",
    "codice_alunno": "AL1",
    "cognome_alunno": "Ferri",
    "nome_alunno": "Lucia",
    "data_nascita_alunno": "2012-02-04",
    "tipo_iscrizione": "prima",
    "codice_genitore": "GE1",
    "cognome_genitore": "Ferri",
    "nome_genitore": "Paola",
    "ruolo_genitore": "MADRE",
    "email_iscrizione_genitore": "paola.ferri@example.org",
}


def text(*rows: Mapping[str, str], separator: str = ";", headers: tuple[str, ...] = COLUMNS) -> str:
    lines = [
        separator.join(headers),
        *(separator.join((ROW | dict(row)).get(h, "") for h in headers) for row in rows),
    ]
    return "\r\n".join(lines) + "\r\n"


def read(*rows: Mapping[str, str]) -> Parsed:
    return parse_file("elenco.csv", text(*rows).encode())


def problems(parsed: Parsed) -> list[tuple[int | None, str | None, str, str]]:
    return [(p.line, p.column, p.code, p.severity) for p in parsed.problems]


def test_one_row_is_one_enrolment_with_one_guardian() -> None:
    parsed = read(
        {
            "indirizzo": "Turismo",
            "codice_fiscale_alunno": PUPIL_CF.lower(),
            "codice_fiscale_genitore": MOTHER_CF,
            "telefono_genitore": "+39 000 123456",
            "lingua_genitore": "IT",
            "accesso_dati": "si",
            "giustifica_online": "no",
            "data_inizio": "14/9/2026",
        }
    )
    (enrolment,) = parsed.enrolments
    (guardian,) = enrolment.guardians
    (klass,) = parsed.classes
    assert problems(parsed) == []
    assert (parsed.format, parsed.source, parsed.bulk, parsed.rows_read) == (
        "secretariat",
        "secretariat",
        False,
        1,
    )
    assert [s.codice for s in parsed.schools] == ["TOISDEMO02"]
    assert [(y.label, y.starts, y.ends) for y in parsed.years] == [
        ("2026/2027", dt.date(2026, 9, 1), dt.date(2027, 8, 31))
    ]
    assert (klass.grade, klass.section, klass.curriculum, klass.title) == (1, "A", "Turismo", "1A")
    assert (enrolment.school, enrolment.school_year) == ("TOISDEMO02", "2026/2027")
    assert enrolment.class_external_id == klass.external_id
    assert (enrolment.kind, enrolment.starts, enrolment.ended) == (
        EnrolmentKind.first_year,
        dt.date(2026, 9, 14),
        False,
    )
    assert (enrolment.at.file, enrolment.at.line) == ("elenco.csv", 2)
    assert (enrolment.pupil.external_id, enrolment.pupil.codice_fiscale) == ("AL1", PUPIL_CF)
    assert enrolment.pupil.birth_date == dt.date(2012, 2, 4)
    assert (guardian.external_id, guardian.relationship) == ("GE1", Relationship.mother)
    assert (guardian.email, guardian.phone) == ("paola.ferri@example.org", "+39 000 123456")
    assert (guardian.language, guardian.data_access, guardian.justifies_online) == ("it", True, False)


@pytest.mark.requirement("M2", part="import")
def test_two_guardians_with_one_mailbox_stay_two() -> None:
    parsed = read({}, {"codice_genitore": "GE2", "nome_genitore": "Ugo", "ruolo_genitore": "PADRE"})
    (enrolment,) = parsed.enrolments
    assert [(g.external_id, g.relationship.value, g.email) for g in enrolment.guardians] == [
        ("GE1", "mother", "paola.ferri@example.org"),
        ("GE2", "father", "paola.ferri@example.org"),
    ]
    assert problems(parsed) == []


@pytest.mark.requirement("M1", part="import")
def test_a_guardian_of_two_children_is_one_person_with_two_links() -> None:
    parsed = read(
        {"telefono_genitore": "0001234567"},
        {"codice_alunno": "AL2", "nome_alunno": "Ugo", "ruolo_genitore": "TUTORE", "accesso_dati": "no"},
    )
    first, second = (e.guardians[0] for e in parsed.enrolments)
    assert (first.source, first.external_id) == (second.source, second.external_id)
    assert second.phone == "0001234567"
    assert (first.relationship, first.data_access) == (Relationship.mother, None)
    assert (second.relationship, second.data_access) == (Relationship.legal_guardian, False)


def test_a_pupil_without_guardians_goes_in() -> None:
    parsed = read(dict.fromkeys(COLUMNS[15:], ""))
    assert [e.guardians for e in parsed.enrolments] == [()]
    assert problems(parsed) == []


@pytest.mark.requirement("M11", part="separators, encodings, byte-order mark")
@pytest.mark.parametrize("separator", [";", ",", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
@pytest.mark.parametrize("newline", ["\r\n", "\n", "\r"])
def test_separators_encodings_and_line_ends(separator: str, encoding: str, newline: str) -> None:
    content = text({"cognome_alunno": "Nicolò", "nome_alunno": "Zoë"}, separator=separator)
    parsed = parse_file("a.csv", content.replace("\r\n", newline).encode(encoding))
    (enrolment,) = parsed.enrolments
    assert (enrolment.pupil.family_name, enrolment.pupil.given_name) == ("Nicolò", "Zoë")
    assert problems(parsed) == []


@pytest.mark.requirement("M11", part="dates")
@pytest.mark.parametrize("written", ["2012-02-04", "04/02/2012", "4/2/2012", " 4/02/2012 "])
def test_dates_in_three_forms(written: str) -> None:
    assert read({"data_nascita_alunno": written}).enrolments[0].pupil.birth_date == dt.date(2012, 2, 4)


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("31/02/2012", "date_impossible"),
        ("2012-13-01", "date_impossible"),
        ("0000-01-01", "date_impossible"),
        ("04.02.2012", "date_format"),
        ("4/2/12", "date_format"),
        ("ieri", "date_format"),
        ("٢٠١٢-٠٢-٠٤", "date_format"),
        ("1812-02-04", "date_range"),
    ],
)
def test_a_bad_date_leaves_its_row_out_and_the_rest_goes_in(written: str, code: str) -> None:
    parsed = read({"data_nascita_alunno": written}, {"codice_alunno": "AL2"})
    assert problems(parsed) == [(2, "data_nascita_alunno", code, "error")]
    assert [e.pupil.external_id for e in parsed.enrolments] == ["AL2"]


@pytest.mark.parametrize(
    ("column", "value", "code"),
    [
        ("codice_meccanografico", "ABC", "meccanografico_shape"),
        ("codice_meccanografico", "", "missing"),
        ("anno_scolastico", "2026", "school_year"),
        ("anno_scolastico", "2026/2028", "school_year"),
        ("classe", "", "missing"),
        ("classe", "prima", "grade"),
        ("classe", "0", "grade"),
        ("sezione", "", "missing"),
        ("codice_alunno", "", "missing"),
        ("codice_alunno", "=1+1", "formula"),
        ("codice_alunno", "A" * 300, "overlong"),
        ("cognome_alunno", " ", "missing"),
        ("cognome_alunno", "=HYPERLINK(1)", "formula"),
        ("nome_alunno", "@SUM(A1)", "formula"),
        ("nome_alunno", "-2+3", "formula"),
        ("nome_alunno", "x" * 201, "overlong"),
        ("nome_alunno", "x" * 20_000, "overlong"),
        ("nome_alunno", "Lu\x00cia", "control_character"),
        ("nome_alunno", "Lu\x1bcia", "control_character"),
        ("nome_alunno", "Lu\u2028cia", "control_character"),
        ("nome_alunno", "Lucia\u202e", "bidi_override"),
        ("nome_alunno", "\u2066Lucia", "bidi_override"),
        ("nome_alunno", "Luc\ufffda", "damaged_character"),
        ("nome_alunno", "Luc\ue000a", "unusable_character"),
        ("tipo_iscrizione", "ripetente", "not_listed"),
        ("motivo_fine", "boh", "not_listed"),
        ("data_inizio", "31/04/2027", "date_impossible"),
        ("data_fine", "31/04/2027", "date_impossible"),
    ],
)
def test_a_row_that_cannot_be_taken_is_reported_and_left_out(column: str, value: str, code: str) -> None:
    parsed = read({column: value}, {"codice_alunno": "AL2"})
    assert problems(parsed) == [(2, column, code, "error")]
    assert [e.pupil.external_id for e in parsed.enrolments] == ["AL2"]


@pytest.mark.parametrize(
    "name", ["李雨桐", "يوسف", "Дарина", "Zoë 🎓", "N'Gijol", "D’Angelo", "नि\u200dधि", "O\u0300"]
)
def test_names_keep_their_script(name: str) -> None:
    parsed = read({"nome_alunno": f"  {name} "})
    expected = "Ò" if name == "O\u0300" else name
    assert parsed.enrolments[0].pupil.given_name == expected
    assert problems(parsed) == []


def test_invisible_marks_are_removed_and_said_once() -> None:
    parsed = read({"nome_alunno": "Lu\u200bcia\u200e"}, {"codice_alunno": "AL2", "nome_alunno": "\ufeffUgo"})
    assert [e.pupil.given_name for e in parsed.enrolments] == ["Lucia", "Ugo"]
    assert problems(parsed) == [(2, "nome_alunno", "invisible_removed", "warning")]


def test_a_lone_surrogate_is_refused() -> None:
    content = text({"nome_alunno": "LUCIA"}).encode().replace(b"LUCIA", b"Luc\xed\xa0\x80a")
    assert problems(parse_file("a.csv", content)) == [(2, "nome_alunno", "lone_surrogate", "error")]


@pytest.mark.parametrize(
    ("column", "value", "code", "field"),
    [
        ("email_iscrizione_genitore", "paola.ferri(at)example.org", "email", "email"),
        ("email_iscrizione_genitore", "a@example.org, b@example.org", "email", "email"),
        ("email_iscrizione_genitore", "a@example.org\rBcc:b@example.org", "email", "email"),
        ("email_iscrizione_genitore", "a@localhost", "email", "email"),
        ("email_iscrizione_genitore", "a..b@example.org", "email", "email"),
        ("email_iscrizione_genitore", "x" * 65 + "@example.org", "email", "email"),
        ("email_iscrizione_genitore", "a@" + "x." * 130 + "org", "email", "email"),
        ("email_iscrizione_genitore", '"Paola" <a@example.org>', "email", "email"),
        ("telefono_genitore", "chiamare la nonna", "phone", "phone"),
        ("telefono_genitore", "=1+1", "phone", "phone"),
        ("lingua_genitore", "boh?", "language", "language"),
        ("codice_fiscale_genitore", MOTHER_CF[:-1] + "?", "fiscale_shape", "codice_fiscale"),
        ("codice_fiscale_genitore", "00743110157", "fiscale_of_organisation", "codice_fiscale"),
    ],
)
def test_a_bad_optional_value_lets_the_guardian_in_without_it(
    column: str, value: str, code: str, field: str
) -> None:
    quoted = '"' + value.replace('"', '""') + '"'
    parsed = read({column: quoted})
    assert problems(parsed) == [(2, column, code, "warning")]
    assert getattr(parsed.enrolments[0].guardians[0], field) is None


@pytest.mark.parametrize(
    ("column", "value", "code"),
    [
        ("codice_genitore", "", "missing"),
        ("nome_genitore", "", "missing"),
        ("cognome_genitore", "+cmd()", "formula"),
        ("accesso_dati", "forse", "yes_no"),
        ("giustifica_online", "2", "yes_no"),
    ],
)
def test_a_bad_guardian_stays_out_and_the_pupil_goes_in(column: str, value: str, code: str) -> None:
    parsed = read({column: value})
    assert problems(parsed) == [(2, column, code, "error")]
    assert [e.guardians for e in parsed.enrolments] == [()]


@pytest.mark.parametrize(
    ("column", "other"),
    [
        ("nome_alunno", "Luca"),
        ("data_nascita_alunno", "2012-02-05"),
        ("sezione", "B"),
        ("tipo_iscrizione", "nuova"),
        ("data_inizio", "2026-10-01"),
        ("codice_fiscale_alunno", PUPIL_CF),
    ],
)
def test_rows_that_disagree_about_a_pupil_are_reported(column: str, other: str) -> None:
    first = {"data_inizio": "2026-09-14", "codice_fiscale_alunno": MOTHER_CF, "data_nascita_alunno": ""}
    first |= {"data_nascita_alunno": "2012-02-04"} if column == "data_nascita_alunno" else {}
    later = first | {column: other, "codice_genitore": "GE2"}
    parsed = read(first, later)
    found = [p for p in problems(parsed) if p[2] == "contradiction"]
    shown = "classe" if column == "sezione" else column
    assert found == [(3, shown, "contradiction", "error")]
    assert len(parsed.enrolments) == 1
    assert [g.external_id for g in parsed.enrolments[0].guardians] == ["GE1"]


def test_a_later_row_fills_what_was_empty() -> None:
    parsed = read({"data_nascita_alunno": ""}, {"codice_genitore": "GE2", "tipo_iscrizione": ""})
    (enrolment,) = parsed.enrolments
    assert enrolment.pupil.birth_date == dt.date(2012, 2, 4)
    assert enrolment.kind is EnrolmentKind.first_year
    assert len(enrolment.guardians) == 2
    assert problems(parsed) == []


def test_a_guardian_whose_rows_disagree_keeps_the_first() -> None:
    parsed = read({}, {"codice_alunno": "AL2", "email_iscrizione_genitore": "altra@example.org"})
    assert [e.guardians[0].email for e in parsed.enrolments] == ["paola.ferri@example.org"] * 2
    assert problems(parsed) == [(3, "email_iscrizione_genitore", "guardian_contradiction", "warning")]


def test_a_repeated_row_is_said_and_counts_once() -> None:
    parsed = read({}, {})
    assert len(parsed.enrolments[0].guardians) == 1
    assert problems(parsed) == [(3, None, "duplicate_row", "warning")]


def test_two_pupils_cannot_have_one_codice_fiscale() -> None:
    same = {"codice_fiscale_alunno": PUPIL_CF}
    parsed = read(same, same | {"codice_alunno": "AL2"})
    assert [e.pupil.external_id for e in parsed.enrolments] == ["AL1"]
    assert problems(parsed) == [(3, "codice_fiscale_alunno", "same_codice_fiscale", "error")]


def test_a_guardian_never_has_the_pupils_codice_fiscale() -> None:
    parsed = read({"codice_fiscale_alunno": PUPIL_CF, "codice_fiscale_genitore": PUPIL_CF})
    assert parsed.enrolments[0].guardians[0].codice_fiscale is None
    assert problems(parsed) == [(2, "codice_fiscale_genitore", "fiscale_of_pupil", "warning")]


def test_a_birth_date_that_contradicts_the_code_is_said() -> None:
    parsed = read({"codice_fiscale_alunno": PUPIL_CF, "data_nascita_alunno": "2012-04-02"})
    assert parsed.enrolments[0].pupil.codice_fiscale == PUPIL_CF
    assert problems(parsed) == [(2, "codice_fiscale_alunno", "fiscale_birth_date", "warning")]


def test_an_enrolment_ends() -> None:
    parsed = read({"data_fine": "10/1/2027", "motivo_fine": "Trasferimento"})
    (enrolment,) = parsed.enrolments
    assert (enrolment.ended, enrolment.ends, enrolment.end_reason) == (
        True,
        dt.date(2027, 1, 10),
        EndReason.transfer,
    )
    later = read({}, {"codice_genitore": "GE2", "motivo_fine": "ritiro"}).enrolments[0]
    assert (later.ended, later.ends, later.end_reason) == (True, None, EndReason.withdrawal)
    reversed_dates = read({"data_inizio": "2027-01-11", "data_fine": "2027-01-10"})
    assert problems(reversed_dates) == [(2, "data_fine", "dates_reversed", "error")]


@pytest.mark.parametrize(
    ("classe", "sezione", "title"),
    [
        ("1", "a", "1A"),
        ("1ª", "A", "1A"),
        ("1A", "", "1A"),
        ("III", "B", "3B"),
        ("01", "C", "1C"),
        ("2 B", "", "2B"),
    ],
)
def test_classes_as_they_are_written(classe: str, sezione: str, title: str) -> None:
    (klass,) = read({"classe": classe, "sezione": sezione}).classes
    assert (klass.title, klass.grade, klass.section) == (title, int(title[0]), title[1:])


def test_excels_text_cells_are_unwrapped() -> None:
    parsed = read({"codice_alunno": '="00123"'})
    assert parsed.enrolments[0].pupil.external_id == "00123"


@pytest.mark.parametrize("year", ["2026/2027", "2026/27", "2026-2027"])
def test_school_years_as_they_are_written(year: str) -> None:
    assert read({"anno_scolastico": year}).enrolments[0].school_year == "2026/2027"


@pytest.mark.requirement("S3", part="column mapping")
def test_columns_of_another_product_are_mapped() -> None:
    headers = tuple({"codice_alunno": "ID", "nome_alunno": "Nome (alunno)"}.get(c, c) for c in COLUMNS)
    content = text({"ID": "77", "Nome (alunno)": "Ada"}, headers=headers).encode()
    mapping = {"codice_alunno": "id", "nome_alunno": "NOME (ALUNNO)"}
    parsed = parse_file("a.csv", content, mapping=mapping, source="altro-registro")
    pupil = parsed.enrolments[0].pupil
    assert (pupil.source, pupil.external_id, pupil.given_name) == ("altro-registro", "77", "Ada")
    bad = text({"ID": "=1+1"}, headers=headers).encode()
    assert problems(parse_file("a.csv", bad, mapping=mapping))[0][1] == "ID"


@pytest.mark.parametrize(
    ("mapping", "code"),
    [
        ({"boh": "ID"}, "mapping_unknown"),
        ({"nome_alunno": "Password"}, "mapping_secret"),
        ({"classe": "X"}, "columns_missing"),
    ],
)
def test_a_wrong_mapping_is_refused(mapping: dict[str, str], code: str) -> None:
    with pytest.raises(Refused) as refusal:
        parse_file("a.csv", text({}).encode(), mapping=mapping)
    assert refusal.value.code == code


@pytest.mark.requirement("M11", part="misspelt and unknown headers")
def test_headers_are_forgiven() -> None:
    spelling = {
        "codice_alunno": "Codice Alunno ",
        "cognome_alunno": "congome_alunno",
        "classe": "CLASSE [Required]",
    }
    headers = (*(spelling.get(c, c) for c in COLUMNS), "Colore", "Password registro")
    row = {spelling.get(c, c): value for c, value in ROW.items()}
    parsed = parse_file("a.csv", text(row | {"Colore": "blu"}, headers=headers).encode())
    assert [e.pupil.family_name for e in parsed.enrolments] == ["Ferri"]
    assert problems(parsed) == [
        (1, "Password registro", "column_secret", "warning"),
        (1, "congome_alunno", "header_misspelt", "warning"),
        (1, None, "columns_unknown", "warning"),
    ]
    assert "Colore" in parsed.problems[2].text("it")


def test_sep_line_and_blank_lines_are_passed_over() -> None:
    parsed = parse_file("a.csv", ("sep=;\r\n\r\n" + text({}) + ";;;;\r\n\r\n" + ";" * 40 + "\r\n").encode())
    assert [e.at.line for e in parsed.enrolments] == [4]
    assert problems(parsed) == []


@pytest.mark.requirement("M11", part="passwords are never read")
def test_a_password_never_leaves_the_tokenizer() -> None:
    canary = "C4n4r1n0-Giallo"
    headers = (*COLUMNS, "password", "PWD_famiglia", "Passwort")
    content = text({"password": canary, "PWD_famiglia": canary, "Passwort": canary}, headers=headers).encode()
    parsed = parse_file("a.csv", content)
    said = "".join(p.text("it") + p.text("en") + repr(p) for p in parsed.problems)
    assert len(parsed.enrolments) == 1
    assert canary not in repr(parsed)
    assert canary not in said
    broken = parse_file("a.csv", content.replace(b"Ferri;Lucia", b'"Ferri;Lucia'))
    assert broken.errors == 1
    assert canary not in repr(broken)


def test_problems_do_not_repeat_personal_values() -> None:
    secret = {"data_nascita_alunno": "31/02/2012", "codice_fiscale_genitore": "FRRPLA80A41X100?"}
    said = "".join(p.text("it") + p.text("en") for p in read(secret).problems)
    assert "2012" not in said.replace("2012-02-04, 04/02/2012 o 4/2/2012", "").replace("31/02/2012", "!")
    assert "31/02" not in said
    assert "FRRPLA" not in said
