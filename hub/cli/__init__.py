"""``ydhub``: the hub's administrators, relayer operators and cities at the command line."""
