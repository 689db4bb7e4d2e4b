"""The ward's loudspeakers: the day's programmes as script, sound and play-list in a folder."""
