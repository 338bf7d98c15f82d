//! The operator's commands, carried out.

use std::collections::BTreeSet;
use std::sync::Arc;

use steward_hosted::{Channel, Phase, Role};
use steward_invoice::{HintHop, Invoice};
use steward_wire::proof::judge;
use steward_wire::{Identity, LinkId, NodeId, Preimage, ShortChannelId, Snapshot};

use crate::bounds::capped_fee;
use crate::channels::Entry;
use crate::code::Code;
use crate::command::{AnswerAt, ChannelInfo, ChannelRef, Command, PeerInfo, Reply, Status};
use crate::engine::Engine;
use crate::error::{Error, sat};
use crate::invoices::InvoiceRequest;
use crate::io::{Action, ConnId, ReplyId};
use crate::limits::{MAX_ADDRESSES, MAX_ADDRESSES_TRIED};
use crate::operator::Act;
use crate::payments::Plan;
use crate::peers::Connection;
use crate::row::{LocalIdentity, PaymentKind, PaymentRow, PaymentStatus, PeerRow, Row};

impl Engine {
    /// Carries out a command and answers it: at once, or when the payment it is about has ended.
    pub(crate) fn answer(&mut self, reply: ReplyId, command: Command) {
        let at_end = matches!(
            command,
            Command::Pay { answer: AnswerAt::End, .. }
                | Command::Keysend { answer: AnswerAt::End, .. }
                | Command::AwaitPayment { .. }
        );
        let result = command.check().and_then(|()| self.command(command));
        match result {
            Ok(Reply::Payment(row)) if at_end && self.waits_for_end(reply, &row, false) => {}
            Ok(Reply::EarlierPayment(row)) if at_end && self.waits_for_end(reply, &row, true) => {}
            result => self.batch.act(Action::Reply { reply, result }),
        }
    }

    fn command(&mut self, command: Command) -> Result<Reply, Error> {
        match command {
            Command::Status => Ok(Reply::Status(self.status())),
            Command::Reconfigure { config } => self.reconfigure(*config),
            Command::InvokeChannel { host, addresses, identity, secret } => {
                self.invoke_channel(host, addresses, identity, secret)
            }
            Command::ListChannels => {
                let channels = self.channels.iter().map(|(_, entry)| info(&entry.channel));
                Ok(Reply::Channels(channels.collect()))
            }
            Command::ShowChannel { channel } => self.show_channel(channel),
            Command::SuspendChannel { channel } => self.operate(channel, Act::Suspend),
            Command::ProposeOverride { channel, local_balance_msat } => {
                self.operate(channel, Act::ProposeOverride { local_balance_msat })
            }
            Command::AcceptOverride { channel, our_balance_msat } => {
                self.operate(channel, Act::AcceptOverride { our_balance_msat })
            }
            Command::ResizeChannel { channel, new_capacity_sat } => {
                self.operate(channel, Act::Resize { new_capacity_sat })
            }
            Command::ForgetChannel { channel } => self.forget_channel(channel),
            Command::ForgetPeer { peer } => self.forget_peer(peer),
            Command::SubmitPreimage { preimage } => self.submit_preimage(preimage),
            Command::Connect { peer, addresses } => self.connect(peer, addresses),
            Command::ListPeers => Ok(Reply::Peers(self.list_peers())),
            Command::CreateInvoice {
                amount_msat,
                description,
                expiry_s,
                preimage,
                payment_secret,
            } => {
                let request =
                    InvoiceRequest { amount_msat, description, expiry_s, preimage, payment_secret };
                self.create_invoice(request).map(Reply::Invoice)
            }
            Command::Pay { invoice, amount_msat, max_fee_msat, .. } => {
                self.pay(&invoice, amount_msat, max_fee_msat)
            }
            Command::MostPayable { invoice } => self.most_payable(&invoice).map(Reply::Amount),
            Command::Keysend { destination, via, amount_msat, max_fee_msat, preimage, .. } => self
                .keysend(destination, via, amount_msat, max_fee_msat, preimage)
                .map(Reply::Payment),
            Command::GetPayment { payment_hash } | Command::AwaitPayment { payment_hash } => {
                let row = self.payments.row(&payment_hash.into()).cloned();
                row.map(Reply::Payment).ok_or_else(|| {
                    Error::new(Code::UnknownPayment, "no payment with this hash is under way")
                })
            }
        }
    }

    fn invoke_channel(
        &mut self,
        host: NodeId,
        addresses: Vec<String>,
        identity: LocalIdentity,
        secret: Vec<u8>,
    ) -> Result<Reply, Error> {
        self.check_other_node(&host)?;
        let signer = self.signer_towards(&host, identity);
        let local = signer.as_ref().map_or(self.node_id, |signer| signer.node_id());
        let link = LinkId::hosted(&local, &host);
        if let Some(role) = self.channels.get(&link).map(|entry| entry.channel.role()) {
            if role == Role::Host {
                let text =
                    "this node is our client under this key: it has a channel with us already";
                return Err(Error::new(Code::AlreadyOurClient, text));
            }
            self.keep_peer(host, identity, addresses);
            return self.show_channel(link.into());
        }
        if !self.height_is_known {
            let text = "the block height is not known yet";
            return Err(Error::new(Code::ChainUnknown, text));
        }
        let scid = ShortChannelId::of_pair(&local, &host);
        if self.channels.by_scid(scid).is_some() {
            let text = "another channel has the same short channel id";
            return Err(Error::new(Code::ScidCollision, text));
        }
        let refund_scriptpubkey = self.signer.refund_scriptpubkey(&host, identity);
        let channel = Channel::client(local, host, refund_scriptpubkey, secret);
        self.channels.insert(channel, signer);
        self.batch.changed.insert(link);
        self.keep_peer(host, identity, addresses);
        let conn = self.connection_of(host, local);
        if let (Some(conn), Some(entry)) = (conn, self.channels.get_mut(&link)) {
            entry.conn = Some(conn);
            self.drive(link, steward_hosted::Input::Connected);
        }
        self.show_channel(link.into())
    }

    fn connect(&mut self, peer: NodeId, addresses: Vec<String>) -> Result<Reply, Error> {
        self.check_other_node(&peer)?;
        // A host that we know under a key of its own alone is met under that key.
        let is_kept = |identity| self.peers.contains_key(&(peer, identity));
        let identity = match is_kept(LocalIdentity::PerHost) && !is_kept(LocalIdentity::Node) {
            true => LocalIdentity::PerHost,
            false => LocalIdentity::Node,
        };
        self.keep_peer(peer, identity, addresses);
        Ok(Reply::Done)
    }

    /// Who signs for us towards this host, if it is not the node.
    pub(crate) fn signer_towards(
        &self,
        host: &NodeId,
        identity: LocalIdentity,
    ) -> Option<Arc<dyn Identity>> {
        match identity {
            LocalIdentity::Node => None,
            LocalIdentity::PerHost => Some(self.signer.towards_host(host)),
        }
    }

    /// Our id towards this peer.
    pub(crate) fn local_towards(&self, peer: &NodeId, identity: LocalIdentity) -> NodeId {
        let signer = self.signer_towards(peer, identity);
        signer.map_or(self.node_id, |signer| signer.node_id())
    }

    /// Which of our keys an id of ours is of.
    pub(crate) fn identity_of(&self, local: &NodeId) -> LocalIdentity {
        match *local == self.node_id {
            true => LocalIdentity::Node,
            false => LocalIdentity::PerHost,
        }
    }

    fn check_other_node(&self, id: &NodeId) -> Result<(), Error> {
        if *id == self.node_id {
            return Err(Error::new(Code::OwnNode, "this node is our own"));
        }
        if id.public_key().is_none() {
            return Err(Error::new(Code::NotAPublicKey, "no node can have this id"));
        }
        Ok(())
    }

    fn keep_peer(&mut self, peer: NodeId, identity: LocalIdentity, addresses: Vec<String>) {
        let key = (peer, identity);
        let known = self.peers.get(&key);
        let reached = known.map(|row| row.addresses.clone()).unwrap_or_default();
        let framing = known.and_then(|row| row.framing);
        if !addresses.is_empty() {
            self.given_addresses.insert(key, addresses);
        }
        let row = PeerRow { peer, identity, addresses: reached, framing };
        self.batch.writes.put(Row::Peer(row.clone()));
        self.peers.insert(key, row);
        // It may have been reached before it was to be kept.
        let is_reached = |c: &&Connection| {
            c.peer == peer && !c.inbound && self.identity_of(&c.local) == identity
        };
        let outbound = self.connections.values().filter(is_reached);
        let reached: Vec<String> = outbound.map(|connection| connection.address.clone()).collect();
        for address in reached {
            self.address_reached(key, address);
        }
        let addresses = self.addresses_to_try(&key);
        self.batch.act(Action::KeepConnected { peer, identity, addresses });
    }

    /// Those given last, which may be wrong, then those where the peer was found.
    fn addresses_to_try(&self, key: &(NodeId, LocalIdentity)) -> Vec<String> {
        let mut addresses = self.given_addresses.get(key).cloned().unwrap_or_default();
        for reached in self.peers.get(key).into_iter().flat_map(|row| &row.addresses) {
            if !addresses.contains(reached) {
                addresses.push(reached.clone());
            }
        }
        addresses.truncate(MAX_ADDRESSES_TRIED);
        addresses
    }

    /// Somebody with the peer's key answered at this address: it is worth keeping. One that was
    /// only given is not: it must not take the place of a good one.
    pub(crate) fn address_reached(&mut self, key: (NodeId, LocalIdentity), address: String) {
        let Some(row) = self.peers.get_mut(&key) else { return };
        if let Some(given) = self.given_addresses.get_mut(&key) {
            given.retain(|given| *given != address);
        }
        if row.addresses.contains(&address) {
            return;
        }
        row.addresses.insert(0, address);
        row.addresses.truncate(MAX_ADDRESSES);
        self.batch.writes.put(Row::Peer(row.clone()));
    }

    fn connection_of(&self, peer: NodeId, local: NodeId) -> Option<ConnId> {
        let mut newest_first = self.connections.iter().rev();
        newest_first.find(|(_, c)| c.peer == peer && c.local == local).map(|(conn, _)| *conn)
    }

    fn pay(
        &mut self,
        invoice: &Invoice,
        amount_msat: Option<u64>,
        max_fee_msat: Option<u64>,
    ) -> Result<Reply, Error> {
        invoice.check_network(self.config.network).map_err(|error| {
            Error::new(Code::WrongNetwork, error.to_string())
                .hint("the invoice was made for another chain")
        })?;
        // Asking how an earlier attempt went must work whatever the clock says.
        let earlier = self.payments.row(&invoice.payment_hash.into());
        if let Some(earlier) = earlier.filter(|row| row.status != PaymentStatus::Failed) {
            earlier.check_repeated(invoice, amount_msat)?;
            return Ok(Reply::EarlierPayment(earlier.clone()));
        }
        let amount_msat = amount_to_pay(invoice, amount_msat)?;
        if invoice.is_expired(self.wall_ms / 1000) {
            return Err(Error::new(Code::InvoiceExpired, "the invoice has expired"));
        }
        if self.invoices.contains_key(&invoice.payment_hash) {
            return Err(Error::new(Code::SelfPayment, "the invoice is our own"));
        }
        let row = self.payment_row(invoice.payment_hash, invoice.payee, amount_msat, max_fee_msat);
        let row = PaymentRow { kind: PaymentKind::Bolt11(invoice.text.clone()), ..row };
        self.start_payment(row, Plan::for_invoice(invoice, amount_msat)).map(Reply::Payment)
    }

    fn keysend(
        &mut self,
        destination: NodeId,
        via: Option<NodeId>,
        amount_msat: u64,
        max_fee_msat: Option<u64>,
        preimage: Preimage,
    ) -> Result<PaymentRow, Error> {
        if amount_msat == 0 {
            return Err(zero_amount());
        }
        self.check_other_node(&destination)?;
        // The channel between a host and its client follows from their ids. Its fee is the
        // host's, which is the same for us as for its other clients.
        let hints = via.map(|host| self.keysend_hint(host, destination)).transpose()?;
        let row = self.payment_row(preimage.hash(), destination, amount_msat, max_fee_msat);
        let plan = Plan::for_keysend(hints.into_iter().collect(), preimage, amount_msat);
        self.start_payment(row, plan)
    }

    fn keysend_hint(&self, host: NodeId, destination: NodeId) -> Result<Vec<HintHop>, Error> {
        let mut channels = self.channels.with_peer(&host);
        let policy = channels.find_map(|(_, entry)| entry.channel.peer_policy());
        let policy = policy.ok_or_else(|| {
            Error::new(Code::UnknownHost, "we have no channel with this host, or not its terms")
        })?;
        Ok(vec![HintHop {
            node_id: host,
            scid: ShortChannelId::of_pair(&host, &destination),
            fee_base_msat: policy.fee_base_msat,
            fee_ppm: policy.fee_proportional_millionths,
            cltv_expiry_delta: policy.cltv_expiry_delta,
        }])
    }

    fn payment_row(
        &self,
        payment_hash: steward_wire::PaymentHash,
        destination: NodeId,
        amount_msat: u64,
        max_fee_msat: Option<u64>,
    ) -> PaymentRow {
        PaymentRow {
            payment_hash,
            destination,
            amount_msat,
            fee_msat: 0,
            max_fee_msat: capped_fee(amount_msat, max_fee_msat),
            status: PaymentStatus::Pending,
            preimage: None,
            failure: None,
            kind: PaymentKind::Keysend,
            created_ms: self.wall_ms,
            ended_ms: None,
        }
    }

    /// The channel that an operator names.
    pub(crate) fn find_channel(&self, named: ChannelRef) -> Result<(LinkId, &Entry), Error> {
        let (found, other) = match named {
            ChannelRef::Link(link) => (self.channels.get(&link).map(|entry| (link, entry)), None),
            ChannelRef::Peer(peer) => {
                let mut channels = self.channels.with_peer(&peer);
                (channels.next(), channels.next())
            }
        };
        match (found, other) {
            (Some(only), None) => Ok(only),
            (Some((first, _)), Some((second, _))) => {
                let text = format!("we have several channels with this node: {first}, {second}");
                Err(Error::new(Code::AmbiguousChannel, text))
            }
            (None, _) => Err(Error::new(Code::UnknownChannel, "we have no such channel")),
        }
    }

    pub(crate) fn show_channel(&self, named: ChannelRef) -> Result<Reply, Error> {
        let (link, entry) = self.find_channel(named)?;
        let channel = &entry.channel;
        let mut info = info(channel);
        info.state = channel.export(&*self.local_of(&link));
        info.signatures_valid = info.state.as_ref().map(|state| {
            let (node_id_a, node_id_b) = (channel.local(), channel.remote());
            let snapshot = Snapshot { node_id_a, node_id_b, state: state.clone() };
            judge(&snapshot).is_some_and(|findings| findings.both_signed())
        });
        Ok(Reply::Channel(Box::new(info)))
    }

    fn list_peers(&self) -> Vec<PeerInfo> {
        let connected = self.connections.values().map(|connection| PeerInfo {
            peer: connection.peer,
            local: connection.local,
            connected: true,
            inbound: connection.inbound,
            addresses: vec![connection.address.clone()],
            framing: connection.framing.map(|framing| match framing {
                steward_wire::Framing::Modern => "modern",
                steward_wire::Framing::Legacy => "legacy",
            }),
            supports_hosted_channels: steward_wire::features::supports_hosted_channels(
                &connection.features,
            ),
        });
        let connected_ids: BTreeSet<(NodeId, LocalIdentity)> =
            self.connections.values().map(|c| (c.peer, self.identity_of(&c.local))).collect();
        let rows = self.peers.iter().filter(|(key, _)| !connected_ids.contains(key));
        let wanted = rows.map(|(key, row)| PeerInfo {
            peer: row.peer,
            local: self.local_towards(&row.peer, row.identity),
            connected: false,
            inbound: false,
            addresses: self.addresses_to_try(key),
            framing: None,
            supports_hosted_channels: false,
        });
        connected.chain(wanted).collect()
    }

    fn status(&self) -> Status {
        let mut status = Status {
            node_id: self.node_id,
            height: self.height,
            tip_is_stale: self.tip_is_stale,
            chain_age_ms: self.chain_age_ms(),
            peers: count(self.connections.len()),
            channels: [0; 5],
            owed_to_clients_msat: 0,
            owed_by_hosts_msat: 0,
            spendable_msat: 0,
            receivable_msat: 0,
            pending_payments: count(self.payments.pending_count()),
            pending_forwards: count(self.forwards.len()),
        };
        for (_, entry) in self.channels.iter() {
            let summary = entry.channel.summary();
            let index = match summary.phase {
                Phase::Opening => 0,
                Phase::Offline => 1,
                Phase::Syncing => 2,
                Phase::Active => 3,
                Phase::Suspended => 4,
            };
            if let Some(phase_count) = status.channels.get_mut(index) {
                *phase_count += 1;
            }
            let add = |sum: &mut u64, msat: u64| *sum = sum.saturating_add(msat);
            add(&mut status.spendable_msat, summary.spendable_msat);
            match summary.role {
                Role::Host => add(&mut status.owed_to_clients_msat, summary.remote_balance_msat),
                Role::Client => {
                    add(&mut status.owed_by_hosts_msat, summary.local_balance_msat);
                    if summary.phase == Phase::Active {
                        add(&mut status.receivable_msat, summary.receivable_msat);
                    }
                }
            }
        }
        status
    }
}

fn info(channel: &Channel) -> ChannelInfo {
    ChannelInfo {
        link: channel.channel_id().into(),
        peer: channel.remote(),
        local: channel.local(),
        short_channel_id: channel.scid(),
        summary: channel.state().map(|_| channel.summary()),
        phase: channel.phase(),
        role: channel.role(),
        suspension: channel.suspension(),
        peer_policy: channel.peer_policy().cloned(),
        override_balance_msat: channel.override_balance_msat(),
        state: None,
        signatures_valid: None,
    }
}

impl PaymentRow {
    /// True to what was asked for the first time, or not asked at all: whoever names another amount
    /// would take this payment for another one.
    ///
    /// # Errors
    /// `wrong_amount`.
    pub fn check_repeated(&self, invoice: &Invoice, amount_msat: Option<u64>) -> Result<(), Error> {
        if invoice.amount_msat.is_some() {
            return amount_to_pay(invoice, amount_msat).map(drop);
        }
        let Some(given_msat) = amount_msat.filter(|given_msat| *given_msat != self.amount_msat)
        else {
            return Ok(());
        };
        let paid = match self.status {
            PaymentStatus::Complete => "was paid",
            _ => "is being paid",
        };
        let text = format!(
            "the invoice {paid} already, with {} and not with {}",
            sat(self.amount_msat),
            sat(given_msat)
        );
        Err(Error::new(Code::WrongAmount, text)
            .hint("an invoice is paid once; ask the payee for another one"))
    }
}

fn amount_to_pay(invoice: &Invoice, given_msat: Option<u64>) -> Result<u64, Error> {
    let amount_msat = match (invoice.amount_msat, given_msat) {
        (Some(asked), Some(given)) if given != asked => {
            let text = format!("the invoice asks for {}, not for {}", sat(asked), sat(given));
            return Err(Error::new(Code::WrongAmount, text));
        }
        (Some(asked), _) => asked,
        (None, Some(given)) => given,
        (None, None) => {
            let text = "the invoice leaves the amount open";
            return Err(Error::new(Code::AmountNeeded, text));
        }
    };
    if amount_msat == 0 {
        return Err(zero_amount());
    }
    Ok(amount_msat)
}

fn zero_amount() -> Error {
    Error::new(Code::ZeroAmount, "nothing cannot be sent").hint("name an amount above 0")
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
