"""What several suites share, a module for each subject."""
