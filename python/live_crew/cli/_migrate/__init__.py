"""Handlers as crews: what their code says, in the files of a crew."""
