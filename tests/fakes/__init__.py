"""Hand-written stand-ins that keep the real contract."""
