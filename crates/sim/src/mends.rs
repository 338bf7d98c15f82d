//! Faults of the code under test that the simulator sees and that are not mended yet: what shows
//! them waits here for the mend (docs/conformance.md).

/// C2: a connection is sent no more than in proportion to what it sends.
pub(crate) const SENDS_ARE_BOUNDED: bool = false;
/// H4: each part is looked at again when a set is claimed.
pub(crate) const CLAIMS_ARE_LOOKED_AT_AGAIN: bool = false;
/// H5: a keysend overwrites no invoice.
pub(crate) const KEYSENDS_OVERWRITE_NOTHING: bool = false;
/// B1: a path key goes only to whom asked for it.
pub(crate) const PATH_KEYS_ARE_ASKED_FOR: bool = false;
/// B2: the framing is never changed by a guess.
pub(crate) const FRAMING_IS_KEPT: bool = false;
