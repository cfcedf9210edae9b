"""OneRoster 1.2 (and 1.1) in all the shapes in which it arrives (S3, M11)."""

import csv
import datetime as dt
import io
import zipfile
from collections.abc import Mapping, Sequence

import pytest
from stdnum.it.codicefiscale import calc_check_digit

from deploy.demo.writers import HEADERS
from services.registry.imports import Parsed, Refused, parse_file
from shared.contracts.registry import Relationship

Rows = Sequence[Mapping[str, str]]
MOTHER_CF = "FRRPLA80A41X100" + str(calc_check_digit("FRRPLA80A41X100"))
PUPIL_CF = "FRRLCU12B44X100" + str(calc_check_digit("FRRLCU12B44X100"))
NAMES = ("orgs", "academicSessions", "classes", "users", "roles", "enrollments", "demographics")
TABLES: dict[str, Rows] = {
    "orgs": [
        {"sourcedId": "d1", "name": "Rete", "type": "district", "identifier": ""},
        {"sourcedId": "o1", "name": "Liceo", "type": "school", "identifier": "RMPSDEMO01"},
    ],
    "academicSessions": [
        {
            "sourcedId": "y",
            "title": "A.S.",
            "type": "schoolYear",
            "startDate": "2026-09-01",
            "endDate": "2027-08-31",
            "schoolYear": "2027",
        },
        {
            "sourcedId": "t",
            "title": "Q1",
            "type": "term",
            "startDate": "2026-09-01",
            "endDate": "2027-01-31",
            "parentSourcedId": "y",
            "schoolYear": "2027",
        },
    ],
    "classes": [
        {
            "sourcedId": "c1",
            "title": "1A Scientifico",
            "grades": "09",
            "classType": "homeroom",
            "schoolSourcedId": "o1",
            "termSourcedIds": "t",
        },
        {
            "sourcedId": "m1",
            "title": "Matematica 1A",
            "classType": "scheduled",
            "schoolSourcedId": "o1",
            "termSourcedIds": "t",
        },
    ],
    "users": [
        {
            "sourcedId": "p1",
            "enabledUser": "true",
            "givenName": "Lucia",
            "familyName": "Ferri",
            "agentSourcedIds": "g1,g2",
            "userIds": f"{{SIDI:1}},{{CF:{PUPIL_CF}}}",
            "email": "lucia@studenti.example",
            "password": "C4n4r1n0",
        },
        {
            "sourcedId": "g1",
            "givenName": "Paola",
            "familyName": "Ferri",
            "email": "paola@example.org",
            "userIds": f"{{CF:{MOTHER_CF}}}",
            "sms": "+39 000 111111",
        },
        {"sourcedId": "g2", "givenName": "Ugo", "familyName": "Ferri", "phone": "000 222222"},
        {"sourcedId": "d9", "givenName": "Ada", "familyName": "Docente"},
    ],
    "roles": [
        {
            "sourcedId": "r1",
            "userSourcedId": "p1",
            "roleType": "primary",
            "role": "student",
            "orgSourcedId": "o1",
        },
        {
            "sourcedId": "r2",
            "userSourcedId": "g1",
            "roleType": "primary",
            "role": "parent",
            "orgSourcedId": "o1",
        },
        {
            "sourcedId": "r3",
            "userSourcedId": "g2",
            "roleType": "primary",
            "role": "guardian",
            "orgSourcedId": "o1",
        },
        {
            "sourcedId": "r4",
            "userSourcedId": "d9",
            "roleType": "primary",
            "role": "teacher",
            "orgSourcedId": "o1",
        },
    ],
    "enrollments": [
        {
            "sourcedId": "e1",
            "classSourcedId": "c1",
            "schoolSourcedId": "o1",
            "userSourcedId": "p1",
            "role": "student",
        },
        {
            "sourcedId": "e2",
            "classSourcedId": "m1",
            "schoolSourcedId": "o1",
            "userSourcedId": "p1",
            "role": "student",
        },
        {
            "sourcedId": "e3",
            "classSourcedId": "c1",
            "schoolSourcedId": "o1",
            "userSourcedId": "d9",
            "role": "teacher",
        },
    ],
    "demographics": [{"sourcedId": "p1", "birthDate": "2012-02-04", "sex": "female", "asian": "R4zz4"}],
}


def csv_of(headers: Sequence[str], rows: Rows) -> str:
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, headers, restval="", lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def manifest(
    names: Sequence[str] = NAMES, mode: str = "bulk", version: str = "1.2", code: str = "sis"
) -> str:
    lines = ["propertyName,value", "manifest.version,1.0", f"oneroster.version,{version}"]
    return "\r\n".join([*lines, *(f"file.{n},{mode}" for n in names), f"source.systemCode,{code}"]) + "\r\n"


def members(mode: str = "bulk", tables: Mapping[str, Rows] | None = None) -> dict[str, bytes]:
    files = {"manifest.csv": manifest(mode=mode)}
    files |= {f"{n}.csv": csv_of(HEADERS[n].split(), (TABLES | dict(tables or {}))[n]) for n in NAMES}
    return {name: text.encode() for name, text in files.items()}


def pack(files: Mapping[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


def read(tables: Mapping[str, Rows] | None = None, mode: str = "bulk") -> Parsed:
    return parse_file("scuola.zip", pack(members(mode, tables)))


def changed(table: str, row: int, **values: str) -> dict[str, Rows]:
    rows = [dict(r) for r in TABLES[table]]
    rows[row] |= values
    return {table: rows}


def more(table: str, *rows: Mapping[str, str]) -> dict[str, Rows]:
    return {table: [*TABLES[table], *rows]}


def problems(parsed: Parsed) -> list[tuple[str, int | None, str | None, str, str]]:
    return [(p.file, p.line, p.column, p.code, p.severity) for p in parsed.problems]


@pytest.mark.requirement("S3", part="OneRoster")
def test_a_school_as_it_should_be() -> None:
    parsed = read()
    (school,) = parsed.schools
    (year,) = parsed.years
    (klass,) = parsed.classes
    (enrolment,) = parsed.enrolments
    mother, tutor = enrolment.guardians
    assert problems(parsed) == []
    assert (parsed.format, parsed.source, parsed.bulk) == ("oneroster", "sis", True)
    assert (school.codice, school.name) == ("RMPSDEMO01", "Liceo")
    assert (year.label, year.starts, year.ends) == ("2026/2027", dt.date(2026, 9, 1), dt.date(2027, 8, 31))
    assert (klass.external_id, klass.grade, klass.section, klass.curriculum) == ("c1", 1, "A", "Scientifico")
    assert (klass.school, klass.school_year) == ("RMPSDEMO01", "2026/2027")
    assert (enrolment.school, enrolment.class_external_id, enrolment.kind) == ("RMPSDEMO01", "c1", None)
    assert (enrolment.ended, enrolment.at.file, enrolment.at.line) == (False, "enrollments.csv", 2)
    pupil = enrolment.pupil
    assert (pupil.source, pupil.external_id, pupil.birth_date) == ("sis", "p1", dt.date(2012, 2, 4))
    assert (pupil.codice_fiscale, pupil.institutional_email) == (PUPIL_CF, "lucia@studenti.example")
    assert (mother.external_id, mother.relationship, mother.phone) == (
        "g1",
        Relationship.mother,
        "+39 000 111111",
    )
    assert (tutor.external_id, tutor.relationship, tutor.phone) == (
        "g2",
        Relationship.legal_guardian,
        "000 222222",
    )
    assert (mother.data_access, mother.justifies_online) == (None, None)


@pytest.mark.requirement("M11", part="passwords are never read")
def test_passwords_and_races_never_leave_the_tokenizer() -> None:
    shown = repr(read())
    assert "C4n4r1n0" not in shown
    assert "R4zz4" not in shown


@pytest.mark.requirement("M11", part="nested ZIP, folders")
@pytest.mark.parametrize("folder", ["export/", "Export 2026\\", "a/b/"])
def test_files_may_be_in_a_folder(folder: str) -> None:
    parsed = parse_file("s.zip", pack({f"{folder}{name}": content for name, content in members().items()}))
    assert len(parsed.enrolments) == 1
    assert [p.code for p in parsed.problems] == ["unzipped_folder"]


@pytest.mark.requirement("M11", part="nested ZIP, folders")
def test_the_zip_may_be_in_a_zip_but_not_deeper() -> None:
    inner = pack(members())
    once = pack({"oneroster.zip": inner, "__MACOSX/._oneroster.zip": b"x", ".DS_Store": b"x"})
    assert len(parse_file("s.zip", once).enrolments) == 1
    with pytest.raises(Refused) as refusal:
        parse_file("s.zip", pack({"outer.zip": once}))
    assert refusal.value.code == "zip_nested"


@pytest.mark.requirement("M11", part="byte-order mark, misspelt headers")
def test_marks_and_misspelt_headers_are_forgiven() -> None:
    files = members()
    users = files["users.csv"].replace(b"preferredGivenName", b"prefferedGivenName")
    users = users.replace(b"dateLastModified", b"dataLastModified").replace(b"familyName", b"Familyname")
    files["users.csv"] = b"\xef\xbb\xbf" + users.replace(b"agentSourcedIds", b"agentSourceIds")
    parsed = parse_file("s.zip", pack(files))
    assert len(parsed.enrolments[0].guardians) == 2
    assert problems(parsed) == [("users.csv", 1, "agentSourceIds", "header_misspelt", "warning")]


@pytest.mark.requirement("M11", part="unknown columns, encodings")
def test_unknown_columns_are_said_once_and_cp1252_is_read() -> None:
    files = members(tables=changed("users", 0, familyName="Nicolò"))
    lines = files["users.csv"].decode().splitlines()
    wide = [lines[0] + ",metadata.scuola,colore", *(line + ",x,y" for line in lines[1:])]
    files["users.csv"] = "\n".join(wide).encode("cp1252")
    parsed = parse_file("s.zip", pack(files))
    assert parsed.enrolments[0].pupil.family_name == "Nicolò"
    assert problems(parsed) == [
        ("users.csv", 1, None, "columns_unknown", "warning"),
        ("users.csv", 2, None, "cp1252", "warning"),
    ]


def test_semicolons_and_any_order_of_columns() -> None:
    files = members()
    files["enrollments.csv"] = b"role;userSourcedId;classSourcedId\r\nStudent;p1;c1\r\n"
    assert len(parse_file("s.zip", pack(files)).enrolments) == 1


@pytest.mark.requirement("S3", part="OneRoster 1.1")
def test_version_1_1_has_roles_in_users() -> None:
    files = members()
    del files["roles.csv"]
    files["manifest.csv"] = manifest([n for n in NAMES if n != "roles"], version="1.1").encode()
    files["users.csv"] = csv_of(
        ["sourcedId", "status", "role", "orgSourcedIds", "givenName", "familyName", "agentSourcedIds"],
        [
            {"sourcedId": "p1", "role": "student", "givenName": "Lucia", "familyName": "Ferri"},
            {
                "sourcedId": "g1",
                "role": "parent",
                "givenName": "Paola",
                "familyName": "Ferri",
                "agentSourcedIds": "p1",
            },
            {
                "sourcedId": "g2",
                "role": "relative",
                "givenName": "Ada",
                "familyName": "Ferri",
                "agentSourcedIds": "p1",
            },
        ],
    ).encode()
    files["demographics.csv"] = (
        b"sourcedId,status,dateLastModified,birthdate,sex\r\np1,,,2012-02-04,female\r\ng1,,,,male\r\n"
    )
    parsed = parse_file("s.zip", pack(files))
    (enrolment,) = parsed.enrolments
    assert problems(parsed) == []
    assert enrolment.pupil.birth_date == dt.date(2012, 2, 4)
    assert [(g.external_id, g.relationship.value) for g in enrolment.guardians] == [
        ("g1", "father"),
        ("g2", "other"),
    ]


@pytest.mark.requirement("M11", part="orphan keys")
@pytest.mark.parametrize("direction", ["pupil", "guardian", "both"])
def test_links_are_read_in_either_direction(direction: str) -> None:
    users = [dict(u) for u in TABLES["users"]]
    users[0]["agentSourcedIds"] = "g1" if direction in {"pupil", "both"} else ""
    users[1]["agentSourcedIds"] = "p1" if direction in {"guardian", "both"} else ""
    users[2]["agentSourcedIds"] = "p1"
    parsed = read({"users": users})
    assert [g.external_id for g in parsed.enrolments[0].guardians] == ["g1", "g2"]
    assert problems(parsed) == []


@pytest.mark.requirement("M11", part="orphan keys")
@pytest.mark.parametrize(
    ("tables", "finding", "enrolled"),
    [
        (changed("users", 0, agentSourcedIds="g1,g2,gX"), ("users.csv", 2, "agentSourcedIds", "agent_unknown", "warning"), 1),
        (changed("users", 0, agentSourcedIds="g1;g2;d9"), ("users.csv", 2, "agentSourcedIds", "agent_not_guardian", "warning"), 1),
        (changed("users", 0, agentSourcedIds="g1"), ("users.csv", None, None, "guardian_without_pupil", "warning"), 1),
        (more("roles", {"userSourcedId": "zz", "role": "parent"}), ("roles.csv", 6, "userSourcedId", "role_of_nobody", "warning"), 1),
        (more("users", TABLES["users"][0]), ("users.csv", 6, "sourcedId", "id_twice", "warning"), 1),
        (more("classes", TABLES["classes"][0]), ("classes.csv", 4, "sourcedId", "id_twice", "warning"), 1),
        (more("enrollments", TABLES["enrollments"][0]), ("enrollments.csv", 5, None, "duplicate_row", "warning"), 1),
        (changed("enrollments", 0, classSourcedId="cX"), ("enrollments.csv", 2, "classSourcedId", "class_unknown", "error"), 0),
        (changed("enrollments", 0, userSourcedId="pX"), ("enrollments.csv", 2, "userSourcedId", "user_unknown", "error"), 0),
        (changed("enrollments", 0, beginDate="31/02/2027"), ("enrollments.csv", 2, "beginDate", "date_impossible", "error"), 0),
        (changed("classes", 0, termSourcedIds="tX"), ("classes.csv", 2, "termSourcedIds", "year_assumed", "warning"), 1),
        (changed("academicSessions", 0, schoolYear="2026"), ("academicSessions.csv", 2, "schoolYear", "year_start_not_end", "warning"), 1),
        (changed("users", 1, email="paola"), ("users.csv", 3, "email", "email", "warning"), 1),
        (changed("users", 1, userIds="{CF:BOH}"), ("users.csv", 3, "userIds", "fiscale_length", "warning"), 1),
        (changed("users", 1, userIds=f"{{cf: {PUPIL_CF} }}"), ("users.csv", 2, "userIds", "fiscale_of_pupil", "warning"), 1),
        (changed("users", 0, userIds=f"{{CF:{MOTHER_CF}}}"), ("users.csv", 2, "userIds", "fiscale_birth_date", "warning"), 1),
    ],
)  # fmt: skip
def test_what_leads_nowhere_is_said(
    tables: dict[str, Rows], finding: tuple[str, int | None, str | None, str, str], enrolled: int
) -> None:
    parsed = read(tables)
    assert finding in problems(parsed)
    assert len(parsed.enrolments) == enrolled


@pytest.mark.parametrize(
    ("tables", "codes"),
    [
        (changed("users", 0, familyName=""), [("users.csv", "missing"), ("enrollments.csv", "pupil_out")]),
        (changed("users", 0, givenName="=1+1"), [("users.csv", "formula"), ("enrollments.csv", "pupil_out")]),
        (changed("demographics", 0, birthDate="31/02/2012"),
         [("demographics.csv", "date_impossible"), ("users.csv", "guardian_without_pupil"), ("enrollments.csv", "pupil_out")]),
        (changed("orgs", 1, identifier="ABC"),
         [("orgs.csv", "meccanografico_shape"), ("orgs.csv", "no_school"), ("classes.csv", "school_unknown"), ("enrollments.csv", "class_out")]),
        (changed("academicSessions", 0, endDate="2025-01-01"),
         [("academicSessions.csv", "dates_reversed")]),
        (changed("classes", 0, classType="scheduled"), [("classes.csv", "no_homeroom")]),
        (changed("classes", 0, schoolSourcedId="oX"), [("classes.csv", "school_unknown"), ("enrollments.csv", "class_out")]),
    ],
)  # fmt: skip
def test_a_broken_row_takes_its_dependents_with_it_and_says_so(
    tables: dict[str, Rows], codes: list[tuple[str, str]]
) -> None:
    parsed = read(tables)
    found = [
        (p.file, p.code) for p in parsed.problems if p.code != "guardian_without_pupil" or len(codes) == 3
    ]
    assert found == codes
    assert len(parsed.enrolments) == (1 if codes[0][1] == "dates_reversed" else 0)


def test_two_pupils_cannot_have_one_codice_fiscale() -> None:
    twin = dict(TABLES["users"][0]) | {"sourcedId": "p2"}
    enrolment = dict(TABLES["enrollments"][0]) | {"userSourcedId": "p2"}
    parsed = read(more("users", twin) | more("enrollments", enrolment))
    assert [e.pupil.external_id for e in parsed.enrolments] == ["p1"]
    assert [p.code for p in parsed.problems if p.severity == "error"] == ["same_codice_fiscale", "pupil_out"]


def test_a_pupil_who_moves_has_two_enrolments_and_one_in_two_classes_is_reported() -> None:
    second = dict(TABLES["classes"][0]) | {"sourcedId": "c2", "title": "1B"}
    first = dict(TABLES["enrollments"][0])
    later = first | {"classSourcedId": "c2", "beginDate": "2026-12-01"}
    moved = read(more("classes", second) | {"enrollments": [first | {"endDate": "2026-11-30"}, later]})
    assert [(e.class_external_id, e.starts, e.ends, e.ended) for e in moved.enrolments] == [
        ("c1", None, dt.date(2026, 11, 30), True),
        ("c2", dt.date(2026, 12, 1), None, False),
    ]
    both = read(more("classes", second) | {"enrollments": [first, first | {"classSourcedId": "c2"}]})
    assert [e.class_external_id for e in both.enrolments] == ["c1"]
    assert problems(both) == [("enrollments.csv", 3, None, "two_classes", "error")]


def test_the_years_own_dates_end_nothing() -> None:
    parsed = read(changed("enrollments", 0, beginDate="2026-09-01", endDate="2027-08-31"))
    (enrolment,) = parsed.enrolments
    assert (enrolment.starts, enrolment.ends, enrolment.ended) == (None, None, False)


@pytest.mark.requirement("M5", part="import")
def test_a_delta_ends_what_it_names() -> None:
    parsed = read(changed("enrollments", 0, status="tobedeleted", endDate="2027-01-10"), "delta")
    (enrolment,) = parsed.enrolments
    assert parsed.bulk is False
    assert (enrolment.ended, enrolment.ends) == (True, dt.date(2027, 1, 10))
    assert parsed.endings == ()


def test_a_delta_may_name_only_ids() -> None:
    gone = [
        {"classSourcedId": "c1", "userSourcedId": "p7", "role": "student", "status": "tobedeleted", "endDate": "2027-01-10"},
        {"classSourcedId": "c7", "userSourcedId": "p8", "role": "student", "status": "tobedeleted"},
    ]  # fmt: skip
    users = [{"sourcedId": "g7", "status": "tobedeleted"}, {"sourcedId": "p9", "status": "ToBeDeleted"}]
    files = members("delta", {"users": users, "enrollments": gone})
    del files["roles.csv"], files["demographics.csv"]
    files["manifest.csv"] = manifest(
        ["orgs", "academicSessions", "classes", "users", "enrollments"], "delta"
    ).encode()
    parsed = parse_file("d.zip", pack(files))
    assert problems(parsed) == []
    assert [
        (e.what, e.external_id, e.class_external_id, e.ends, e.at.file, e.at.line) for e in parsed.endings
    ] == [
        ("enrolment", "p7", "c1", dt.date(2027, 1, 10), "enrollments.csv", 2),
        ("enrolment", "p8", "c7", None, "enrollments.csv", 3),
        ("person", "g7", None, None, "users.csv", 2),
        ("person", "p9", None, None, "users.csv", 3),
    ]


def test_a_deletion_of_a_pupil_may_give_nothing_but_the_id() -> None:
    bare = {"sourcedId": "p1", "status": "tobedeleted"}
    parsed = read({"users": [bare, *TABLES["users"][1:]]}, "delta")
    assert problems(parsed) == []
    assert parsed.enrolments == ()
    assert [(e.what, e.external_id) for e in parsed.endings] == [("person", "p1")]


def test_the_dates_of_a_session_are_right_where_its_year_is_not() -> None:
    parsed = read(changed("academicSessions", 0, schoolYear="2026"))
    assert [y.label for y in parsed.years] == ["2026/2027"]
    assert parsed.enrolments[0].school_year == "2026/2027"


def test_a_deleted_class_or_pupil_ends_its_enrolments_and_a_deleted_guardian_is_not_linked() -> None:
    by_class = read(changed("classes", 0, status="tobedeleted"), "delta")
    assert [e.ended for e in by_class.enrolments] == [True]
    assert [(e.what, e.external_id) for e in by_class.endings] == [("class", "c1")]
    by_pupil = read(changed("users", 0, status="tobedeleted"), "delta")
    assert [e.ended for e in by_pupil.enrolments] == [True]
    by_guardian = read(changed("users", 1, status="tobedeleted"), "delta")
    assert [g.external_id for g in by_guardian.enrolments[0].guardians] == ["g2"]
    assert [(e.what, e.external_id) for e in by_guardian.endings] == [("person", "g1")]


@pytest.mark.parametrize(
    ("title", "code", "grades", "expected"),
    [
        ("1A", "", "", (1, "A", None)),
        ("1 B Linguistico", "", "09", (1, "B", "Linguistico")),
        ("Classe 3ª C", "", "", (3, "C", None)),
        ("III B - Musicale", "", "", (3, "B", "Musicale")),
        ("Sezione Unica", "2D", "", (2, "D", None)),
        ("Pluriclasse", "", "04,05", (4, "", None)),
        ("Primavera", "", "", (None, "", None)),
    ],
)
def test_classes_as_they_are_written(
    title: str, code: str, grades: str, expected: tuple[int | None, str, str | None]
) -> None:
    (klass,) = read(changed("classes", 0, title=title, classCode=code, grades=grades)).classes
    assert (klass.grade, klass.section, klass.curriculum, klass.title) == (*expected, title)


def test_the_manifest_rules() -> None:
    files = members()
    files["manifest.csv"] = manifest(mode="bulk", version="3.0").encode().replace(
        b"file.demographics,bulk", b"file.demographics,absent"
    ).replace(b"file.roles,bulk", b"file.roles,boh")  # fmt: skip
    parsed = parse_file("s.zip", pack(files))
    assert sorted(p.code for p in parsed.problems) == ["manifest_says_absent", "manifest_value", "version"]
    assert parsed.enrolments[0].pupil.birth_date is None


@pytest.mark.parametrize("name", ["orgs", "academicSessions", "classes", "users", "enrollments", "roles"])
def test_a_file_that_the_manifest_announces_must_be_there(name: str) -> None:
    files = members()
    del files[f"{name}.csv"]
    with pytest.raises(Refused) as refusal:
        parse_file("s.zip", pack(files))
    assert refusal.value.code == "member_missing"
    assert f"{name}.csv" in refusal.value.text("it")


def test_a_required_column_must_be_there() -> None:
    files = members()
    files["users.csv"] = files["users.csv"].replace(b"givenName", b"x", 1)
    with pytest.raises(Refused) as refusal:
        parse_file("s.zip", pack(files))
    assert refusal.value.message["it"] == "In users.csv mancano le colonne: givenName."


def test_stored_and_deflated_say_the_same() -> None:
    assert parse_file("s.zip", pack(members(), zipfile.ZIP_STORED)) == read()
