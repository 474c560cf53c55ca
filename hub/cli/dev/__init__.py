"""A development network on this machine."""
