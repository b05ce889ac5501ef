"""How likely it is that an answer is right, by what can be seen of it."""
