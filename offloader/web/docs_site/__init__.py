"""The page that a product engineer integrates from, and the documents beside it."""
