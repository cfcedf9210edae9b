"""Settings: what an operator may write, and what it leads to."""

import os
from pathlib import Path

import pytest
from pydantic import SecretStr

from deploy.checks import _production, _services
from deploy.engines import EngineError, Site
from deploy.engines.host import engine_user
from deploy.environment import Wiring, inherited, names
from deploy.settings import OFFSETS, Settings, SettingsError, load_settings, resolve_ports, site_of
from shared.runtime import open_runtime
from shared.settings import CommonSettings, Environment, RunsAsRoot, ServiceSettings


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("CUSTODE_")]:
        monkeypatch.delenv(name)


def wiring(settings: Settings) -> Wiring:
    ports = resolve_ports(settings)
    return Wiring(settings, ports, site_of(settings, ports).url, postgres=None, bus=None)


def test_without_settings_everything_is_embedded_and_local(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = load_settings()
    assert settings.data == tmp_path / ".custode"
    assert site_of(settings, resolve_ports(settings)).url == "http://localhost:8480"
    assert not settings.external_database("registry")


def test_ports_follow_the_base_and_each_can_be_set() -> None:
    ports = resolve_ports(Settings(base_port=9000, nats_port=4222))
    assert (ports.site, ports.nats, ports.registry, ports.mailbox) == (9000, 4222, 9002, 9005)


def test_base_port_zero_takes_free_and_different_ports() -> None:
    ports = resolve_ports(Settings(base_port=0))
    chosen = [ports.of(name) for name in OFFSETS]
    assert len(set(chosen)) == len(OFFSETS)
    assert all(port > 1023 for port in chosen)


@pytest.mark.parametrize(
    ("address", "url"),
    [
        (None, "http://localhost:8480"),
        ("registro.scuola.it", "https://registro.scuola.it"),
        ("registro.scuola.it:8443", "https://registro.scuola.it:8443"),
    ],
)
def test_a_host_name_means_tls(address: str | None, url: str) -> None:
    settings = Settings(site_address=address)
    assert site_of(settings, resolve_ports(settings)).url == url


def test_the_site_without_a_name_listens_on_this_machine_only() -> None:
    assert Site(None, 8480).environment()["CUSTODE_CADDY_BIND"].split()[0] == "127.0.0.1"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CUSTODE_BASE_PORT", "70000"),
        ("CUSTODE_BASE_PORT", "many"),
        ("CUSTODE_INSTANCE", "Scuola Uno"),
        ("CUSTODE_SITE_ADDRESS", "https://registro.scuola.it/"),
        ("CUSTODE_ENVIRONMENT", "test"),
        ("CUSTODE_SMTP_URL", "mail.scuola.it:587"),
    ],
)
def test_a_wrong_value_is_told_by_the_name_of_its_variable(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=f"^{name}: "):
        load_settings()


def test_production_wants_a_real_mail_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUSTODE_ENVIRONMENT", "production")
    with pytest.raises(SettingsError, match=r"^CUSTODE_SMTP_URL is needed"):
        load_settings()
    monkeypatch.setenv("CUSTODE_SMTP_URL", "smtp://mail.scuola.it:587")
    assert wiring(load_settings()).service_environment("notifications")["CUSTODE_NOTIFICATIONS_SMTP_URL"] == (
        "smtp://mail.scuola.it:587"
    )


@pytest.mark.parametrize(
    ("environment", "url", "warned"),
    [
        ("production", "smtp://mail.scuola.it", False),
        ("production", "smtp://127.0.0.1:2525", False),
        ("production", "smtp://mail.scuola.it?starttls=offered", True),
        ("development", "smtp://mail.scuola.it?starttls=offered", False),
    ],
)
def test_mail_in_the_clear_is_a_warning_in_production(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, environment: str, url: str, warned: bool
) -> None:
    monkeypatch.setenv("CUSTODE_ENVIRONMENT", environment)
    monkeypatch.setenv("CUSTODE_SMTP_URL", url)
    monkeypatch.setenv("CUSTODE_DATA", str(tmp_path / "data"))
    found = [check for check in _production(load_settings()) if check.subject == "CUSTODE_SMTP_URL"]
    assert [check.outcome for check in found] == ["warning"] * warned


def test_passwords_do_not_show_when_settings_are_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUSTODE_REGISTRY_DATABASE_URL", "postgresql://registry:hidden-one@db/registry")
    monkeypatch.setenv("CUSTODE_SMTP_URL", "smtp://user:hidden-two@mail")
    assert "hidden" not in repr(load_settings()) + str(load_settings().model_dump())


def test_given_urls_reach_their_service_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    for service in ("registry", "identity"):
        for which in ("DATABASE", "MIGRATION", "KEYRING"):
            monkeypatch.setenv(f"CUSTODE_{service.upper()}_{which}_URL", f"postgresql://x@{service}/{which}")
    monkeypatch.setenv("CUSTODE_NATS_URL", "nats://bus:4222")
    told = wiring(load_settings()).service_environment("registry")
    assert told["CUSTODE_REGISTRY_DATABASE_URL"] == "postgresql://x@registry/DATABASE"
    assert "MIGRATION" not in str(told)
    migrating = wiring(load_settings()).migration_environment()
    assert migrating["CUSTODE_REGISTRY_MIGRATION_URL"] == "postgresql://x@registry/MIGRATION"
    assert not [name for name in migrating if name.endswith(("_DATABASE_URL", "_KEYRING_URL"))]
    assert "CUSTODE_NOTIFICATIONS_MIGRATION_URL" not in migrating
    assert told["CUSTODE_NATS_URL"] == "nats://bus:4222"
    assert not [name for name in told if name.startswith("CUSTODE_IDENTITY_")]


def test_a_process_inherits_what_is_meant_for_it() -> None:
    given = {
        "PATH": "/bin",
        "AWS_SECRET_ACCESS_KEY": "no",
        "CUSTODE_REGISTRY_POOL": "5",
        "CUSTODE_IDENTITY_DATABASE_URL": "no",
        "CUSTODE_SMTP_URL": "no",
        "CUSTODE_REGISTRY_MIGRATION_URL": "no",
        "CUSTODE_KEYRING_MIGRATION_URL": "no",
        "CUSTODE_PASSWORD_REGISTRY": "no",
        "CUSTODE_DATA": "/srv/custode",
    }
    found = inherited("registry", given)
    assert found["CUSTODE_REGISTRY_POOL"] == "5"
    assert found["CUSTODE_DATA"] == "/srv/custode"
    assert "no" not in found.values()


def test_unknown_services_have_no_contract() -> None:
    with pytest.raises(KeyError):
        names("payroll")


@pytest.mark.parametrize(
    ("uid", "environment", "outcome"),
    [
        (0, "production", "failed"),
        (0, "development", "warning"),
        (os.getuid() or 65534, "production", "ok"),
        (os.getuid() or 65534, "development", "ok"),
    ],
)
def test_doctor_says_under_which_user_the_services_run(
    monkeypatch: pytest.MonkeyPatch, uid: int, environment: str, outcome: str
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: uid)
    settings = Settings(environment=Environment(environment), smtp_url=SecretStr("smtp://127.0.0.1"))
    (check,) = _services(settings)
    assert check.outcome == outcome
    assert "containers" in check.found + check.advice
    if outcome == "failed":
        with pytest.raises(
            SettingsError, match=r"do not run as root in production.*ordinary user.*containers"
        ):
            settings.check_user()
    else:
        settings.check_user()


async def test_a_service_refuses_root_in_production_before_it_opens_anything(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    common = CommonSettings(environment=Environment.production, keyring_kek_file=tmp_path / "no-kek")
    told = ServiceSettings(database_url=SecretStr("x"), keyring_url=SecretStr("x"))
    with pytest.raises(RunsAsRoot, match="ordinary user"):
        async with open_runtime("registry", common, told, lambda _: (), tmp_path):
            pytest.fail("it runs as root")


def test_engines_never_run_as_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    user = engine_user()
    assert user is not None
    assert user.uid != 0
    with pytest.raises(EngineError, match="CUSTODE_ENGINE_USER"):
        engine_user("root")
    with pytest.raises(EngineError, match="no user 'nobody-of-that-name'"):
        engine_user("nobody-of-that-name")
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert engine_user("root") is None
