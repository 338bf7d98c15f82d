//! BOLT11 invoices: build, parse and check.
