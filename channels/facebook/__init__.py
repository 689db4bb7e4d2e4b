"""Facebook Page: text, link and photo posts, found again by their short link."""
