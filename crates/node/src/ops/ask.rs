//! The table of all commands with the type of their replies, and the only place that looks into a
//! reply.

use std::marker::PhantomData;

use steward_engine::command::{ChannelInfo, ChannelRef, PeerInfo, Status};
use steward_engine::row::{InvoiceRow, LocalIdentity, PaymentRow};
use steward_engine::{AnswerAt, Code, Command, Config, Error, Reply};
use steward_invoice::Invoice;
use steward_p2p::PeerAddress;
use steward_wire::{LinkId, NodeId, PaymentHash, Preimage, impossible, invariant};

use super::requests::{NewInvoice, Paid, PayNode};

/// A command whose reply holds a `T`.
pub(super) struct Ask<T> {
    pub(super) command: Command,
    answer: PhantomData<fn() -> T>,
}

/// A type that a reply can hold.
pub(super) trait Answer: Sized {
    /// Returns the content, if the reply is of this kind.
    fn of(reply: Reply) -> Option<Self>;
}

pub(super) fn answer<T: Answer>(reply: Reply) -> Result<T, Error> {
    let text = format!("the engine answered another question: {reply:?}");
    if let Some(answer) = T::of(reply) {
        return Ok(answer);
    }
    impossible!("{text}");
    // The engine tells what its own thread has found; this may be any thread.
    for bug in invariant::take() {
        tracing::error!(code = "bug", "{bug}");
    }
    Err(Error::new(Code::Bug, text))
}

fn ask<T>(command: Command) -> Ask<T> {
    Ask { command, answer: PhantomData }
}

pub(super) fn status() -> Ask<Status> {
    ask(Command::Status)
}

pub(super) fn reconfigure(config: Config) -> Ask<()> {
    ask(Command::Reconfigure { config: Box::new(config) })
}

pub(super) fn invoke_channel(
    host: NodeId,
    address: &PeerAddress,
    identity: LocalIdentity,
    secret: Vec<u8>,
) -> Channel {
    ask(Command::InvokeChannel { host, addresses: vec![address.to_string()], identity, secret })
}

/// Answered with one page.
pub(super) fn list_channels(after: Option<LinkId>) -> Ask<Vec<ChannelInfo>> {
    ask(Command::ListChannels { after })
}

/// A command about one channel is answered with the channel as it stands.
type Channel = Ask<Box<ChannelInfo>>;

pub(super) fn show_channel(channel: ChannelRef) -> Channel {
    ask(Command::ShowChannel { channel })
}

pub(super) fn suspend_channel(channel: ChannelRef) -> Channel {
    ask(Command::SuspendChannel { channel })
}

pub(super) fn propose_override(channel: ChannelRef, local_balance_msat: u64) -> Channel {
    ask(Command::ProposeOverride { channel, local_balance_msat })
}

pub(super) fn accept_override(channel: ChannelRef, our_balance_msat: u64) -> Channel {
    ask(Command::AcceptOverride { channel, our_balance_msat })
}

pub(super) fn resize_channel(channel: ChannelRef, new_capacity_sat: u64) -> Channel {
    ask(Command::ResizeChannel { channel, new_capacity_sat })
}

pub(super) fn forget_channel(channel: ChannelRef) -> Ask<()> {
    ask(Command::ForgetChannel { channel })
}

pub(super) fn submit_preimage(preimage: Preimage) -> Ask<()> {
    ask(Command::SubmitPreimage { preimage })
}

pub(super) fn list_peers() -> Ask<Vec<PeerInfo>> {
    ask(Command::ListPeers)
}

pub(super) fn connect(peer: NodeId, address: &PeerAddress) -> Ask<()> {
    ask(Command::Connect { peer, addresses: vec![address.to_string()] })
}

pub(super) fn forget_peer(peer: NodeId) -> Ask<()> {
    ask(Command::ForgetPeer { peer })
}

pub(super) fn create_invoice(
    invoice: NewInvoice,
    preimage: Preimage,
    payment_secret: [u8; 32],
) -> Ask<InvoiceRow> {
    let NewInvoice { amount_msat, description, expiry_s } = invoice;
    ask(Command::CreateInvoice { amount_msat, description, expiry_s, preimage, payment_secret })
}

/// Answered when the payment has ended.
pub(super) fn pay(
    invoice: Invoice,
    amount_msat: Option<u64>,
    max_fee_msat: Option<u64>,
) -> Ask<Paid> {
    let invoice = Box::new(invoice);
    ask(Command::Pay { invoice, amount_msat, max_fee_msat, answer: AnswerAt::End })
}

pub(super) fn most_payable(invoice: Invoice) -> Ask<u64> {
    ask(Command::MostPayable { invoice: Box::new(invoice) })
}

/// Answered when the payment has ended.
pub(super) fn keysend(payment: PayNode, preimage: Preimage) -> Ask<Paid> {
    let PayNode { destination, via, amount_msat, max_fee_msat } = payment;
    let answer = AnswerAt::End;
    ask(Command::Keysend { destination, via, amount_msat, max_fee_msat, preimage, answer })
}

pub(super) fn get_payment(payment_hash: PaymentHash) -> Ask<PaymentRow> {
    ask(Command::GetPayment { payment_hash })
}

/// Gives each kind of reply its type.
macro_rules! answers {
    ($($reply:ident holds $held:ty;)+) => {
        $(impl Answer for $held {
            fn of(reply: Reply) -> Option<Self> {
                match reply {
                    Reply::$reply(held) => Some(held),
                    _ => None,
                }
            }
        })+
    };
}

answers! {
    Status holds Status;
    Channel holds Box<ChannelInfo>;
    Channels holds Vec<ChannelInfo>;
    Peers holds Vec<PeerInfo>;
    Invoice holds InvoiceRow;
    Payment holds PaymentRow;
    Amount holds u64;
}

impl Answer for () {
    fn of(reply: Reply) -> Option<Self> {
        matches!(reply, Reply::Done).then_some(())
    }
}

/// Two kinds of reply tell who began a payment.
impl Answer for Paid {
    fn of(reply: Reply) -> Option<Self> {
        match reply {
            Reply::Payment(payment) => Some(Self { payment, begun_earlier: false }),
            Reply::EarlierPayment(payment) => Some(Self { payment, begun_earlier: true }),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_taken_out_of_its_reply() {
        assert_eq!(answer::<u64>(Reply::Amount(7)).unwrap(), 7);
        answer::<()>(Reply::Done).unwrap();
    }

    #[test]
    #[should_panic(expected = "the engine answered another question: Amount(7)")]
    #[cfg(debug_assertions)]
    fn an_answer_to_another_question_is_a_bug() {
        let _ = answer::<()>(Reply::Amount(7));
    }
}
