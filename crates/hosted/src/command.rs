//! What an operator may ask of a channel, and why it is refused.

/// An operator's command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Suspends the channel (code 0008).
    Suspend,
    /// As client: asks for a larger capacity.
    Resize {
        /// In satoshi.
        new_capacity_sat: u64,
    },
    /// As host: proposes a fresh state for a suspended channel.
    ProposeOverride {
        /// Our balance in it, in millisatoshi, of the capacity that both have signed: what a
        /// resize under way adds is ours as well.
        local_balance_msat: u64,
    },
    /// As client: accepts the host's proposal.
    AcceptOverride,
}

/// Why an operator's command was refused. Nothing has changed then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandRefusal {
    /// There is no signed state yet.
    #[error("the channel is not open yet")]
    NotOpen,
    /// The other role's business.
    #[error("only the other side can do this")]
    WrongRole,
    /// An override needs a suspended channel.
    #[error("the channel is not suspended")]
    NotSuspended,
    /// Not while suspended.
    #[error("the channel is suspended")]
    Suspended,
    /// The peer must be connected.
    #[error("the peer is not connected")]
    NotConnected,
    /// The host has proposed no override, or none that fits the channel.
    #[error("the host has proposed no valid override")]
    NoOverride,
    /// A balance above the capacity.
    #[error("the balance exceeds the channel's capacity")]
    BalanceTooHigh,
    /// The terms do not include resizing.
    #[error("the channel cannot be resized")]
    NotResizable,
    /// An earlier resize is not signed yet.
    #[error("an earlier resize is still pending")]
    ResizePending,
    /// The new capacity is not larger than the current one, or out of range.
    #[error("the new capacity must be larger than the current one")]
    BadCapacity,
    /// A counter is exhausted.
    #[error("the channel's update counter is exhausted")]
    CountersExhausted,
}
