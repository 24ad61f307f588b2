"""The product shown: the demo, the survey of servers, and a TCP port beside a Unix socket."""
