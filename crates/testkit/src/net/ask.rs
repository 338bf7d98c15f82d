//! What tests ask of a network: commands, payments, books that must agree.

use bitcoin::hashes::{Hash, sha256};
use steward_engine::command::{ChannelInfo, ChannelRef};
use steward_engine::row::{InvoiceRow, InvoiceStatus, PaymentRow, PaymentStatus};
use steward_engine::{AnswerAt, Command, Error, Reply};
use steward_engine::{EventKind, Input, ReplyId};
use steward_invoice::parse;
use steward_store::Store;
use steward_wire::{LinkId, PaymentHash, Preimage};

use super::Net;

impl Net {
    /// Puts an input in front of an engine that has not run yet.
    pub fn input(&mut self, node: usize, input: Input) {
        self.nodes[node].inbox.push_back(input);
    }

    /// A command, not yet carried out.
    pub fn issue(&mut self, node: usize, command: Command) -> ReplyId {
        self.last_reply += 1;
        let reply = ReplyId(self.last_reply);
        self.nodes[node].inbox.push_back(Input::Command { reply, command });
        reply
    }

    /// Takes the reply to a command that was carried out.
    pub fn reply(&mut self, node: usize, reply: ReplyId) -> Result<Reply, Error> {
        self.nodes[node].replies.remove(&reply).expect("the command was answered")
    }

    /// A command, and everything it causes.
    pub fn command(&mut self, node: usize, command: Command) -> Result<Reply, Error> {
        let reply = self.issue(node, command);
        self.settle();
        self.reply(node, reply)
    }

    /// Returns the channel of a node with its host or client. If an operator has begun others
    /// between the two, it is the one under the client's own key for this host.
    pub fn channel(&mut self, node: usize, host_or_client: usize) -> ChannelInfo {
        let as_client = self.id(host_or_client);
        let as_host = self.client_id(host_or_client, node);
        let links = [
            LinkId::hosted(&as_client, &self.client_id(node, host_or_client)),
            LinkId::hosted(&self.id(node), &as_host),
        ];
        let mut refusals = Vec::new();
        let by_node = [as_client, as_host].map(ChannelRef::from);
        for channel in by_node.into_iter().chain(links.map(ChannelRef::from)) {
            match self.command(node, Command::ShowChannel { channel }) {
                Ok(Reply::Channel(info)) => return *info,
                other => refusals.push(other),
            }
        }
        panic!("no channel between {node} and {host_or_client}: {refusals:?}");
    }

    /// The client's balance, in millisatoshi, on which both sides must agree to the byte.
    pub fn agreed_balance_msat(&mut self, client: usize, host: usize) -> u64 {
        let ours = self.channel(client, host);
        let theirs = self.channel(host, client);
        assert_eq!(ours.signatures_valid, Some(true), "the client's copy is proved");
        assert_eq!(theirs.signatures_valid, Some(true), "the host's copy is proved");
        let state = ours.state.unwrap();
        assert_eq!(state.reverse(), theirs.state.unwrap(), "both hold the same state");
        assert!(state.is_balanced());
        assert!(state.incoming_htlcs.is_empty() && state.outgoing_htlcs.is_empty());
        state.local_balance_msat
    }

    /// Makes an invoice.
    pub fn invoice(&mut self, node: usize, amount_msat: Option<u64>) -> InvoiceRow {
        self.entropy += 1;
        let random = sha256::Hash::hash(&self.entropy.to_le_bytes()).to_byte_array();
        let command = Command::CreateInvoice {
            amount_msat,
            description: "a test".to_owned(),
            expiry_s: 3600,
            preimage: Preimage(random),
            payment_secret: sha256::Hash::hash(&random).to_byte_array(),
        };
        match self.command(node, command) {
            Ok(Reply::Invoice(row)) => row,
            other => panic!("{other:?}"),
        }
    }

    /// Returns the command that pays an invoice.
    pub fn pay_command(&self, bolt11: &str, amount_msat: Option<u64>) -> Command {
        let invoice = Box::new(parse(bolt11).unwrap());
        let answer = AnswerAt::Start;
        Command::Pay { invoice, amount_msat, max_fee_msat: None, answer }
    }

    /// Pays and returns the payment as it stands when nothing moves any more.
    pub fn pay(&mut self, node: usize, bolt11: &str) -> Result<PaymentRow, Error> {
        let command = self.pay_command(bolt11, None);
        let hash = parse(bolt11).unwrap().payment_hash;
        self.command(node, command)?;
        Ok(self.payment(node, hash))
    }

    /// Returns a payment as its payer knows it.
    pub fn payment(&mut self, node: usize, payment_hash: PaymentHash) -> PaymentRow {
        match self.command(node, Command::GetPayment { payment_hash }) {
            Ok(Reply::Payment(row)) => row,
            other => panic!("{other:?}"),
        }
    }

    /// Returns what a payee was told to have received, in millisatoshi.
    pub fn received(&self, node: usize, hash: PaymentHash) -> Option<u64> {
        self.nodes[node].events.iter().find_map(|event| match &event.kind {
            EventKind::InvoicePaid { payment_hash, received_msat } if *payment_hash == hash => {
                Some(*received_msat)
            }
            _ => None,
        })
    }

    /// How a payment stands in the payer's store; `None` if it was never begun.
    pub fn outcome(&self, payer: usize, hash: PaymentHash) -> Option<PaymentStatus> {
        let history = self.nodes[payer].store.history().unwrap();
        history.payment(&hash).unwrap().map(|found| found.payment.status)
    }

    /// How many incoming HTLCs a node has decided, and not recorded in their channels yet.
    pub fn undelivered_settlements(&mut self, node: usize) -> usize {
        let time = self.time(node);
        self.nodes[node].store.load(time.wall_ms).unwrap().outbox.len()
    }

    /// True if the payee's store says the invoice is paid.
    pub fn was_received(&self, payee: usize, hash: PaymentHash) -> bool {
        let history = self.nodes[payee].store.history().unwrap();
        history.invoice(&hash).unwrap().is_some_and(|row| row.status == InvoiceStatus::Paid)
    }

    /// A host and two clients; a payment from 1 to 2 is stuck: the host has offered it, and the
    /// payee is gone before it heard of it.
    pub fn with_stuck_payment() -> (Self, InvoiceRow) {
        let mut net = Self::host_and_clients(2);
        let invoice = net.invoice(2, Some(10_000_000));
        let command = net.pay_command(invoice.kind.bolt11().unwrap(), None);
        net.issue(1, command);
        net.run_until_offered(1, 0);
        net.crash(2);
        net.settle();
        (net, invoice)
    }

    /// Lets these two move until `host` has offered an HTLC to the next.
    pub fn run_until_offered(&mut self, payer: usize, host: usize) {
        while !self.nodes_hold_htlc(host) {
            self.step(payer);
            self.step(host);
        }
    }

    /// True if the node has an HTLC in any of its channels that it offered itself.
    pub fn nodes_hold_htlc(&mut self, node: usize) -> bool {
        let channels = match self.nodes[node].engine.as_mut() {
            Some(_) => self.peek_channels(node),
            None => Vec::new(),
        };
        channels.iter().any(|info| info.summary.as_ref().is_some_and(|s| s.outgoing_htlcs > 0))
    }

    /// The channels as they are, without letting anybody else move.
    fn peek_channels(&mut self, node: usize) -> Vec<ChannelInfo> {
        all_pages(|after| {
            let reply = self.issue(node, Command::ListChannels { after });
            self.step(node);
            self.reply(node, reply)
        })
    }

    /// Returns all channels of a node.
    pub fn channels(&mut self, node: usize) -> Vec<ChannelInfo> {
        all_pages(|after| self.command(node, Command::ListChannels { after }))
    }

    /// Returns true if the node has logged this code.
    pub fn has_logged(&self, node: usize, code: &str) -> bool {
        self.nodes[node].logs.iter().any(|(logged, _)| *logged == code)
    }
}

fn all_pages(mut page: impl FnMut(Option<LinkId>) -> Result<Reply, Error>) -> Vec<ChannelInfo> {
    let mut channels: Vec<ChannelInfo> = Vec::new();
    loop {
        match page(channels.last().map(|last| last.link)) {
            Ok(Reply::Channels(next)) if next.is_empty() => return channels,
            Ok(Reply::Channels(next)) => channels.extend(next),
            other => panic!("{other:?}"),
        }
    }
}

/// Returns true if the payment has arrived.
pub fn is_complete(row: &PaymentRow) -> bool {
    row.status == PaymentStatus::Complete
}
