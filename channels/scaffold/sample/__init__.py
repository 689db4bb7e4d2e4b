"""Sample as a channel: a small REST platform that honours an idempotency key (class A)."""
