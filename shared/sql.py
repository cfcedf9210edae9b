"""SQL lives in .sql files beside the module that uses it, and reads like SQL."""

from functools import cache
from pathlib import Path


@cache
def load_sql(folder: Path, name: str) -> str:
    return (folder / f"{name}.sql").read_text(encoding="utf-8")


class Statements:
    """The statements of one folder: `SQL = Statements(__file__)`, then `SQL("insert_keys")`."""

    def __init__(self, module_file: str, folder: str = "sql") -> None:
        self._folder = Path(module_file).parent / folder

    def __call__(self, name: str) -> str:
        return load_sql(self._folder, name)
