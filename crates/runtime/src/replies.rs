//! The commands in progress, and the callers that wait for their answers.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use steward_engine::{Code, Error, Reply, ReplyId};
use tokio::sync::oneshot;

use crate::limits::MAX_OUTSTANDING_COMMANDS;

type Answer = Result<Reply, Error>;

/// All answers awaited, at most [`MAX_OUTSTANDING_COMMANDS`].
#[derive(Clone, Default)]
pub(crate) struct Replies(Arc<Mutex<Waiting>>);

#[derive(Default)]
struct Waiting {
    last: u64,
    senders: BTreeMap<ReplyId, oneshot::Sender<Answer>>,
}

/// One answer awaited; dropping it gives up.
pub(crate) struct PendingReply {
    pub(crate) id: ReplyId,
    receiver: oneshot::Receiver<Answer>,
    replies: Replies,
}

impl Replies {
    /// Asks for an answer; `node_busy` if too many are awaited.
    pub(crate) fn register(&self) -> Result<PendingReply, Error> {
        let mut waiting = self.lock();
        if waiting.senders.len() >= MAX_OUTSTANDING_COMMANDS {
            let text = format!("{MAX_OUTSTANDING_COMMANDS} commands wait for their answers");
            return Err(Error::new(Code::NodeBusy, text).hint("Try again in a moment."));
        }
        let (sender, receiver) = oneshot::channel();
        waiting.last += 1;
        let id = ReplyId(waiting.last);
        waiting.senders.insert(id, sender);
        Ok(PendingReply { id, receiver, replies: self.clone() })
    }

    /// Gives an answer. One that its caller no longer waits for is dropped.
    pub(crate) fn answer(&self, id: ReplyId, answer: Answer) {
        let sender = self.lock().senders.remove(&id);
        if let Some(sender) = sender {
            let _ = sender.send(answer);
        }
    }

    /// Ends all waits: no command is answered any more.
    pub(crate) fn give_up(&self) {
        self.lock().senders.clear();
    }

    pub(crate) fn len(&self) -> usize {
        self.lock().senders.len()
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PendingReply {
    /// Waits for the answer; `None` if there will be none.
    pub(crate) async fn answer(mut self) -> Option<Answer> {
        (&mut self.receiver).await.ok()
    }
}

impl Drop for PendingReply {
    fn drop(&mut self) {
        self.replies.lock().senders.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_answer_reaches_who_asked() {
        let replies = Replies::default();
        let (first, second) = (replies.register().unwrap(), replies.register().unwrap());
        replies.answer(second.id, Ok(Reply::Done));
        assert!(second.answer().await.is_some());
        replies.give_up();
        assert!(first.answer().await.is_none());
    }

    #[test]
    fn too_many_commands_are_refused_until_one_is_given_up() {
        let replies = Replies::default();
        let mut pending: Vec<_> =
            (0..MAX_OUTSTANDING_COMMANDS).map(|_| replies.register().unwrap()).collect();
        assert_eq!(replies.register().err().unwrap().code.name(), "node_busy");
        pending.pop();
        assert!(replies.register().is_ok());
    }
}
