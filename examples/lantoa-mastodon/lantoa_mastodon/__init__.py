"""Mastodon as a channel of Lan Tỏa, in a package of its own."""
