"""A signed HTTP POST to whoever listens: anything that can answer a request can be a channel, without Python."""
