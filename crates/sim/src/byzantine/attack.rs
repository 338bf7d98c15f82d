//! Everything a hostile node does that no engine would, by kind.

use std::collections::BTreeMap;

use crate::fault::kinds;

kinds! {
    /// One way to cheat.
    Attack {
        /// A signature that is none, on a state or an update of it.
        GarbageSignature => "garbage signature",
        /// An old signed state instead of the last one.
        OldState => "old state replayed",
        /// HTLCs of a shown state turned around: who offered is said to have been offered.
        MovedHtlcs => "HTLCs moved between lists",
        /// The last state with more for itself, signed again by the attacker alone.
        ForgedState => "state with other balances",
        /// A state with higher counters that the other side never signed.
        InventedState => "higher state, forged signature",
        /// Two states with equal counters, both with the attacker's valid signature.
        EqualCounters => "two states with equal counters",
        /// A state of another channel.
        StrangersState => "another client's state",
        /// `state_update` with counters too low or too high.
        WrongCounters => "wrong counters signed",
        /// `state_update` of another day.
        WrongBlockDay => "wrong block day",
        /// An add with an id that was used.
        UsedId => "used HTLC id",
        /// An add with an id that is not yet due.
        SkippedId => "skipped HTLC id",
        /// The same message twice.
        Duplicate => "message sent twice",
        /// An add of more than there is.
        Overspend => "add above the balance",
        /// An add below the minimum.
        TooSmall => "add below the minimum",
        /// More adds than the terms allow.
        TooManyAdds => "too many adds",
        /// A fulfill whose preimage does not fit.
        WrongPreimage => "fulfill with a wrong preimage",
        /// A fail of an HTLC the moment it is offered.
        FailUnsigned => "fail of an unsigned HTLC",
        /// A fail without a reason, without BADONION, or with far too much of it.
        BadFailure => "malformed failure",
        /// A second settlement of the same HTLC.
        SettleTwice => "HTLC settled twice",
        /// A resize that is too small, too large, forged, or from the host.
        BadResize => "bad resize",
        /// A host's override in its own favour.
        GreedyOverride => "override in its own favour",
        /// An override from a client.
        ClientOverride => "override from a client",
        /// Terms at odd moments, absurd ones.
        AbsurdTerms => "absurd terms",
        /// An opening at an odd moment, with another refund script or chain.
        OddInvoke => "odd invoke",
        /// An error instead of an answer.
        Refusal => "refusal",
        /// Errors over errors.
        ErrorSpam => "error spam",
        /// Hundreds of messages of all kinds, and bytes that are none.
        Flood => "flood",
        /// The same invoke by the hundred, often with a signed state full of HTLCs.
        InvokeFlood => "invoke by the hundred",
        /// The branding asked for by the hundred.
        BrandingFlood => "branding asked by the hundred",
        /// Bytes cut off, added or flipped.
        Mangled => "mangled message",
        /// The other framing in the middle of a connection.
        FramingFlip => "framing flipped",
        /// Signatures, settlements or everything held back.
        Withholding => "withholding",
        /// HTLCs whose amounts, expiries or onions are not what forwarders ask for.
        CheatingRoute => "cheating route",
        /// Goes on from an old copy of its disk.
        RestoredDisk => "old disk restored",
    }
}

/// The number of times each attack was made.
pub type AttackCounts = BTreeMap<Attack, u64>;
