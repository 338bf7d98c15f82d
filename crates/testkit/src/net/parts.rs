//! Parts of payments made by hand, as no honest payer would send them.

use steward_engine::io::{Input, RoutedPart};
use steward_engine::{AnswerAt, Command, Reply};
use steward_onion::{OnionSeed, PathHop, Recipient, create};
use steward_wire::{NodeId, PaymentHash, Preimage, ShortChannelId};

use super::Net;

/// What the payer of a part may choose.
pub struct PartOf {
    /// The node that sends it.
    pub payer: usize,
    /// The identity that the last hop reads the onion with.
    pub payee: NodeId,
    /// The hash that locks it.
    pub payment_hash: PaymentHash,
    /// The payee's layer of the onion.
    pub recipient: Recipient,
    /// The amount for the payee, in millisatoshi.
    pub amount_msat: u64,
    /// The fee for the host, in millisatoshi.
    pub fee_msat: u64,
    /// The blocks between the height and the expiry at the payee.
    pub final_delta_blocks: u32,
}

impl Net {
    /// A part that goes from a client of node 0 over it to client 2.
    pub fn part(&self, part: PartOf) -> RoutedPart {
        let (host, client) = (self.id(0), self.client_id(part.payer, 0));
        let path = vec![
            PathHop {
                node_id: host,
                scid: ShortChannelId::of_pair(&host, &client),
                fee_msat: part.fee_msat,
                cltv_expiry_delta: 144,
            },
            PathHop {
                node_id: part.payee,
                scid: ShortChannelId::of_pair(&host, &self.client_id(2, 0)),
                fee_msat: part.amount_msat,
                cltv_expiry_delta: part.final_delta_blocks,
            },
        ];
        self.route_along(path, &part.recipient, &part.payment_hash, part.fee_msat)
    }

    /// A part that ends at node 0, from a client of its.
    pub fn part_to_host(
        &self,
        payer: usize,
        payment_hash: PaymentHash,
        recipient: &Recipient,
        amount_msat: u64,
    ) -> RoutedPart {
        let (host, client) = (self.id(0), self.client_id(payer, 0));
        let hop = PathHop {
            node_id: host,
            scid: ShortChannelId::of_pair(&host, &client),
            fee_msat: amount_msat,
            cltv_expiry_delta: 146,
        };
        self.route_along(vec![hop], recipient, &payment_hash, 0)
    }

    fn route_along(
        &self,
        path: Vec<PathHop>,
        recipient: &Recipient,
        payment_hash: &PaymentHash,
        fee_msat: u64,
    ) -> RoutedPart {
        let seed = OnionSeed { session_key: [7; 32], prng_seed: [8; 32], height: self.height };
        let onion = create(&path, recipient, payment_hash, &seed).unwrap();
        RoutedPart {
            path,
            amount_msat: onion.amount_msat,
            fee_msat,
            cltv_expiry: onion.cltv_expiry,
            onion: onion.onion,
            session_key: seed.session_key,
        }
    }

    /// `payer` begins a keysend, and sends these parts instead of any of its own.
    pub fn send_by_hand(&mut self, payer: usize, preimage: Preimage, parts: Vec<RoutedPart>) {
        self.answer_routes_by_hand(payer);
        let command = Command::Keysend {
            destination: self.client_id(2, 0),
            via: Some(self.id(0)),
            amount_msat: 10_000,
            max_fee_msat: Some(1_000_000),
            preimage,
            answer: AnswerAt::Start,
        };
        let reply = self.issue(payer, command);
        self.settle();
        assert!(matches!(self.reply(payer, reply), Ok(Reply::Payment(_))));
        self.send_parts_of(payer, preimage.hash(), parts);
    }

    /// `payer` begins to pay an invoice, and sends these parts instead of any of its own.
    pub fn pay_by_hand(&mut self, payer: usize, bolt11: &str, parts: Vec<RoutedPart>) {
        self.answer_routes_by_hand(payer);
        let payment_hash = steward_invoice::parse(bolt11).unwrap().payment_hash;
        let command = self.pay_command(bolt11, None);
        self.issue(payer, command);
        self.settle();
        self.send_parts_of(payer, payment_hash, parts);
    }

    fn send_parts_of(&mut self, payer: usize, payment_hash: PaymentHash, parts: Vec<RoutedPart>) {
        self.input(
            payer,
            Input::Route { payment: payment_hash.into(), attempt: 1, result: Ok(parts) },
        );
        self.settle();
    }

    /// Finds no further route for the payment; the code it ends with.
    pub fn give_up(&mut self, payer: usize, payment_hash: PaymentHash) -> Option<String> {
        for attempt in 2..14 {
            let result = Err("no other".to_owned().into());
            self.input(payer, Input::Route { payment: payment_hash.into(), attempt, result });
            self.settle();
        }
        self.payment(payer, payment_hash).failure.map(|(code, _)| code)
    }
}

/// Of a keysend.
pub fn keysend_recipient(preimage: Preimage, total_msat: u64) -> Recipient {
    Recipient { total_msat, keysend_preimage: Some(preimage), ..Recipient::default() }
}

/// Of an invoice.
pub fn invoice_recipient(payment_secret: [u8; 32], total_msat: u64) -> Recipient {
    Recipient { payment_secret: Some(payment_secret), total_msat, ..Recipient::default() }
}
