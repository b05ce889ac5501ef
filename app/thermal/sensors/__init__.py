"""One kind of sensor a file."""
