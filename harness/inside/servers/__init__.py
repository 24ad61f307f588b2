"""Small programs that serve by other people's means, as their documentation shows it. Each is a script that runs
inside a place."""
