//! FHIR R4 by its own text: tables of requests and what they must answer.
//!
//! What is expected stands in the specification (http.html, search.html), not in
//! what the server does. Each subject is a file with a table and what its server
//! holds before; [`check`] is the language of the tables, [`run`] sends them.
//! The last test counts the rows: they may become more, not fewer.

#![expect(unreachable_pub, reason = "the modules of a test are its whole crate")]

mod bundle;
mod bundled;
mod by_query;
mod capability;
mod changes;
mod check;
mod conditional;
mod corners;
mod errors;
mod everything;
mod failing;
mod fhirpath;
mod formats;
mod headers;
mod history;
mod large;
mod operations;
mod patch;
mod rest;
mod restarted;
mod run;
mod search;
mod seed;

use search::{
    canonical, chain, composite, contained, date, everywhere, filter, fulltext, hierarchy, include, japanese, modifier,
    number, paging, quantity, reference, shape, sort, string, token, uri,
};

/// One test for each subject, on a server of its own, and the sum of their rows.
macro_rules! subjects {
    ($($subject:ident),+ $(,)?) => {
        $(#[test]
        fn $subject() {
            run::run(stringify!($subject), &$subject::seed(), &$subject::checks());
        })+

        #[test]
        fn the_checks_do_not_become_fewer() {
            use std::io::Write;
            let all = [$($subject::checks().len()),+];
            let sum: usize = all.iter().sum();
            writeln!(std::io::stderr(), "r4: {sum} checks in {} subjects", all.len()).ok();
            assert!(sum >= FLOOR, "{sum} checks");
        }
    };
}

/// Fewer checks than these are a mistake.
const FLOOR: usize = 1_440;

subjects!(
    rest,
    headers,
    errors,
    conditional,
    corners,
    history,
    bundle,
    capability,
    token,
    string,
    date,
    number,
    quantity,
    reference,
    uri,
    japanese,
    sort,
    paging,
    include,
    fhirpath,
    canonical,
    everything,
    patch,
    by_query,
    formats,
    operations,
    chain,
    composite,
    contained,
    filter,
    hierarchy,
    modifier,
    bundled,
    changes,
    everywhere,
    shape,
    fulltext,
);
