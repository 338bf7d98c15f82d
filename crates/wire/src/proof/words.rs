//! Findings as sentences, the same wherever a state is shown, in three blocks: what is proved, what
//! is only said, and what no such file can show.

use super::{Findings, Htlc, Party, Signed};
use crate::amount::in_sat;

/// The length of a block day, in blocks.
const BLOCKS_PER_DAY: u64 = 144;

/// The sentences about a state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words {
    /// The sentences that a signature proves, each with the side against which it counts.
    pub proved: Vec<String>,
    /// The sentences that only the signers, or the person who shows the state, assert.
    pub said: Vec<String>,
    /// The sentences about what this file cannot show.
    pub not_known: Vec<String>,
}

/// Turns the findings into sentences.
pub fn words(findings: &Findings) -> Words {
    if !findings.flaws.is_empty() {
        let flaws = findings.flaws.iter().map(|flaw| {
            format!("No channel of these two nodes has this state, so it proves nothing: {flaw}.")
        });
        return Words { proved: Vec::new(), said: Vec::new(), not_known: flaws.collect() };
    }
    Words { proved: proved(findings), said: said(findings), not_known: not_known(findings) }
}

fn proved(findings: &Findings) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(signed) = findings.host_signature {
        lines.push(debt(findings, signed));
        lines.extend(findings.htlcs.iter().map(in_flight));
        if !findings.htlcs.is_empty() {
            lines.push(format!("In all it owes {} at most.", in_sat(findings.owed_at_most_msat())));
        }
    }
    if let Some(signed) = findings.client_signature {
        lines.push(acceptance(findings, signed));
    }
    lines
}

/// Says what the host's signature shows.
fn debt(findings: &Findings, signed: Signed) -> String {
    let Findings { host, client, .. } = findings;
    let owed = in_sat(findings.client_balance_msat);
    let capacity = in_sat(findings.capacity_msat);
    let script = hex(&findings.refund_script);
    let creditor = match signed.names_other {
        true => format!("client {client}, refund script {script}"),
        false => format!("the owner of refund script {script}"),
    };
    format!(
        "Host {host} signed that it owes {owed} to {creditor}, out of a channel of {capacity}. \
         Its signature counts against this host only."
    )
}

/// Says what the client's signature shows: never more than that the client accepted.
fn acceptance(findings: &Findings, signed: Signed) -> String {
    let Findings { host, client, .. } = findings;
    let owed = in_sat(findings.client_balance_msat);
    let with = match signed.names_other {
        true => format!("host {host}"),
        false => "a host that its signature does not name".to_owned(),
    };
    let accepted = format!(
        "Client {client} signed that it accepts {owed} as its balance with {with}. Its signature \
         counts against this client only."
    );
    match findings.host_signature {
        Some(_) => accepted,
        None => format!(
            "{accepted} The host's signature is missing: nothing is shown against the host."
        ),
    }
}

fn in_flight(htlc: &Htlc) -> String {
    let Htlc { id, payment_hash, cltv_expiry, .. } = htlc;
    let amount = in_sat(htlc.amount_msat);
    match htlc.offered_by {
        Some(Party::Host) => format!(
            "HTLC {id}: {amount} more are on their way to the client; the host owes them, too, if \
             it was given the secret of {payment_hash} by block {cltv_expiry}."
        ),
        Some(Party::Client) => format!(
            "HTLC {id}: {amount} more are on their way from the client; the host owes them again \
             unless it was given the secret of {payment_hash} by block {cltv_expiry}."
        ),
        None => format!(
            "HTLC {id}: {amount} in flight, direction not proved: up to so much more may be owed. \
             The protocol does not sign who offered an HTLC."
        ),
    }
}

fn said(findings: &Findings) -> Vec<String> {
    let mut lines = Vec::new();
    let leaves_open = |signed: Option<Signed>| signed.is_some_and(|signed| !signed.names_other);
    if leaves_open(findings.host_signature) {
        lines.push(format!(
            "That the creditor is client {}: shown for this client, which the host's signature does \
             not name. Anyone who has seen this state can show it for a client of his own.",
            findings.client
        ));
    }
    if leaves_open(findings.client_signature) {
        lines.push(format!(
            "That the client meant host {}: shown with this host, which the client's signature does \
             not name.",
            findings.host
        ));
    }
    let first_block = u64::from(findings.block_day) * BLOCKS_PER_DAY;
    lines.push(format!(
        "That it was signed about day {} (blocks {first_block} to {}): the day is what the signers wrote, \
         two days either way; if both agree, it can be any day.",
        findings.block_day,
        first_block + BLOCKS_PER_DAY - 1,
    ));
    lines
}

fn not_known(findings: &Findings) -> Vec<String> {
    let mut lines = vec![
        format!(
            "Whether a newer state exists (this one is number {} of the host, {} of the client), \
             or another channel came after this one.",
            findings.host_updates, findings.client_updates
        ),
        "On which chain: coins of a test chain are signed in the same way.".to_owned(),
    ];
    if findings.host_signature.is_some() && findings.client_signature.is_none() {
        lines.push(format!(
            "Whether the client accepted this state: no signature of client {} on it holds. The \
             host's debt does not need it.",
            findings.client
        ));
    }
    if findings.host_signature.is_some() {
        lines.push(format!(
            "Whether this debt is shown elsewhere: every file with this host and debt {} shows one \
             and the same debt.",
            hex(&findings.debt)
        ));
        lines.push(
            "Whether it will be paid: a proof says what is owed. It does not pay.".to_owned(),
        );
    }
    lines
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
