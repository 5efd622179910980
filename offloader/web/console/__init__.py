"""The operators' console: one page on the admin port, and the files it is made of."""
