"""One opinion a file."""
