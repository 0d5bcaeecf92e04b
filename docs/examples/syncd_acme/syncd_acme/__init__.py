"""Acme CRM as a provider of syncd: the adapter, and a sandbox to prove it against."""
