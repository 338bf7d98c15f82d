//! The versioned blobs inside the tables: origins, settlements, events, paths, addresses.
//!
//! Each is defined beside its table (`rows`), for the reasons in docs/state-format.md, "Blobs".

pub use crate::rows::event::{decode_event, encode_event};
pub use crate::rows::origin::{decode_origin, encode_origin};
pub use crate::rows::outbox::{decode_settlement, encode_settlement};
pub use crate::rows::part::{decode_path, encode_path};
pub use crate::rows::peer::{decode_addresses, encode_addresses};
pub use crate::rows::{VERSION, VERSION_WITH_LINK};
