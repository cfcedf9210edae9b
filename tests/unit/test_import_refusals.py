"""Files that nobody should be able to hurt us with, and the sentence that each gets instead of a traceback."""

import io
import struct
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.demo.generate import DATA
from services.registry.imports import Parsed, Problem, Refused, archive, parse_file
from services.registry.imports.messages import MESSAGES
from services.registry.imports.problems import KEPT, Problems
from services.registry.imports.secretariat_layout import COLUMNS

ZIP = (DATA / "serrandi-2025-2026.zip").read_bytes()
CSV = (DATA / "guado-sereno-2026-2027.csv").read_bytes()
HEADER = ";".join(COLUMNS).encode()
GOOD = b"TOISDEMO02;2026/2027;1;A;;AL1;Ferri;Lucia" + b";" * (len(COLUMNS) - 8)


def pack(*members: tuple[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as made:
        for name, content in members:
            made.writestr(name, content)
    return out.getvalue()


def repack(change: Callable[[str, bytes], tuple[str, bytes] | None]) -> bytes:
    with zipfile.ZipFile(io.BytesIO(ZIP)) as original:
        members = [change(name, original.read(name)) for name in original.namelist()]
    return pack(*[member for member in members if member])


def zeros(size: int) -> bytes:
    """`size` zero bytes, deflated: one mebibyte that ends in a full flush, over and over."""
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = squeeze.compress(bytes(1024 * 1024)) + squeeze.flush(zlib.Z_FULL_FLUSH)
    return block * (size // 1024**2) + squeeze.flush()


def forged(name: str, deflated: bytes, declared: int, *, flags: int = 0, method: int = 8) -> bytes:
    """A ZIP whose directory says what we want it to say."""
    raw = name.encode()
    fields = struct.pack("<5H3L2H", 20, flags, method, 0, 33, 0, len(deflated), declared, len(raw), 0)
    local = b"PK\x03\x04" + fields + raw + deflated
    central = b"PK\x01\x02" + struct.pack("<H", 20) + fields + struct.pack("<3H2L", 0, 0, 0, 0, 0) + raw
    end = b"PK\x05\x06" + struct.pack("<4H2LH", 0, 0, 1, 1, len(central), len(local), 0)
    return local + central + end


def encrypted() -> bytes:
    data = bytearray(pack(("manifest.csv", b"propertyName,value\r\n")))
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + offset] |= 1
    return bytes(data)


REFUSALS: dict[str, tuple[bytes | Callable[[], bytes], str]] = {
    "nothing": (b"", "empty"),
    "spaces only": (b"  \r\n \n", "empty"),
    "a mark only": (b"\xef\xbb\xbf", "empty"),
    "separators only": (b";;;;\r\n;;;;\r\n", "empty"),
    "an old spreadsheet": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "spreadsheet"),
    "a spreadsheet in HTML": (b"<html><table><tr><td>a;b</td></tr></table></html>", "spreadsheet"),
    "a spreadsheet of today": (pack(("[Content_Types].xml", b"<x/>"), ("xl/workbook.xml", b"<x/>")), "spreadsheet"),
    "an open spreadsheet": (pack(("mimetype", b"application/vnd.oasis"), ("content.xml", b"<x/>")), "spreadsheet"),
    "a PDF": (b"%PDF-1.7\n1 0 obj;a,b", "other_kind"),
    "a gzip": (b"\x1f\x8b\x08\x00" + bytes(40), "other_kind"),
    "JSON": (b'{"a": 1, "b": 2}', "other_kind"),
    "XML": (b'<?xml version="1.0"?><a>b,c</a>', "other_kind"),
    "a letter": (b"Gentile segreteria", "unknown_kind"),
    "UTF-16 with a mark": (HEADER.decode().encode("utf-16"), "utf16"),
    "UTF-16 without one": (HEADER.decode().encode("utf-16-le"), "utf16"),
    "UTF-16, the other way round": (HEADER.decode().encode("utf-16-be"), "utf16"),
    "noise": (bytes(range(256)) * 20, "binary"),
    "NULs": (bytes(5000), "binary"),
    "another CSV": (b"a;b;c\r\n1;2;3\r\n", "columns_missing"),
    "a column twice": (HEADER + b";classe\r\n", "column_twice"),
    "a broken header": (b'"codice;"x"y";z\r\n', "header_unreadable"),
    "a thousand columns": (b";".join(b"c%d" % n for n in range(1000)) + b"\r\n", "header_unreadable"),
    "an empty ZIP": (pack(), "no_manifest"),
    "a ZIP of pictures": (pack(("a.png", b"x"), ("b.png", b"y")), "no_manifest"),
    "half a ZIP": (ZIP[: len(ZIP) // 2], "zip_damaged"),
    "a ZIP without its end": (ZIP[:-30], "zip_damaged"),
    "a ZIP with a flipped byte": (ZIP[:5000] + bytes([ZIP[5000] ^ 1]) + ZIP[5001:], "zip_damaged"),
    "four bytes of a ZIP": (b"PK\x03\x04", "zip_damaged"),
    "an encrypted ZIP": (encrypted, "zip_encrypted"),
    "another compression": (pack(("manifest.csv", b"propertyName,value\r\n"), compression=zipfile.ZIP_LZMA), "zip_compression"),
    "a path that climbs": (pack(("../../etc/passwd", b"x"), ("manifest.csv", b"x")), "zip_path"),
    "an absolute path": (pack(("/manifest.csv", b"x")), "zip_path"),
    "a path of another system": (pack(("..\\manifest.csv", b"x")), "zip_path"),
    "a drive": (pack(("C:\\manifest.csv", b"x")), "zip_path"),
    "a name twice in other letters": (pack(("manifest.csv", b"propertyName,value\r\n"), ("Manifest.csv", b"x")), "zip_duplicate"),
    "too many members": (pack(*((f"{n}.csv", b"") for n in range(300))), "zip_too_many"),
    "a huge directory": (pack(*((f"{n:0200d}.csv", b"") for n in range(6000))), "zip_too_many"),
    "ZIPs all the way down": (pack(("a.zip", pack(("b.zip", pack(("c.zip", b"x")))))), "zip_nested"),
    "a manifest without headers": (pack(("manifest.csv", b"")), "empty"),
    "a manifest of noise": (pack(("manifest.csv", bytes(range(256)) * 4)), "binary"),
    "a zipped picture called CSV": (pack(("a.csv", b"\x89PNG\r\n\x1a\n,;")), "other_kind"),
}  # fmt: skip


@pytest.mark.requirement("M11", part="bad input")
@pytest.mark.parametrize("name", REFUSALS)
def test_a_file_that_cannot_be_read_gets_a_sentence(name: str) -> None:
    made, code = REFUSALS[name]
    with pytest.raises(Refused) as refusal:
        parse_file("elenco", made() if callable(made) else made)
    assert refusal.value.code == code
    assert refusal.value.text("it") and refusal.value.text("en") == str(refusal.value)
    assert "{" not in refusal.value.text("it") + str(refusal.value)


@pytest.fixture(scope="module")
def four_gigabytes() -> bytes:
    return zeros(4 * 1024**3)


def peak_of(action: Callable[[], object]) -> float:
    """Mebibytes at the peak of what `action` allocates."""
    tracemalloc.start()
    try:
        action()
        return tracemalloc.get_traced_memory()[1] / 1024**2
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("declared", [4 * 1024**3 - 1, 50 * 1024**2, 5 * 1024**2, 100])
@pytest.mark.parametrize("name", ["manifest.csv", "a.csv", "inner.zip"])
def test_four_gigabytes_of_zeros_are_not_opened(four_gigabytes: bytes, declared: int, name: str) -> None:
    bomb = forged(name, four_gigabytes, declared)
    assert len(bomb) < 5 * 1024**2

    def refused() -> None:
        with pytest.raises(Refused) as refusal:
            parse_file("bomba.zip", bomb)
        expected = {"zip_bomb"} if declared > 1024**3 else {"zip_bomb", "zip_damaged", "binary"}
        assert refusal.value.code in expected

    assert peak_of(refused) < 16


def test_what_comes_out_counts_whatever_the_directory_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "RATIO_FREE", 1000)
    with pytest.raises(Refused) as refusal:
        parse_file("a.zip", pack(("a.csv", HEADER + b"\r\n" + b";" * 1_000_000)))
    assert refusal.value.code == "zip_bomb"
    budget = archive.Budget(left=1000)
    member = archive.Member(io.BytesIO(bytes(2000)), budget, packed=2000)
    with pytest.raises(Refused):
        while member.read(300):
            pass


def test_a_directory_that_promises_too_much_is_not_opened() -> None:
    with pytest.raises(Refused) as refusal:
        parse_file("a.zip", forged("a.csv", b"x" * 3_000_000, 250 * 1024**2))
    assert refusal.value.code == "zip_bomb"


def test_a_directory_of_megabytes_is_not_even_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_MEMBERS", 1_000_000)
    with pytest.raises(Refused) as refusal:
        parse_file("a.zip", pack(*((f"{n:0200d}.csv", b"") for n in range(6000))))
    assert refusal.value.code == "zip_too_many"


def test_many_small_members_are_counted_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_UNPACKED", 100_000)
    monkeypatch.setattr(archive.Budget, "__init__", lambda self: setattr(self, "left", 100_000))
    with pytest.raises(Refused) as refusal:
        parse_file("s.zip", ZIP)
    assert refusal.value.code == "zip_bomb"


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([b'TOISDEMO02;2026/2027;1;A;;AL2;"Ferri;Ugo' + b";" * 17, GOOD], [(2, "quotes")]),
        ([b'TOISDEMO02;2026/2027;1;A;;AL2;"Ferri" x;Ugo' + b";" * 17, GOOD], [(2, "quotes")]),
        ([b'"' + GOOD] + [GOOD.replace(b"AL1", b"A%d" % n) for n in range(30)] + [GOOD], [(2, "quotes")]),
        ([b'TOISDEMO02;2026/2027;1;A;;AL2;"Fer\r\nri";Ugo' + b";" * 17, GOOD], [(2, "control_character")]),
        ([GOOD + b";x", GOOD], [(2, "ragged")]),
        ([GOOD[:-3], GOOD], [(2, "ragged")]),
        ([GOOD + b";;;", b"", b";;;;"], []),
        ([b"x" * 200_000, GOOD], [(2, "line_too_long")]),
        ([b"x" * 3_000_000, GOOD], [(2, "line_too_long")]),
        ([GOOD.replace(b"Ferri", b"Fer\rri"), GOOD], [(2, "carriage_return")]),
        ([GOOD.replace(b"Ferri", b"Fer\x00ri"), GOOD], [(2, "control_character")]),
        ([GOOD.replace(b"Ferri", b"Fer\x81ri"), GOOD], [(2, "undecodable")]),
        ([b'TOISDEMO02;2026/2027;1;A;;AL2;"Ferri'] + [GOOD] * 15 + [b'";Ugo' + b";" * 17], [(2, "quotes"), (18, "quotes")]),
        ([GOOD.replace(b"Lucia", "Zoë".encode()), GOOD.replace(b"Ferri", b"Nicol\xf2").replace(b"AL1", b"AL3")],
         [(3, "mixed_encoding")]),
        ([GOOD.replace(b"Ferri", b"Nicol\xf2"), GOOD.replace(b"Lucia", "Zoë".encode()).replace(b"AL1", b"AL3")],
         [(3, "mixed_encoding")]),
    ],
)  # fmt: skip
def test_a_broken_line_is_named_and_the_rest_goes_in(
    rows: list[bytes], expected: list[tuple[int, str]]
) -> None:
    parsed = parse_file("a.csv", b"\r\n".join([HEADER, *rows]) + b"\r\n")
    assert [(p.line, p.code) for p in parsed.problems if p.code != "ragged" or p.line == 2] == expected
    assert any(e.pupil.external_id == "AL1" for e in parsed.enrolments)


def test_a_file_with_headers_only_is_empty_handed() -> None:
    parsed = parse_file("a.csv", HEADER + b"\r\n")
    assert (parsed.enrolments, [p.code for p in parsed.problems]) == ((), ["no_rows"])


def test_a_hopeless_file_keeps_a_thousand_findings_and_counts_all() -> None:
    rows = b"\r\n".join([HEADER, *[b"x"] * 5000])
    parsed = parse_file("a.csv", rows)
    assert parsed.errors == 5000
    assert len(parsed.problems) == KEPT + 1
    assert parsed.problems[-1].text("en") == "4000 more problems are not listed."


def test_a_line_without_end_costs_little_memory() -> None:
    class Endless(io.RawIOBase):
        """A hundred megabytes on one line."""

        def __init__(self) -> None:
            self.left = 100 * 1024**2

        def readable(self) -> bool:
            return True

        def seekable(self) -> bool:
            return True

        def seek(self, offset: int, whence: int = 0) -> int:
            self.left = 100 * 1024**2 if whence == 0 else self.left
            return 100 * 1024**2

        def read(self, size: int = -1) -> bytes:
            head = HEADER + b"\r\n" if self.left == 100 * 1024**2 else b""
            taken = min(size, self.left)
            self.left -= taken
            return (head + b"x" * taken)[:taken]

    found: list[Parsed] = []
    assert peak_of(lambda: found.append(parse_file("a.csv", Endless()))) < 8  # type: ignore[arg-type]
    assert [p.code for p in found[0].problems] == ["line_too_long"]


def test_a_file_that_is_too_large_or_gone_is_refused(tmp_path: Path) -> None:
    sparse = tmp_path / "grande.csv"
    with sparse.open("wb") as out:
        out.truncate(201 * 1024**2)
    with pytest.raises(Refused) as refusal:
        parse_file("grande.csv", sparse)
    assert refusal.value.code == "too_large"
    for path in (tmp_path / "manca.csv", tmp_path):
        with pytest.raises(Refused) as refusal:
            parse_file("x", path)
        assert refusal.value.code == "unreadable"


def test_streams_paths_and_bytes_say_the_same(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(CSV)

    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

        def seek(self, *_: object) -> int:
            raise io.UnsupportedOperation

    expected = parse_file("a.csv", CSV)
    stream = io.BytesIO(CSV)
    assert (
        parse_file("a.csv", path) == parse_file("a.csv", stream) == parse_file("a.csv", Pipe(CSV)) == expected
    )
    assert not stream.closed
    assert parse_file("a.zip", pack(("a.csv", CSV))) == expected
    assert parse_file("C:\\Users\\x\\a.csv", CSV) == expected


def test_every_sentence_is_there_twice_and_filled_in() -> None:
    for code, (italian, english) in MESSAGES.items():
        assert italian != english, code
        assert set(_holes(italian)) == set(_holes(english)), code
        assert italian[0].isupper() or italian[0] in "«{", code
        assert english[0].isupper() or english[0] in "'{", code
        assert italian.endswith(".") and english.endswith("."), code


def _holes(text: str) -> Iterator[str]:
    return (part.split("}")[0] for part in text.split("{")[1:])


def test_all_missing_columns_are_named() -> None:
    with pytest.raises(Refused) as refusal:
        parse_file("a.csv", b"one,two\n1,2\n")
    for language in ("it", "en"):
        text = refusal.value.text(language)
        assert "…" not in text and "codice_meccanografico" in text and "nome_alunno" in text


def test_what_a_file_says_is_shown_on_one_short_printable_line() -> None:
    found = Problems()
    found.error("a.csv", 2, "x\r\ny\u202e" * 40, "class_unknown", id="\x1b[31m" + "z" * 500)
    (problem,) = found.all()
    assert problem.column is not None and len(problem.column) <= 60 and problem.column.isprintable()
    assert problem.text("en").isprintable() and len(problem.text("en")) < 120
    assert problem.as_dict()["message"] == {"it": problem.text("it"), "en": problem.text("en")}
    assert isinstance(problem, Problem)


def never_more_than_refused(content: bytes) -> None:
    try:
        parsed = parse_file("x", content)
    except Refused as refusal:
        assert refusal.text("it")
    else:
        for problem in parsed.problems:
            assert problem.text("it") and problem.text("en")


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=3000))
def test_arbitrary_bytes_are_never_a_traceback(content: bytes) -> None:
    never_more_than_refused(content)


@settings(max_examples=150, deadline=None)
@given(
    st.binary(max_size=400),
    st.sampled_from([b"PK\x03\x04", HEADER + b"\r\n", b"\xef\xbb\xbf" + HEADER + b"\n" + GOOD]),
)
def test_arbitrary_bytes_after_a_good_start_are_never_a_traceback(content: bytes, start: bytes) -> None:
    never_more_than_refused(start + content)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_good_file_with_damage_is_never_a_traceback(data: st.DataObject) -> None:
    original = data.draw(st.sampled_from([SMALL, CSV[:4000]]))
    damaged = bytearray(original)
    for _ in range(data.draw(st.integers(1, 8))):
        at = data.draw(st.integers(0, len(damaged) - 1))
        damaged[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    never_more_than_refused(bytes(damaged))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.lists(st.text(max_size=12), min_size=25, max_size=26), max_size=4))
def test_arbitrary_cells_are_never_a_traceback(rows: list[list[str]]) -> None:
    lines = [HEADER.decode(), *(";".join(row) for row in rows)]
    never_more_than_refused("\r\n".join(lines).encode("utf-8", "surrogatepass"))


def _small(name: str, content: bytes) -> tuple[str, bytes]:
    return name, b"\r\n".join(content.split(b"\r\n")[:20]) + b"\r\n"


SMALL = repack(_small)
