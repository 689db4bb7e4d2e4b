"""The conformance suite against the real platforms (``make live``): run by a person who has the keys, never by ``make test``."""
