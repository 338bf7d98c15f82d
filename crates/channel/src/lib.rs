//! The state machine of one hosted channel, both roles, without I/O.
