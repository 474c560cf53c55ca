"""Who is at the other end of a connection, and the credentials to make one."""
