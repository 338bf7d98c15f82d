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
    /// A kind of fault (docs/simulation.md, "Faults").
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
        /// Somebody who knows a paid invoice's preimage sends it as a keysend.
        PaidKeysend => "keysend with a paid preimage",
        /// The channel in which a payee holds a part of a payment is suspended and overridden.
        HeldPartLost => "override over a held part",
        /// A payer makes a blinded path to a host's client.
        BlindedPayment => "payment over a blinded path",
        /// A connection with a peer that behaves as eclair.
        EclairPeer => "connection of a peer like eclair",
        /// A connection with a peer that behaves as immortan.
        ImmortanPeer => "connection of a peer like immortan",
        /// A host like eclair does not listen yet when the client invokes.
        LostInvoke => "like eclair: first invoke lost",
        /// A peer like eclair gets a packet in which nothing is legacy.
        FrozenReading => "like eclair: reading stopped",
        /// One of the two gets an add with an even TLV it does not know.
        EvenTlv => "like both: even TLV refused",
        /// A client like one of the two is suspended and looks at no state.
        UnheardState => "like both: state unheard after an error",
        /// An override reaches a client that knows of no error.
        EarlyOverride => "like both: override before its error",
        /// A client like one of the two checks an override's numbers.
        CheckedOverride => "like both: override checked",
        /// A client like immortan gets an error before the first state.
        ForgottenError => "like immortan: error forgotten",
    }
}

/// How often each kind happened.
pub type FaultCounts = BTreeMap<FaultKind, u64>;

impl FaultKind {
    /// Those that happen because chance wants them; the others because of these.
    pub fn is_injected(self) -> bool {
        self <= Self::BlindedPayment
    }
}
