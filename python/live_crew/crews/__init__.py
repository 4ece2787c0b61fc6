"""Real CrewAI crews as participants: loaded strictly, run as fresh copies, many at once."""
