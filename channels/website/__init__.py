"""The ward's own public site as a channel: real in every mode, keyed, exactly once."""
