"""How does the demo talk? In lines on stdout, which somebody may have stopped reading."""

import os
import sys


def say(text: str) -> None:
    """Print.

    Raises:
        OSError: nobody reads it any more (a closed pipe, a terminal that is gone); what is said later goes nowhere.
    """
    try:
        print(text, flush=True)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise
