//! The versioned blobs of the database.

use steward_store::codec::{
    decode_addresses, decode_event, decode_origin, decode_path, decode_settlement,
    encode_addresses, encode_event, encode_origin, encode_path, encode_settlement,
};

/// Reads the choice of a blob, then the blob.
pub(crate) fn blob(data: &[u8]) {
    macro_rules! is_canonical {
        ($blob:expr, $decode:ident, $encode:ident) => {
            if let Ok(value) = $decode($blob) {
                assert_eq!($encode(&value), $blob, "{value:?}");
                assert!($decode(&$blob[..$blob.len() - 1]).is_err(), "a cut blob is refused");
            }
        };
    }
    let Some((which, blob)) = data.split_first() else { return };
    match which % 5 {
        0 => is_canonical!(blob, decode_origin, encode_origin),
        1 => is_canonical!(blob, decode_settlement, encode_settlement),
        2 => is_canonical!(blob, decode_path, encode_path),
        3 => is_canonical!(blob, decode_addresses, encode_addresses),
        _ => is_canonical!(blob, decode_event, encode_event),
    }
}
