"""Adapters of other packages' interfaces; each needs its extra, as `latentdb-client[langchain]`."""
