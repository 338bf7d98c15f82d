//! Answers of bitcoind, esplora and electrum servers, over loopback: their decoders read from
//! sockets.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use steward_chain::limits::MAX_HEIGHT;
use steward_chain::{ChainConfig, ChainError, ChainSource, Network, SourceKind};

use crate::bytes::Bytes;

/// Reads the choice of a source and of a question, then the answers in turn.
pub(crate) fn replies(data: &[u8]) {
    let mut input = Bytes::new(data);
    let kind = [SourceKind::Bitcoind, SourceKind::Esplora, SourceKind::Electrum][input.below(3)];
    let question = input.u8();
    let mut answers = VecDeque::new();
    while !input.is_empty() && answers.len() < 6 {
        let (form, content) = (input.u8(), input.long());
        answers.push_back(match kind {
            SourceKind::Electrum => Answer { bytes: line(form, content), hangs_up: false },
            _ => Answer { bytes: http(form, content), hangs_up: true },
        });
    }
    SERVER.with(|server| {
        *server.answers.lock().unwrap() = answers;
        let config = server.config(kind);
        if question & 0x80 != 0 && kind != SourceKind::Electrum {
            let mut source = config.open_blocks(Network::Regtest).unwrap().expect("it has blocks");
            is_clear(source.preimages_at(u32::from(question & 0x3f)));
        } else {
            ask(&mut *config.open(Network::Regtest).unwrap(), question);
        }
        server.answers.lock().unwrap().clear();
    });
}

fn ask(source: &mut dyn ChainSource, question: u8) {
    match question & 3 {
        0 | 3 => {
            if let Some(tip) = is_clear(source.tip()) {
                assert!(tip.height <= MAX_HEIGHT);
            }
        }
        1 => drop(is_clear(source.block_hash_at(u32::from(question)))),
        _ => drop(is_clear(source.check_network(Network::Regtest))),
    }
}

fn is_clear<T>(result: Result<T, ChainError>) -> Option<T> {
    match result {
        Ok(answer) => Some(answer),
        Err(error) => {
            let text = error.to_string();
            assert!(!text.is_empty());
            None
        }
    }
}

/// The time for which the server waits for a request before it answers unasked, in milliseconds.
const PATIENCE_MS: u64 = 20;

/// Makes a whole HTTP answer around the content, or the content alone.
fn http(form: u8, content: &[u8]) -> Vec<u8> {
    let status = match form {
        0..=199 => "200 OK",
        200..=219 => "404 Not Found",
        220..=239 => "500 Internal Server Error",
        _ => return content.to_vec(),
    };
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n", content.len());
    [head.as_bytes(), content].concat()
}

/// Makes a JSON-RPC answer with the content as result, or the content alone; always a line.
fn line(form: u8, content: &[u8]) -> Vec<u8> {
    let mut line = match form {
        0..=199 => {
            let id = form % 4;
            let head = format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":");
            [head.as_bytes(), content, b"}"].concat()
        }
        _ => content.to_vec(),
    };
    line.push(b'\n');
    line
}

struct Answer {
    bytes: Vec<u8>,
    hangs_up: bool,
}

thread_local! {
    static SERVER: Server = Server::start();
}

/// Answers each request with the next answer, whatever was asked. It disconnects after the last
/// one, and after every one over HTTP.
struct Server {
    port: u16,
    answers: Arc<Mutex<VecDeque<Answer>>>,
}

impl Server {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let answers = Arc::new(Mutex::new(VecDeque::new()));
        let shared = Arc::clone(&answers);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let _ = Self::serve(stream, &shared);
            }
        });
        Self { port, answers }
    }

    fn serve(mut stream: TcpStream, answers: &Mutex<VecDeque<Answer>>) -> std::io::Result<()> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_millis(PATIENCE_MS)))?;
        let mut question = [0; 8192];
        loop {
            if stream.read(&mut question).is_ok_and(|len| len == 0) {
                return Ok(());
            }
            let (answer, is_last) = {
                let mut answers = answers.lock().unwrap();
                let Some(answer) = answers.pop_front() else { return Ok(()) };
                (answer, answers.is_empty())
            };
            stream.write_all(&answer.bytes)?;
            if is_last || answer.hangs_up {
                return stream.shutdown(Shutdown::Both);
            }
        }
    }

    fn config(&self, kind: SourceKind) -> ChainConfig {
        let scheme = if kind == SourceKind::Electrum { "tcp" } else { "http" };
        let is_bitcoind = kind == SourceKind::Bitcoind;
        ChainConfig {
            source: Some(kind),
            url: Some(format!("{scheme}://127.0.0.1:{}", self.port)),
            user: is_bitcoind.then(|| "user".to_owned()),
            password: is_bitcoind.then(|| "secret".to_owned().into()),
            ..ChainConfig::default()
        }
    }
}
