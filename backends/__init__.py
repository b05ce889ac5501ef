"""What runs models: one file per kind."""
