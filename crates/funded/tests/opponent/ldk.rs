//! LDK's node: its traits, its messages as bytes, its events.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use bitcoin::block::{Header, Version};
use bitcoin::hashes::Hash;
use bitcoin::secp256k1::{PublicKey, Secp256k1, SecretKey};
use bitcoin::{BlockHash, CompactTarget, Network, ScriptBuf, Transaction, TxMerkleNode};
use lightning::blinded_path::message::{BlindedMessagePath, MessageContext, MessageForwardNode};
use lightning::blinded_path::payment::{BlindedPaymentPath, ReceiveTlvs};
use lightning::chain::chaininterface::{
    BroadcasterInterface, ConfirmationTarget, FeeEstimator, TransactionType,
};
use lightning::chain::chainmonitor::{ChainMonitor, Persist};
use lightning::chain::channelmonitor::{ChannelMonitor, ChannelMonitorUpdate};
use lightning::chain::{BlockLocator, ChannelMonitorUpdateStatus, Filter, Listen};
use lightning::events::{Event, EventsProvider, ReplayEvent};
use lightning::ln::channel_state::ChannelDetails;
use lightning::ln::channelmanager::{ChainParameters, ChannelManager, PaymentId};
use lightning::ln::msgs::{
    self, BaseMessageHandler, ChannelMessageHandler, ErrorAction, MessageSendEvent,
};
use lightning::ln::outbound_payment::RecipientOnionFields;
use lightning::onion_message::messenger::{Destination, MessageRouter, OnionMessagePath};
use lightning::routing::router::{InFlightHtlcs, Path, Route, RouteHop, RouteParameters, Router};
use lightning::sign::{
    InMemorySigner, KeysManager, NodeSigner, PeerStorageKey, ReceiveAuthKey, Recipient,
};
use lightning::types::features::{ChannelFeatures, InitFeatures, NodeFeatures};
use lightning::types::payment::{PaymentHash, PaymentPreimage, PaymentSecret};
use lightning::util::config::UserConfig;
use lightning::util::logger::{Logger, Record};
use lightning::util::persist::MonitorName;
use lightning::util::ser::{LengthReadable, Writeable};
use lightning_types as _;
use steward_wire::{ChannelMessage, Onion};

pub struct Log;
impl Logger for Log {
    fn log(&self, record: Record) {
        if option_env!("LDK_LOG").is_some() {
            println!("[{}] {}", record.level, record.args);
        }
    }
}

#[derive(Default)]
pub struct Published(pub Mutex<Vec<Transaction>>);
impl BroadcasterInterface for Published {
    fn broadcast_transactions(&self, transactions: &[(&Transaction, TransactionType)]) {
        self.0.lock().unwrap().extend(transactions.iter().map(|(t, _)| (*t).clone()));
    }
}

pub struct Fees(pub AtomicU32);
impl FeeEstimator for Fees {
    fn get_est_sat_per_1000_weight(&self, _: ConfirmationTarget) -> u32 {
        self.0.load(Ordering::Relaxed)
    }
}

pub struct Nowhere;
impl Router for Nowhere {
    fn find_route(
        &self,
        _: &PublicKey,
        _: &RouteParameters,
        _: Option<&[&ChannelDetails]>,
        _: InFlightHtlcs,
    ) -> Result<Route, &'static str> {
        Err("routes are given")
    }
    fn create_blinded_payment_paths<
        T: bitcoin::secp256k1::Signing + bitcoin::secp256k1::Verification,
    >(
        &self,
        _: PublicKey,
        _: ReceiveAuthKey,
        _: Vec<ChannelDetails>,
        _: ReceiveTlvs,
        _: Option<u64>,
        _: &Secp256k1<T>,
    ) -> Result<Vec<BlindedPaymentPath>, ()> {
        Err(())
    }
}
impl MessageRouter for Nowhere {
    fn find_path(
        &self,
        _: PublicKey,
        _: Vec<PublicKey>,
        _: Destination,
    ) -> Result<OnionMessagePath, ()> {
        Err(())
    }
    fn create_blinded_paths<T: bitcoin::secp256k1::Signing + bitcoin::secp256k1::Verification>(
        &self,
        _: PublicKey,
        _: ReceiveAuthKey,
        _: MessageContext,
        _: Vec<MessageForwardNode>,
        _: &Secp256k1<T>,
    ) -> Result<Vec<BlindedMessagePath>, ()> {
        Err(())
    }
}

pub struct Disk;
impl Persist<InMemorySigner> for Disk {
    fn persist_new_channel(
        &self,
        _: MonitorName,
        _: &ChannelMonitor<InMemorySigner>,
    ) -> ChannelMonitorUpdateStatus {
        ChannelMonitorUpdateStatus::Completed
    }
    fn update_persisted_channel(
        &self,
        _: MonitorName,
        _: Option<&ChannelMonitorUpdate>,
        _: &ChannelMonitor<InMemorySigner>,
    ) -> ChannelMonitorUpdateStatus {
        ChannelMonitorUpdateStatus::Completed
    }
    fn archive_persisted_channel(&self, _: MonitorName) {}
}

type Monitors = ChainMonitor<
    InMemorySigner,
    Arc<dyn Filter + Send + Sync>,
    Arc<Published>,
    Arc<Fees>,
    Arc<Log>,
    Arc<Disk>,
    Arc<KeysManager>,
>;
type Manager = ChannelManager<
    Arc<Monitors>,
    Arc<Published>,
    Arc<KeysManager>,
    Arc<KeysManager>,
    Arc<KeysManager>,
    Arc<Fees>,
    Arc<Nowhere>,
    Arc<Nowhere>,
    Arc<Log>,
>;

pub struct Ldk {
    pub manager: Manager,
    pub monitors: Arc<Monitors>,
    pub published: Arc<Published>,
    pub fees: Arc<Fees>,
    pub id: PublicKey,
    pub us: PublicKey,
    pub height: u32,
    tip: BlockHash,
}

/// What LDK wants sent.
pub enum Sent {
    Message(ChannelMessage),
    Disconnect(String),
}

pub const START_HEIGHT: u32 = 100;

impl Ldk {
    pub fn new(seed: u8, us: PublicKey) -> Self {
        let (log, fees) = (Arc::new(Log), Arc::new(Fees(AtomicU32::new(1_000))));
        let keys = Arc::new(KeysManager::new(&[seed; 32], 1, 1, true));
        let published = Arc::new(Published::default());
        let monitors = Arc::new(Monitors::new(
            None,
            published.clone(),
            log.clone(),
            fees.clone(),
            Arc::new(Disk),
            keys.clone(),
            PeerStorageKey { inner: [0; 32] },
            false,
        ));
        let mut config = UserConfig::default();
        config.channel_handshake_config.announce_for_forwarding = false;
        config.channel_handshake_config.negotiate_anchors_zero_fee_htlc_tx = true;
        config
            .channel_handshake_config
            .unannounced_channel_max_inbound_htlc_value_in_flight_percentage = 25;
        config.channel_handshake_limits.max_minimum_depth = 10;
        let tip = BlockHash::from_byte_array([9; 32]);
        let best_block = BlockLocator::new(tip, START_HEIGHT);
        let params = ChainParameters { network: Network::Regtest, best_block };
        let nowhere = Arc::new(Nowhere);
        let manager = Manager::new(
            fees.clone(),
            monitors.clone(),
            published.clone(),
            nowhere.clone(),
            nowhere,
            log,
            keys.clone(),
            keys.clone(),
            keys.clone(),
            config,
            params,
            1,
        );
        let id = keys.get_node_id(Recipient::Node).unwrap();
        Self { manager, monitors, published, fees, id, us, height: START_HEIGHT, tip }
    }

    pub fn connect(&self) {
        let mut features = InitFeatures::empty();
        features.set_data_loss_protect_optional();
        features.set_variable_length_onion_required();
        features.set_static_remote_key_required();
        features.set_payment_secret_required();
        features.set_anchors_zero_fee_htlc_tx_optional();
        features.set_upfront_shutdown_script_optional();
        features.set_shutdown_any_segwit_optional();
        features.set_channel_type_optional();
        let init = msgs::Init { features, networks: None, remote_network_address: None };
        self.manager.peer_connected(self.us, &init, true).unwrap();
    }

    pub fn disconnect(&self) {
        self.manager.peer_disconnected(self.us);
    }

    pub fn channel(&self) -> Option<ChannelDetails> {
        self.manager.list_channels().into_iter().next()
    }

    /// Connects a block with these transactions.
    pub fn block(&mut self, transactions: &[Transaction]) {
        self.height += 1;
        let header = Header {
            version: Version::TWO,
            prev_blockhash: self.tip,
            merkle_root: TxMerkleNode::all_zeros(),
            time: self.height,
            bits: CompactTarget::from_consensus(42),
            nonce: self.height,
        };
        self.tip = header.block_hash();
        let data: Vec<(usize, &Transaction)> =
            transactions.iter().enumerate().map(|(at, tx)| (at + 1, tx)).collect();
        self.monitors.filtered_block_connected(&header, &data, self.height);
        self.manager.filtered_block_connected(&header, &data, self.height);
    }

    pub fn events(&self) -> Vec<Event> {
        self.manager.process_pending_htlc_forwards();
        let events = Mutex::new(Vec::new());
        let handler = |event: Event| -> Result<(), ReplayEvent> {
            events.lock().unwrap().push(event);
            Ok(())
        };
        self.manager.process_pending_events(&handler);
        self.monitors.process_pending_events(&handler);
        events.into_inner().unwrap()
    }

    /// What LDK wants sent now, in its order.
    pub fn sent(&self) -> Vec<Sent> {
        let mut out = Vec::new();
        for event in self.manager.get_and_clear_pending_msg_events() {
            push(&mut out, event);
        }
        out
    }

    /// Gives LDK a message of ours.
    pub fn deliver(&self, message: &ChannelMessage) {
        let (kind, bytes) = message.encode();
        let (us, manager) = (self.us, &self.manager);
        match kind {
            1 => {}
            17 => manager.handle_error(us, &read(&bytes)),
            33 => manager.handle_accept_channel(us, &read(&bytes)),
            35 => manager.handle_funding_signed(us, &read(&bytes)),
            36 => manager.handle_channel_ready(us, &read(&bytes)),
            38 => manager.handle_shutdown(us, &read(&bytes)),
            39 => manager.handle_closing_signed(us, &read(&bytes)),
            128 => manager.handle_update_add_htlc(us, &read(&bytes)),
            130 => manager.handle_update_fulfill_htlc(us, read(&bytes)),
            131 => manager.handle_update_fail_htlc(us, &read(&bytes)),
            132 => manager.handle_commitment_signed(us, &read(&bytes)),
            133 => manager.handle_revoke_and_ack(us, &read(&bytes)),
            135 => manager.handle_update_fail_malformed_htlc(us, &read(&bytes)),
            136 => manager.handle_channel_reestablish(us, &read(&bytes)),
            other => panic!("we never send type {other}"),
        }
    }

    pub fn pay(&self, amount_msat: u64, hash: PaymentHash, delta: u32) -> bool {
        let Some(channel) = self.channel() else { return false };
        let hop = RouteHop {
            pubkey: self.us,
            node_features: NodeFeatures::empty(),
            short_channel_id: channel.get_outbound_payment_scid().unwrap(),
            channel_features: ChannelFeatures::empty(),
            fee_msat: amount_msat,
            cltv_expiry_delta: delta,
            maybe_announced_channel: false,
        };
        let path = Path { hops: vec![hop], blinded_tail: None };
        let route = Route { paths: vec![path], route_params: None };
        let onion = RecipientOnionFields::secret_only(PaymentSecret([7; 32]), amount_msat);
        self.manager.send_payment_with_route(route, hash, onion, PaymentId(hash.0)).is_ok()
    }

    /// An onion that LDK can read, for a payment to it.
    pub fn invoice(&self, amount_msat: u64, delta: u32, session: u8) -> (PaymentHash, Onion, u32) {
        let (hash, secret, _) =
            self.manager.create_inbound_payment(None, 3_600, None, None).unwrap();
        let hop = RouteHop {
            pubkey: self.id,
            node_features: NodeFeatures::empty(),
            short_channel_id: 1,
            channel_features: ChannelFeatures::empty(),
            fee_msat: amount_msat,
            cltv_expiry_delta: delta,
            maybe_announced_channel: false,
        };
        let path = Path { hops: vec![hop], blinded_tail: None };
        let key = SecretKey::from_slice(&[session.max(1); 32]).unwrap();
        let (packet, _, cltv) = lightning::ln::onion_utils::create_payment_onion(
            &Secp256k1::new(),
            &path,
            &key,
            &RecipientOnionFields::secret_only(secret, amount_msat),
            self.height,
            &hash,
            &None,
            None,
            [3; 32],
        )
        .unwrap();
        let bytes: [u8; 1_366] = packet.encode().try_into().unwrap();
        (hash, Onion(Arc::new(bytes)), cltv)
    }

    pub fn claim(&self, preimage: PaymentPreimage) {
        self.manager.claim_funds(preimage);
    }

    pub fn funding_transaction(&self, script: ScriptBuf, sat: u64) -> Transaction {
        Transaction {
            version: bitcoin::transaction::Version::TWO,
            lock_time: bitcoin::absolute::LockTime::ZERO,
            input: vec![bitcoin::TxIn {
                // Not a coinbase, whose outputs LDK lets mature.
                previous_output: bitcoin::OutPoint {
                    txid: bitcoin::Txid::from_byte_array([8; 32]),
                    vout: 0,
                },
                witness: bitcoin::Witness::from_slice(&[vec![1]]),
                ..bitcoin::TxIn::default()
            }],
            output: vec![bitcoin::TxOut {
                value: bitcoin::Amount::from_sat(sat),
                script_pubkey: script,
            }],
        }
    }
}

fn read<T: LengthReadable>(bytes: &[u8]) -> T {
    T::read_from_fixed_length_buffer(&mut &bytes[..]).expect("LDK reads what we send")
}

fn message(kind: u16, body: &impl Writeable) -> Sent {
    let message = ChannelMessage::decode(kind, &body.encode()).expect("we read what LDK sends");
    Sent::Message(message.expect("a known type"))
}

fn push(out: &mut Vec<Sent>, event: MessageSendEvent) {
    match event {
        MessageSendEvent::SendOpenChannel { msg, .. } => out.push(message(32, &msg)),
        MessageSendEvent::SendFundingCreated { msg, .. } => out.push(message(34, &msg)),
        MessageSendEvent::SendChannelReady { msg, .. } => out.push(message(36, &msg)),
        MessageSendEvent::SendShutdown { msg, .. } => out.push(message(38, &msg)),
        MessageSendEvent::SendClosingSigned { msg, .. } => out.push(message(39, &msg)),
        MessageSendEvent::SendRevokeAndACK { msg, .. } => out.push(message(133, &msg)),
        MessageSendEvent::SendChannelReestablish { msg, .. } => out.push(message(136, &msg)),
        MessageSendEvent::SendChannelUpdate { msg, .. } => out.push(message(258, &msg)),
        MessageSendEvent::UpdateHTLCs { updates, .. } => {
            out.extend(updates.update_add_htlcs.iter().map(|msg| message(128, msg)));
            out.extend(updates.update_fulfill_htlcs.iter().map(|msg| message(130, msg)));
            out.extend(updates.update_fail_htlcs.iter().map(|msg| message(131, msg)));
            out.extend(updates.update_fail_malformed_htlcs.iter().map(|msg| message(135, msg)));
            out.extend(updates.update_fee.iter().map(|msg| message(134, msg)));
            out.extend(updates.commitment_signed.iter().map(|msg| message(132, msg)));
        }
        MessageSendEvent::HandleError { action, .. } => match action {
            ErrorAction::DisconnectPeer { msg } => {
                out.extend(msg.iter().map(|msg| message(17, msg)));
                out.push(Sent::Disconnect(format!("{msg:?}")));
            }
            ErrorAction::SendErrorMessage { msg } => out.push(message(17, &msg)),
            ErrorAction::DisconnectPeerWithWarning { msg } => {
                out.push(message(1, &msg));
                out.push(Sent::Disconnect(msg.data));
            }
            ErrorAction::SendWarningMessage { msg, .. } => out.push(message(1, &msg)),
            _ => {}
        },
        MessageSendEvent::BroadcastChannelUpdate { .. } => {}
        other => panic!("what shall we do with {other:?}"),
    }
}
