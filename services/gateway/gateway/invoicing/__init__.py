"""Invoices for people: a page to print, in their language. Pure functions of the document."""
