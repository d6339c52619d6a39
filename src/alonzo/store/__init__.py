"""Durable state: units of work, migrations, blobs. No rule of any domain lives here."""
