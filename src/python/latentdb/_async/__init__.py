"""The asynchronous client, out of which the synchronous one is generated."""
