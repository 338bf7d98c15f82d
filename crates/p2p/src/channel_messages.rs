//! The BOLT 2 messages of on-chain channels, of which this node has none.
//!
//! An offer to open a channel is refused, since the opener waits for an answer. All other messages
//! are ignored: an `error` would make a peer that believes in an old channel with our key close it
//! on chain.

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

macro_rules! ignore {
    ($($handler:ident($($message:ty),+);)*) => {
        $(fn $handler(&self, _: PublicKey, $(_: $message),+) {})*
    };
}

impl ChannelMessageHandler for Handlers {
    fn handle_open_channel(&self, peer: PublicKey, msg: &msgs::OpenChannel) {
        self.refuse_channel(peer, msg.common_fields.temporary_channel_id);
    }

    fn handle_open_channel_v2(&self, peer: PublicKey, msg: &msgs::OpenChannelV2) {
        self.refuse_channel(peer, msg.common_fields.temporary_channel_id);
    }

    fn handle_error(&self, _: PublicKey, msg: &msgs::ErrorMessage) {
        self.peer_error(msg);
    }

    fn get_chain_hashes(&self) -> Option<Vec<ChainHash>> {
        Some(vec![self.chain()])
    }

    fn message_received(&self) {}

    ignore! {
        handle_accept_channel(&msgs::AcceptChannel);
        handle_accept_channel_v2(&msgs::AcceptChannelV2);
        handle_funding_created(&msgs::FundingCreated);
        handle_funding_signed(&msgs::FundingSigned);
        handle_channel_ready(&msgs::ChannelReady);
        handle_peer_storage(msgs::PeerStorage);
        handle_peer_storage_retrieval(msgs::PeerStorageRetrieval);
        handle_shutdown(&msgs::Shutdown);
        handle_closing_signed(&msgs::ClosingSigned);
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
        handle_update_add_htlc(&msgs::UpdateAddHTLC);
        handle_update_fulfill_htlc(msgs::UpdateFulfillHTLC);
        handle_update_fail_htlc(&msgs::UpdateFailHTLC);
        handle_update_fail_malformed_htlc(&msgs::UpdateFailMalformedHTLC);
        handle_commitment_signed(&msgs::CommitmentSigned);
        handle_commitment_signed_batch(ChannelId, Vec<msgs::CommitmentSigned>);
        handle_revoke_and_ack(&msgs::RevokeAndACK);
        handle_update_fee(&msgs::UpdateFee);
        handle_announcement_signatures(&msgs::AnnouncementSignatures);
        handle_channel_reestablish(&msgs::ChannelReestablish);
        handle_channel_update(&msgs::ChannelUpdate);
    }
}
