"""What is said: documents, templates, words, pictures and sound. No database, no network."""
