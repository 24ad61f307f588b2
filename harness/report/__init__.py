"""From verdicts to people and machines: terminal, JSON lines, JUnit XML, one self-contained HTML page."""
