"""Every decision, in the order of a post's life."""
