"""The book's models, one module a family."""
