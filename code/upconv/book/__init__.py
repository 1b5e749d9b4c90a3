"""What only the chapters need: data, models, records, figures, exercises and the claims ledger."""
