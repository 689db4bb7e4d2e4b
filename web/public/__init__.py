"""The ward's own public site: pages, feeds, short links, and the address to which articles are published."""

from web.public.app import build

__all__ = ["build"]
