"""The subcommands of `custode`, one module each.

A module exposes `app: typer.Typer` and is added to the composition in deploy/cli.py. What all share is in
`deploy.commands.common`: exit codes, output, and how an error is told.
"""
