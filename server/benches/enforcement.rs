//! What token, Consent and audit cost: the same read and the same search, in one
//! process, with them and without.
//!
//! Without: the store under the server's own view, and the page put together. With: the
//! one way in, as every request goes, with a token of the town's program that has one
//! patient in context. Neither speaks HTTP. The two take turns, so that what else the
//! machine does meets both.
//!
//! ```sh
//! techo demo --data DIR            # end it when it is up
//! cargo bench -p techo-server --bench enforcement -- DIR
//! ```

use std::time::{Duration, Instant};

use techo_profiles::json::Json;
use techo_server::auth::register::OperatorToken;
use techo_server::clock::Clock;
use techo_server::config::Config;
use techo_server::consent::{View, Work, system};
use techo_server::dispatch::{self, Origin};
use techo_server::interaction::search::Bundle;
use techo_server::interaction::{Ground, Interaction, Known, Location};
use techo_server::random::Random;
use techo_server::search::parse::{Scope, plan};
use techo_server::search::shape::Shape;
use techo_server::server::Server;

/// As the program has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Of the demo: the town's own program, and a child whose records it keeps.
const CLIENT: &str = "importer";
const PATIENT: &str = "pt-mei";
/// Turns that are not counted, and those that are.
const WARM: usize = 2_000;
const COUNTED: usize = 20_000;

struct Scene {
    server: Server,
    token: String,
    view: View,
    id: String,
    query: Vec<(String, String)>,
}

#[tokio::main]
async fn main() {
    let Some(data) = std::env::args().skip(1).find(|word| !word.starts_with('-')) else {
        println!("enforcement: name the data directory of a demo; see the head of this file");
        return;
    };
    let scene = Scene::open(&data).await;
    println!("| work | p50 without | p50 with | more |\n|---|---|---|---|");
    let (mut bare, mut whole) = (Vec::new(), Vec::new());
    for _ in 0..WARM + COUNTED {
        bare.push(timed(scene.read_bare()).await);
        whole.push(timed(scene.read()).await);
    }
    tell("read by id", &mut bare, &mut whole);
    let (mut bare, mut whole) = (Vec::new(), Vec::new());
    for _ in 0..WARM + COUNTED {
        bare.push(timed(scene.search_bare()).await);
        whole.push(timed(scene.search()).await);
    }
    tell("search patient + code", &mut bare, &mut whole);
    scene.server.end().await;
}

impl Scene {
    async fn open(data: &str) -> Self {
        let listen = "127.0.0.1:8080".parse().expect("an address");
        let config = Config::new(data, listen);
        let server = Server::start(config, Clock::system(), Random::system()).await.expect("the demo's data");
        let order = OperatorToken {
            client: CLIENT.to_owned(),
            scopes: "system/*.rs".to_owned(),
            patient: Some(PATIENT.to_owned()),
            purpose: None,
            minutes: 60,
        };
        let (token, _) = server.authorization.operator_token(order).await.expect("a token");
        let mut scene = Self {
            server,
            token: token.reveal().to_owned(),
            view: system(Work::Upkeep),
            id: String::new(),
            query: vec![("patient".to_owned(), PATIENT.to_owned())],
        };
        let page = Json::parse(&scene.search().await).expect("a Bundle");
        let first = page.list("entry").first().and_then(|entry| entry.get("resource")).expect("something shared");
        scene.id = first.str("id").expect("an id").to_owned();
        let coding = first.at(&["code", "coding"]).and_then(|codings| codings.items().first()).expect("a code");
        let code = |name| coding.str(name).unwrap_or_default();
        scene.query.push(("code".to_owned(), format!("{}|{}", code("system"), code("code"))));
        scene
    }

    async fn read_bare(&self) -> usize {
        let found = self.server.app.store.reader(&self.view).current("Observation", &self.id).await.expect("a read");
        found.map(|found| found.size()).expect("a record")
    }

    async fn read(&self) -> usize {
        let at = Location::named("Observation".to_owned(), self.id.clone()).expect("a place");
        self.answer(Interaction::Read(at, Known::default(), Shape::default())).await.len()
    }

    async fn search_bare(&self) -> usize {
        let app = &self.server.app;
        let local = app.local();
        let scope = Scope { local: &local, now: app.clock.micros(), lenient: false, terms: &app.codes };
        let plan = plan(app.definitions, "Observation", &self.query, &scope).expect("a plan");
        let reader = app.store.reader(&self.view);
        let page = reader.page(std::slice::from_ref(&plan), None, 50).await.expect("a page");
        let base = app.config.fhir_base();
        let mut bundle = Bundle::new("searchset");
        for row in &page.rows {
            bundle.push(&base, "Observation", &row.id, row.body().expect("a body"), "\"search\":{\"mode\":\"match\"}");
        }
        bundle.finish(Some(page.rows.len() as u64), &self.view).len()
    }

    async fn search(&self) -> Vec<u8> {
        let ground = Ground::Type("Observation".to_owned());
        self.answer(Interaction::Search(ground, self.query.clone())).await
    }

    async fn answer(&self, interaction: Interaction) -> Vec<u8> {
        let origin = Origin { token: &self.token, lenient: false, japanese: false, give: None };
        let reply = Box::pin(dispatch::answer(&self.server.app, &origin, interaction)).await;
        reply.ok().and_then(|reply| reply.body).expect("an answer")
    }
}

async fn timed<T>(work: impl Future<Output = T>) -> Duration {
    let begun = Instant::now();
    std::hint::black_box(work.await);
    begun.elapsed()
}

fn tell(work: &str, bare: &mut Vec<Duration>, whole: &mut Vec<Duration>) {
    let middle = |times: &mut Vec<Duration>| {
        let mut times = times.split_off(WARM);
        times.sort_unstable();
        times[COUNTED / 2].as_secs_f64() * 1e6
    };
    let (bare, whole) = (middle(bare), middle(whole));
    println!("| {work} | {bare:.1} µs | {whole:.1} µs | {:.0} % |", (whole / bare - 1.0) * 100.0);
}
