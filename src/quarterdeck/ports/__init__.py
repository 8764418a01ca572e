"""The seams as protocols, each promise in full. Implementations: `store`, `executors`, `logs`, `sources`."""
