"""The agent, which builds worlds and lets users try, and what starts it in each kind of place."""
