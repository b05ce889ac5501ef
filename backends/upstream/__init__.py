"""The client side of HTTP: a small pooled client for the hot path, httpx for whatever is unusual."""
