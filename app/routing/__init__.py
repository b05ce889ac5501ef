"""Choosing where a job runs."""
