"""Calls of the client: the synchronous ones are generated out of the asynchronous ones."""
