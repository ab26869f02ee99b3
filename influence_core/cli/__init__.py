"""The command line: the same core without a browser.  COMMANDS lists its words."""

from influence_core.cli.commands import COMMANDS, Command, main

__all__ = ["COMMANDS", "Command", "main"]
