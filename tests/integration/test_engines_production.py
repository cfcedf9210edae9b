"""What production refuses at start, and what it warns of."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from deploy.engines import temporary_folder
from deploy.settings import Settings, SettingsError
from deploy.supervisor import Running
from shared.settings import Environment


@pytest.fixture
def folder() -> Iterator[Path]:
    with temporary_folder() as folder:
        yield folder


async def test_services_do_not_start_as_root_in_production(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    url = SecretStr("smtp://127.0.0.1:2525")
    settings = Settings(data=folder / "data", base_port=0, environment=Environment.production, smtp_url=url)
    with pytest.raises(SettingsError, match="ordinary user"):
        async with Running(settings):
            pytest.fail("it runs as root")
    assert not (folder / "data").exists()


async def test_production_says_at_start_that_mail_goes_in_the_clear(folder: Path) -> None:
    said: list[str] = []
    for query in ("?starttls=offered", ""):
        url = SecretStr(f"smtp://relay.example{query}")
        settings = Settings(
            data=folder / "data", base_port=0, environment=Environment.production, smtp_url=url
        )
        async with Running(
            settings, services=(), site=False, progress=lambda part, text: said.append(f"{part} {text}")
        ):
            pass
    assert len([line for line in said if line.startswith("notifications warning: starttls=offered")]) == 1
