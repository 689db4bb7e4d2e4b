"""A WordPress site as a channel: over its REST API with an application password, drafted unseen and published by id."""
