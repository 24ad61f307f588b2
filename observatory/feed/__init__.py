"""What has happened lately, kept ready for those who look at it: the page and the terminal."""
