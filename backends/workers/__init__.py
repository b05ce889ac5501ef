"""Engines in child processes: the event loop does I/O only."""
