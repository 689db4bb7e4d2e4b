"""The mould of a new channel: a small working one, and the copying of it under another name (``make channel kind=…``)."""
