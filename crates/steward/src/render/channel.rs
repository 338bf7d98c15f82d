//! Channels, and what their signed states prove, as people read them.

use steward_api::model::{Channel, ChannelDetails, Channels, Phase, ProofWords, Role};
use steward_wire::ErrorCode;

use super::foreign::visible;
use super::words::{msat, unreached};

/// `steward channel list`
pub fn channels(channels: &Channels) -> String {
    if channels.channels.is_empty() {
        return "no channels; `steward channel invoke` opens one".to_owned();
    }
    let texts: Vec<String> = channels.channels.iter().map(channel).collect();
    texts.join("\n\n")
}

/// Shows one channel.
pub fn channel(channel: &Channel) -> String {
    let peer = &channel.peer_id;
    let mut lines = vec![match channel.role {
        Role::Client => format!("{peer}\n  host of ours: custodial, it keeps the money"),
        Role::Host => format!("{peer}\n  client of ours: we keep the money"),
    }];
    lines.push(format!("  {}, {}", phase(channel.phase), channel.short_channel_id));
    lines.push(format!("  channel {}", channel.channel_id));
    if channel.role == Role::Client {
        lines.push(format!("  we are known to it as {}", channel.local_id));
    }
    if let Some(suspension) = &channel.suspension {
        let by = if suspension.by_us { "us" } else { "the other side" };
        lines.push(format!("  suspended by {by}: {}", visible(&suspension.reason)));
        if suspension.error_code == Some(ErrorCode::WrongBlockDay.number()) {
            lines.push("  the two sides see other block heights: `steward doctor` looks at our clock and chain source".to_owned());
        }
    }
    lines.extend(
        channel.connection_failure.as_ref().map(|failure| format!("  {}", unreached(failure))),
    );
    if let Some(msat_proposed) = channel.override_balance_msat {
        lines.push(format!("  the host proposes a balance of {} for us", msat(msat_proposed)));
    }
    if let Some(balances) = &channel.balances {
        lines.push(format!(
            "  signed: {} ours, {} theirs, of {}",
            msat(balances.local_balance_msat),
            msat(balances.remote_balance_msat),
            msat(balances.capacity_msat)
        ));
        lines.push(format!(
            "  can send {}, can receive {}; {} HTLCs out, {} in",
            msat(balances.spendable_msat),
            msat(balances.receivable_msat),
            balances.outgoing_htlcs,
            balances.incoming_htlcs
        ));
    }
    lines.join("\n")
}

/// `steward channel show`
pub fn channel_details(details: &ChannelDetails) -> String {
    let mut text = channel(&details.channel);
    text.push_str(match details.signatures_valid {
        Some(true) => "\n  both signatures hold",
        Some(false) => "\n  A SIGNATURE DOES NOT HOLD: keep a backup and ask the other side",
        None => "\n  nothing is signed yet",
    });
    if let Some(words) = &details.proof {
        text.push_str(&format!("\n\n{}", proof(words)));
    }
    if let Some(snapshot) = &details.snapshot {
        text.push_str(&format!(
            "\n\nThe signed state, to be checked with `steward verify`:\n{snapshot}"
        ));
    }
    text
}

/// Shows what a signed state proves: `steward verify`, and below `steward channel show`.
pub fn proof(words: &ProofWords) -> String {
    let block = |title: &str, lines: &[String]| {
        let lines: String = lines.iter().map(|line| format!("\n  - {line}")).collect();
        format!("{title}{}", if lines.is_empty() { "\n  nothing" } else { &lines })
    };
    [
        block("Proved by signatures:", &words.proved),
        block("Only said:", &words.said),
        block("Not known from this state:", &words.not_known),
    ]
    .join("\n")
}

fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Opening => "opening: the host has not answered yet",
        Phase::Offline => "offline: the other side is not connected",
        Phase::Syncing => "syncing",
        Phase::Active => "active",
        Phase::Suspended => "suspended: no new payments until a person acts",
    }
}

#[cfg(test)]
mod tests {
    use steward_api::model::{ChannelBalances, Suspension, Terms};

    use super::*;

    fn a_channel(role: Role) -> Channel {
        Channel {
            channel_id: "cc".to_owned(),
            peer_id: "02aa".to_owned(),
            local_id: "02bb".to_owned(),
            short_channel_id: "1x2x3".to_owned(),
            role,
            custodial: role == Role::Client,
            phase: Phase::Active,
            suspension: None,
            balances: Some(ChannelBalances {
                capacity_msat: 1_000_000_000,
                local_balance_msat: 250_000_000,
                remote_balance_msat: 750_000_000,
                spendable_msat: 250_000_000,
                receivable_msat: 750_000_000,
                outgoing_htlcs: 0,
                incoming_htlcs: 0,
                terms: Terms {
                    max_htlc_value_in_flight_msat: 1_000_000_000,
                    htlc_minimum_msat: 1000,
                    max_accepted_htlcs: 21,
                    initial_client_balance_msat: 0,
                },
            }),
            host_policy: None,
            override_balance_msat: None,
            connection_failure: None,
        }
    }

    #[test]
    fn a_client_is_told_that_the_host_keeps_the_money() {
        assert!(channel(&a_channel(Role::Client)).contains("custodial"));
        assert!(!channel(&a_channel(Role::Host)).contains("custodial"));
    }

    #[test]
    fn balances_are_shown_in_satoshi_with_their_unit() {
        let text = channel(&a_channel(Role::Client));
        assert!(text.contains("signed: 250 000 sat ours, 750 000 sat theirs"), "{text}");
    }

    #[test]
    fn a_suspended_channel_says_why_and_by_which_side() {
        let suspension =
            Suspension { by_us: false, error_code: Some(3), reason: "wrong sig".to_owned() };
        let suspended = Channel {
            phase: Phase::Suspended,
            suspension: Some(suspension),
            ..a_channel(Role::Client)
        };
        assert!(channel(&suspended).contains("suspended by the other side: wrong sig"));
    }
}
