"""The places a model's files can come from, one file per kind."""
