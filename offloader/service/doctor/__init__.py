"""The checks of `offloader doctor`: what is wrong, whose it is, and what to do about it."""
