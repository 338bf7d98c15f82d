//! The messages of funded channels (BOLT 2). Those of a peer with which we may have one are passed
//! up as they came, and nothing is decided here.
//!
//! Of any other peer an offer to open a channel is refused, since the opener waits for an answer,
//! and the rest is ignored: an `error` would make a peer that believes in an old channel with our
//! key close it on chain.
//!
//! LDK decodes the messages before they come here. What it does not know is lost: unknown odd TLVs,
//! and the ephemeral key of an onion if it is no curve point, in whose place are zeros
//! ([`steward_wire::Onion::malformed_hash`]).

use bitcoin::constants::ChainHash;
use bitcoin::secp256k1::PublicKey;
use lightning::ln::msgs::{self, ChannelMessageHandler, ErrorAction, MessageSendEvent};
use lightning::ln::types::ChannelId;

use crate::handlers::Handlers;

impl Handlers {
    fn refuse_channel(&self, node_id: PublicKey, channel_id: ChannelId) {
        let data = "this node opens hosted channels only".to_owned();
        let msg = msgs::ErrorMessage { channel_id, data };
        let action = ErrorAction::SendErrorMessage { msg };
        self.lock().refusals.push(MessageSendEvent::HandleError { node_id, action });
    }
}

macro_rules! pass_up {
    ($($handler:ident($message:ty);)*) => {
        $(fn $handler(&self, _: PublicKey, message: $message) {
            if self.role().bridge {
                self.pass_up(message);
            }
        })*
    };
}

macro_rules! ignore {
    ($($handler:ident($message:ty);)*) => {
        $(fn $handler(&self, _: PublicKey, _: $message) {})*
    };
}

impl ChannelMessageHandler for Handlers {
    fn handle_open_channel(&self, peer: PublicKey, msg: &msgs::OpenChannel) {
        if self.role().bridge {
            self.pass_up(msg);
        } else {
            self.refuse_channel(peer, msg.common_fields.temporary_channel_id);
        }
    }

    fn handle_open_channel_v2(&self, peer: PublicKey, msg: &msgs::OpenChannelV2) {
        self.refuse_channel(peer, msg.common_fields.temporary_channel_id);
    }

    fn handle_update_fulfill_htlc(&self, _: PublicKey, msg: msgs::UpdateFulfillHTLC) {
        if self.role().bridge {
            self.pass_up(&msg);
        }
    }

    /// A batch comes only with splices, which we do not offer. Its messages are passed up one by
    /// one, for the channel to refuse.
    fn handle_commitment_signed_batch(
        &self,
        _: PublicKey,
        _: ChannelId,
        batch: Vec<msgs::CommitmentSigned>,
    ) {
        if self.role().bridge {
            batch.iter().for_each(|message| self.pass_up(message));
        }
    }

    /// A peer tells the terms of a private channel in the same message as gossip.
    fn handle_channel_update(&self, _: PublicKey, msg: &msgs::ChannelUpdate) {
        let role = self.role();
        if role.bridge || role.gossip {
            self.pass_up(msg);
        }
    }

    fn handle_error(&self, _: PublicKey, msg: &msgs::ErrorMessage) {
        if self.role().bridge {
            self.pass_up(msg);
        }
        self.peer_error(msg);
    }

    fn get_chain_hashes(&self) -> Option<Vec<ChainHash>> {
        Some(vec![self.chain()])
    }

    fn message_received(&self) {}

    pass_up! {
        handle_accept_channel(&msgs::AcceptChannel);
        handle_funding_created(&msgs::FundingCreated);
        handle_funding_signed(&msgs::FundingSigned);
        handle_channel_ready(&msgs::ChannelReady);
        handle_shutdown(&msgs::Shutdown);
        handle_closing_signed(&msgs::ClosingSigned);
        handle_update_add_htlc(&msgs::UpdateAddHTLC);
        handle_update_fail_htlc(&msgs::UpdateFailHTLC);
        handle_update_fail_malformed_htlc(&msgs::UpdateFailMalformedHTLC);
        handle_commitment_signed(&msgs::CommitmentSigned);
        handle_revoke_and_ack(&msgs::RevokeAndACK);
        handle_update_fee(&msgs::UpdateFee);
        handle_announcement_signatures(&msgs::AnnouncementSignatures);
        handle_channel_reestablish(&msgs::ChannelReestablish);
    }

    // Nobody is offered the features that these belong to.
    ignore! {
        handle_accept_channel_v2(&msgs::AcceptChannelV2);
        handle_peer_storage(msgs::PeerStorage);
        handle_peer_storage_retrieval(msgs::PeerStorageRetrieval);
        handle_stfu(&msgs::Stfu);
        handle_splice_init(&msgs::SpliceInit);
        handle_splice_ack(&msgs::SpliceAck);
        handle_splice_locked(&msgs::SpliceLocked);
        handle_tx_add_input(&msgs::TxAddInput);
        handle_tx_add_output(&msgs::TxAddOutput);
        handle_tx_remove_input(&msgs::TxRemoveInput);
        handle_tx_remove_output(&msgs::TxRemoveOutput);
        handle_tx_complete(&msgs::TxComplete);
        handle_tx_signatures(&msgs::TxSignatures);
        handle_tx_init_rbf(&msgs::TxInitRbf);
        handle_tx_ack_rbf(&msgs::TxAckRbf);
        handle_tx_abort(&msgs::TxAbort);
    }
}
