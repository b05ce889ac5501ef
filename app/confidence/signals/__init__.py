"""What can be seen of an answer: one signal a file, listed in app.confidence.signal."""
