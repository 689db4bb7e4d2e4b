"""A real WordPress from Debian's package on loopback, for the WordPress channel's tests."""
