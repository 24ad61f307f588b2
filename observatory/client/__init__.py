"""The other end of the socket: asking a server, once it is sure whose it is, and finding out why none answers."""
