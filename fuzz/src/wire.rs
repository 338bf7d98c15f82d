//! Bytes of peers: bodies, framing, states, gossip, TLV streams, and ids as text.

use bitcoin::consensus::Decodable;
use bitcoin::secp256k1::SecretKey;
use bitcoin::{ScriptBuf, Transaction};
use steward_wire::codec::{
    Reader, TlvStream, Wire, bigsize_len, check_known_tlvs, check_tlv_stream, put_bigsize,
    put_var_bigsize,
};
use steward_wire::features::{HOSTED_CHANNELS, has_bit, has_pair, supports_hosted_channels};
use steward_wire::limits::{MAX_COMMITMENT_HTLCS, MAX_ERROR_TEXT_BYTES, MAX_LEGACY_PAYLOAD_BYTES};
use steward_wire::onchain::{preimage_scripts, preimages_in_script, preimages_in_transaction};
use steward_wire::proof::judge;
use steward_wire::proof::words::words;
use steward_wire::{
    ChannelAnnouncement, ChannelId, ChannelMessage, ChannelReady, ChannelUpdate, ClosingSigned,
    CommitmentSigned, ErrorCode, ErrorText, Framing, LastCrossSignedState, Message, NodeAddresses,
    NodeId, OpenChannel, PaymentHash, Preimage, ShortChannelId, Signature, Snapshot,
};

use crate::bytes::Bytes;
use steward_testkit::hosted::node_id;

/// Reads the type, then the body.
pub(crate) fn body(data: &[u8]) {
    let Some((message_type, body)) = data.split_first_chunk::<2>() else { return };
    let message_type = u16::from_be_bytes(*message_type);
    let Ok(message) = Message::decode(message_type, body) else { return };
    assert!(Message::is_known(message_type));
    let (again_type, again) = message.encode();
    assert_eq!(again_type, message_type);
    assert!(differs_in_flags_only(body, &again, &message), "{message:?}");
    assert_eq!(Message::decode(message_type, &again).as_ref(), Ok(&message));
    assert_eq!(message.encode().1, again);
}

/// Reads the type, then the payload of a funded channel's message. It comes back as it was.
pub(crate) fn channel(data: &[u8]) {
    let Some((message_type, payload)) = data.split_first_chunk::<2>() else { return };
    let message_type = u16::from_be_bytes(*message_type);
    let decoded = ChannelMessage::decode(message_type, payload);
    assert_eq!(decoded == Ok(None), !ChannelMessage::is_known(message_type));
    let Ok(Some(message)) = decoded else { return };
    assert_eq!(message.encode(), (message_type, payload.to_vec()));
    assert!(!message.name().is_empty());
    let is_gossip = (256..259).contains(&message_type);
    assert_eq!(message.channel_id().is_none(), is_gossip);
    match message {
        ChannelMessage::OpenChannel(open) => {
            if let (Some(script), Some(of)) = (open.upfront_shutdown_script(), open.channel_type())
            {
                let known = OpenChannel::tlvs(script, of);
                assert!(open.tlvs.starts_with(&known), "types 0 and 1 come first");
            }
        }
        ChannelMessage::ChannelReady(ready) => {
            let tlv = ready.alias().map(ChannelReady::alias_tlv).unwrap_or_default();
            assert!(ready.tlvs.starts_with(&tlv));
        }
        ChannelMessage::CommitmentSigned(signed) => {
            assert!(signed.htlc_signatures.len() <= MAX_COMMITMENT_HTLCS);
            let tlv = signed.funding_txid().map(CommitmentSigned::funding_txid_tlv);
            assert!(signed.tlvs.starts_with(&tlv.unwrap_or_default()));
        }
        ChannelMessage::ClosingSigned(signed) => {
            let tlv = signed.fee_range().map(ClosingSigned::fee_range_tlv).unwrap_or_default();
            assert!(signed.tlvs.starts_with(&tlv));
        }
        ChannelMessage::UpdateAddHtlc(add) => {
            let is_withheld = add.onion.0[1..34] == [0; 33];
            assert_eq!(add.onion.malformed_hash() == [0; 32], is_withheld);
        }
        ChannelMessage::NodeAnnouncement(announcement) => {
            let known = announcement.addresses.known();
            assert_eq!(NodeAddresses::new(known.clone()).known().len(), known.len());
            assert!(!announcement.is_signed() || announcement.node_id.public_key().is_some());
        }
        _ => {}
    }
}

/// Returns true for the two allowed differences: every message is written back as it was read,
/// except a bool8 that is neither 00 nor ff and a secret that was cut.
fn differs_in_flags_only(read: &[u8], written: &[u8], message: &Message) -> bool {
    if read == written {
        return true;
    }
    let may_have_flags = matches!(
        message,
        Message::LastCrossSignedState(_)
            | Message::HostedChannelBranding(_)
            | Message::AnnouncementSignature(_)
            | Message::TrampolineStatusInit(_)
            | Message::TrampolineStatusUpdate(_)
    );
    may_have_flags
        && read.len() == written.len()
        && read.iter().zip(written).all(|(r, w)| r == w || (*r != 0 && *w == 0xff))
}

/// Reads frames of one connection: type, length, payload, and again.
pub(crate) fn framing(data: &[u8]) {
    let mut input = Bytes::new(data);
    let mut sticky = None;
    while !input.is_empty() {
        let message_type = input.u16();
        let payload = input.long();
        let before = sticky;
        let decoded = steward_wire::framing::decode(&mut sticky, message_type, payload);
        let Ok(Some(message)) = decoded else {
            assert_eq!(sticky, before, "what cannot be read shows no framing");
            assert!(decoded.is_err() || !Message::is_known(message_type));
            continue;
        };
        assert_eq!(message.message_type(), message_type);
        let shown = sticky.unwrap_or(Framing::Legacy);
        for framing in [Framing::Modern, Framing::Legacy] {
            let Ok((again_type, frame)) = steward_wire::framing::encode(framing, &message) else {
                assert!(payload.len() > MAX_LEGACY_PAYLOAD_BYTES);
                continue;
            };
            let read = steward_wire::framing::decode(&mut Some(framing), again_type, &frame);
            assert_eq!(read, Ok(Some(message.clone())), "{framing:?}");
            if framing == shown && !matches!(message, Message::InvokeHostedChannel(_)) {
                assert_eq!(frame.len(), payload.len());
            }
        }
    }
}

/// Reads states and snapshots; then the same state signed by both sides.
pub(crate) fn state(data: &[u8]) {
    if let Ok(snapshot) = Snapshot::decode(data) {
        assert_eq!(Snapshot::decode(&snapshot.encode()).as_ref(), Ok(&snapshot));
        if let Some(findings) = judge(&snapshot) {
            words(&findings);
            if findings.proves_debt() {
                assert!(snapshot.state.is_balanced());
                assert!(findings.client_balance_msat <= findings.owed_at_most_msat());
                assert!(findings.owed_at_most_msat() <= findings.capacity_msat);
            }
        }
    }
    let Ok(mut state) = LastCrossSignedState::decode(data) else { return };
    assert_eq!(state.encode().len(), state.encoded_len());
    assert_eq!(state.reverse().reverse(), state);
    assert_eq!(state.reverse().sighash(), state.reverse_sighash());
    assert_eq!(state.reverse().is_balanced(), state.is_balanced());
    state.sort_htlcs();
    let sorted = state.clone();
    state.sort_htlcs();
    assert_eq!(state, sorted);

    let [ours, theirs] = [[1; 32], [2; 32]].map(|key| SecretKey::from_slice(&key).unwrap());
    let (node_id_a, node_id_b) = (node_id(&ours), node_id(&theirs));
    state.local_sig_of_remote = state.sign_remote(&ours);
    state.remote_sig_of_local = state.reverse().sign_remote(&theirs);
    assert!(state.verify_local_sig(&node_id_a.public_key().unwrap()));
    assert!(state.verify_remote_sig(&node_id_b.public_key().unwrap()));
    assert!(!state.verify_remote_sig(&node_id_a.public_key().unwrap()));
    let snapshot = Snapshot { node_id_a, node_id_b, state };
    let findings = judge(&snapshot).unwrap();
    assert_eq!(findings.proves_debt(), findings.flaws.is_empty());
    assert!(snapshot.state.is_balanced() || !findings.proves_debt());
    words(&findings);
    let reversed =
        Snapshot { node_id_a: node_id_b, node_id_b: node_id_a, state: snapshot.state.reverse() };
    assert_eq!(Some(findings), judge(&reversed), "both sides prove the same");
}

/// Reads `channel_update` and `channel_announcement`.
pub(crate) fn gossip(data: &[u8]) {
    if let Ok(announcement) = ChannelAnnouncement::decode(data) {
        assert_eq!(announcement.encode(), data);
        announcement.signed_hash();
    }
    let Ok(mut update) = ChannelUpdate::decode(data) else { return };
    assert_eq!(update.encode(), data);
    let key = SecretKey::from_slice(&[1; 32]).unwrap();
    assert!(!update.is_signed_by(&node_id(&key)), "no input holds this signature");
    update.sign(&key);
    assert!(update.is_signed_by(&node_id(&key)));
    assert_eq!(ChannelUpdate::decode(&update.encode()), Ok(update));
}

/// Reads one script; then the bytes as a transaction.
pub(crate) fn onchain(data: &[u8]) {
    let preimages = preimages_in_script(&ScriptBuf::from_bytes(data.to_vec()));
    if !preimages.is_empty() {
        let scripts = preimage_scripts(&preimages);
        assert_eq!(scripts.len(), 1);
        assert_eq!(scripts[0].as_bytes(), data);
    }
    if let Ok(transaction) = Transaction::consensus_decode(&mut &*data) {
        let found = preimages_in_transaction(&transaction);
        assert!(found.len() <= 2 * transaction.output.len());
    }
    let preimages: Vec<_> =
        data.chunks_exact(32).map(|c| Preimage(c.try_into().unwrap())).collect();
    let found: Vec<_> = preimage_scripts(&preimages)
        .iter()
        .flat_map(|script| preimages_in_script(script))
        .collect();
    assert_eq!(found, preimages);
}

/// Reads texts of errors and ids.
pub(crate) fn text(data: &[u8]) {
    let error = ErrorText::parse(data);
    assert!(error.text.len() <= MAX_ERROR_TEXT_BYTES);
    assert!(error.to_string().bytes().all(|byte| byte.is_ascii_graphic() || byte == b' '));
    if let Some(code) = error.code {
        assert_eq!(ErrorCode::from_number(code.number()), Some(code));
        assert_eq!(ErrorText::parse(&code.to_data(&error.text)), error);
    }
    let Ok(text) = std::str::from_utf8(data) else { return };
    macro_rules! comes_back {
        ($($id:ty),*) => {$(
            if let Ok(id) = text.parse::<$id>() {
                assert_eq!(id.to_string(), text.to_ascii_lowercase());
            }
        )*};
    }
    comes_back!(NodeId, ChannelId, PaymentHash, Preimage, Signature);
    if let Ok(scid) = text.parse::<ShortChannelId>() {
        assert_eq!(scid.to_string().parse(), Ok(scid));
    }
}

/// Reads one TLV stream, which is also a feature vector and a row of BigSize numbers.
pub(crate) fn tlv(data: &[u8]) {
    let records: Result<Vec<_>, _> = TlvStream::new(data).collect();
    assert_eq!(records.is_ok(), check_tlv_stream(data).is_ok());
    if let Ok(records) = records {
        let mut again = Vec::new();
        for (tlv_type, value) in &records {
            put_bigsize(&mut again, *tlv_type);
            put_var_bigsize(&mut again, value);
        }
        assert_eq!(again, data);
        assert!(records.is_sorted_by(|a, b| a.0 < b.0));
        let even: Vec<u64> = records.iter().map(|r| r.0).filter(|t| t % 2 == 0).collect();
        assert_eq!(check_known_tlvs(data, &even), Ok(()));
        assert_eq!(check_known_tlvs(data, &[]).is_ok(), even.is_empty());
    } else {
        assert!(check_known_tlvs(data, &[]).is_err());
    }
    let mut reader = Reader::new(data);
    while let Ok(number) = reader.bigsize() {
        let mut written = Vec::new();
        put_bigsize(&mut written, number);
        assert_eq!(written.len(), bigsize_len(number));
        let at = data.len() - reader.remaining();
        assert_eq!(&data[at - written.len()..at], written, "BigSize is minimal");
    }
    let ours = (0..=u32::try_from(8 * data.len()).unwrap()).filter(|bit| has_bit(data, *bit));
    assert_eq!(ours.count() as u32, data.iter().map(|byte| byte.count_ones()).sum::<u32>());
    assert!(!has_pair(data, HOSTED_CHANNELS) || supports_hosted_channels(data));
}
