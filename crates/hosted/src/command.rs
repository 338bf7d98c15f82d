//! The commands an operator may give to a channel, and the reasons why they are refused.

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

/// The reason why an operator's command was refused. A refused command changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandRefusal {
    /// There is no signed state yet.
    #[error("the channel is not open yet")]
    NotOpen,
    /// The command is for the other role.
    #[error("only the other side can do this")]
    WrongRole,
    /// The channel is not suspended, as an override requires.
    #[error("the channel is not suspended")]
    NotSuspended,
    /// The channel is suspended.
    #[error("the channel is suspended")]
    Suspended,
    /// The peer is not connected.
    #[error("the peer is not connected")]
    NotConnected,
    /// The host has proposed no override, or none that fits the channel.
    #[error("the host has proposed no valid override")]
    NoOverride,
    /// The balance is above the capacity.
    #[error("the balance exceeds the channel's capacity")]
    BalanceTooHigh,
    /// The channel's terms do not include resizing.
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
