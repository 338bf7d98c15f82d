//! Two LDK nodes in one process with one channel between them. The first is in our place: its keys are
//! those of [`ChannelKeys`] with the same secret. The second funds the channel.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use bitcoin::absolute::LockTime;
use bitcoin::block::Header;
use bitcoin::hashes::{Hash, sha256};
use bitcoin::secp256k1::PublicKey;
use bitcoin::transaction::Version;
use bitcoin::{Amount, Network, ScriptBuf, Transaction, TxIn, TxOut, Witness};
use lightning::blinded_path::message::{BlindedMessagePath, MessageContext, MessageForwardNode};
use lightning::blinded_path::payment::{BlindedPaymentPath, ReceiveTlvs};
use lightning::chain::chaininterface::{
    BroadcasterInterface, ConfirmationTarget, FeeEstimator, TransactionType,
};
use lightning::chain::channelmonitor::{ChannelMonitor, ChannelMonitorUpdate, MonitorEvent};
use lightning::chain::transaction::OutPoint;
use lightning::chain::{BlockLocator, ChannelMonitorUpdateStatus, Listen, Watch};
use lightning::events::{Event, EventsProvider, ReplayEvent};
use lightning::ln::channel_state::ChannelDetails;
use lightning::ln::channelmanager::{ChainParameters, ChannelManager, PaymentId};
use lightning::ln::msgs::{self, BaseMessageHandler, ChannelMessageHandler, MessageSendEvent};
use lightning::ln::outbound_payment::RecipientOnionFields;
use lightning::ln::script::ShutdownScript;
use lightning::ln::types::ChannelId;
use lightning::onion_message::messenger::{Destination, MessageRouter, OnionMessagePath};
use lightning::routing::router::{InFlightHtlcs, Path, Route, RouteHop, RouteParameters, Router};
use lightning::sign::{
    InMemorySigner, KeysManager, NodeSigner, ReceiveAuthKey, Recipient, SignerProvider,
};
use lightning::types::features::{ChannelFeatures, NodeFeatures};
use lightning::types::payment::{PaymentHash, PaymentPreimage};
use lightning::util::config::{MaxDustHTLCExposure, UserConfig};
use lightning::util::logger::{Logger, Record};
use lightning::util::ser::Writeable;

use super::{KEYS_ID, destination};

pub struct Quiet;

impl Logger for Quiet {
    fn log(&self, _: Record<'_>) {}
}

/// The feerates of one node, in satoshi per 1000 weight units.
pub struct Fees(AtomicU32);

impl FeeEstimator for Fees {
    fn get_est_sat_per_1000_weight(&self, target: ConfirmationTarget) -> u32 {
        match target {
            ConfirmationTarget::MinAllowedAnchorChannelRemoteFee
            | ConfirmationTarget::MinAllowedNonAnchorChannelRemoteFee => 253,
            _ => self.0.load(Ordering::Relaxed),
        }
    }
}

pub struct Nowhere;

impl BroadcasterInterface for Nowhere {
    fn broadcast_transactions(&self, _: &[(&Transaction, TransactionType)]) {}
}

pub struct NoRoutes;

impl Router for NoRoutes {
    fn find_route(
        &self,
        _: &PublicKey,
        _: &RouteParameters,
        _: Option<&[&ChannelDetails]>,
        _: InFlightHtlcs,
    ) -> Result<Route, &'static str> {
        Err("no second attempt")
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
        _: &bitcoin::secp256k1::Secp256k1<T>,
    ) -> Result<Vec<BlindedPaymentPath>, ()> {
        Err(())
    }
}

impl MessageRouter for NoRoutes {
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
        _: &bitcoin::secp256k1::Secp256k1<T>,
    ) -> Result<Vec<BlindedMessagePath>, ()> {
        Err(())
    }
}

/// Keys of one channel, with our numbering and our destination.
pub struct Keys(pub Arc<KeysManager>);

impl SignerProvider for Keys {
    type EcdsaSigner = InMemorySigner;

    fn generate_channel_keys_id(&self, _: bool, _: u128) -> [u8; 32] {
        let mut id = [0; 32];
        id[..8].copy_from_slice(&KEYS_ID.to_be_bytes());
        id
    }

    fn derive_channel_signer(&self, id: [u8; 32]) -> InMemorySigner {
        self.0.derive_channel_signer(id)
    }

    fn get_destination_script(&self, _: [u8; 32]) -> Result<ScriptBuf, ()> {
        Ok(destination())
    }

    fn get_shutdown_scriptpubkey(&self) -> Result<ShutdownScript, ()> {
        self.0.get_shutdown_scriptpubkey()
    }
}

/// LDK's own monitor of the channel.
pub struct Monitors {
    pub of_channel: Mutex<Option<ChannelMonitor<InMemorySigner>>>,
    fees: Arc<Fees>,
}

impl Watch<InMemorySigner> for Monitors {
    fn watch_channel(
        &self,
        _: ChannelId,
        monitor: ChannelMonitor<InMemorySigner>,
    ) -> Result<ChannelMonitorUpdateStatus, ()> {
        *self.of_channel.lock().unwrap() = Some(monitor);
        Ok(ChannelMonitorUpdateStatus::Completed)
    }

    fn update_channel(
        &self,
        _: ChannelId,
        update: &ChannelMonitorUpdate,
    ) -> ChannelMonitorUpdateStatus {
        let monitor = self.of_channel.lock().unwrap();
        monitor.as_ref().unwrap().update_monitor(update, &Nowhere, &self.fees, &Quiet).unwrap();
        ChannelMonitorUpdateStatus::Completed
    }

    fn release_pending_monitor_events(
        &self,
    ) -> Vec<(OutPoint, ChannelId, Vec<MonitorEvent>, PublicKey)> {
        vec![]
    }
}

type Manager = ChannelManager<
    Arc<Monitors>,
    Arc<Nowhere>,
    Arc<KeysManager>,
    Arc<KeysManager>,
    Arc<Keys>,
    Arc<Fees>,
    Arc<NoRoutes>,
    Arc<NoRoutes>,
    Arc<Quiet>,
>;

/// One node.
pub struct Node {
    pub keys: Arc<KeysManager>,
    pub id: PublicKey,
    pub manager: Manager,
    pub monitors: Arc<Monitors>,
    fees: Arc<Fees>,
    /// Hashes of payments that are here in full, and neither claimed nor failed.
    pub claimable: Vec<PaymentHash>,
}

impl Node {
    fn new(secret: u8, best: BlockLocator) -> Self {
        let keys = Arc::new(KeysManager::new(&[secret; 32], 0, 0, true));
        let fees = Arc::new(Fees(AtomicU32::new(1_000)));
        let monitors = Arc::new(Monitors { of_channel: Mutex::new(None), fees: Arc::clone(&fees) });
        let mut config = UserConfig::default();
        config.channel_handshake_config.minimum_depth = 1;
        config.channel_handshake_config.our_to_self_delay = 144 + u16::from(secret);
        config.channel_handshake_config.our_max_accepted_htlcs = 30;
        config
            .channel_handshake_config
            .unannounced_channel_max_inbound_htlc_value_in_flight_percentage = 100;
        config.channel_config.max_dust_htlc_exposure = MaxDustHTLCExposure::FixedLimitMsat(1 << 40);
        let manager = ChannelManager::new(
            Arc::clone(&fees),
            Arc::clone(&monitors),
            Arc::new(Nowhere),
            Arc::new(NoRoutes),
            Arc::new(NoRoutes),
            Arc::new(Quiet),
            Arc::clone(&keys),
            Arc::clone(&keys),
            Arc::new(Keys(Arc::clone(&keys))),
            config,
            ChainParameters { network: Network::Regtest, best_block: best },
            1_700_000_000,
        );
        let id = keys.get_node_id(Recipient::Node).unwrap();
        Self { keys, id, manager, monitors, fees, claimable: vec![] }
    }

    /// Returns the bytes of LDK's own monitor.
    pub fn monitor(&self) -> Vec<u8> {
        self.monitors.of_channel.lock().unwrap().as_ref().unwrap().encode()
    }

    fn events(&mut self) -> Vec<Event> {
        let events = Mutex::new(vec![]);
        let take = |event: Event| -> Result<(), ReplayEvent> {
            events.lock().unwrap().push(event);
            Ok(())
        };
        self.manager.process_pending_events(&take);
        let events = events.into_inner().unwrap();
        for event in &events {
            if let Event::PaymentClaimable { payment_hash, .. } = event {
                self.claimable.push(*payment_hash);
            }
        }
        events
    }

    fn connect(&self, header: &Header, transactions: &[(usize, &Transaction)], height: u32) {
        self.manager.filtered_block_connected(header, transactions, height);
        if let Some(monitor) = self.monitors.of_channel.lock().unwrap().as_ref() {
            monitor.block_connected(header, transactions, height, &Nowhere, &*self.fees, &Quiet);
        }
    }
}

/// A message of BOLT 2.
#[derive(Clone, Debug)]
pub enum Message {
    Open(msgs::OpenChannel),
    Accept(msgs::AcceptChannel),
    FundingCreated(msgs::FundingCreated),
    FundingSigned(msgs::FundingSigned),
    Ready(msgs::ChannelReady),
    Add(Box<msgs::UpdateAddHTLC>),
    Fulfill(msgs::UpdateFulfillHTLC),
    Fail(msgs::UpdateFailHTLC),
    Malformed(msgs::UpdateFailMalformedHTLC),
    Fee(msgs::UpdateFee),
    Commit(msgs::CommitmentSigned),
    Revoke(msgs::RevokeAndACK),
}

fn messages(event: MessageSendEvent) -> Vec<Message> {
    match event {
        MessageSendEvent::SendOpenChannel { msg, .. } => vec![Message::Open(msg)],
        MessageSendEvent::SendAcceptChannel { msg, .. } => vec![Message::Accept(msg)],
        MessageSendEvent::SendFundingCreated { msg, .. } => vec![Message::FundingCreated(msg)],
        MessageSendEvent::SendFundingSigned { msg, .. } => vec![Message::FundingSigned(msg)],
        MessageSendEvent::SendChannelReady { msg, .. } => vec![Message::Ready(msg)],
        MessageSendEvent::SendRevokeAndACK { msg, .. } => vec![Message::Revoke(msg)],
        MessageSendEvent::UpdateHTLCs { updates, .. } => {
            let adds = updates.update_add_htlcs.into_iter().map(Box::new).map(Message::Add);
            let fulfills = updates.update_fulfill_htlcs.into_iter().map(Message::Fulfill);
            let fails = updates.update_fail_htlcs.into_iter().map(Message::Fail);
            let malformed = updates.update_fail_malformed_htlcs.into_iter().map(Message::Malformed);
            let fee = updates.update_fee.into_iter().map(Message::Fee);
            let commits = updates.commitment_signed.into_iter().map(Message::Commit);
            adds.chain(fulfills).chain(fails).chain(malformed).chain(fee).chain(commits).collect()
        }
        // A tick of its clock made LDK impatient; here messages wait as long as they like.
        MessageSendEvent::HandleError {
            action: msgs::ErrorAction::DisconnectPeerWithWarning { .. },
            ..
        } => vec![],
        MessageSendEvent::HandleError { action, .. } => panic!("LDK gives up: {action:?}"),
        // Gossip.
        _ => vec![],
    }
}

/// Both nodes, and the messages on their way.
pub struct Channel {
    pub ours: Node,
    pub peer: Node,
    pub to_peer: VecDeque<Message>,
    pub to_us: VecDeque<Message>,
    pub funding: Option<Transaction>,
}

impl Channel {
    /// Makes both nodes. Their first messages are on their way.
    pub fn new(best: BlockLocator, funding_sat: u64, push_msat: u64) -> Self {
        let (ours, peer) = (Node::new(7, best), Node::new(9, best));
        for (node, other) in [(&ours, &peer), (&peer, &ours)] {
            let features = other.manager.provided_init_features(node.id);
            let init = msgs::Init { features, networks: None, remote_network_address: None };
            node.manager.peer_connected(other.id, &init, false).unwrap();
        }
        peer.manager.create_channel(ours.id, funding_sat, push_msat, 0, None, None).unwrap();
        let (to_peer, to_us) = (VecDeque::new(), VecDeque::new());
        Self { ours, peer, to_peer, to_us, funding: None }
    }

    /// Collects what both nodes want to send. Ours go through `sent` in their order.
    pub fn collect(&mut self, mut sent: impl FnMut(&Message)) {
        self.ours.manager.process_pending_htlc_forwards();
        self.peer.manager.process_pending_htlc_forwards();
        for event in self.ours.events() {
            if let Event::OpenChannelRequest {
                temporary_channel_id, counterparty_node_id, ..
            } = event
            {
                let manager = &self.ours.manager;
                manager
                    .accept_inbound_channel(&temporary_channel_id, &counterparty_node_id, 0, None)
                    .unwrap();
            }
        }
        for event in self.peer.events() {
            if let Event::FundingGenerationReady {
                temporary_channel_id,
                counterparty_node_id,
                channel_value_satoshis,
                output_script,
                ..
            } = event
            {
                let input = TxIn {
                    // Not that of a coinbase, which has to wait.
                    previous_output: bitcoin::OutPoint { vout: 1, ..Default::default() },
                    witness: Witness::from_slice(&[[1]]),
                    ..TxIn::default()
                };
                let output = TxOut {
                    value: Amount::from_sat(channel_value_satoshis),
                    script_pubkey: output_script,
                };
                let funding = Transaction {
                    version: Version::TWO,
                    lock_time: LockTime::ZERO,
                    input: vec![input],
                    output: vec![output],
                };
                let manager = &self.peer.manager;
                manager
                    .funding_transaction_generated(
                        temporary_channel_id,
                        counterparty_node_id,
                        funding.clone(),
                    )
                    .unwrap();
                self.funding = Some(funding);
            }
        }
        for event in self.ours.manager.get_and_clear_pending_msg_events() {
            for message in messages(event) {
                sent(&message);
                self.to_peer.push_back(message);
            }
        }
        for event in self.peer.manager.get_and_clear_pending_msg_events() {
            self.to_us.extend(messages(event));
        }
    }

    pub fn deliver(&mut self, is_to_us: bool) -> Option<Message> {
        let (queue, node, from) = if is_to_us {
            (&mut self.to_us, &self.ours, self.peer.id)
        } else {
            (&mut self.to_peer, &self.peer, self.ours.id)
        };
        let message = queue.pop_front()?;
        let manager = &node.manager;
        match message.clone() {
            Message::Open(msg) => manager.handle_open_channel(from, &msg),
            Message::Accept(msg) => manager.handle_accept_channel(from, &msg),
            Message::FundingCreated(msg) => manager.handle_funding_created(from, &msg),
            Message::FundingSigned(msg) => manager.handle_funding_signed(from, &msg),
            Message::Ready(msg) => manager.handle_channel_ready(from, &msg),
            Message::Add(msg) => manager.handle_update_add_htlc(from, &msg),
            Message::Fulfill(msg) => manager.handle_update_fulfill_htlc(from, msg),
            Message::Fail(msg) => manager.handle_update_fail_htlc(from, &msg),
            Message::Malformed(msg) => manager.handle_update_fail_malformed_htlc(from, &msg),
            Message::Fee(msg) => manager.handle_update_fee(from, &msg),
            Message::Commit(msg) => manager.handle_commitment_signed(from, &msg),
            Message::Revoke(msg) => manager.handle_revoke_and_ack(from, &msg),
        }
        Some(message)
    }

    pub fn connect(&self, header: &Header, transactions: &[(usize, &Transaction)], height: u32) {
        self.ours.connect(header, transactions, height);
        self.peer.connect(header, transactions, height);
    }

    /// Sends a payment in parts. What LDK refuses is not sent.
    pub fn pay(&self, is_ours: bool, preimage: [u8; 32], parts: &[(u64, u32)]) {
        let (from, to) = if is_ours { (&self.ours, &self.peer) } else { (&self.peer, &self.ours) };
        let hash = PaymentHash(sha256::Hash::hash(&preimage).to_byte_array());
        let (secret, _) =
            to.manager.create_inbound_payment_for_hash(hash, None, 7_200, None, None).unwrap();
        let channels = from.manager.list_usable_channels();
        let Some(scid) = channels.first().and_then(|channel| channel.get_outbound_payment_scid())
        else {
            return;
        };
        let path = |&(fee_msat, cltv_expiry_delta): &(u64, u32)| Path {
            hops: vec![RouteHop {
                pubkey: to.id,
                node_features: NodeFeatures::empty(),
                short_channel_id: scid,
                channel_features: ChannelFeatures::empty(),
                fee_msat,
                cltv_expiry_delta,
                maybe_announced_channel: false,
            }],
            blinded_tail: None,
        };
        let route = Route { paths: parts.iter().map(path).collect(), route_params: None };
        let total_msat = parts.iter().map(|(msat, _)| msat).sum();
        let fields = RecipientOnionFields::secret_only(secret, total_msat);
        let _ = from.manager.send_payment_with_route(route, hash, fields, PaymentId(hash.0));
    }

    /// Settles a payment that one node has in full.
    pub fn settle(&mut self, is_ours: bool, at: usize, preimage: Option<[u8; 32]>) {
        let node = if is_ours { &mut self.ours } else { &mut self.peer };
        let hash = node.claimable.remove(at);
        match preimage {
            Some(preimage) => node.manager.claim_funds(PaymentPreimage(preimage)),
            None => node.manager.fail_htlc_backwards(&hash),
        }
    }

    /// Lets the peer, who pays the fees, change the feerate.
    pub fn change_feerate(&self, per_kw: u32) {
        self.peer.fees.0.store(per_kw, Ordering::Relaxed);
        self.peer.manager.timer_tick_occurred();
    }
}
