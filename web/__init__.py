"""The rooms over HTTP: the console for staff and the public site for citizens."""
