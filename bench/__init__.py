"""How fast the service is beside others: `make bench`, and docs/performance.md for what came out."""
