"""Who opened a connection, in the cases where the plain answer is wrong; each with a server that gets it wrong."""
