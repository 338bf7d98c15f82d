//! All channels of one node and what joins them: forwards, payments, invoices. No I/O.
