//! `steward verify`: an exported channel state, checked without asking anyone.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use hex::FromHex;
use serde::Serialize;
use steward_wire::Snapshot;
use steward_wire::codec::Wire;

use crate::amount::Amount;
use crate::failure::Failure;
use crate::limits::MAX_SNAPSHOT_BYTES;
use crate::output::Output;

/// What a state proves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Proof {
    /// Who keeps the money.
    pub(crate) host_id: String,
    /// To whom it owes.
    pub(crate) client_id: String,
    /// What it owes for certain.
    pub(crate) client_balance_msat: u64,
    /// What the channel holds.
    pub(crate) capacity_msat: u64,
    /// What is on its way in either direction, owed to one of them when it ends.
    pub(crate) in_flight_msat: u64,
    /// Day of the signatures, counted in 144 blocks.
    pub(crate) block_day: u32,
}

pub(super) fn run(output: Output, snapshot: &str) -> Result<(), Failure> {
    let text = match Path::new(snapshot).is_file() {
        true => read(Path::new(snapshot))?,
        false => snapshot.to_owned(),
    };
    let proof = verify_snapshot(&text)?;
    output.answer(&proof, |proof| {
        format!(
            "Both signatures hold.\nhost    {}\nowes    {}\nto      {}\nof      {} the channel holds; {} in flight\nsigned  around block {}",
            proof.host_id,
            Amount::from_msat(proof.client_balance_msat),
            proof.client_id,
            Amount::from_msat(proof.capacity_msat),
            Amount::from_msat(proof.in_flight_msat),
            u64::from(proof.block_day) * 144,
        )
    })
}

/// Checks a snapshot in hexadecimal.
///
/// # Errors
/// `bad_snapshot` if it is none, `signature_invalid` if it proves nothing.
pub(crate) fn verify_snapshot(text: &str) -> Result<Proof, Failure> {
    let digits: String = text.split_whitespace().collect();
    let bytes = Vec::<u8>::from_hex(&digits).map_err(|_| not_a_snapshot())?;
    let snapshot = Snapshot::decode(&bytes).map_err(|_| not_a_snapshot())?;
    let verified = snapshot.verify().ok_or_else(|| {
        Failure::new(
            "signature_invalid",
            "a signature is wrong, or the balances do not add up: this state proves nothing",
            "ask for the state again; if it stays so, somebody changed it",
        )
    })?;
    let state = &snapshot.state;
    let htlcs = state.incoming_htlcs.iter().chain(&state.outgoing_htlcs);
    let in_flight_msat = htlcs.fold(0, |sum: u64, htlc| sum.saturating_add(htlc.amount_msat));
    Ok(Proof {
        host_id: verified.host.to_string(),
        client_id: verified.client.to_string(),
        client_balance_msat: verified.client_balance_msat,
        capacity_msat: state.init_hosted_channel.channel_capacity_msat,
        in_flight_msat,
        block_day: state.block_day,
    })
}

fn read(path: &Path) -> Result<String, Failure> {
    let mut text = String::new();
    File::open(path)
        .and_then(|file| file.take(MAX_SNAPSHOT_BYTES).read_to_string(&mut text))
        .map_err(|error| Failure::io(path.display(), &error))?;
    Ok(text)
}

fn not_a_snapshot() -> Failure {
    Failure::new(
        "bad_snapshot",
        "this is not an exported channel state",
        "it is `snapshot` in `steward channel show NODE_ID --json`, or a file with it",
    )
}
