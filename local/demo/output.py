"""Prints the demo's lines to stdout, which may be closed at any time."""

import os
import sys


def report(text: str) -> None:
    """Print a line.

    Raises:
        OSError: stdout is closed (a closed pipe, a terminal that is gone); later lines are discarded.
    """
    try:
        print(text, flush=True)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise
