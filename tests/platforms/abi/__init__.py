"""Every number and layout that `observatory.identity` uses, compared with the C headers of each platform."""
