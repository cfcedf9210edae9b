"""`python -m tests.contracts.write_golden`: writes the golden files that are missing, and never touches one that is there."""

from shared.contracts.event import contracts
from tests.contracts.test_contracts import GOLDEN, entry_of


def main() -> None:
    GOLDEN.mkdir(exist_ok=True)
    for name, event_class in contracts().items():
        path = GOLDEN / f"{name}.json"
        if not path.exists():
            path.write_bytes(entry_of(event_class))


if __name__ == "__main__":
    main()
