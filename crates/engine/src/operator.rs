//! The operator's commands, carried out.

mod bounds;
pub(crate) mod channel;
pub(crate) mod forget;
pub(crate) mod pay;
pub(crate) mod peers;
pub(crate) mod settings;
pub(crate) mod views;
