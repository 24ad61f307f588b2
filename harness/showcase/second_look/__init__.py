"""A second look at servers, which shares no code with the checks."""
