//! Durable state in SQLite, with group commit, behind one trait.
