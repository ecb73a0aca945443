"""Images at rest: sources, samples, tar shards, manifests."""
