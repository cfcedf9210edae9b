"""How the demo speaks: chapters, facts, and bars that vanish when their work is done."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console, RenderableType
from rich.panel import Panel
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table

from deploy.commands.common import escape


class Bar:
    """A bar under way."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress = progress
        self._task = task

    def to(self, done: int, total: int | None = None) -> None:
        self._progress.update(self._task, completed=done)
        if total is not None:
            self._progress.update(self._task, total=total)


class Teller:
    def __init__(self) -> None:
        self._out = Console(highlight=False)
        self._err = Console(stderr=True, highlight=False)
        self._chapter = 0

    def chapter(self, title: str) -> None:
        self._chapter += 1
        self._out.print(f"\n[bold blue]{self._chapter}. {escape(title)}[/]")

    def fact(self, text: str) -> None:
        self._out.print(f"   {escape(text)}")

    def done(self, text: str) -> None:
        self._out.print(f"   [green]✓[/] {escape(text)}")

    def show(self, what: RenderableType) -> None:
        self._out.print(what)

    def table(self, title: str, rows: Sequence[tuple[str, ...]], heads: Sequence[str]) -> None:
        table = Table(title=title, title_justify="left", box=None, pad_edge=False)
        for n, head in enumerate(heads):
            table.add_column(head, justify="left" if n == 0 else "right", overflow="fold")
        for row in rows:
            table.add_row(*(escape(cell) for cell in row))
        self._out.print(table)

    def addresses(self, rows: Sequence[tuple[str, str]]) -> None:
        width = max(len(name) for name, _ in rows)
        text = "\n".join(f"{name:<{width}}  {escape(value)}" for name, value in rows)
        self._out.print(Panel(text, title="Where to look", title_align="left", border_style="blue"))

    @contextmanager
    def bar(self, text: str, total: int | None = None) -> Iterator[Bar]:
        progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=self._err,
            transient=True,
        )
        with progress:
            yield Bar(progress, progress.add_task(f"   {text}", total=total))
