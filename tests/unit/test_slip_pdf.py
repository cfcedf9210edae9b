"""The slip as a PDF: one sheet a holder, accessible, readable, quick, and never stopped by one bad slip."""

import io
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any, cast

import pypdf
import pytest
import typst
from pypdf.generic import DictionaryObject

from services.notifications.channels.languages import LANGUAGES, Language
from services.notifications.channels.slip import Child, RegisterLine, render_register, render_slips
from services.notifications.channels.slip import render as rendering
from services.notifications.channels.slip.compiler import compile_pdf
from tests.unit.test_slip_sheet import SCHOOL, TODAY, a_slip

MM = 72 / 25.4


def read(pdf: bytes | None) -> pypdf.PdfReader:
    assert pdf is not None
    return pypdf.PdfReader(io.BytesIO(pdf))


def in_fours(password: str) -> list[str]:
    return [password[i : i + 4] for i in range(0, len(password), 4)]


def elements(node: Any) -> Iterator[Any]:
    """Every structure element below `node`, in reading order."""
    node = node.get_object()
    if isinstance(node, list):
        for child in node:
            yield from elements(child)
    elif isinstance(node, DictionaryObject):
        if "/S" in node:
            yield node
        if "/K" in node:
            yield from elements(node.raw_get("/K"))


@pytest.mark.requirement("P5", part="print")
def test_one_holder_a_sheet_in_the_order_asked() -> None:
    slips = [a_slip(n, holder_name=f"Genitore {n}", password=f"abcd2345wxyz{n:04d}") for n in range(1, 6)]
    result = render_slips(slips, school=SCHOOL, today=TODAY)
    pages = read(result.pdf).pages
    assert result.printed == tuple(slip.slip_id for slip in slips)
    assert len(pages) == 5
    for slip, page in zip(slips, pages, strict=True):
        lines = page.extract_text().splitlines()
        assert slip.holder_name in lines
        assert slip.user_code in lines
        assert [line for line in lines if line in in_fours(slip.password)] == in_fours(slip.password)
        others = [other.password[-4:] for other in slips if other is not slip]
        assert not set(others) & set(lines)
        assert [float(side) for side in page.mediabox[2:]] == pytest.approx([210 * MM, 297 * MM], abs=0.1)


@pytest.mark.requirement("P5", part="fold")
def test_the_secret_is_inside_and_the_pattern_covers_every_bit_of_it() -> None:
    slip = a_slip(role="staff", pin="482913", language="ar")
    page = read(render_slips([slip], school=SCHOOL, today=TODAY).pdf).pages[0]
    secrets = [slip.user_code, "482913", *in_fours(slip.password)]
    places: dict[str, float] = {}

    def seen(text: str, cm: Sequence[float], tm: Sequence[float], font: object, size: float) -> None:
        for part in (*secrets, slip.holder_name):
            if part in text:
                places.setdefault(part, (297 * MM - tm[5] * cm[3] - cm[5]) / MM)

    page.extract_text(visitor_text=seen)
    assert set(secrets) <= set(places)
    for secret in secrets:
        assert rendering.SECRET < places[secret] < rendering.SECRET + rendering.SECRET_HEIGHT
        covered_by = 2 * rendering.OVER - places[secret]
        assert rendering.PATTERN < covered_by < rendering.PATTERN + rendering.PATTERN_HEIGHT
    assert rendering.OUTSIDE < places[slip.holder_name] < rendering.INSIDE
    assert "/Pattern" in cast(Any, page["/Resources"])


@pytest.mark.requirement("P5", part="accessible")
def test_it_declares_and_carries_what_pdf_ua_asks() -> None:
    reader = read(render_slips([a_slip(1), a_slip(2)], school=SCHOOL, today=TODAY).pdf)
    root = cast(Any, reader.trailer["/Root"])
    assert root["/MarkInfo"]["/Marked"]
    assert root["/Lang"] == "it"
    assert root["/ViewerPreferences"]["/DisplayDocTitle"]
    assert "<pdfuaid:part>1</pdfuaid:part>" in root["/Metadata"].get_object().get_data().decode()
    assert reader.metadata is not None
    assert "Credenziali di accesso" in str(reader.metadata.title)
    tags = list(elements(root["/StructTreeRoot"]))
    assert [tag["/S"] for tag in tags if tag["/S"].startswith("/H")] == ["/H1", "/H2", "/H2", "/H2"] * 2
    figures = [tag for tag in tags if tag["/S"] == "/Figure"]
    assert len(figures) == 2
    assert all("registro.example.edu.it" in figure["/Alt"] for figure in figures)


@pytest.mark.requirement("M14", part="slip")
@pytest.mark.parametrize("language", LANGUAGES)
def test_each_language_prints_without_a_missing_character(language: Language) -> None:
    for role in ("guardian", "pupil", "staff"):
        result = render_slips([a_slip(role=role, language=language)], school=SCHOOL, today=TODAY)
        root = cast(Any, read(result.pdf).trailer["/Root"])
        assert root["/Lang"] == language
        assert result.warnings == result.left_out == ()
    assert "Ricevuta di consegna" in read(result.pdf).pages[0].extract_text()


@pytest.mark.parametrize("language", ["ar", "it"])
def test_the_groups_of_a_password_run_from_the_left_in_every_language(language: Language) -> None:
    groups = ["qv4q", "4w7w", "mn2d", "6k8m"]
    slip = a_slip(password="-".join(groups), language=language)
    found: dict[str, float] = {}

    def seen(text: str, cm: Sequence[float], tm: Sequence[float], font: object, size: float) -> None:
        found.update({group: tm[4] * cm[0] + cm[4] for group in groups if group in text})

    read(render_slips([slip], school=SCHOOL, today=TODAY).pdf).pages[0].extract_text(visitor_text=seen)
    assert sorted(found, key=lambda group: found[group]) == groups


def test_a_class_of_several_languages_is_an_italian_document_with_marked_parts() -> None:
    slips = [a_slip(1), a_slip(2, language="ar", holder_name="محمد العلوي"), a_slip(3, language="zh")]
    root = cast(Any, read(render_slips(slips, school=SCHOOL, today=TODAY).pdf).trailer["/Root"])
    assert root["/Lang"] == "it"
    assert {"ar", "zh"} <= {str(tag.get("/Lang", "")) for tag in elements(root["/StructTreeRoot"])}


@pytest.mark.parametrize(
    "name", ["#panic()", "*bold*", "$x$", '"q" \\ \\n', "<label> @ref", "= Titolo", "{{7*7}}", "`raw`", "//x"]
)
def test_names_are_data_and_never_markup(name: str) -> None:
    slips = [a_slip(holder_name=name, class_name=name, concerning=(Child(name, name),))]
    text = read(render_slips(slips, school=SCHOOL, today=TODAY).pdf).pages[0].extract_text()
    assert text.count(name) >= 4


def test_one_bad_slip_never_stops_its_class() -> None:
    slips = [a_slip(1), a_slip(2, password="k7 mq"), a_slip(3, holder_name="Zoé 😀")]
    result = render_slips(slips, school=SCHOOL, today=TODAY)
    assert len(read(result.pdf).pages) == 2
    assert [(notice.slip_id, notice.code) for notice in result.left_out] == [
        (slips[1].slip_id, "secret_not_printable")
    ]
    assert [(n.slip_id, n.code, n.detail) for n in result.warnings] == [
        (slips[2].slip_id, "not_printable", "U+1F600")
    ]


def test_a_slip_that_the_compiler_refuses_is_found_and_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def refusing(template: str, name: str, data: Any, today: date) -> bytes:
        if any(one["name"] == "Guasta" for one in data["slips"]):
            raise typst.TypstError("cannot be set", "cannot be set")
        return compile_pdf(template, name, data, today)

    monkeypatch.setattr("services.notifications.channels.slip.render.compile_pdf", refusing)
    slips = [a_slip(n, holder_name="Guasta" if n in {3, 6} else f"Sana {n}") for n in range(1, 8)]
    result = render_slips(slips, school=SCHOOL, today=TODAY)
    assert len(read(result.pdf).pages) == 5
    assert [notice.code for notice in result.left_out] == ["not_set", "not_set"]
    assert set(result.printed) == {s.slip_id for s in slips if s.holder_name != "Guasta"}


def test_nothing_to_print_is_no_pdf() -> None:
    assert render_slips([], school=SCHOOL, today=TODAY).pdf is None
    assert render_slips([a_slip(password="")], school=SCHOOL, today=TODAY).pdf is None


def test_two_slips_with_one_id_are_refused() -> None:
    with pytest.raises(ValueError, match="one id"):
        render_slips([a_slip(1), a_slip(1)], school=SCHOOL, today=TODAY)


def test_the_same_slips_give_the_same_bytes() -> None:
    assert render_slips([a_slip()], school=SCHOOL, today=TODAY) == render_slips(
        [a_slip()], school=SCHOOL, today=TODAY
    )


def test_long_names_and_many_children_stay_outside() -> None:
    slip = a_slip(
        holder_name="Maria Immacolata Concetta Federica Giuseppina degli Alberti di Castelnuovo-Calcea " * 2,
        concerning=tuple(
            Child(f"Bambina numero {n} degli Alberti di Castelnuovo", f"{n}A") for n in range(12)
        ),
    )
    result = render_slips([slip], school=SCHOOL, today=TODAY)
    text = read(result.pdf).pages[0].extract_text()
    assert len(read(result.pdf).pages) == 1
    assert [notice.code for notice in result.warnings] == ["shortened"]
    assert "Bambina numero 7" in text
    assert "Bambina numero 8" not in text


@pytest.mark.parametrize("side", ["holder", "child"])
def test_a_word_longer_than_its_line_is_broken_not_cut(side: str) -> None:
    word = "".join(f"{n:03}" for n in range(33))
    holder, child = (word, "Anna") if side == "holder" else ("Carla Verdi", word)
    slip = a_slip(holder_name=holder, concerning=(Child(child, "1A"),))
    page = read(render_slips([slip], school=SCHOOL, today=TODAY).pdf).pages[0]
    ends: list[float] = []

    def seen(text: str, cm: Sequence[float], tm: Sequence[float], font: object, size: float) -> None:
        if text.strip("\u200b\n") and text.strip("\u200b\n") in word:
            ends.append(tm[4] + len(text.strip()) * abs(size) * 0.58)

    text = page.extract_text(visitor_text=seen)
    assert word in "".join(text.replace("\u200b", "").split())
    assert ends and max(ends) < 210 * MM

    lines = [RegisterLine.of(slip)]
    sheet = render_register(lines, class_name="1A", school=SCHOOL, today=TODAY)
    assert word in "".join(read(sheet).pages[0].extract_text().replace("\u200b", "").split())


def test_the_class_list_to_sign_holds_no_secret() -> None:
    slips = [a_slip(n, holder_name=f"Genitore {n}") for n in range(1, 31)]
    reader = read(
        render_register([RegisterLine.of(s) for s in slips], class_name="1A", school=SCHOOL, today=TODAY)
    )
    text = "\n".join(page.extract_text() for page in reader.pages)
    assert all(slip.holder_name in text and slip.slip_id in text for slip in slips)
    assert not {"h4wd9tnp", "k7mq", "b4cn"} & set(text.split())
    assert "Anna Bianchi (1A)" in text
    root = cast(Any, reader.trailer["/Root"])
    tags = [tag["/S"] for tag in elements(root["/StructTreeRoot"])]
    assert "/TH" in tags
    assert "/Table" in tags
