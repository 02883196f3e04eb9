//! The edge waits for nobody for ever, and whoever makes it wait costs the others nothing.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use techo_conformance_tests::http::Request;
use techo_conformance_tests::server::Beside;
use techo_conformance_tests::world::World;

/// A server on the world's data with these options.
fn edge(world: &World, options: &[&str]) -> Beside {
    world.server.beside_with(options)
}

fn connect(edge: &Beside) -> TcpStream {
    let address = edge.base.trim_start_matches("http://").trim_end_matches("/fhir");
    let stream = TcpStream::connect(address).expect("a connection");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
    stream
}

/// What still comes until the server closes, and how long that took.
fn until_closed(mut stream: &TcpStream) -> (String, Duration) {
    let begin = Instant::now();
    let mut all = Vec::new();
    // A reset is an end too.
    let ended = stream.read_to_end(&mut all);
    assert!(
        !ended
            .is_err_and(|error| matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut)),
        "the connection is still open"
    );
    (String::from_utf8_lossy(&all).into_owned(), begin.elapsed())
}

fn is_served(edge: &Beside) -> bool {
    Request::get(&format!("{}/metadata", edge.base)).try_send().is_ok_and(|answer| answer.status == 200)
}

/// Sends a byte now and then, until the server has enough of it or nothing is left.
fn trickle(mut stream: TcpStream, bytes: &'static [u8], every: Duration) -> std::thread::JoinHandle<()> {
    std::thread::spawn(move || {
        for byte in bytes {
            if stream.write_all(std::slice::from_ref(byte)).is_err() {
                return;
            }
            std::thread::sleep(every);
        }
    })
}

#[test]
fn who_is_slow_with_headers_is_cut_and_others_are_served() {
    let world = World::new();
    let edge = edge(&world, &["--header-seconds", "1"]);
    let silent = connect(&edge);
    let mut begun = connect(&edge);
    begun.write_all(b"GET /fhir/metadata HTTP/1.1\r\nHost: x\r\n").expect("sent");
    let slow = connect(&edge);
    trickle(slow.try_clone().expect("a copy"), &[b'x'; 100], Duration::from_millis(100));
    let mut idle = connect(&edge);
    idle.write_all(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n").expect("sent");
    assert!(is_served(&edge));
    for (what, stream) in [("silent", &silent), ("half a request", &begun), ("a byte a time", &slow), ("idle", &idle)] {
        let (text, took) = until_closed(stream);
        assert!(took < Duration::from_secs(5), "{what}: {took:?}");
        assert!(!text.contains("resourceType"), "{what}: {text}");
        assert_eq!(text.starts_with("HTTP/1.1 200"), what == "idle", "{what}: {text}");
    }
    assert!(is_served(&edge));
}

#[test]
fn one_connection_more_than_there_is_room_for_is_refused() {
    let world = World::new();
    let edge = edge(&world, &["--max-connections", "3"]);
    // What the start was watched by may take a moment to be gone.
    let begin = Instant::now();
    let mut guests: Vec<TcpStream> = Vec::new();
    while guests.len() < 3 {
        let mut guest = connect(&edge);
        guest.write_all(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n").expect("sent");
        let mut head = [0; 15];
        if guest.read_exact(&mut head).is_ok() && head.starts_with(b"HTTP/1.1 200") {
            guests.push(guest);
        }
        assert!(begin.elapsed() < Duration::from_secs(10), "no room for three");
    }
    let (text, _) = until_closed(&connect(&edge));
    assert!(text.starts_with("HTTP/1.1 503 ") && text.contains("Retry-After: 1"), "{text}");
    assert!(!is_served(&edge), "a fourth has no room");
    // Those who have a place keep it, and a place that is left is given again.
    let mut kept = guests.remove(0);
    kept.write_all(b"GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").expect("sent");
    assert!(until_closed(&kept).0.contains("HTTP/1.1 200"));
    let begin = Instant::now();
    while !is_served(&edge) {
        assert!(begin.elapsed() < Duration::from_secs(10), "the place is not given again");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A request with a token and a body of `length` bytes that is not sent yet.
fn posting(edge: &Beside, token: &str, (path, media): (&str, &str), length: usize) -> TcpStream {
    let mut stream = connect(edge);
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nAccept-Language: ja\r\n\
         Content-Type: {media}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).expect("sent");
    stream
}

#[test]
fn a_body_that_pauses_is_408() {
    let world = World::new();
    let edge = edge(&world, &["--header-seconds", "1"]);
    let token = world.tester().token;
    for (path, media) in [("/fhir/Patient", "json"), ("/fhir/Patient?_format=xml", "xml"), ("/fhir", "json")] {
        let mut stream = posting(&edge, &token, (path, "application/fhir+json"), 100);
        stream.write_all(b"{\"resourceType\":").expect("sent");
        let (text, took) = until_closed(&stream);
        assert!(text.starts_with("HTTP/1.1 408 "), "{path}: {text}");
        assert!(text.contains("timeout") && text.contains("OperationOutcome") && text.contains(media), "{text}");
        assert!(text.contains("本文の続きが届きませんでした"), "in Japanese: {text}");
        assert!(took > Duration::from_secs(1) && took < Duration::from_secs(8), "{took:?}");
    }
}

#[test]
fn a_request_that_takes_too_long_is_503_and_an_import_is_not() {
    let world = World::new();
    let edge = edge(&world, &["--request-seconds", "1"]);
    let token = world.tester().token;
    let late = posting(&edge, &token, ("/fhir/Patient", "application/fhir+json"), 4000);
    let late_page = posting(&edge, &token, ("/oauth/token", "application/x-www-form-urlencoded"), 4000);
    let import = posting(&edge, &token, ("/fhir/$import?format=jahis", "text/plain"), 20);
    for stream in [&late, &late_page] {
        trickle(stream.try_clone().expect("a copy"), &[b' '; 300], Duration::from_millis(50));
    }
    trickle(import.try_clone().expect("a copy"), &[b'x'; 20], Duration::from_millis(120));
    let (text, took) = until_closed(&late);
    assert!(text.starts_with("HTTP/1.1 503 "), "{text}");
    assert!(text.to_lowercase().contains("retry-after: 1"), "{text}");
    assert!(text.contains("\"timeout\"") && text.contains("処理を打ち切りました"), "{text}");
    assert!(took < Duration::from_secs(8), "{took:?}");
    assert!(until_closed(&late_page).0.starts_with("HTTP/1.1 503 "), "a page that is no FHIR");
    let (text, _) = until_closed(&import);
    assert!(text.starts_with("HTTP/1.1 422 "), "an import has its own time: {text}");
    assert!(is_served(&edge));
}

/// Who asks and never reads the answers does not hold a place for ever.
#[test]
fn an_answer_that_nobody_takes_is_given_up() {
    let world = World::new();
    let edge = edge(&world, &["--header-seconds", "1", "--max-connections", "1"]);
    let begin = Instant::now();
    let mut stream = loop {
        let mut stream = connect(&edge);
        let asked = b"GET /fhir/metadata HTTP/1.1\r\nHost: x\r\n\r\n".repeat(200);
        let mut first = [0; 12];
        if stream.write_all(&asked).is_ok() && stream.read_exact(&mut first).is_ok() && first.ends_with(b"200") {
            break stream;
        }
        assert!(begin.elapsed() < Duration::from_secs(10), "no room for one");
    };
    assert!(!is_served(&edge), "it has the only place");
    let begin = Instant::now();
    while !is_served(&edge) {
        assert!(begin.elapsed() < Duration::from_secs(15), "the place is still held");
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(begin.elapsed() > Duration::from_millis(500), "it was given some time");
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).ok();
}

/// A certificate of its own for `localhost`, and its key.
fn certificate(folder: &Path) -> (String, String) {
    let path = |name: &str| folder.join(name).display().to_string();
    let (certificate, key) = (path("certificate.pem"), path("key.pem"));
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"])
        .args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"])
        .args(["-out", &certificate, "-keyout", &key])
        .output()
        .expect("openssl can be run");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    (certificate, key)
}

#[test]
fn tls_is_spoken_and_a_handshake_that_never_comes_is_given_up() {
    let world = World::new();
    let (certificate, key) = certificate(&world.server.data);
    let options = ["--tls-certificate", &certificate, "--tls-key", &key];
    let edge = world.server.beside_when(&options, |address| TcpStream::connect(address).is_ok());
    let silent = connect(&edge);
    let mut halting = connect(&edge);
    // The head of a ClientHello of 512 bytes, and then nothing.
    halting.write_all(&[0x16, 3, 1, 2, 0]).expect("sent");
    let address = edge.base.trim_start_matches("http://").trim_end_matches("/fhir");
    let mut client = Command::new("openssl")
        .args(["s_client", "-quiet", "-verify_return_error", "-servername", "localhost"])
        .args(["-verify_hostname", "localhost", "-CAfile", &certificate, "-connect", address])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("openssl can be run");
    let ask = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    client.stdin.as_mut().expect("its input").write_all(ask).expect("sent");
    let answer = client.wait_with_output().expect("an answer");
    let answer = String::from_utf8_lossy(&answer.stdout).into_owned();
    assert!(answer.starts_with("HTTP/1.1 200 "), "others are served meanwhile: {answer}");
    for stream in [silent, halting] {
        let (_, took) = until_closed(&stream);
        assert!(took < Duration::from_secs(15), "{took:?}");
    }
}
