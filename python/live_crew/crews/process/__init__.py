"""`isolation: process`: runs of crews in processes of their own, which can be killed."""
