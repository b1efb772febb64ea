"""Status line of a long-running program, rewritten in place on a terminal."""

import sys


class StatusLine:
    """A line that is shown repeatedly."""

    def __init__(self, quiet: bool) -> None:
        self._quiet = quiet
        self._terminal = sys.stdout.isatty()

    def show(self, line: str) -> None:
        """Show the line in its current form."""
        if self._quiet:
            return
        print(f"\r\x1b[2K{line}" if self._terminal else line, end="" if self._terminal else "\n", flush=True)

    def end(self, text: str) -> None:
        """Print the last line, below the one that was rewritten."""
        if self._terminal and not self._quiet:
            print()
        if not self._quiet:
            print(text, flush=True)
