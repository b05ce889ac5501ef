"""The official API's request bodies: types and ranges, checked in one pass; unknown fields are let through."""
