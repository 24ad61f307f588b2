"""The page: what one user may see of a server, shown in that user's own browser and nobody else's."""
