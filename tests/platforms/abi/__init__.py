"""Every number and layout that `observatory.identity` uses, held against the C headers of each platform."""
