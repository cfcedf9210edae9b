"""The desk's import: looked at first, kept sealed, carried out once, of the very bytes that were looked at (S3, M11)."""

import asyncio
import io
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from services.registry import desk_imports
from services.registry.desk_imports import DeskImports, Import, sweep
from services.registry.operations import Registry
from services.registry.uploads import Uploads
from shared.contracts.policy import EMAIL
from shared.contracts.registry import StudentEnrolled
from shared.web.sessions import Role
from tests.integration.registry_fixtures import (
    OTHER_SCHOOL,
    SCHOOL,
    events_of,
    kek_file,
    registry,
    registry_settings,
    with_school,
)
from tests.integration.test_registry_http import Signed, csv, key, session, signed, site
from tests.integration.test_registry_uploads import MULTIPART, Watched, multipart

__all__ = ["kek_file", "key", "registry", "registry_settings", "signed", "site"]
PAGE = "/registro/sportello/importa"
THREE = csv({}, {"id": "2", "name": "Bruno", "born": "31/02/2014"}, {"id": "3", "name": "Ida"})


@pytest.fixture
def secretary(signed: Signed) -> dict[str, str]:
    return session(signed.sign_in("s1", "secretary"))


async def sent(site: httpx.AsyncClient, who: dict[str, str], content: bytes = THREE) -> httpx.Response:
    files = {"file": ("iscritti.csv", content)}
    return await site.post(PAGE, files=files, headers=who)


async def looked_at(site: httpx.AsyncClient, who: dict[str, str], content: bytes = THREE) -> str:
    answer = await sent(site, who, content)
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


async def pupils(registry: Registry) -> int:
    return sum(isinstance(event, StudentEnrolled) for event in await events_of(registry))


@pytest.mark.requirement("S3", part="at the desk, after a preview")
async def test_a_file_is_looked_at_then_carried_out_once(
    site: httpx.AsyncClient, secretary: dict[str, str], registry: Registry
) -> None:
    head = await registry.store.head()
    at = await looked_at(site, secretary)
    preview = (await site.get(at, headers=secretary)).text
    assert "2 nuovi, 0 confermati, 1 riga errata" in preview
    assert "4 tagliandi saranno da stampare." in preview
    assert "data_nascita_alunno" in preview and "riga 3" in preview and "Questa data non esiste" in preview
    assert "Bruno" not in preview
    assert await registry.store.head() == head
    for _ in range(2):
        done = await site.post(at, headers=secretary)
        assert (done.status_code, done.headers["location"]) == (303, at)
    polled = await site.get(at, headers=secretary | {"HX-Request": "true"})
    assert polled.headers["HX-Refresh"] == "true", "a page of progress shows the end by itself"
    told = (await site.get(at, headers=secretary)).text
    assert "Importazione conclusa, con righe rimaste fuori" in told
    assert await pupils(registry) == 2
    again = (await site.get(await looked_at(site, secretary), headers=secretary)).text
    assert "0 nuovi, 2 confermati, 1 riga errata" in again and "È già tutto qui" in again
    assert "Importa adesso" not in again
    assert "2 nuovi, 0 confermati, 1 riga errata" in (await site.get(PAGE, headers=secretary)).text


async def test_the_preview_says_who_would_wait_and_why(
    site: httpx.AsyncClient, secretary: dict[str, str], registry: Registry
) -> None:
    opens = registry.today + timedelta(days=9)
    await registry.adopt_policy(SCHOOL, EMAIL, "circolare 40")
    rows = csv({}).replace(b"carla@example.org", b"") + csv({"id": "5", "name": "Ugo"}).split(b"\n", 1)[1]
    page = (await site.get(await looked_at(site, secretary, rows), headers=secretary)).text
    for said in (
        "1 persona riceverà le credenziali per e-mail.",
        "1 genitore è senza indirizzo e-mail: aspetterà",
        "2 alunni aspetteranno la casella istituzionale.",
    ):
        assert said in page, said
    later = EMAIL.model_copy(update={"campaign_opens": opens})
    await registry.adopt_policy(SCHOOL, later, "circolare 41")
    page = (await site.get(await looked_at(site, secretary, rows), headers=secretary)).text
    assert f"1 persona aspetterà il {opens:%d/%m/%Y}, quando cominciano le consegne." in page


WHO: tuple[tuple[Role | None, bool, int], ...] = (
    ("secretary", True, 200),
    ("principal", True, 200),
    ("secretary", False, 403),
    ("administrator", True, 403),
    ("teacher", True, 403),
    ("guardian", True, 403),
    (None, True, 401),
)


async def test_who_may_import_and_strangers_are_refused_before_a_byte_is_read(
    site: httpx.AsyncClient, signed: Signed
) -> None:
    for role, strong, status in WHO:
        who = {} if role is None else session(signed.sign_in("x", role, strong=strong))
        who |= {"Accept": "application/json"}
        body = Watched(multipart(THREE))
        assert (await site.get(PAGE, headers=who)).status_code == status, role
        answer = await site.post(PAGE, content=body, headers=who | MULTIPART)
        assert answer.status_code == (303 if status == 200 else status), role
        assert body.begun.is_set() is (status == 200), role
        other = await site.post(f"{PAGE}/nothing", headers=who)
        assert other.status_code == (404 if status == 200 else status), role


async def test_anothers_file_does_not_exist(
    site: httpx.AsyncClient, signed: Signed, secretary: dict[str, str], registry: Registry
) -> None:
    await with_school(registry, OTHER_SCHOOL, "altra")
    at = await looked_at(site, secretary)
    head = await registry.store.head()
    for other in (
        session(signed.sign_in("s2", "secretary")),
        session(signed.sign_in("s1", "secretary", school=OTHER_SCHOOL)),
    ):
        for answer in (
            await site.get(at, headers=other),
            await site.post(at, headers=other),
            await site.get(f"{PAGE}/nothing", headers=other),
        ):
            assert answer.status_code == 404
        await site.post(f"{at}/annulla", headers=other)
    assert await registry.store.head() == head
    assert (await site.get(at, headers=secretary)).status_code == 200


async def test_a_file_of_another_school_brings_nothing(
    site: httpx.AsyncClient, secretary: dict[str, str], registry: Registry
) -> None:
    await with_school(registry, OTHER_SCHOOL, "altra")
    page = await site.get(await looked_at(site, secretary, csv({"school": OTHER_SCHOOL})), headers=secretary)
    assert "Non entrerebbe nulla" in page.text and "Importa adesso" not in page.text


async def test_a_file_that_cannot_be_read_is_said_and_not_kept(
    site: httpx.AsyncClient, secretary: dict[str, str], registry: Registry
) -> None:
    for content, said in ((b"%PDF-1.7 nothing", "PDF"), (b"", ""), (b"only,some\n1,2\n", "codice_alunno")):
        answer = await sent(site, secretary, content)
        assert answer.status_code == 422 and 'id="errori"' in answer.text and said in answer.text
    assert await registry.runtime.pool.fetchval("select count(*) from private.uploads") == 0


async def test_without_a_file_the_page_asks_for_one(
    site: httpx.AsyncClient, secretary: dict[str, str]
) -> None:
    for body in ({"files": {"other": ("a", b"x")}}, {"data": {"file": "x"}}, {"files": {"file": ("", b"")}}):
        answer = await site.post(PAGE, headers=secretary, **body)
        assert answer.status_code == 422 and "Scelga il file da importare" in answer.text


async def test_what_is_kept_is_sealed_and_goes_within_the_hour(
    site: httpx.AsyncClient, secretary: dict[str, str], registry: Registry
) -> None:
    at = await looked_at(site, secretary)
    pool = registry.runtime.pool
    pieces = await pool.fetch("select sealed from private.upload_pieces")
    assert len(pieces) == 1 and b"Verdi" not in pieces[0]["sealed"] and b"carla@" not in pieces[0]["sealed"]
    report = await pool.fetchval("select report::text from private.uploads")
    assert "Verdi" not in report and "carla" not in report
    registry.store.clock = lambda: datetime.now(UTC) + timedelta(minutes=61)
    assert (await site.get(at, headers=secretary)).status_code == 404
    head = await registry.store.head()
    assert (await site.post(at, headers=secretary)).status_code == 404
    assert await registry.store.head() == head
    sweeping = asyncio.create_task(sweep(pool, registry.store.clock))
    await asyncio.sleep(0.2)
    sweeping.cancel()
    assert await pool.fetchval("select count(*) from private.upload_pieces") == 0


async def test_bytes_that_were_touched_are_not_carried_out(
    site: httpx.AsyncClient, secretary: dict[str, str], registry: Registry
) -> None:
    first = await looked_at(site, secretary)
    pool = registry.runtime.pool
    other = registry.runtime.kek.wrap(csv({"id": "9"}), f"upload/{first.rsplit('/', 1)[1]}/0".encode())
    await pool.execute("update private.upload_pieces set sealed = $1", other)
    head = await registry.store.head()
    await site.post(first, headers=secretary)
    assert await registry.store.head() == head
    assert "si è interrotta" in (await site.get(first, headers=secretary)).text


async def test_a_new_file_takes_the_place_of_the_one_before_and_can_be_dropped(
    site: httpx.AsyncClient, secretary: dict[str, str], registry: Registry
) -> None:
    first = await looked_at(site, secretary)
    second = await looked_at(site, secretary)
    assert (await site.get(first, headers=secretary)).status_code == 404
    assert (await site.post(f"{second}/annulla", headers=secretary)).headers["location"] == PAGE
    assert (await site.get(second, headers=secretary)).status_code == 404
    assert await registry.runtime.pool.fetchval("select count(*) from private.upload_pieces") == 0


@pytest.fixture
async def slow(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[asyncio.Event]:
    """Imports that wait for the event before they begin."""
    goes_on = asyncio.Event()
    usual = registry.import_file

    async def waits(name, content, options, **more):  # type: ignore[no-untyped-def]
        if not options.dry_run:
            options.progress(1, 3)
            await goes_on.wait()
        return await usual(name, content, options, **more)

    monkeypatch.setattr(registry, "import_file", waits)
    monkeypatch.setattr(desk_imports, "_HEARTBEAT_SECONDS", 0.05)
    yield goes_on
    goes_on.set()


async def test_progress_is_seen_and_a_running_import_is_not_begun_again(
    registry: Registry, slow: asyncio.Event
) -> None:
    imports = DeskImports(registry, Uploads())
    run = await kept(imports)
    assert await imports.start(run.id, SCHOOL, "a")
    assert not await imports.start(run.id, SCHOOL, "a")
    await asyncio.sleep(0.2)
    under_way = await imports.find(run.id, SCHOOL, "a")
    assert under_way is not None and (under_way.state, under_way.done, under_way.total) == ("running", 1, 3)
    slow.set()
    await imports.settled(run.id, 10)
    done = await imports.find(run.id, SCHOOL, "a")
    assert done is not None and (done.state, done.at_hand) == ("done", False)
    assert not await imports.start(run.id, SCHOOL, "a")
    assert await pupils(registry) == 2


async def test_an_import_whose_process_died_can_be_taken_up_again(
    registry: Registry, slow: asyncio.Event
) -> None:
    imports = DeskImports(registry, Uploads())
    run = await kept(imports)
    assert await imports.start(run.id, SCHOOL, "a")
    for task in imports._running.values():
        task.cancel()
    await imports.settled(run.id, 10)
    now = datetime.now(UTC)
    registry.store.clock = lambda: now + timedelta(seconds=61)
    found = await imports.find(run.id, SCHOOL, "a")
    assert found is not None and (found.state, found.at_hand) == ("interrupted", True)
    slow.set()
    assert await imports.start(run.id, SCHOOL, "a")
    await imports.settled(run.id, 10)
    assert await pupils(registry) == 2


async def test_no_more_run_at_once_than_there_are_places(
    site: httpx.AsyncClient, secretary: dict[str, str], registry: Registry, slow: asyncio.Event
) -> None:
    imports = DeskImports(registry, Uploads(at_once=1))
    one, two = await kept(imports, "a"), await kept(imports, "b")
    assert await imports.start(one.id, SCHOOL, "a")
    with pytest.raises(Exception, match="503 uploads-busy"):
        await imports.start(two.id, SCHOOL, "b")
    slow.set()
    await imports.settled(one.id, 10)
    assert await imports.start(two.id, SCHOOL, "b")
    await imports.settled(two.id, 10)


async def kept(imports: DeskImports, account: str = "a") -> Import:

    found = await imports.look("iscritti.csv", io.BytesIO(THREE), SCHOOL, account)
    assert isinstance(found, Import), found
    return found
