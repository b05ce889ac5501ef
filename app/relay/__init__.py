"""Carries one answer from a backend to the client, and watches it."""
