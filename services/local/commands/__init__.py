"""The commands of `alphastocks`."""
