"""The checks of `offloader doctor`."""
