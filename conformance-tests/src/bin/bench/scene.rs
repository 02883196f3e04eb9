//! The scene: a running server, its citizens, and tokens that stay fresh.

use std::fs;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde_json::Value;
use techo_conformance_tests::http::Request;
use techo_conformance_tests::server::{Server, log_path};
use techo_conformance_tests::world::{Ask, World};

use crate::client::{Connection, exchange, line_of, request, told};
use crate::data;

/// A token is renewed at this age; the server gives it five minutes.
const AGE: Duration = Duration::from_secs(150);
/// What the citizen's app may do.
const SCOPE: &str = "launch/patient openid fhirUser offline_access patient/*.cruds";
/// Whose records the citizen's app reads: a child of the sample mother.
pub(crate) const CHILD: &str = "pt-mei";
/// Connections that load.
const LOADERS: usize = 8;
/// How often a transaction is tried.
const ATTEMPTS: u32 = 3;

/// A running server with what was loaded.
pub(crate) struct Scene {
    /// People and programs.
    pub(crate) world: World,
    /// `127.0.0.1:PORT`
    pub(crate) address: String,
    /// Ids of the Patients that were loaded.
    pub(crate) patients: Vec<String>,
    /// Ids of their Observations.
    pub(crate) observations: Vec<String>,
    /// Ids of the Observations of [`CHILD`].
    pub(crate) childs: Vec<String>,
    tokens: Mutex<Vec<(String, Instant, String)>>,
    refresh: Mutex<(String, String, Instant)>,
}

/// What the starts took.
pub(crate) struct Starts {
    /// The very first, with the whole sample world.
    pub(crate) first: Duration,
    /// On data that are there, until `/health/ready` answers 200.
    pub(crate) again: Duration,
    /// Resident memory before any request.
    pub(crate) idle: (f64, f64),
}

impl Scene {
    /// Starts the program twice: on nothing, and on what it left.
    pub(crate) fn start() -> (Self, Starts) {
        let before = Instant::now();
        let server = Server::first();
        let first = before.elapsed();
        let before = Instant::now();
        let world = World::over(server.killed_and_restarted());
        let ready = Request::get(&format!("{}/health/ready", world.portal.trim_end_matches('/')));
        while ready.send().status != 200 {
            assert!(before.elapsed() < Duration::from_mins(1), "the server does not become ready");
            std::thread::sleep(Duration::from_millis(2));
        }
        let starts = Starts { first, again: before.elapsed(), idle: memory(world.server.pid()) };
        let address = world.base.trim_start_matches("http://").trim_end_matches("/fhir").to_owned();
        let hers = world.approve(&Ask::new("app-public", "hanako", SCOPE).of(CHILD));
        let refresh = (hers.token.clone(), hers.granted("refresh_token").to_owned(), Instant::now());
        let scene = Self {
            world,
            address,
            patients: Vec::new(),
            observations: Vec::new(),
            childs: Vec::new(),
            tokens: Mutex::default(),
            refresh: Mutex::new(refresh),
        };
        (scene, starts)
    }

    /// A token of a program, not older than [`AGE`].
    pub(crate) fn program(&self, name: &str) -> String {
        let mut tokens = self.tokens.lock().expect("no loader panics with it");
        tokens.retain(|(_, made, _)| made.elapsed() < AGE);
        if let Some((_, _, token)) = tokens.iter().find(|(known, _, _)| known == name) {
            return token.clone();
        }
        let token = self.world.backend(name, "system/*.cruds").token;
        tokens.push((name.to_owned(), Instant::now(), token.clone()));
        token
    }

    /// The token of the citizen's app, not older than [`AGE`].
    pub(crate) fn app(&self) -> String {
        let mut held = self.refresh.lock().expect("no loader panics with it");
        if held.2.elapsed() >= AGE {
            let answer = self.world.refresh("app-public", &held.1, None).expect(200).json();
            let text = |name: &str| answer[name].as_str().unwrap_or_default().to_owned();
            *held = (text("access_token"), text("refresh_token"), Instant::now());
        }
        held.0.clone()
    }

    /// Loads `citizens`, their Observations and Consents; resources a second.
    pub(crate) fn load(&mut self, runtime: &tokio::runtime::Runtime, citizens: u32) -> f64 {
        let start = Instant::now();
        let (mut next, mut resources) = (0, 0);
        while next < citizens {
            let token = self.program("tester");
            let upper = citizens.min(next + 64);
            let bodies = (next..upper).map(|number| data::citizen(number).to_string()).collect();
            for (kind, id) in runtime.block_on(self.send(&token, bodies)) {
                resources += 1;
                match kind.as_str() {
                    "Patient" => self.patients.push(id),
                    "Observation" => self.observations.push(id),
                    _ => {}
                }
            }
            next = upper;
        }
        let rate = f64::from(resources) / start.elapsed().as_secs_f64();
        for chunk in self.patients.chunks(64) {
            let token = self.program("tester");
            let bodies = chunk.iter().map(|id| data::consents(id, &format!("Patient/{id}")).to_string()).collect();
            runtime.block_on(self.send(&token, bodies));
        }
        let body = data::batch(CHILD, data::observations()).to_string();
        let made = runtime.block_on(self.send(&self.program("importer"), vec![body]));
        self.childs = made.into_iter().map(|(_, id)| id).collect();
        let consents = data::consents(CHILD, "RelatedPerson/rp-hanako-mei").to_string();
        runtime.block_on(self.send(&self.app(), vec![consents]));
        rate
    }

    /// Resident memory of the server in MB: its own, and mapped from files.
    pub(crate) fn memory(&self) -> (f64, f64) {
        memory(self.world.server.pid())
    }

    /// The last that the servers said.
    pub(crate) fn log_tail(&self) -> String {
        let log = fs::read_to_string(log_path(&self.world.server.data)).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }

    /// Posts transactions over a few connections; type and id of each resource made.
    async fn send(&self, token: &str, bodies: Vec<String>) -> Vec<(String, String)> {
        let mut lanes: Vec<Vec<(usize, String)>> = vec![Vec::new(); LOADERS];
        for (number, body) in bodies.into_iter().enumerate() {
            lanes[number % LOADERS].push((number, body));
        }
        let tasks: Vec<_> = lanes
            .into_iter()
            .map(|lane| {
                let (address, token) = (self.address.clone(), token.to_owned());
                tokio::spawn(async move {
                    let (mut connection, mut made) = (None, Vec::new());
                    for (number, body) in lane {
                        let bytes = request("POST", "/fhir", &token, body.as_bytes());
                        made.extend(places(&posted(&mut connection, &address, number, &bytes).await?));
                    }
                    Ok::<_, String>(made)
                })
            })
            .collect();
        let mut all = Vec::new();
        for task in tasks {
            match task.await.expect("a loader does not fail") {
                Ok(made) => all.extend(made),
                Err(said) => panic!("the load ends: {said}\nthe server's last words:\n{}", self.log_tail()),
            }
        }
        all
    }
}

/// The answer to a transaction. What fails is told, and tried again a few times: one
/// bad moment is no reason to give up a load of minutes.
async fn posted(
    connection: &mut Option<Connection>,
    address: &str,
    number: usize,
    bytes: &[u8],
) -> Result<Vec<u8>, String> {
    let mut said = String::new();
    for attempt in 1..=ATTEMPTS {
        match exchange(connection, address, bytes).await {
            Ok((200, answer)) => return Ok(answer),
            other => {
                said = format!("transaction {number} of its batch, {}: {}", line_of(bytes), told(&other));
                eprintln!("attempt {attempt} of {ATTEMPTS}: {said}");
                *connection = None;
                tokio::time::sleep(Duration::from_millis(300)).await;
            }
        }
    }
    Err(said)
}

fn places(answer: &[u8]) -> Vec<(String, String)> {
    let bundle: Value = serde_json::from_slice(answer).expect("a Bundle");
    let entries = bundle["entry"].as_array().cloned().unwrap_or_default();
    entries
        .iter()
        .filter_map(|entry| entry["response"]["location"].as_str())
        .filter_map(|location| {
            let path = location.split("/_history").next()?;
            let mut parts = path.rsplit('/');
            let id = parts.next()?.to_owned();
            Some((parts.next()?.to_owned(), id))
        })
        .collect()
}

/// Resident memory of a process in MB: its own, and mapped from files, which is the
/// system's page cache, counted once for each connection that looks at a page.
fn memory(pid: u32) -> (f64, f64) {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let of = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name));
        let kilobytes = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok());
        kilobytes.unwrap_or(0.0) / 1024.0
    };
    (of("RssAnon:"), of("RssFile:"))
}
