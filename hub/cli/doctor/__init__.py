"""``ydhub doctor``: checks of a running hub, each with its fix."""
