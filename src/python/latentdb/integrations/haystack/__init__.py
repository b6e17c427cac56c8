"""Haystack over LatentDB: a document store, and retrievers that steer and explain.

```python
from latentdb.integrations.haystack import LatentDBDocumentStore, LatentDBEmbeddingRetriever

store = LatentDBDocumentStore(collection="papers", embedding_dim=384)
retriever = LatentDBEmbeddingRetriever(document_store=store, steer={812: 2.0})
```

Haystack 3 loads a pipeline's file with these in it where it is told that it may:
`Pipeline.loads(file, allowed_modules=["latentdb.integrations.haystack"])`.
"""

from .document_store import LatentDBDocumentStore
from .retrievers import (
    LatentDBBM25Retriever,
    LatentDBEmbeddingRetriever,
    LatentDBHybridRetriever,
)

__all__ = [
    "LatentDBBM25Retriever",
    "LatentDBDocumentStore",
    "LatentDBEmbeddingRetriever",
    "LatentDBHybridRetriever",
]
