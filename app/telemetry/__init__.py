"""What happened, for people and for Prometheus."""
