"""What only the chapters need: data, figures, exercises and the claims ledger."""
