//! A host and its clients, each in a process of its own; killed and restarted by name.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::thread;
use std::time::Duration;

use steward::client::Client;
use steward::cluster::{Cluster, NodeProcess, client_name};
use steward::failure::Failure;
use steward_api::model::{Connect, InvokeChannel, Peers};
use tempfile::TempDir;

use super::load::Load;
use super::rng::{self, Rng};
use super::{GIFT_SAT, binary, oracle, program};

/// A node of a [`Network`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    Host,
    /// The client of this number.
    Client(usize),
}

pub(crate) const HOST: Who = Who::Host;
pub(crate) const ALICE: Who = Who::Client(0);
pub(crate) const BOB: Who = Who::Client(1);

/// The longest time between the first payment and a kill.
pub(crate) const LONGEST_DELAY: Duration = Duration::from_millis(300);

/// The lock on the machine, which processes under load want for themselves.
pub(crate) fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    // A test that failed leaves nothing behind that another could trip over.
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The APIs of the clients as of their last start, for threads that outlive a process.
#[derive(Default)]
pub(crate) struct Apis(RwLock<Vec<Client>>);

impl Apis {
    pub(crate) fn get(&self, index: usize) -> Client {
        self.0.read().unwrap()[index].clone()
    }

    fn set(&self, index: usize, client: &Client) {
        let mut apis = self.0.write().unwrap();
        match apis.get_mut(index) {
            Some(api) => *api = client.clone(),
            None => apis.push(client.clone()),
        }
    }
}

/// A host and its clients. When a test fails, their directories stay and the seed is told.
pub(crate) struct Network {
    // Dropped first: no process outlives its directory.
    pub(crate) cluster: Cluster,
    dir: Option<TempDir>,
    seed: u64,
    pub(crate) rng: Rng,
    pub(crate) apis: Arc<Apis>,
}

impl Network {
    /// Starts a host and this many clients with channels.
    pub(crate) fn start(clients: usize) -> Self {
        Self::start_as(binary(), clients)
    }

    /// Does the same with another version of the program for all, which makes its directories
    /// itself.
    pub(crate) fn start_as(program: &Path, clients: usize) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let seed = rng::seed();
        let place = dir.path().join("cluster");
        if program != binary() {
            std::fs::create_dir(&place).unwrap();
            for name in (0..clients).map(client_name).chain(["host".to_owned()]) {
                make_directory(program, &place.join(name));
            }
        }
        let cluster = Cluster::start(program, &place, clients, GIFT_SAT, &|_| {}).unwrap();
        let apis = Apis::default();
        cluster.clients.iter().enumerate().for_each(|(index, node)| apis.set(index, node.client()));
        Self { cluster, dir: Some(dir), seed, rng: Rng::new(seed), apis: Arc::new(apis) }
    }

    /// Returns the source of its random moments.
    pub(crate) fn seed(&self) -> u64 {
        self.seed
    }

    /// Makes a new directory below the network's.
    pub(crate) fn new_dir(&self, name: &str) -> PathBuf {
        self.dir.as_ref().unwrap().path().join(name)
    }

    pub(crate) fn node(&self, who: Who) -> &NodeProcess {
        match who {
            Who::Host => &self.cluster.host,
            Who::Client(index) => &self.cluster.clients[index],
        }
    }

    /// Returns the setting by which the host believes what every client shows.
    pub(crate) fn believing_all(&self) -> String {
        let host_id = self.cluster.host.node_id();
        let local_id = |client: &NodeProcess| client.channel(host_id).unwrap().channel.local_id;
        let clients: Vec<String> = self.cluster.clients.iter().map(local_id).collect();
        format!("host.adopt_lost_state={}", clients.join(","))
    }

    pub(crate) fn node_mut(&mut self, who: Who) -> &mut NodeProcess {
        match who {
            Who::Host => &mut self.cluster.host,
            Who::Client(index) => &mut self.cluster.clients[index],
        }
    }

    /// Starts a further client, which has no channel yet.
    pub(crate) fn add_client(&mut self) -> Who {
        self.add_client_as(binary())
    }

    /// Does the same with another version of the program.
    pub(crate) fn add_client_as(&mut self, program: &Path) -> Who {
        let dir = self.cluster.dir.join(client_name(self.cluster.clients.len()));
        if program != binary() {
            make_directory(program, &dir);
        }
        self.adopt_client(NodeProcess::start(program, &dir, &[]).unwrap())
    }

    /// Counts a node that runs among the clients.
    pub(crate) fn adopt_client(&mut self, client: NodeProcess) -> Who {
        let index = self.cluster.clients.len();
        self.apis.set(index, client.client());
        self.cluster.clients.push(client);
        Who::Client(index)
    }

    /// Asks for a channel and does not wait.
    pub(crate) fn invoke_channel(&self, who: Who) {
        let request = InvokeChannel {
            host: self.cluster.host.address(),
            wait_ms: Some(0),
            ..Default::default()
        };
        let _: serde_json::Value = self.node(who).client().post("/v1/channels", &request).unwrap();
    }

    /// Sends SIGKILL to all of them before it waits for any to start again.
    pub(crate) fn kill(&mut self, victims: &[Who]) {
        victims.iter().for_each(|who| self.node_mut(*who).kill());
    }

    /// Starts nodes that were killed.
    pub(crate) fn restart(&mut self, victims: &[Who]) {
        for who in victims {
            self.try_restart(*who).unwrap();
        }
        if victims.contains(&HOST) {
            self.reconnect();
        }
    }

    /// Starts the nodes that do not run: those named as that version of the program, the others as they were.
    pub(crate) fn upgrade(&mut self, whose: &[Who], program: &Path) {
        let clients = (0..self.cluster.clients.len()).map(Who::Client);
        let all = std::iter::once(HOST).chain(clients);
        let down: Vec<Who> = all.filter(|who| self.node(*who).process_id().is_none()).collect();
        for who in down {
            if whose.contains(&who) {
                self.node_mut(who).become_program(program);
            }
            self.try_restart(who).unwrap();
        }
        self.reconnect();
    }

    /// Starts a node that may refuse to.
    pub(crate) fn try_restart(&mut self, who: Who) -> Result<(), Failure> {
        self.node_mut(who).restart()?;
        if let Who::Client(index) = who {
            self.apis.set(index, self.node(who).client());
        }
        Ok(())
    }

    /// Makes clients reconnect: they do so by themselves, each time more slowly, and tests lack
    /// that time.
    pub(crate) fn reconnect(&self) {
        for index in 0..self.cluster.clients.len() {
            if self.cluster.clients[index].process_id().is_some() {
                self.connect(Who::Client(index));
            }
        }
    }

    /// Makes a client connect to its host now, unless it is connected.
    pub(crate) fn connect(&self, who: Who) {
        self.connect_to(who, &self.cluster.host.address());
    }

    /// Does the same to a host at another address, which replaces the one that was known.
    pub(crate) fn connect_to(&self, who: Who, peer: &str) {
        let request = Connect { peer: peer.to_owned() };
        let _: Peers = self.node(who).client().post("/v1/peers", &request).unwrap();
    }

    /// Lets some time of the load pass; never more than [`LONGEST_DELAY`].
    pub(crate) fn let_pass(&mut self) {
        self.let_pass_up_to(LONGEST_DELAY);
    }

    /// Lets some time of the load pass.
    pub(crate) fn let_pass_up_to(&mut self, longest: Duration) {
        thread::sleep(self.rng.moment(longest));
    }

    /// Sends a signal by name, such as `STOP` and `CONT`: a process that is alive and does nothing.
    pub(crate) fn signal(&self, who: Who, name: &str) {
        program::signal(self.node(who).process_id().unwrap(), name);
    }

    /// Lets payments flow, and `rounds` times at a random moment the victims are killed together
    /// and restarted. Afterwards all books must agree.
    pub(crate) fn survives(mut self, flows: &[(Who, Who)], victims: &[Who], rounds: u32) {
        let load = Load::start(&self.apis, flows, self.rng.next());
        for _ in 0..rounds {
            self.let_pass();
            self.kill(victims);
            self.let_pass();
            self.restart(victims);
        }
        self.let_pass();
        oracle::assert_consistent(&self, &load.stop());
    }
}

/// Makes a data directory as that version of the program does: a later one's database would be too new for it.
fn make_directory(program: &Path, dir: &Path) {
    let mut command = program::command(program);
    command.arg("--json").arg("--data-dir").arg(dir).args(["init", "--network", "regtest"]);
    let made = command.output().unwrap();
    assert!(made.status.success(), "{made:?}");
}

impl Drop for Network {
    fn drop(&mut self) {
        if !thread::panicking() {
            return;
        }
        let kept = self.dir.take().map(TempDir::keep).unwrap_or_default();
        eprintln!("run again with STEWARD_TEST_SEED={}; logs below {}", self.seed, kept.display());
    }
}
