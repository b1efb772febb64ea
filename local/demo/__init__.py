"""`make demo`: the whole path on this machine, watched live and then proved."""
