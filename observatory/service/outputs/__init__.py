"""Where events go besides the database: standard output, plainly or for people, and the output socket."""
