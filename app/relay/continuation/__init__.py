"""How the next backend goes on with an answer: one file each."""
