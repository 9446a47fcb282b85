"""The verbs, one module per activity. They add and flush; who called them commits."""
