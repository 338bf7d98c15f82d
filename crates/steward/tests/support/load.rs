//! Payments from many threads, each one asked for until there is an answer, as a careful caller
//! would. What was answered is kept: it must never be taken back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use steward::client::Client;
use steward::failure::Failure;
use steward_api::model::{CreateInvoice, Invoice, Pay, Payment, PaymentState};

use super::network::{Apis, Network, Who};
use super::rng::Rng;
use super::{PATIENCE, POLL_INTERVAL};

/// The number of threads that pay in each direction at the same time.
const THREADS_PER_FLOW: usize = 2;
/// The least number of payments that a thread makes, however early it is stopped.
const MIN_PAYMENTS_PER_THREAD: usize = 5;
/// The amount of a payment that is looked at alone, in millisatoshi.
const PAYMENT_MSAT: u64 = 20_000_000;
/// The time that a payment request waits for its end.
const PAY_WAIT: Duration = Duration::from_secs(20);

/// A payment as its payer was told.
pub(crate) struct Attempt {
    pub(crate) payer: Who,
    pub(crate) payee: Who,
    /// The invoice, as its maker gave it.
    pub(crate) invoice: Invoice,
    /// The last answer; an error if the payer refused.
    pub(crate) answer: Result<Payment, Failure>,
}

impl Attempt {
    /// True if the payer was told so.
    pub(crate) fn is_complete(&self) -> bool {
        self.answer.as_ref().is_ok_and(|payment| payment.status == PaymentState::Complete)
    }
}

/// Payments under way until stopped.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Vec<Attempt>>>,
}

impl Load {
    /// Pays along each `(payer, payee)`; returns when the first payment has been posted.
    pub(crate) fn start(apis: &Arc<Apis>, flows: &[(Who, Who)], seed: u64) -> Self {
        Self::begin(apis, flows, seed, false)
    }

    /// Does the same where a channel may get suspended: a client that cannot be paid any more is
    /// not paid.
    pub(crate) fn start_until_suspended(apis: &Arc<Apis>, flows: &[(Who, Who)], seed: u64) -> Self {
        Self::begin(apis, flows, seed, true)
    }

    fn begin(apis: &Arc<Apis>, flows: &[(Who, Who)], seed: u64, may_suspend: bool) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (moving, is_moving) = mpsc::channel();
        let mut rng = Rng::new(seed);
        let mut threads = Vec::new();
        for (payer, payee) in flows.iter().copied() {
            for _ in 0..THREADS_PER_FLOW {
                let worker = Worker {
                    apis: Arc::clone(apis),
                    payer,
                    payee,
                    rng: Rng::new(rng.next()),
                    stop: Arc::clone(&stop),
                    moving: Some(moving.clone()),
                    may_suspend,
                };
                threads.push(thread::spawn(move || worker.run()));
            }
        }
        wait_for(&is_moving);
        Self { stop, threads }
    }

    /// Ends it, and returns everything that was paid or tried.
    pub(crate) fn stop(mut self) -> Vec<Attempt> {
        self.stop.store(true, Ordering::SeqCst);
        let threads = std::mem::take(&mut self.threads);
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
    }
}

fn wait_for(is_moving: &Receiver<()>) {
    is_moving.recv_timeout(PATIENCE).expect("no payment was ever posted");
}

struct Worker {
    apis: Arc<Apis>,
    payer: Who,
    payee: Who,
    rng: Rng,
    stop: Arc<AtomicBool>,
    /// Sends once, when the first payment has been posted.
    moving: Option<Sender<()>>,
    may_suspend: bool,
}

impl Worker {
    fn run(mut self) -> Vec<Attempt> {
        let mut attempts = Vec::new();
        while attempts.len() < MIN_PAYMENTS_PER_THREAD || !self.stop.load(Ordering::SeqCst) {
            let amount_msat = self.rng.within(1_000..500_000);
            let (payer, payee) = (self.payer, self.payee);
            let invoice = match insist(&self.apis, payee, |api| create_invoice(api, amount_msat)) {
                Err(error) if self.may_suspend && error.code == "cannot_receive" => break,
                invoice => {
                    invoice.unwrap_or_else(|error| panic!("{payee:?} makes no invoice: {error:?}"))
                }
            };
            self.moving.take().into_iter().for_each(|moving| moving.send(()).unwrap_or_default());
            let ask = || insist(&self.apis, payer, |api| pay(api, &invoice, PAY_WAIT));
            let answer = match ask() {
                // A payment that failed may be asked for again, and must not be paid twice.
                Ok(failed) if failed.status == PaymentState::Failed && self.rng.is_heads() => ask(),
                answer => answer,
            };
            if answer.is_err() {
                // A payer without its host refuses as fast as it is asked.
                thread::sleep(POLL_INTERVAL);
            }
            attempts.push(Attempt { payer, payee, invoice, answer });
        }
        attempts
    }
}

/// Asks until there is an answer, over kills and restarts.
pub(crate) fn insist<T>(
    apis: &Apis,
    who: Who,
    ask: impl Fn(&Client) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let Who::Client(index) = who else { panic!("only clients pay and are paid") };
    let deadline = Instant::now() + PATIENCE;
    loop {
        match ask(&apis.get(index)) {
            Err(error) if is_unanswered(&error) => {
                assert!(Instant::now() < deadline, "{who:?} never answered: {error:?}");
                thread::sleep(POLL_INTERVAL);
            }
            answer => return answer,
        }
    }
}

/// Tells whether the caller cannot know how the request ended.
fn is_unanswered(error: &Failure) -> bool {
    const CODES: [&str; 4] = ["daemon_not_running", "connection_lost", "node_stopped", "timeout"];
    CODES.contains(&error.code.as_str())
}

/// Makes a payment that must succeed, once its payer says so, and returns its invoice.
#[track_caller]
pub(crate) fn assert_pays(network: &Network, payer: Who, payee: Who) -> Invoice {
    let invoice = network.node(payee).create_invoice(PAYMENT_MSAT).unwrap();
    let payment = pay(network.node(payer).client(), &invoice, PATIENCE).unwrap();
    assert_eq!(payment.status, PaymentState::Complete, "{payment:?}");
    invoice
}

pub(crate) fn create_invoice(api: &Client, amount_msat: u64) -> Result<Invoice, Failure> {
    let request = CreateInvoice { amount_msat: Some(amount_msat), ..CreateInvoice::default() };
    api.post("/v1/invoices", &request)
}

pub(crate) fn pay(api: &Client, invoice: &Invoice, wait: Duration) -> Result<Payment, Failure> {
    let request = Pay {
        invoice: invoice.bolt11.clone().unwrap(),
        wait_ms: Some(u64::try_from(wait.as_millis()).unwrap()),
        ..Pay::default()
    };
    api.post_for("/v1/payments", &request, wait)
}
