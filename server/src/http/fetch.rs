//! Fetching clients' keys from the addresses they registered.
//!
//! Only https, only addresses of the public internet, no redirects, a small
//! answer within a few seconds. The host is looked up once and the connection
//! goes to the address that was checked, so that a name cannot change its mind
//! between the two.
//!
//! A set is kept no longer than its `Cache-Control` says. A `kid` that it lacks
//! makes us ask again, but not more often than every [`PAUSE`]: assertions with
//! made-up names must not turn the server against somebody else's.
//!
//! Source: SMART App Launch 2.2 §Client Authentication: Asymmetric; RFC 9111 §5.2

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use oauth2::url::Url;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::auth::jwks::FetchesKeys;
use crate::auth::server::SECOND;
use crate::clock::Clock;

/// Between two questions that a made-up `kid` or a failure cause.
const PAUSE: i64 = 15 * SECOND;
/// How long a set is kept that does not say.
const UNSAID: i64 = 300;
/// How long one is kept at most, in seconds.
const LONGEST: i64 = 24 * 3600;
/// The longest answer that is read.
const LARGEST: u64 = 256 * 1024;
const DEADLINE: Duration = Duration::from_secs(5);

/// One answer with a key set.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Answer {
    body: String,
    /// For how many seconds it may be kept.
    keep: i64,
}

type Get = Arc<dyn Fn(String) -> BoxFuture<'static, Option<Answer>> + Send + Sync>;

/// Key sets by address.
#[derive(Clone)]
pub struct RemoteKeys {
    clock: Clock,
    get: Get,
    known: Arc<std::sync::Mutex<HashMap<String, Known>>>,
}

#[derive(Clone, Debug)]
struct Known {
    set: Option<String>,
    asked: i64,
    until: i64,
}

impl RemoteKeys {
    /// Asks the internet.
    ///
    /// # Errors
    /// When the TLS library has no usable configuration.
    pub fn new(clock: Clock) -> Result<Self, rustls::Error> {
        let mut roots = RootCertStore::empty();
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let connector = TlsConnector::from(Arc::new(config));
        let get: Get = Arc::new(move |url| {
            let connector = connector.clone();
            Box::pin(async move { timeout(DEADLINE, fetch(&connector, &url)).await.ok().flatten() })
        });
        Ok(Self { clock, get, known: Arc::default() })
    }

    async fn ask(&self, url: &str, fresh: bool) -> Option<String> {
        let now = self.clock.micros();
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(url).cloned();
        if let Some(known) = known {
            let just_asked = now - known.asked < PAUSE;
            match known.set {
                Some(set) if now < known.until && (!fresh || just_asked) => return Some(set),
                None if just_asked => return None,
                // Outlived, or to be asked for anew.
                Some(_) | None => {}
            }
        }
        let answer = (self.get)(url.to_owned()).await;
        if answer.is_none() {
            tracing::warn!(url, "a client's keys could not be fetched");
        }
        let until = answer.as_ref().map_or(now, |answer| now + answer.keep * SECOND);
        let set = answer.map(|answer| answer.body);
        let entry = Known { set: set.clone(), asked: now, until };
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(url.to_owned(), entry);
        set
    }
}

impl FetchesKeys for RemoteKeys {
    fn fetch<'a>(&'a self, url: &'a str, fresh: bool) -> BoxFuture<'a, Option<String>> {
        Box::pin(self.ask(url, fresh))
    }
}

async fn fetch(connector: &TlsConnector, url: &str) -> Option<Answer> {
    let url = Url::parse(url).ok().filter(|url| url.scheme() == "https")?;
    let host = url.host_str()?.trim_matches(['[', ']']).to_owned();
    let port = url.port_or_known_default()?;
    let address = lookup_host((host.as_str(), port)).await.ok()?.find(|address| is_public(address.ip()))?;
    let stream = TcpStream::connect(address).await.ok()?;
    let name = ServerName::try_from(host).ok()?;
    let mut stream = connector.connect(name, stream).await.ok()?;
    let path = &url[oauth2::url::Position::BeforePath..oauth2::url::Position::AfterQuery];
    let authority = &url[oauth2::url::Position::BeforeHost..oauth2::url::Position::AfterPort];
    // HTTP/1.0: the answer ends with the connection, and no part of it is chunked.
    let request = format!("GET {path} HTTP/1.0\r\nHost: {authority}\r\nAccept: application/json\r\n\r\n");
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut bytes = Vec::new();
    // A server that closes without saying goodbye leaves an error after the last byte.
    let _ = stream.take(LARGEST + 1).read_to_end(&mut bytes).await;
    if u64::try_from(bytes.len()).is_ok_and(|length| length <= LARGEST) { read(&bytes) } else { None }
}

/// Body and lifetime of a whole answer; `None` unless it is a plain, complete 200.
fn read(bytes: &[u8]) -> Option<Answer> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&bytes[..end]).ok()?;
    let body = std::str::from_utf8(&bytes[end + 4..]).ok()?;
    let mut lines = head.split("\r\n");
    let mut status = lines.next()?.split(' ');
    if !status.next()?.starts_with("HTTP/1.") || status.next()? != "200" {
        return None;
    }
    let mut keep = UNSAID;
    for line in lines {
        let (name, value) = line.split_once(':')?;
        match name.to_ascii_lowercase().as_str() {
            "transfer-encoding" | "content-encoding" if !value.trim().eq_ignore_ascii_case("identity") => return None,
            "content-length" if value.trim().parse::<usize>().ok()? != body.len() => return None,
            "cache-control" => keep = lifetime(value),
            _ => {}
        }
    }
    Some(Answer { body: body.to_owned(), keep })
}

fn lifetime(cache_control: &str) -> i64 {
    let mut keep = UNSAID;
    for directive in cache_control.split(',').map(|part| part.trim().to_ascii_lowercase()) {
        if directive == "no-store" || directive == "no-cache" {
            return 0;
        }
        if let Some(seconds) = directive.strip_prefix("max-age=") {
            keep = seconds.trim_matches('"').parse::<u32>().map_or(0, |seconds| i64::from(seconds).min(LONGEST));
        }
    }
    keep
}

/// Whether an address belongs to the public internet: nothing of this machine,
/// its neighbours, or a cloud's metadata service.
fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let shared = a == 100 && (64..128).contains(&b);
    let protocol = a == 192 && b == 0 && c == 0;
    let benchmark = a == 198 && (18..20).contains(&b);
    !(address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || shared
        || protocol
        || benchmark
        || a == 0
        || a >= 224)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    // 2000::/3 is all that is routed; within it 6to4 and Teredo carry IPv4 addresses, 2001:db8:: is for documents.
    (0x2000..0x4000).contains(&first) && first != 0x2002 && !(first == 0x2001 && (second == 0 || second == 0x0DB8))
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicI64, Ordering};

    use jiff::Timestamp;

    use super::*;

    #[test]
    fn only_the_public_internet() {
        for (address, expected) in [
            ("93.184.216.34", true),
            ("2606:2800:220:1::1", true),
            ("127.0.0.1", false),
            ("10.0.0.1", false),
            ("172.16.0.1", false),
            ("192.168.1.1", false),
            ("169.254.169.254", false),
            ("100.64.0.1", false),
            ("0.0.0.0", false),
            ("224.0.0.1", false),
            ("255.255.255.255", false),
            ("192.0.0.1", false),
            ("198.18.0.1", false),
            ("::1", false),
            ("::", false),
            ("::ffff:127.0.0.1", false),
            ("fe80::1", false),
            ("fd00::1", false),
            ("2002:7f00:1::1", false),
            ("64:ff9b::7f00:1", false),
        ] {
            assert_eq!(is_public(address.parse().expect("an address")), expected, "{address}");
        }
    }

    #[test]
    fn answers() {
        let good = |headers: &str| format!("HTTP/1.1 200 OK\r\n{headers}\r\n\r\n{{}}");
        for (text, expected) in [
            (good("A: b"), Some(UNSAID)),
            (good("Cache-Control: public, max-age=60\r\nContent-Length: 2"), Some(60)),
            (good("cache-control: max-age=999999999"), Some(LONGEST)),
            (good("Cache-Control: no-store, max-age=60"), Some(0)),
            (good("Cache-Control: max-age=soon"), Some(0)),
            (good("Content-Length: 3"), None),
            (good("Transfer-Encoding: chunked"), None),
            (good("Content-Encoding: gzip"), None),
            ("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1\r\n\r\n".to_owned(), None),
            ("HTTP/1.1 200 OK\r\n".to_owned(), None),
            (String::new(), None),
        ] {
            assert_eq!(read(text.as_bytes()).map(|answer| answer.keep), expected, "{text}");
        }
    }

    #[tokio::test]
    async fn addresses_that_are_never_asked() {
        let keys = RemoteKeys::new(Clock::system()).expect("TLS");
        for url in ["http://example.org/jwks", "https://127.0.0.1/jwks", "https://[::1]/jwks", "https://localhost/jwks"]
        {
            assert_eq!(keys.fetch(url, false).await, None, "{url}");
        }
    }

    #[tokio::test]
    async fn how_often_an_address_is_asked() {
        let now = Arc::new(AtomicI64::new(0));
        let told = Arc::clone(&now);
        let asked = Arc::new(Mutex::new(0));
        let count = Arc::clone(&asked);
        let answer = Arc::new(Mutex::new(Some(Answer { body: "{}".to_owned(), keep: 60 })));
        let given = Arc::clone(&answer);
        let keys = RemoteKeys {
            clock: Clock::of(move || Timestamp::from_microsecond(told.load(Ordering::SeqCst)).expect("a time")),
            get: Arc::new(move |_| {
                *count.lock().expect("unpoisoned") += 1;
                let answer = given.lock().expect("unpoisoned").clone();
                Box::pin(async move { answer })
            }),
            known: Arc::default(),
        };
        let good = Some("{}".to_owned());
        for (wait, fresh, keep, expected, questions) in [
            (0, false, Some(60), &good, 1),
            (30, false, Some(60), &good, 1),
            (0, true, Some(60), &good, 2),
            (5, true, Some(60), &good, 2),
            (61, false, Some(60), &good, 3),
            (61, false, None, &None, 4),
            (5, false, Some(60), &None, 4),
            (11, false, Some(0), &good, 5),
            (1, false, Some(0), &good, 6),
        ] {
            now.fetch_add(wait * SECOND, Ordering::SeqCst);
            *answer.lock().expect("unpoisoned") = keep.map(|keep| Answer { body: "{}".to_owned(), keep });
            assert_eq!(keys.fetch("https://k.example", fresh).await, *expected, "{wait} {fresh} {keep:?}");
            assert_eq!(*asked.lock().expect("unpoisoned"), questions, "{wait} {fresh} {keep:?}");
        }
    }
}
