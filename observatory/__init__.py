"""An HTTP server on a Unix domain socket that stamps each event with kernel-verified peer credentials."""
