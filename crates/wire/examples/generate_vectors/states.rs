//! Signed states with 0 to 4 HTLCs, each as both sides hold it.

use serde_json::{Value, json};
use steward_wire::codec::Wire;
use steward_wire::features::{INIT_HOSTED_CHANNELS, INIT_RESIZABLE};
use steward_wire::{
    ChannelId, Framing, InitHostedChannel, LastCrossSignedState, Message, Onion, PaymentHash,
    Signature, StateUpdate, UpdateAddHtlc,
};

use super::fields::{self, hex};
use super::oracle::sighash_preimage;
use super::{Keys, SOURCE, filled, frame};

/// The numbers of HTLCs from host to client and from client to host.
const SHAPES: [(u64, u64); 6] = [(0, 0), (1, 0), (0, 1), (1, 1), (2, 1), (1, 3)];

const CAPACITY_MSAT: u64 = 10_000_000_000;

pub(super) fn all(keys: &Keys) -> Vec<Value> {
    SHAPES
        .iter()
        .zip(0u32..)
        .flat_map(|((to_client, to_host), number)| {
            let at_host = signed_at_host(keys, number, *to_client, *to_host);
            let at_client = at_host.reverse();
            [at_host, at_client].map(|state| describe(&state, *to_client, *to_host))
        })
        .collect()
}

fn signed_at_host(keys: &Keys, number: u32, to_client: u64, to_host: u64) -> LastCrossSignedState {
    let channel_id = ChannelId::of_pair(&keys.host_id(), &keys.client_id());
    let adds = |direction: &str, count: u64| -> Vec<UpdateAddHtlc> {
        (0..count).map(|id| add(channel_id, &format!("{number}/{direction}/{id}"), id)).collect()
    };
    let (outgoing_htlcs, incoming_htlcs) = (adds("out", to_client), adds("in", to_host));
    let in_flight_msat: u64 =
        incoming_htlcs.iter().chain(&outgoing_htlcs).map(|add| add.amount_msat).sum();
    let remote_balance_msat = 1_234_567 * u64::from(number);
    let mut state = LastCrossSignedState {
        is_host: true,
        last_refund_scriptpubkey: refund_script(number),
        init_hosted_channel: init(number),
        block_day: 5_000 + number,
        local_balance_msat: CAPACITY_MSAT - in_flight_msat - remote_balance_msat,
        remote_balance_msat,
        // The last state's counters are near the end of their range.
        local_updates: if number == 5 { u32::MAX - 2 } else { 3 * number },
        remote_updates: 5 * number,
        incoming_htlcs,
        outgoing_htlcs,
        remote_sig_of_local: Signature::ZERO,
        local_sig_of_remote: Signature::ZERO,
    };
    state.local_sig_of_remote = state.sign_remote(&keys.host);
    state.remote_sig_of_local = state.reverse().sign_remote(&keys.client);
    state
}

pub(super) fn init(number: u32) -> InitHostedChannel {
    let features: &[u16] = match number % 3 {
        0 => &[INIT_HOSTED_CHANNELS, INIT_RESIZABLE],
        1 => &[INIT_HOSTED_CHANNELS],
        _ => &[],
    };
    InitHostedChannel {
        max_htlc_value_in_flight_msat: CAPACITY_MSAT,
        htlc_minimum_msat: 1_000,
        max_accepted_htlcs: 30,
        channel_capacity_msat: CAPACITY_MSAT,
        initial_client_balance_msat: 1_000_000 * u64::from(number),
        features: features.to_vec(),
    }
}

/// Makes a P2WPKH, P2WSH or P2TR script, in turn.
fn refund_script(number: u32) -> Vec<u8> {
    let hash: [u8; 32] = filled(&format!("{number}/refund"));
    let (version, len) = match number % 3 {
        0 => (0x00, 20),
        1 => (0x00, 32),
        _ => (0x51, 32),
    };
    [version, len].into_iter().chain(hash.into_iter().take(usize::from(len))).collect()
}

/// Makes an add without TLVs, with an unknown odd one, or with two of them, in turn.
pub(super) fn add(channel_id: ChannelId, name: &str, number: u64) -> UpdateAddHtlc {
    let tlvs: &[u8] = match number % 3 {
        0 => &[],
        1 => &[0xfe, 0xf6, 0x0b, 0x27, 0x77, 0x04, 1, 2, 3, 4],
        _ => &[0x01, 0x00, 0xfd, 0x01, 0x03, 0x02, 0xbe, 0xef],
    };
    UpdateAddHtlc {
        channel_id,
        id: 10 + 7 * number,
        amount_msat: 100_000 + 1_001 * number,
        payment_hash: PaymentHash(filled(&format!("{name}/hash"))),
        cltv_expiry: 720_000,
        onion: Onion(filled(&format!("{name}/onion")).into()),
        tlvs: tlvs.to_vec(),
    }
}

fn describe(state: &LastCrossSignedState, to_client: u64, to_host: u64) -> Value {
    let holder = if state.is_host { "host" } else { "client" };
    let payload = state.encode();
    let update = Message::StateUpdate(StateUpdate {
        block_day: state.block_day,
        local_updates: state.local_updates,
        remote_updates: state.remote_updates,
        local_sig_of_remote: state.local_sig_of_remote,
    });
    json!({
        "name": format!("{to_client} HTLCs to the client, {to_host} to the host, {holder}"),
        "source": SOURCE,
        "holder": holder,
        "fields": fields::state(state),
        "sighash_preimage": hex(&sighash_preimage(state)),
        "sighash": hex(&state.sighash()),
        "reverse_sighash": hex(&state.reverse_sighash()),
        "modern_frame_prefix": "fffb",
        "legacy_frame_prefix": format!("fffb{:04x}", payload.len()),
        "payload": hex(&payload),
        "state_update": {
            "payload": hex(&update.encode().1),
            "modern_frame": frame(Framing::Modern, &update),
            "legacy_frame": frame(Framing::Legacy, &update),
        },
    })
}
