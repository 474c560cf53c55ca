"""``ydhub bench``: how fast the packet path is on this machine, and at what cost."""
