//! `steward verify`: an exported channel state, judged without asking anyone.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use steward_engine::Code;

use hex::{DisplayHex, FromHex};
use serde::Serialize;
use steward_api::model::ProofWords;
use steward_wire::Snapshot;
use steward_wire::codec::Wire;
use steward_wire::proof::words::words;
use steward_wire::proof::{Findings, Htlc, Party, judge};

use crate::failure::Failure;
use crate::limits::MAX_SNAPSHOT_BYTES;
use crate::output::Output;
use crate::render;

/// The findings about a state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Proof {
    /// True if the host is shown to owe what the state says.
    pub(crate) proved: bool,
    /// The host, which keeps the money.
    pub(crate) host_id: String,
    /// The client that the state is shown for.
    pub(crate) client_id: String,
    /// True if the host's signature holds: the one that counts against the host.
    pub(crate) host_signature_holds: bool,
    /// True if the client's signature holds: the one that counts against the client.
    pub(crate) client_signature_holds: bool,
    /// True if the host's signature names the client.
    pub(crate) host_names_client: bool,
    /// True if the client's signature names the host.
    pub(crate) client_names_host: bool,
    /// The amount that the host owes for certain.
    pub(crate) client_balance_msat: u64,
    /// The amount that it owes if all HTLCs end in the client's favour.
    pub(crate) owed_at_most_msat: u64,
    /// The amount that the channel holds.
    pub(crate) capacity_msat: u64,
    /// The amount in flight.
    pub(crate) in_flight_msat: u64,
    /// The number of the host's updates so far.
    pub(crate) host_updates: u32,
    /// The number of the client's updates so far.
    pub(crate) client_updates: u32,
    /// The block day as the signers wrote it.
    pub(crate) block_day: u32,
    /// The refund script, whose owner is the creditor.
    pub(crate) refund_script: String,
    /// The name of the debt, together with the host's id: equal ones are one debt, shown twice.
    pub(crate) debt: String,
    /// The HTLCs in flight.
    pub(crate) htlcs: Vec<ProvenHtlc>,
    /// The reasons why no channel can have this state.
    pub(crate) flaws: Vec<String>,
    /// The findings in sentences.
    pub(crate) words: ProofWords,
}

/// An HTLC in flight, and the side that offered it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct ProvenHtlc {
    id: u64,
    amount_msat: u64,
    payment_hash: String,
    cltv_expiry: u32,
    /// The side that offered it: `host`, `client`, or `not_proved`.
    offered_by: &'static str,
}

/// Prints the findings. Exit code 0: the debt is proved; 1: it is not; 2: nothing could be read.
pub(super) fn run(output: Output, argument: &str) -> Result<(), Failure> {
    let proof = verify_snapshot(&read(argument)?)?;
    output.answer(&proof, |proof| render::proof(&proof.words))?;
    match proof.proved {
        true => Ok(()),
        false => Err(not_proved(&proof).in_answer()),
    }
}

/// Judges a snapshot in hexadecimal, or in the JSON of `steward channel show --json`.
///
/// # Errors
/// `bad_snapshot` if it is none, `signature_invalid` if neither node signed it.
pub(crate) fn verify_snapshot(text: &str) -> Result<Proof, Failure> {
    let snapshot = decode(text)?;
    let findings = judge(&snapshot).ok_or_else(|| {
        Failure::new(
            Code::SignatureInvalid,
            "neither node's signature holds: this state proves nothing",
            "ask for the state again; if it stays so, somebody changed it",
        )
    })?;
    Ok(Proof::of(&findings))
}

impl Proof {
    fn of(findings: &Findings) -> Self {
        let names_other = |signed: Option<steward_wire::proof::Signed>| {
            signed.is_some_and(|signed| signed.names_other)
        };
        Self {
            proved: findings.proves_debt(),
            host_id: findings.host.to_string(),
            client_id: findings.client.to_string(),
            host_signature_holds: findings.host_signature.is_some(),
            client_signature_holds: findings.client_signature.is_some(),
            host_names_client: names_other(findings.host_signature),
            client_names_host: names_other(findings.client_signature),
            client_balance_msat: findings.client_balance_msat,
            owed_at_most_msat: findings.owed_at_most_msat(),
            capacity_msat: findings.capacity_msat,
            in_flight_msat: findings.in_flight_msat(),
            host_updates: findings.host_updates,
            client_updates: findings.client_updates,
            block_day: findings.block_day,
            refund_script: findings.refund_script.to_lower_hex_string(),
            debt: findings.debt.to_lower_hex_string(),
            htlcs: findings.htlcs.iter().map(ProvenHtlc::of).collect(),
            flaws: findings.flaws.iter().map(ToString::to_string).collect(),
            words: words(findings).into(),
        }
    }
}

impl ProvenHtlc {
    fn of(htlc: &Htlc) -> Self {
        Self {
            id: htlc.id,
            amount_msat: htlc.amount_msat,
            payment_hash: htlc.payment_hash.to_string(),
            cltv_expiry: htlc.cltv_expiry,
            offered_by: match htlc.offered_by {
                Some(Party::Host) => "host",
                Some(Party::Client) => "client",
                None => "not_proved",
            },
        }
    }
}

fn decode(text: &str) -> Result<Snapshot, Failure> {
    let text = text.trim_start_matches('\u{feff}').trim();
    let shown = text.starts_with('{').then(|| serde_json::from_str::<serde_json::Value>(text));
    let digits = match shown {
        None => text.to_owned(),
        Some(Ok(shown)) => match shown.get("snapshot").and_then(|snapshot| snapshot.as_str()) {
            Some(snapshot) => snapshot.to_owned(),
            None => return Err(not_a_snapshot("this JSON has no `snapshot`")),
        },
        Some(Err(error)) => return Err(not_a_snapshot(&format!("this is no JSON: {error}"))),
    };
    let digits: String = digits.split_whitespace().collect();
    if digits.is_empty() {
        return Err(not_a_snapshot("there is nothing to verify"));
    }
    let bytes = Vec::<u8>::from_hex(&digits).map_err(|error| {
        not_a_snapshot(&format!("this is neither a file nor hexadecimal: {error}"))
    })?;
    Snapshot::decode(&bytes)
        .map_err(|error| not_a_snapshot(&format!("this is no exported channel state: {error}")))
}

/// Returns the argument itself, or what is in the file or standard input that it names.
fn read(argument: &str) -> Result<String, Failure> {
    let path = Path::new(argument);
    match argument {
        "-" => read_all(io::stdin().lock(), "standard input"),
        _ if path.exists() => {
            let file = File::open(path)
                .map_err(|error| Failure::io(path.display(), &error).unreadable())?;
            read_all(file, argument)
        }
        _ => Ok(argument.to_owned()),
    }
}

fn read_all(from: impl Read, name: &str) -> Result<String, Failure> {
    let mut bytes = Vec::new();
    from.take(MAX_SNAPSHOT_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| Failure::io(name, &error).unreadable())?;
    if bytes.len() as u64 > MAX_SNAPSHOT_BYTES {
        return Err(not_a_snapshot(&format!("{name} is longer than any exported channel state")));
    }
    String::from_utf8(bytes).map_err(|_| not_a_snapshot(&format!("{name} is no text")))
}

fn not_proved(proof: &Proof) -> Failure {
    match proof.flaws.is_empty() {
        true => Failure::new(
            Code::HostSignatureMissing,
            "the host's signature does not hold: nothing is proved against the host",
            "ask for the state again; if it stays so, the host has not signed it",
        ),
        false => Failure::new(
            Code::StateImpossible,
            "no channel of these two nodes can have this state: it proves nothing",
            "ask for the state again; if it stays so, do not rely on it",
        ),
    }
}

fn not_a_snapshot(message: &str) -> Failure {
    Failure::new(
        Code::BadSnapshot,
        message,
        "it is `snapshot` in `steward channel show NODE_ID --json`, that whole answer, a file with \
         either, or `-` for standard input",
    )
    .unreadable()
}
