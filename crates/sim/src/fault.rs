//! Everything that goes wrong in a simulation, by kind.

use std::collections::BTreeMap;

/// An enum of kinds that are counted and named in the summary.
macro_rules! kinds {
    ($(#[$about:meta])* $enum:ident { $($(#[$doc:meta])* $kind:ident => $name:literal,)* }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $enum {
            $($(#[$doc])* $kind,)*
        }

        impl $enum {
            /// All kinds.
            pub const ALL: &[Self] = &[$(Self::$kind,)*];

            /// As in the summary.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)*
                }
            }
        }
    };
}
pub(crate) use kinds;

kinds! {
    /// What can go wrong (design.md section 10).
    FaultKind {
        /// The node stops with nothing uncommitted.
        Crash => "crash between batches",
        /// The node stops, and with it the last batches that were not durable.
        CrashBeforeCommit => "crash, last commits lost",
        /// The node stops when a batch is durable and nothing of it has left.
        CrashAfterCommit => "crash between commit and send",
        /// The node stops when some of a batch's actions are done.
        CrashBetweenActions => "crash between two sends",
        /// The disk fails inside one write of several batches: none of them survives.
        TornCommit => "crash inside a joint commit",
        /// The node stops again right after its start.
        CrashAtStart => "crash at start",
        /// Both sides of a channel stop at once.
        BothCrash => "both sides crash",
        /// The disk takes seconds for a commit, the engine runs ahead.
        SlowDisk => "delayed commit",
        /// A connection breaks, a last part of each direction is lost.
        Disconnect => "disconnect, last messages lost",
        /// A second connection of the same peer replaces the first.
        DuplicateConnection => "duplicate connection",
        /// A peer says nothing for many blocks, whatever it holds.
        SilentPeer => "silent peer",
        /// Many blocks at once.
        BlockBurst => "burst of blocks",
        /// The last blocks are replaced.
        Reorg => "reorganisation",
        /// The chain source shows no news.
        StaleTip => "stale tip",
        /// A wall clock jumps.
        ClockJump => "clock jump",
        /// A preimage is published on chain because the peer does not sign.
        PreimageOnChain => "preimage on chain",
        /// An operator suspends a channel.
        Suspend => "suspend",
        /// Two operators agree on an override.
        Override => "override",
        /// A client asks for a larger channel.
        Resize => "resize",
        /// An invoice is paid again, or the command given twice.
        PaidTwice => "same payment twice",
    }
}

/// How often each kind happened.
pub type FaultCounts = BTreeMap<FaultKind, u64>;
