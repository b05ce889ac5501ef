"""Heat: sensors are read in a thread of their own, and what they say becomes the state of zones."""
