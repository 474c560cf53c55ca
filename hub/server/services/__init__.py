"""The services: decode, ask the use case, encode."""
