"""Other programs' engines doing the same work as their users write it; run by an interpreter of their own (requirements.lock here)."""
