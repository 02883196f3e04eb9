//! Several servers on one database: reads spread over all, and writes by all, counted.

use techo_conformance_tests::sample::{IDENTIFIERS, patient};

use crate::client::{count, request, request_with};
use crate::{Bench, data, limits, mixed, paths};

/// Connections of each line.
const CONNECTIONS: usize = 64;
/// How many requests in a row are for the same conditional create.
const SAME: u64 = 8;

impl Bench {
    /// Nothing with one process.
    pub(crate) fn processes(&mut self) {
        let many = self.options.processes;
        if many < 2 {
            return;
        }
        let others: Vec<_> = (1..many).map(|_| self.scene.world.server.beside()).collect();
        let address = |base: &str| base.trim_start_matches("http://").trim_end_matches("/fhir").to_owned();
        let mut addresses = vec![self.scene.address.clone()];
        addresses.extend(others.iter().map(|other| address(&other.base)));
        let token = self.scene.program("tester");
        let make = || paths(&self.scene.observations, &token, |id| format!("/fhir/Observation/{id}"));
        let one = self.run(&self.scene.address, CONNECTIONS, &[200], make());
        let all = self.run_over(addresses.clone(), CONNECTIONS, &[200], make());
        let work = format!("read by id, custodian, {CONNECTIONS} connections, {many} processes");
        self.table.rate(&work, &all, 1.0, Some(("one process", one.rate())));
        self.created(&addresses);
        self.created_once(&addresses);
    }

    /// Creates by all: as many records afterwards as were answered.
    fn created(&mut self, addresses: &[String]) {
        let (token, patients) = (self.scene.program("tester"), self.scene.patients.clone());
        let before = self.resources();
        let make = Box::new(move |number| {
            let patient = &patients[mixed(number) % patients.len()];
            let body = data::observation(patient, u32::try_from(number % 1_000_000).unwrap_or(0)).to_string();
            request("POST", "/fhir/Observation", &token, body.as_bytes())
        });
        let run = self.run_over(addresses.to_vec(), CONNECTIONS, &[201], make);
        let (work, made) = (format!("create, {} processes", addresses.len()), self.resources() - before);
        self.table.rate(&work, &run, 1.0, None);
        self.counted(&work, made, run.done);
    }

    /// The same conditional create by several at once: one record each.
    fn created_once(&mut self, addresses: &[String]) {
        let token = self.scene.program("tester");
        let before = self.resources();
        let make = Box::new(move |number| {
            let name = format!("once-{}", number / SAME);
            let header = format!("If-None-Exist: identifier={IDENTIFIERS}%7C{name}\r\n");
            let body = patient("競", &name, "2024-04-01").to_string();
            request_with("POST", "/fhir/Patient", &token, &header, body.as_bytes())
        });
        let run = self.run_over(addresses.to_vec(), CONNECTIONS, &[200, 201], make);
        let (work, made) =
            (format!("conditional create, {SAME} of each, {} processes", addresses.len()), self.resources() - before);
        self.table.rate(&work, &run, 1.0, None);
        self.counted(&work, made, (run.done + run.wrong).div_ceil(SAME));
    }

    fn counted(&mut self, work: &str, made: u64, expected: u64) {
        let verdict = if made == expected { "as many as there must be" } else { "WRONG" };
        self.table.plain(
            &format!("{work}: records made"),
            format!("{:.0} of {:.0}: {verdict}", count(made), count(expected)),
        );
    }

    fn resources(&self) -> u64 {
        let sql = "SELECT COUNT(*) FROM resource";
        let found = self.runtime.block_on(limits::number(&self.bare.db, sql));
        u64::try_from(found.expect("a count")).unwrap_or(0)
    }
}
