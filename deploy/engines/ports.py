"""Ports on the loopback address."""

import socket

from deploy.engines.errors import EngineError


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def claim_port(wanted: int, who: str, setting: str) -> int:
    """`wanted` if nobody listens there; any free port where it is 0.

    Errors: EngineError that names `setting` when the port is taken.
    """
    if wanted == 0:
        return free_port()
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted))
        except PermissionError:
            return wanted  # below 1024: the engine itself will say
        except OSError:
            raise EngineError(f"port {wanted} for {who} is taken: choose another with {setting}") from None
    return wanted
