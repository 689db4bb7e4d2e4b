"""How a bulletin reaches the ward's loudspeakers: one small file for each way, chosen in the outlet's settings."""
