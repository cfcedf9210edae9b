"""The subcommands of `custode`, one module each.

A module has `add_to(app)`, and deploy/cli.py names it for each of its commands. What all share is in
`deploy.commands.common`: exit codes, output, and how an error is told.
"""
