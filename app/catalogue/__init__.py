"""The models that Isotherm knows by name: where each comes from and how it lands in the cache."""
