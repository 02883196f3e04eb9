//! A keep-alive HTTP/1.1 client over loopback, and a loop of requests over
//! several connections that keeps each request's time.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Requests that one run may send at most, whatever its time.
const MOST: u64 = 20_000_000;

/// One request as bytes.
pub(crate) fn request(method: &str, path: &str, token: &str, body: &[u8]) -> Vec<u8> {
    request_with(method, path, token, "", body)
}

/// The same with further header lines, each ended.
pub(crate) fn request_with(method: &str, path: &str, token: &str, more: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes = format!("{method} {path} HTTP/1.1\r\nHost: bench\r\n{more}").into_bytes();
    if !token.is_empty() {
        bytes.extend_from_slice(format!("Authorization: Bearer {token}\r\n").as_bytes());
    }
    if !body.is_empty() {
        let head = format!("Content-Type: application/fhir+json\r\nContent-Length: {}\r\n", body.len());
        bytes.extend_from_slice(head.as_bytes());
    }
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(body);
    bytes
}

/// What is sent over and over.
pub(crate) struct Load {
    /// `127.0.0.1:8080`; the connections are spread over all.
    pub(crate) addresses: Vec<String>,
    /// The statuses that an answer may have.
    pub(crate) statuses: &'static [u16],
    /// The bytes of request number n.
    pub(crate) make: Box<dyn Fn(u64) -> Vec<u8> + Send + Sync>,
}

/// How a run went.
#[derive(Clone, Debug, Default)]
pub(crate) struct Run {
    /// Answers as expected.
    pub(crate) done: u64,
    /// Other answers, and the first of them.
    pub(crate) wrong: u64,
    /// The first unexpected answer.
    pub(crate) said: Option<String>,
    /// How long it took.
    pub(crate) seconds: f64,
    /// Median in milliseconds.
    pub(crate) p50: f64,
    /// 99th percentile in milliseconds.
    pub(crate) p99: f64,
}

impl Run {
    /// Answers a second.
    pub(crate) fn rate(&self) -> f64 {
        if self.seconds > 0.0 { count(self.done) / self.seconds } else { 0.0 }
    }
}

/// A number of things as a factor.
pub(crate) fn count(number: u64) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}

/// Sends `load` over `connections` for so long.
pub(crate) async fn run(load: Load, connections: usize, time: Duration) -> Run {
    let (load, next, start) = (Arc::new(load), Arc::new(AtomicU64::new(0)), Instant::now());
    let workers: Vec<_> =
        (0..connections).map(|lane| tokio::spawn(worker(load.clone(), lane, next.clone(), start + time))).collect();
    let (mut run, mut times) = (Run::default(), Vec::new());
    for one in workers {
        let (wrong, said, mine) = one.await.unwrap_or_default();
        run.wrong += wrong;
        run.said = run.said.or(said);
        times.extend(mine);
    }
    run.seconds = start.elapsed().as_secs_f64();
    times.sort_unstable();
    run.done = times.len() as u64;
    run.p50 = place(&times, 50);
    run.p99 = place(&times, 99);
    run
}

fn place(times: &[u32], percent: usize) -> f64 {
    times.get(times.len() * percent / 100).map_or(0.0, |micros| f64::from(*micros) / 1000.0)
}

async fn worker(load: Arc<Load>, lane: usize, next: Arc<AtomicU64>, until: Instant) -> (u64, Option<String>, Vec<u32>) {
    let (mut wrong, mut said, mut times) = (0, None, Vec::new());
    let (mut connection, address) = (None, &load.addresses[lane % load.addresses.len()]);
    while Instant::now() < until {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= MOST {
            break;
        }
        let bytes = (load.make)(number);
        let before = Instant::now();
        match heard(&mut connection, address, &bytes, KEPT).await {
            Ok((status, _)) if load.statuses.contains(&status) => {
                times.push(u32::try_from(before.elapsed().as_micros()).unwrap_or(u32::MAX));
            }
            other => {
                wrong += 1;
                said.get_or_insert_with(|| format!("request {number}, {}: {}", line_of(&bytes), told(&other)));
                connection = None;
                // A server that refuses everything is not asked as fast as it can refuse.
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    }
    (wrong, said, times)
}

/// The first line of a request.
pub(crate) fn line_of(request: &[u8]) -> String {
    String::from_utf8_lossy(request).lines().next().unwrap_or_default().to_owned()
}

/// An answer that was not expected, in short.
pub(crate) fn told(answer: &io::Result<(u16, Vec<u8>)>) -> String {
    match answer {
        Ok((status, body)) => {
            format!("{status} {}", String::from_utf8_lossy(body).chars().take(600).collect::<String>())
        }
        Err(error) => error.to_string(),
    }
}

/// A connection and what is read through.
#[derive(Debug)]
pub(crate) struct Connection(TcpStream, Vec<u8>);

/// Of an answer, enough to tell what was wrong with it.
const KEPT: usize = 4096;
/// What is read at once of an answer that is not kept.
const AT_ONCE: usize = 64 << 10;

/// Sends one request and reads its answer; opens the connection if there is none.
pub(crate) async fn exchange(
    connection: &mut Option<Connection>,
    address: &str,
    bytes: &[u8],
) -> io::Result<(u16, Vec<u8>)> {
    heard(connection, address, bytes, usize::MAX).await
}

/// The same, of whose body no more than `most` bytes are kept: a program that measures has
/// the processor to itself as little as may be.
async fn heard(
    connection: &mut Option<Connection>,
    address: &str,
    bytes: &[u8],
    most: usize,
) -> io::Result<(u16, Vec<u8>)> {
    if connection.is_none() {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        *connection = Some(Connection(stream, Vec::with_capacity(AT_ONCE)));
    }
    let Some(Connection(stream, buffer)) = connection else { return Err(broken("no connection")) };
    stream.write_all(bytes).await?;
    buffer.clear();
    let head = loop {
        if let Some(end) = end_of_head(buffer) {
            break end;
        }
        if stream.read_buf(buffer).await? == 0 {
            return Err(broken("the server hung up"));
        }
    };
    let text = std::str::from_utf8(&buffer[..head]).map_err(|_| broken("a head that is no text"))?;
    let status = text.get(9..12).and_then(|code| code.parse().ok()).ok_or_else(|| broken("no status"))?;
    let length = content_length(text).ok_or_else(|| broken("an answer without Content-Length"))?;
    let came = buffer.len() - head;
    let mut left = length.checked_sub(came).ok_or_else(|| broken("more than was announced"))?;
    let mut body = buffer[head..head + came.min(most)].to_vec();
    while left > 0 {
        buffer.clear();
        let read = stream.read_buf(buffer).await?;
        if read == 0 || read > left {
            return Err(broken("an answer that was cut off, or two"));
        }
        left -= read;
        body.extend_from_slice(&buffer[..read.min(most - body.len())]);
    }
    Ok((status, body))
}

fn end_of_head(buffer: &[u8]) -> Option<usize> {
    buffer.windows(4).position(|window| window == b"\r\n\r\n").map(|at| at + 4)
}

fn content_length(head: &str) -> Option<usize> {
    let lines = head.lines().filter_map(|line| line.split_once(':'));
    lines
        .filter(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .find_map(|(_, value)| value.trim().parse().ok())
}

fn broken(text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}
