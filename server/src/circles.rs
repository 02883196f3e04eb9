//! Who calls and what may be seen, kept between requests of one token.
//!
//! Nothing is answered from memory alone: every request asks whether the token
//! still lives and whether anything watched has changed ([`crate::store::watch`]);
//! a read asks with the statement that brings its rows. Only then is the kept
//! [`Circle`] used, so a request that begins after a revocation was committed sees
//! it. What depends on the time of day (a Consent's period) bounds how long a
//! circle is kept.
//!
//! The mark is asked for *before* the circle is gathered: a change in between
//! leaves an old mark beside a new circle, which the next request finds out.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::app::Circle;
use crate::consent::View;
use crate::consent::caller::Action;
use crate::store::account::BearerRow;
use crate::store::watch::{Question, Warrant, Watch};

/// How long it is not looked anew which stances most citizens have, where not all are
/// heard: a minute.
const UNHEARD: i64 = 60_000_000;

/// Tokens remembered at once.
const TOKENS: usize = 1024;

/// Circles by token hash.
#[derive(Debug, Default)]
pub struct Circles(Mutex<HashMap<Vec<u8>, Arc<Known>>>);

/// What is remembered of a token.
#[derive(Debug)]
pub struct Known {
    /// What to watch.
    pub watch: Watch,
    kept: Option<Kept>,
}

#[derive(Debug)]
struct Kept {
    bearer: Arc<BearerRow>,
    mark: String,
    question: Question,
    circle: Arc<Circle>,
    from: i64,
    until: i64,
}

impl Known {
    /// The circle, if it is what would be gathered now.
    ///
    /// * `mark`: asked for with this one's own watch, in this request.
    pub fn circle(&self, bearer: &BearerRow, mark: &str, now: i64) -> Option<Arc<Circle>> {
        let kept = self.kept.as_ref().filter(|kept| kept.lasts(now))?;
        (*kept.bearer == *bearer && kept.mark == mark).then(|| kept.circle.clone())
    }

    /// The circle as it was, with what must still be so for it to be used.
    pub fn presumed(&self, now: i64) -> Option<(Arc<BearerRow>, Arc<Circle>, Warrant)> {
        let kept = self.kept.as_ref().filter(|kept| kept.lasts(now) && now < kept.bearer.expires)?;
        Some((kept.bearer.clone(), kept.circle.clone(), kept.question.warrant(now)))
    }
}

impl Kept {
    fn lasts(&self, now: i64) -> bool {
        self.from <= now && now < self.until
    }
}

impl Circles {
    /// What is remembered of a token.
    pub fn of(&self, hash: &[u8]) -> Option<Arc<Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(hash).cloned()
    }

    /// Remembers a circle that was gathered at `now`, after `mark` was asked for
    /// with the watch of `known`.
    pub fn keep(
        &self,
        hash: &[u8],
        known: Option<&Known>,
        mark: String,
        bearer: &Arc<BearerRow>,
        circle: &Arc<Circle>,
        now: i64,
    ) {
        // The mark says something of this circle only if it looked at all of it.
        let watched = known.is_some_and(|known| known.watch == circle.watch);
        let kept = watched.then(|| Kept {
            bearer: bearer.clone(),
            question: circle.watch.question(hash, &mark),
            mark,
            circle: circle.clone(),
            from: now,
            until: circle.turns(now),
        });
        let known = Arc::new(Known { watch: circle.watch.clone(), kept });
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= TOKENS {
            all.retain(|_, known| known.kept.as_ref().is_some_and(|kept| kept.bearer.expires > now));
            if all.len() >= TOKENS {
                all.clear();
            }
        }
        all.insert(hash.to_vec(), known);
    }
}

impl Circle {
    /// The next instant at which the Consents in force say something else by their periods.
    fn turns(&self, now: i64) -> i64 {
        let policies = self.standing.iter().map(|one| &one.policy).chain(&self.others.said);
        let nodes = policies.flat_map(|policy| policy.nodes());
        let ends = nodes.filter_map(|node| node.period.as_ref()).flat_map(|period| [period.start, period.end]);
        // Which stances most have is not watched, or who files many slows everyone.
        let again = self.others.unheard.as_ref().map(|_| now + UNHEARD);
        ends.filter(|end| *end > now).chain(again).min().unwrap_or(i64::MAX)
    }
}

/// What each action may see, decided once for a circle, as of the last request.
#[derive(Debug, Default)]
pub struct Views(Mutex<Vec<(Action, Arc<View>)>>);

impl Views {
    /// The view for `action` at `now`, made if it is not there. A kept one is never
    /// answered as of an instant that is not the asking request's.
    pub fn of(&self, action: Action, now: i64, make: impl FnOnce() -> View) -> Arc<View> {
        let mut views = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, view)) = views.iter_mut().find(|(one, _)| *one == action) {
            if view.now() != now {
                *view = Arc::new(view.at(now));
            }
            return view.clone();
        }
        let view = Arc::new(make().at(now));
        views.push((action, view.clone()));
        view
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::consent::caller::{Caller, Client, Purpose};

    fn circle(citizens: &[i64]) -> Arc<Circle> {
        let caller = Caller {
            client: Client::default(),
            user: None,
            purpose: Purpose::new("TREAT", &[]),
            scopes: crate::auth::scope::Scopes::default(),
            patient: None,
        };
        Arc::new(Circle {
            caller: Arc::new(caller),
            candidates: Arc::default(),
            standing: Arc::default(),
            others: Arc::default(),
            views: Arc::default(),
            watch: Watch { citizens: citizens.to_vec(), ..Watch::default() },
        })
    }

    fn bearer(scopes: &str) -> Arc<BearerRow> {
        Arc::new(BearerRow {
            id: "t".into(),
            grant_id: None,
            scopes: scopes.into(),
            patient: None,
            purpose: "TREAT".into(),
            with_id_token: false,
            issued: 0,
            expires: 1000,
            client: "c".into(),
            client_kind: "backend".into(),
            client_organization: None,
            custodial: false,
            account: None,
            account_name: None,
            account_kind: None,
            fhir_user: None,
            account_patient: None,
            account_organization: None,
            account_role: None,
        })
    }

    #[test]
    fn a_kept_view_is_answered_as_of_the_request() {
        let views = Views::default();
        let made = || View::sample(crate::consent::view::Reach::Shared).at(1);
        assert_eq!(views.of(Action::Read, 10, made).now(), 10);
        let again = || -> View { panic!("it is kept") };
        assert_eq!(views.of(Action::Read, 20, again).now(), 20);
        assert_eq!(views.of(Action::Read, 15, again).now(), 15, "the clock went back");
    }

    #[test]
    fn a_circle_is_used_again_only_if_all_it_was_made_from_was_watched_and_is_the_same() {
        let (circles, bearer_now) = (Circles::default(), bearer("system/*.rs"));
        let found = |bearer: &BearerRow, mark: &str, now| {
            circles.of(b"h").expect("remembered").circle(bearer, mark, now).is_some()
        };
        circles.keep(b"h", None, "made without a watch".into(), &bearer_now, &circle(&[1]), 10);
        assert!(!found(&bearer_now, "made without a watch", 11), "nothing was watched yet");
        let known = circles.of(b"h").expect("remembered");
        circles.keep(b"h", Some(&known), "m".into(), &bearer_now, &circle(&[1, 2]), 20);
        assert!(!found(&bearer_now, "m", 21), "the mark did not look at the second citizen");
        let known = circles.of(b"h").expect("remembered");
        circles.keep(b"h", Some(&known), "m".into(), &bearer_now, &circle(&[1, 2]), 30);
        assert!(found(&bearer_now, "m", 31));
        assert!(!found(&bearer_now, "n", 31), "something changed");
        assert!(!found(&bearer("system/*.r"), "m", 31), "the token is another");
        assert!(!found(&bearer_now, "m", 29), "the clock went back");
    }
}
