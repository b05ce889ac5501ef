"""What a person can type: one command a file."""
