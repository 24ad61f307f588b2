"""HTTP/1.1 as bytes in and bytes out, with no I/O of its own."""
