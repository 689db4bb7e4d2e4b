"""Where it goes: one folder a channel, the only room on the network."""
