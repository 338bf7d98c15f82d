//! The judgement of exported states: the replays that the protocol's signatures allow must never be
//! printed as proved, and directions are proved only where ids and counters leave one choice.

#[path = "support/arbitrary_state.rs"]
mod arbitrary_state;

use arbitrary_state::any_state;
use bitcoin::secp256k1::{SECP256K1, SecretKey};
use proptest::prelude::*;
use steward_wire::codec::Wire;
use steward_wire::limits::ONION_BYTES;
use steward_wire::proof::words::words;
use steward_wire::proof::{Findings, Flaw, Party, judge};
use steward_wire::{
    ChannelId, InitHostedChannel, LastCrossSignedState, NodeId, Onion, PaymentHash, Signature,
    Snapshot, UpdateAddHtlc,
};

const CAPACITY_MSAT: u64 = 10_000_000_000;
const AMOUNT_MSAT: u64 = 100_000;

fn key(byte: u8) -> SecretKey {
    SecretKey::from_slice(&[byte; 32]).unwrap()
}

fn node(key: &SecretKey) -> NodeId {
    key.public_key(SECP256K1).into()
}

fn host() -> SecretKey {
    key(1)
}

fn client() -> SecretKey {
    key(2)
}

fn stranger() -> SecretKey {
    key(3)
}

fn pair() -> ChannelId {
    ChannelId::of_pair(&node(&host()), &node(&client()))
}

fn add(id: u64) -> UpdateAddHtlc {
    UpdateAddHtlc {
        channel_id: pair(),
        id,
        amount_msat: AMOUNT_MSAT,
        payment_hash: PaymentHash([4; 32]),
        cltv_expiry: 720_500,
        onion: Onion([0; ONION_BYTES].into()),
        tlvs: Vec::new(),
    }
}

/// Makes the client's copy, signed by both sides. The host and the client offer HTLCs with these
/// ids, and their counters have these values.
fn state(
    [by_host, by_client]: [&[u64]; 2],
    [host_updates, client_updates]: [u32; 2],
) -> LastCrossSignedState {
    let adds = |ids: &[u64]| ids.iter().map(|id| add(*id)).collect::<Vec<_>>();
    let in_flight_msat = AMOUNT_MSAT * (by_host.len() + by_client.len()) as u64;
    let mut state = LastCrossSignedState {
        is_host: false,
        last_refund_scriptpubkey: [&[0, 20][..], &[0xaa; 20]].concat(),
        init_hosted_channel: InitHostedChannel {
            max_htlc_value_in_flight_msat: CAPACITY_MSAT,
            htlc_minimum_msat: 1,
            max_accepted_htlcs: 10,
            channel_capacity_msat: CAPACITY_MSAT,
            initial_client_balance_msat: 0,
            features: Vec::new(),
        },
        block_day: 5000,
        local_balance_msat: 1_000_000_000,
        remote_balance_msat: CAPACITY_MSAT - 1_000_000_000 - in_flight_msat,
        local_updates: client_updates,
        remote_updates: host_updates,
        incoming_htlcs: adds(by_host),
        outgoing_htlcs: adds(by_client),
        remote_sig_of_local: Signature::ZERO,
        local_sig_of_remote: Signature::ZERO,
    };
    sign(&mut state);
    state
}

fn plain() -> LastCrossSignedState {
    state([&[], &[]], [9, 7])
}

fn sign(state: &mut LastCrossSignedState) {
    state.local_sig_of_remote = state.sign_remote(&client());
    state.remote_sig_of_local = state.reverse().sign_remote(&host());
}

fn shown_for(state: LastCrossSignedState, host: &SecretKey, client: &SecretKey) -> Snapshot {
    Snapshot { node_id_a: node(host), node_id_b: node(client), state }
}

fn findings(state: LastCrossSignedState) -> Findings {
    judge(&shown_for(state, &host(), &client())).unwrap()
}

fn flaws(change: impl FnOnce(&mut LastCrossSignedState)) -> Vec<Flaw> {
    let mut state = state([&[5, 9], &[2, 7]], [9, 8]);
    change(&mut state);
    sign(&mut state);
    let findings = findings(state);
    assert!(!findings.proves_debt());
    let said = words(&findings);
    assert_eq!((said.proved.len(), said.said.len()), (0, 0));
    assert!(said.not_known[0].contains("proves nothing"), "{said:?}");
    findings.flaws
}

/// Joins the sentences of each block.
fn text(findings: &Findings) -> [String; 3] {
    let words = words(findings);
    [words.proved, words.said, words.not_known].map(|lines| lines.join("\n"))
}

#[test]
fn a_state_tells_who_is_host_from_either_side_and_in_either_order() {
    for state in [plain(), plain().reverse()] {
        let in_order = shown_for(state.clone(), &host(), &client());
        let swapped = shown_for(state, &client(), &host());
        for snapshot in [in_order, swapped] {
            let findings = judge(&snapshot).unwrap();
            assert_eq!((findings.host, findings.client), (node(&host()), node(&client())));
            assert_eq!(findings.client_balance_msat, 1_000_000_000);
            assert_eq!(findings.debt, plain().sighash());
            assert!(findings.both_signed());
        }
    }
}

#[test]
fn the_hosts_signature_counts_against_the_host_and_the_clients_against_the_client() {
    let [proved, said, not_known] = text(&findings(plain()));
    let (host, client) = (node(&host()), node(&client()));
    let debt = format!(
        "Host {host} signed that it owes 1 000 000 sat to the owner of refund script 0014{}, out of \
         a channel of 10 000 000 sat. Its signature counts against this host only.",
        "aa".repeat(20)
    );
    let acceptance = format!(
        "Client {client} signed that it accepts 1 000 000 sat as its balance with a host that its \
         signature does not name. Its signature counts against this client only."
    );
    assert_eq!(proved, format!("{debt}\n{acceptance}"));
    assert!(said.contains(&format!("That the creditor is client {client}: shown for this client")));
    assert!(said.contains(&format!("That the client meant host {host}")));
    assert!(said.contains("blocks 720000 to 720143"));
    assert!(not_known.contains("number 9 of the host, 7 of the client"));
}

#[test]
fn without_the_hosts_signature_nothing_is_shown_against_the_host() {
    let state = LastCrossSignedState { remote_sig_of_local: Signature::ZERO, ..plain() };
    let findings = findings(state);
    assert!(!findings.proves_debt());
    let [proved, ..] = text(&findings);
    assert!(!proved.contains("signed that it owes"), "{proved}");
    assert!(proved.ends_with("nothing is shown against the host."), "{proved}");
}

#[test]
fn the_hosts_signature_alone_proves_the_debt() {
    let state = LastCrossSignedState { local_sig_of_remote: Signature::ZERO, ..plain() };
    let findings = findings(state);
    assert!(findings.proves_debt() && !findings.both_signed());
    assert!(!text(&findings)[0].contains("accepts"));
}

#[test]
fn a_state_that_neither_of_the_two_signed_is_not_judged() {
    assert_eq!(judge(&shown_for(plain(), &stranger(), &key(4))), None);
    // The nodes are the right ones, in the wrong roles.
    let turned = LastCrossSignedState { is_host: true, ..plain() };
    assert_eq!(judge(&shown_for(turned, &host(), &client())), None);
}

/// Replay 1: a stranger signs the client's half of a state that it has seen.
#[test]
fn a_debt_shown_for_a_stranger_is_not_proved_to_be_the_strangers() {
    let mut adopted = plain();
    adopted.local_sig_of_remote = adopted.sign_remote(&stranger());
    let findings = judge(&shown_for(adopted, &host(), &stranger())).unwrap();
    assert!(findings.both_signed(), "every signature holds: that is the weakness");
    let [proved, said, _] = text(&findings);
    assert!(!proved.contains(&format!("owes 1 000 000 sat to client {}", node(&stranger()))));
    assert!(proved.contains("to the owner of refund script"));
    assert!(said.contains(&format!("client {}: shown for this client", node(&stranger()))));
}

/// Replay 1 with an HTLC: its channel id shows that the stranger is not the client.
#[test]
fn a_state_with_an_htlc_of_another_pair_is_refused() {
    for in_flight in [[&[9][..], &[]], [&[], &[7]]] {
        let mut adopted = state(in_flight, [9, 8]);
        adopted.local_sig_of_remote = adopted.sign_remote(&stranger());
        let findings = judge(&shown_for(adopted, &host(), &stranger())).unwrap();
        let id = findings.htlcs[0].id;
        assert_eq!(findings.flaws, [Flaw::ForeignChannel { id }]);
        assert!(!findings.proves_debt());
    }
}

/// Replay 2: one client shows one debt under two of its own keys.
#[test]
fn a_debt_shown_twice_has_one_name() {
    let mut again = plain();
    again.local_sig_of_remote = again.sign_remote(&stranger());
    let first = findings(plain());
    let second = judge(&shown_for(again, &host(), &stranger())).unwrap();
    assert_eq!((first.host, first.debt), (second.host, second.debt));
    assert!(text(&second)[2].contains("one and the same debt"));
}

/// Replay 3: another host copies the signature that a client gave to its own host.
#[test]
fn a_clients_signature_is_not_proved_to_be_meant_for_the_host_that_shows_it() {
    let mut lifted = plain();
    lifted.remote_sig_of_local = lifted.reverse().sign_remote(&stranger());
    let findings = judge(&shown_for(lifted, &stranger(), &client())).unwrap();
    let [proved, said, _] = text(&findings);
    assert!(proved.contains("with a host that its signature does not name"), "{proved}");
    assert!(said.contains(&format!("That the client meant host {}", node(&stranger()))));
}

/// Replays 4, 5 and 7: the signature covers neither the chain, nor which of two channels it belongs
/// to, nor that no newer state exists.
#[test]
fn chain_and_newer_states_are_named_as_not_known() {
    let [_, _, not_known] = text(&findings(plain()));
    for part in ["On which chain", "a newer state", "another channel came after"] {
        assert!(not_known.contains(part), "{part}: {not_known}");
    }
}

/// Replay 6: the same signatures hold with the HTLC in the other list.
#[test]
fn an_htlc_moved_to_the_other_list_changes_no_finding() {
    let signed = state([&[7], &[]], [9, 8]);
    let mut moved = signed.clone();
    moved.outgoing_htlcs = std::mem::take(&mut moved.incoming_htlcs);
    let (as_signed, as_moved) = (findings(signed), findings(moved));
    assert!(as_moved.both_signed(), "every signature holds: that is the weakness");
    assert_eq!(text(&as_signed), text(&as_moved));
    assert_eq!(as_signed.htlcs[0].offered_by, None);
    assert_ne!(as_signed.htlcs[0].shown_as_offered_by, as_moved.htlcs[0].shown_as_offered_by);
    assert!(text(&as_moved)[0].contains("direction not proved"));
}

#[test]
fn an_htlc_moved_to_a_list_whose_counter_it_exceeds_is_refused() {
    let mut moved = state([&[7], &[]], [9, 3]);
    moved.outgoing_htlcs = std::mem::take(&mut moved.incoming_htlcs);
    let findings = findings(moved);
    assert_eq!(findings.flaws, [Flaw::BeyondCounter { id: 7 }]);
    assert_eq!(findings.htlcs[0].offered_by, Some(Party::Host), "the signature still says whose");
}

/// Replay 8: no sentence contains what was not signed.
#[test]
fn unsigned_terms_change_no_finding() {
    let mut other_terms = plain();
    other_terms.init_hosted_channel.max_htlc_value_in_flight_msat = 1;
    other_terms.init_hosted_channel.htlc_minimum_msat = 77;
    other_terms.init_hosted_channel.features = vec![1];
    assert_eq!(findings(other_terms), findings(plain()));
}

#[test]
fn directions_are_proved_where_ids_and_counters_leave_one_choice() {
    /// The ids by host and client, their counters, and the offerer of each HTLC if it is proved.
    type Case<'a> = ([&'a [u64]; 2], [u32; 2], &'a [Option<Party>]);
    use Party::{Client, Host};
    let table: [Case; 9] = [
        ([&[], &[]], [9, 8], &[]),
        ([&[7], &[]], [9, 3], &[Some(Host)]),
        ([&[], &[7]], [3, 9], &[Some(Client)]),
        ([&[7], &[]], [9, 8], &[None]),
        ([&[5, 9], &[2, 7]], [9, 8], &[Some(Host), Some(Host), Some(Client), Some(Client)]),
        ([&[2, 9], &[]], [9, 8], &[Some(Host), Some(Host)]),
        ([&[2, 8], &[]], [9, 8], &[None, None]),
        ([&[], &[2, 8]], [3, 8], &[None, Some(Client)]),
        ([&[3], &[4, 5]], [4, 5], &[None, None, Some(Client)]),
    ];
    for (ids, counters, expected) in table {
        let findings = findings(state(ids, counters));
        let found: Vec<_> = findings.htlcs.iter().map(|htlc| htlc.offered_by).collect();
        assert_eq!(found, expected, "{ids:?} at {counters:?}");
        assert!(findings.both_signed());
    }
}

/// A client can sign its own half again at any split: only the host's sequence counts against the
/// host.
#[test]
fn the_clients_own_signature_proves_no_direction_against_the_host() {
    let mut moved = state([&[5], &[7]], [9, 8]);
    moved.incoming_htlcs.append(&mut moved.outgoing_htlcs);
    moved.local_sig_of_remote = moved.sign_remote(&client());
    let findings = findings(moved);
    assert!(findings.both_signed());
    assert!(findings.htlcs.iter().all(|htlc| htlc.offered_by.is_none()));
}

#[test]
fn a_signature_over_its_signers_own_htlc_names_the_other_side() {
    let named = |ids, counters| {
        let findings = findings(state(ids, counters));
        [findings.host_signature, findings.client_signature]
            .map(|signed| signed.unwrap().names_other)
    };
    assert_eq!(named([&[], &[]], [9, 8]), [false, false]);
    assert_eq!(named([&[9], &[]], [9, 8]), [true, false]);
    assert_eq!(named([&[], &[8]], [7, 8]), [false, true]);
    assert_eq!(named([&[7], &[]], [9, 8]), [false, false], "whose it is is not proved");
    let [proved, said, _] = text(&findings(state([&[9], &[]], [9, 8])));
    assert!(proved.contains(&format!("to client {}", node(&client()))), "{proved}");
    assert!(!said.contains("the creditor"), "{said}");
}

#[test]
fn a_client_signature_that_does_not_hold_is_told() {
    let [proved, _, not_known] = text(&findings(plain()));
    assert!(proved.contains("accepts") && !not_known.contains("accepted this state"));
    let mut damaged = plain();
    damaged.local_sig_of_remote = damaged.sign_remote(&stranger());
    let [proved, _, not_known] = text(&findings(damaged));
    assert!(proved.contains("signed that it owes"), "{proved}");
    assert!(not_known.contains("Whether the client accepted this state"), "{not_known}");
}

#[test]
fn what_is_in_flight_is_owed_at_most() {
    let findings = findings(state([&[9], &[8]], [9, 8]));
    assert_eq!(findings.client_balance_msat, 1_000_000_000);
    assert_eq!(findings.in_flight_msat(), 2 * AMOUNT_MSAT);
    assert_eq!(findings.owed_at_most_msat(), 1_000_000_000 + 2 * AMOUNT_MSAT);
    assert!(text(&findings)[0].contains("In all it owes 1 000 200 sat at most."));
}

#[test]
fn a_state_that_no_channel_can_have_proves_nothing() {
    assert_eq!(flaws(|state| state.remote_balance_msat += 1), [Flaw::NotBalanced]);
    let zero = flaws(|state| {
        state.incoming_htlcs[0].amount_msat = 0;
        state.remote_balance_msat += AMOUNT_MSAT;
    });
    assert_eq!(zero, [Flaw::ZeroAmount { id: 5 }]);
    assert_eq!(flaws(|state| state.incoming_htlcs.reverse()), [Flaw::OutOfOrder { id: 5 }]);
    assert_eq!(flaws(|state| state.outgoing_htlcs[1].id = 2), [Flaw::OutOfOrder { id: 2 }]);
    assert_eq!(flaws(|state| state.remote_updates = 8), [Flaw::BeyondCounter { id: 9 }]);
    let foreign = flaws(|state| state.outgoing_htlcs[0].channel_id = ChannelId::ZERO);
    assert_eq!(foreign, [Flaw::ForeignChannel { id: 2 }]);
}

#[test]
fn a_channel_with_oneself_proves_nothing() {
    let mut state = plain();
    state.local_sig_of_remote = state.sign_remote(&host());
    let findings = judge(&shown_for(state, &host(), &host())).unwrap();
    assert_eq!(findings.flaws, [Flaw::SameNode]);
}

proptest! {
    #[test]
    fn any_state_is_judged_without_panic_and_by_its_signers_only(state in any_state()) {
        prop_assert_eq!(judge(&shown_for(state.clone(), &host(), &client())), None);
        let mut signed = state;
        signed.is_host = false;
        sign(&mut signed);
        let findings = judge(&shown_for(signed, &host(), &client())).unwrap();
        prop_assert_eq!(findings.proves_debt(), findings.flaws.is_empty());
        words(&findings);
    }

    /// Whatever byte is changed in a file, no debt is proved that the host did not sign.
    #[test]
    fn a_changed_byte_proves_nothing_else(at in 0usize..2000, bit in 0u8..8) {
        let snapshot = shown_for(state([&[5, 9], &[2]], [9, 8]), &host(), &client());
        let mut bytes = snapshot.encode();
        let at = at % bytes.len();
        bytes[at] ^= 1 << bit;
        let changed = Snapshot::decode(&bytes).ok().and_then(|changed| judge(&changed));
        if let Some(changed) = changed.filter(Findings::proves_debt) {
            let before = judge(&snapshot).unwrap();
            prop_assert_eq!(changed.host, before.host);
            prop_assert_eq!(changed.debt, before.debt);
            prop_assert_eq!(changed.client_balance_msat, before.client_balance_msat);
        }
    }
}
