"""Heat: sensors are read in threads of their own, and what they say becomes the state of zones."""
