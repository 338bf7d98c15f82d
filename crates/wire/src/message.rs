//! Every message of the hosted-channel protocol as a struct, and [`Message`], the enum of all of
//! them (docs/protocol.md sections 1.3 and 1.4).

use bitcoin::hashes::{Hash, sha256};
use bitcoin::secp256k1::{Message as SecpMessage, PublicKey, SECP256K1};

use crate::bolt2::{
    UpdateAddHtlc, UpdateFailHtlc, UpdateFailMalformedHtlc, UpdateFulfillHtlc, WireError,
};
use crate::bolt7::{ChannelAnnouncement, ChannelUpdate};
use crate::codec::{DecodeError, Reader, Wire, put_bool8, put_list, put_var_u16};
use crate::identity::Identity;
use crate::ids::{PaymentHash, Preimage, Signature};
use crate::state::LastCrossSignedState;
use crate::terms::InitHostedChannel;
use crate::trampoline::{TrampolineStatusInit, TrampolineStatusUpdate, TrampolineUndesired};

/// 65535, client to host: opens a channel, or resumes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvokeHostedChannel {
    /// The genesis block hash, in internal byte order.
    pub chain_hash: [u8; 32],
    /// The script to which the client is refunded on chain if the host winds down.
    pub refund_scriptpubkey: Vec<u8>,
    /// The secret that the host gave the client to open with; empty when resuming.
    pub secret: Vec<u8>,
}

/// 65529: acknowledges all updates seen so far with a signature over the state they lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateUpdate {
    /// The height at the sender, divided by 144.
    pub block_day: u32,
    /// The number of updates that the sender has sent, up to this state.
    pub local_updates: u32,
    /// The number of updates that the receiver has sent, up to this state.
    pub remote_updates: u32,
    /// The sender's signature over the receiver's copy of the state.
    pub local_sig_of_remote: Signature,
}

/// 65527, host to client: proposes a fresh state without HTLCs for a suspended channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateOverride {
    /// The height at the host, divided by 144.
    pub block_day: u32,
    /// The host's balance in the new state, in millisatoshi.
    pub local_balance_msat: u64,
    /// The host's counter in the new state.
    pub local_updates: u32,
    /// The client's counter in the new state.
    pub remote_updates: u32,
    /// The host's signature over the client's copy of the new state.
    pub local_sig_of_remote: Signature,
}

/// 65525, host to client: the name card under which wallets show the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostedChannelBranding {
    /// The colour: red, green, blue.
    pub rgb: [u8; 3],
    /// A PNG image, if any.
    pub png: Option<Vec<u8>>,
    /// A URL under which the host's operator can be reached.
    pub contact_info: String,
}

/// 65523: one side's signature under the announcement of a public hosted channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnnouncementSignature {
    /// The signature, which serves as node signature and as bitcoin signature.
    pub node_signature: Signature,
    /// True if the sender still needs the other side's signature.
    pub wants_reply: bool,
}

/// 65521, client to host: asks for a larger capacity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResizeChannel {
    /// The capacity asked for, in satoshi.
    pub new_capacity_sat: u64,
    /// The client's signature over [`ResizeChannel::signed_hash`].
    pub client_sig: Signature,
}

impl ResizeChannel {
    /// Makes a signed request.
    pub fn signed(new_capacity_sat: u64, client: &dyn Identity) -> Self {
        let client_sig = client.sign_resize(Self::signed_hash(new_capacity_sat));
        Self { new_capacity_sat, client_sig }
    }

    /// Returns true if the client signed it.
    pub fn is_signed_by(&self, client: &PublicKey) -> bool {
        let message = SecpMessage::from_digest(Self::signed_hash(self.new_capacity_sat));
        self.client_sig
            .to_ecdsa()
            .is_some_and(|signature| SECP256K1.verify_ecdsa(&message, &signature, client).is_ok())
    }

    /// Returns the SHA-256 of the capacity in little-endian, which is all that is signed
    /// (docs/protocol.md section 9.1, 4).
    pub fn signed_hash(new_capacity_sat: u64) -> [u8; 32] {
        sha256::Hash::hash(&new_capacity_sat.to_le_bytes()).to_byte_array()
    }

    /// Returns the capacity asked for, in millisatoshi, or `None` if it does not fit.
    pub fn new_capacity_msat(&self) -> Option<u64> {
        self.new_capacity_sat.checked_mul(1000).filter(|msat| *msat < crate::limits::MAX_MSAT)
    }
}

/// 65519: asks for all public hosted channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueryPublicHostedChannels {
    /// The genesis block hash, in internal byte order.
    pub chain_hash: [u8; 32],
}

/// 65517: ends the answer to [`QueryPublicHostedChannels`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplyPublicHostedChannelsEnd {
    /// The genesis block hash, in internal byte order.
    pub chain_hash: [u8; 32],
}

/// 65515: asks whether these preimages were seen on chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryPreimages {
    /// The hashes asked about.
    pub hashes: Vec<PaymentHash>,
}

/// 65513: the preimages that are known, in any order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplyPreimages {
    /// The preimages. The receiver matches them to the hashes by hashing.
    pub preimages: Vec<Preimage>,
}

/// 65511, client to host: asks for [`HostedChannelBranding`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AskBrandingInfo {
    /// The chain hash, by the protocol's text; some wallets send the channel id instead. No
    /// implementation reads it.
    pub chain_hash: [u8; 32],
}

macro_rules! messages {
    ($($type:literal $name:ident($body:ty), $doc:literal;)*) => {
        /// Any message of the protocol.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Message {
            $(#[doc = concat!(stringify!($type), ": ", $doc)] $name($body),)*
        }

        impl Message {
            /// Returns true if messages of this type can be decoded.
            pub fn is_known(message_type: u16) -> bool {
                matches!(message_type, $($type)|*)
            }

            /// Returns the message's type number.
            pub fn message_type(&self) -> u16 {
                match self { $(Self::$name(_) => $type,)* }
            }

            /// Returns the message's name, for logs.
            pub fn name(&self) -> &'static str {
                match self { $(Self::$name(_) => stringify!($name),)* }
            }

            /// Returns the type number and the unframed body.
            pub fn encode(&self) -> (u16, Vec<u8>) {
                match self { $(Self::$name(body) => ($type, body.encode()),)* }
            }

            /// Decodes an unframed body of a known type.
            pub fn decode(message_type: u16, body: &[u8]) -> Result<Self, DecodeError> {
                match message_type {
                    $($type => <$body>::decode(body).map(Self::$name),)*
                    _ => Err(DecodeError::BadValue),
                }
            }
        }
    };
}

messages! {
    65535 InvokeHostedChannel(InvokeHostedChannel), "opens or resumes a channel.";
    65533 InitHostedChannel(InitHostedChannel), "proposes the terms of a new channel.";
    65531 LastCrossSignedState(LastCrossSignedState), "shows the sender's last cross-signed state.";
    65529 StateUpdate(StateUpdate), "acknowledges updates by a signature.";
    65527 StateOverride(StateOverride), "proposes a fresh state.";
    65525 HostedChannelBranding(HostedChannelBranding), "the name card of the host.";
    65523 AnnouncementSignature(AnnouncementSignature), "carries half of a public announcement.";
    65521 ResizeChannel(ResizeChannel), "asks for more capacity.";
    65519 QueryPublicHostedChannels(QueryPublicHostedChannels), "asks for public channels.";
    65517 ReplyPublicHostedChannelsEnd(ReplyPublicHostedChannelsEnd), "ends the answer to that query.";
    65515 QueryPreimages(QueryPreimages), "asks for preimages seen on chain.";
    65513 ReplyPreimages(ReplyPreimages), "the preimages that are known.";
    65511 AskBrandingInfo(AskBrandingInfo), "asks for branding.";
    64513 AnnouncementGossip(ChannelAnnouncement), "announces a public channel, as gossip.";
    64511 AnnouncementSync(ChannelAnnouncement), "announces a public channel, in answer to a query.";
    64509 UpdateGossip(ChannelUpdate), "carries an update as gossip, or of a private channel.";
    64507 UpdateSync(ChannelUpdate), "carries an update, in answer to a query.";
    63505 UpdateAddHtlc(UpdateAddHtlc), "offers an HTLC.";
    63503 UpdateFulfillHtlc(UpdateFulfillHtlc), "claims an HTLC.";
    63501 UpdateFailHtlc(UpdateFailHtlc), "fails an HTLC.";
    63499 UpdateFailMalformedHtlc(UpdateFailMalformedHtlc), "fails an unreadable HTLC.";
    63497 Error(WireError), "suspends the channel.";
    44793 TrampolineUndesired(TrampolineUndesired), "the sender does not route for others.";
    44791 TrampolineStatusUpdate(TrampolineStatusUpdate), "changes the terms of a routing wallet.";
    44789 TrampolineStatusInit(TrampolineStatusInit), "announces the terms of a routing wallet.";
}

impl Wire for InvokeHostedChannel {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.chain_hash);
        put_var_u16(out, &self.refund_scriptpubkey);
        put_var_u16(out, &self.secret);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            chain_hash: reader.array()?,
            refund_scriptpubkey: reader.var_u16()?.to_vec(),
            secret: reader.var_u16()?.to_vec(),
        })
    }
}

impl Wire for StateUpdate {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.block_day.to_be_bytes());
        out.extend_from_slice(&self.local_updates.to_be_bytes());
        out.extend_from_slice(&self.remote_updates.to_be_bytes());
        out.extend_from_slice(&self.local_sig_of_remote.0);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            block_day: reader.u32()?,
            local_updates: reader.u32()?,
            remote_updates: reader.u32()?,
            local_sig_of_remote: reader.signature()?,
        })
    }
}

impl Wire for StateOverride {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.block_day.to_be_bytes());
        out.extend_from_slice(&self.local_balance_msat.to_be_bytes());
        out.extend_from_slice(&self.local_updates.to_be_bytes());
        out.extend_from_slice(&self.remote_updates.to_be_bytes());
        out.extend_from_slice(&self.local_sig_of_remote.0);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            block_day: reader.u32()?,
            local_balance_msat: reader.msat()?,
            local_updates: reader.u32()?,
            remote_updates: reader.u32()?,
            local_sig_of_remote: reader.signature()?,
        })
    }
}

impl Wire for HostedChannelBranding {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.rgb);
        put_bool8(out, self.png.is_some());
        if let Some(png) = &self.png {
            put_var_u16(out, png);
        }
        put_var_u16(out, self.contact_info.as_bytes());
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let rgb = reader.array()?;
        let png = if reader.bool8()? { Some(reader.var_u16()?.to_vec()) } else { None };
        let contact_info =
            std::str::from_utf8(reader.var_u16()?).map_err(|_| DecodeError::NotUtf8)?.to_owned();
        Ok(Self { rgb, png, contact_info })
    }
}

impl Wire for AnnouncementSignature {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.node_signature.0);
        put_bool8(out, self.wants_reply);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { node_signature: reader.signature()?, wants_reply: reader.bool8()? })
    }
}

impl Wire for ResizeChannel {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.new_capacity_sat.to_be_bytes());
        out.extend_from_slice(&self.client_sig.0);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { new_capacity_sat: reader.sat()?, client_sig: reader.signature()? })
    }
}

impl Wire for QueryPublicHostedChannels {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.chain_hash);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { chain_hash: reader.array()? })
    }
}

impl Wire for ReplyPublicHostedChannelsEnd {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.chain_hash);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { chain_hash: reader.array()? })
    }
}

impl Wire for QueryPreimages {
    fn write(&self, out: &mut Vec<u8>) {
        put_list(out, &self.hashes, |hash, out| out.extend_from_slice(&hash.0));
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { hashes: reader.list(32, Reader::payment_hash)? })
    }
}

impl Wire for ReplyPreimages {
    fn write(&self, out: &mut Vec<u8>) {
        put_list(out, &self.preimages, |preimage, out| out.extend_from_slice(&preimage.0));
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { preimages: reader.list(32, Reader::preimage)? })
    }
}

impl Wire for AskBrandingInfo {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.chain_hash);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { chain_hash: reader.array()? })
    }
}
