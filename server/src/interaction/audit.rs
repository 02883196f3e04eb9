//! What the audit log is told of a call, and `AuditEvent` as a resource.
//!
//! Reads are appended to the log before their answer leaves; a write's record is
//! a row of its own transaction. `AuditEvent`s are rendered from the records when
//! asked for, and nobody but the citizen's own side may ask.
//!
//! Source: IHE Basic Audit Log Patterns

use std::sync::Arc;

use techo_profiles::json::Json;

use super::{Call, Error, Interaction, Location, Reply, Status, Which};
use crate::app::App;
use crate::consent::caller::Candidate;
use crate::consent::view::{CitizenKey, Reach};
use crate::secret;
use crate::store::StoreError;
use crate::store::audit::{Consented, Detail, Disclosed, Found, Kind, Layer, Outcome, Party, Record, Server};
use crate::store::stance::Ground;
use crate::store::write::{Extra, Method, Put};

mod looks;
mod search;

pub(crate) use looks::{Looks, STATISTICS};
use looks::{Told, counted};
pub(super) use search::search;

impl App {
    /// Keeps the record of a request whose token is not, or no longer, good.
    pub async fn record_stranger(&self, token: &str, interaction: &Interaction) -> Result<(), Error> {
        let now = self.clock.micros();
        let hash = secret::hash(token.as_bytes());
        let dead = self.accounts.access_token(hash.as_ref()).await.map_err(StoreError::from)?;
        let left_out = match &dead {
            Some(_) => 0,
            None => match self.strangers.refused(now) {
                Some(left_out) => left_out,
                None => return Ok(()),
            },
        };
        let mut record = Record::new(now, Kind::Refusal, Outcome::Refused);
        record.reason = Some(match left_out {
            0 => "no-valid-token".into(),
            more => format!("no-valid-token; {more} more before this one").into(),
        });
        record.token = dead.map(|dead| dead.id.into());
        // Whoever is unknown does not choose how much is kept.
        let asked: String = asked(interaction).chars().take(LONGEST_OF_STRANGERS).collect();
        record.query = Some(asked.into());
        self.audit.append(record).await.map_err(|error| StoreError::Audit(error.to_string()))?;
        Ok(())
    }
}

impl Call<'_> {
    /// Keeps the record of what was answered or refused, before it leaves. It is filed for
    /// every citizen of whom that tells ([`looks`]).
    pub async fn record(&self, interaction: &Interaction, result: &Result<Reply, Error>) -> Result<(), Error> {
        let looked = self.looks.take();
        let written = result.as_ref().ok().filter(|reply| reply.written);
        let kind = match interaction {
            // The write itself was recorded in its own transaction: beside it stands whom its
            // condition told of.
            _ if written.is_some() => Kind::Search,
            Interaction::Read(..) => Kind::Read,
            Interaction::Vread(..) => Kind::Vread,
            Interaction::Search(..) => Kind::Search,
            Interaction::History(..) => Kind::History,
            // What was there already was given back.
            Interaction::Create { .. } if result.is_ok() => Kind::Read,
            Interaction::Create { .. } => Kind::Create,
            Interaction::Update { .. } | Interaction::Patch { .. } => Kind::Update,
            Interaction::Delete { .. } => Kind::Delete,
            Interaction::Bundle(_) | Interaction::Operation(_) | Interaction::Capabilities(_) => Kind::Operation,
        };
        let (kind, outcome) = match result {
            Ok(reply) if reply.status == Status::Unprocessable => (Kind::Refusal, Outcome::Refused),
            Ok(_) => (kind, Outcome::Success),
            Err(Error::Store(_) | Error::Internal(_)) => (kind, Outcome::Failed),
            Err(_) => (Kind::Refusal, Outcome::Refused),
        };
        let disclosed = result.as_ref().map_or(&[][..], |reply| &reply.disclosed);
        // Some of a Bundle may have been written.
        let done = written.is_some() || matches!(interaction, Interaction::Bundle(_) | Interaction::Operation(_));
        let mut told = self.told(disclosed, looked, done).await?;
        if let Some(reply) = written {
            told.retain(|citizen, _| reply.disclosed.iter().all(|(one, _)| one != citizen));
            if told.is_empty() {
                return Ok(());
            }
        }
        let mut record = self.record_of(kind, outcome);
        record.query = Some(asked(interaction).into());
        record.patients = self.disclosed(told).await?;
        if let Ok(reply) = result {
            record.resource = reply.about.as_ref().map(|at| at.reference().into());
        } else {
            let known: Vec<CitizenKey> = record.patients.iter().map(|one| one.citizen).collect();
            record.patients.extend(self.refused_about().into_iter().filter(|one| !known.contains(&one.citizen)));
        }
        self.audit.append(record).await.map_err(|error| StoreError::Audit(error.to_string()))?;
        Ok(())
    }

    /// Whom a refused request was about, as far as the token says it: nothing is
    /// looked up for the record.
    fn refused_about(&self) -> Vec<Disclosed> {
        let in_context = |one: &&Candidate| self.caller.patient.as_ref() == Some(&one.patient);
        let one = self.candidates.iter().find(in_context);
        one.map(|one| Disclosed { layer: Some(Layer::Scope), ..Disclosed::of(one.citizen, one.patient.clone()) })
            .into_iter()
            .collect()
    }

    /// The records of a set of writes, for its own transaction: one for what is
    /// made, one for what is changed, one for what is deleted. What is given to another
    /// citizen is a change of the record of both.
    pub(super) async fn write_records(&self, puts: &[Put]) -> Result<Vec<Extra>, Error> {
        let mut extras = Vec::new();
        for kind in [Kind::Create, Kind::Update, Kind::Delete] {
            let of_kind: Vec<&Put> = puts.iter().filter(|put| kind_of(put) == kind).collect();
            if of_kind.is_empty() {
                continue;
            }
            let mut pairs = Vec::new();
            for put in &of_kind {
                let name = self.type_name(put.kind);
                pairs.extend(put.concerned().map(|citizen| (citizen, name.clone())));
            }
            let mut record = self.record_of(kind, Outcome::Success);
            record.patients = self.disclosed(counted(&pairs)).await?;
            if let [one] = of_kind[..] {
                record.resource = Some(format!("{}/{}", self.type_name(one.kind), one.id).into());
            }
            extras.push(self.store.audit_row(self.audit.row(record)));
        }
        Ok(extras)
    }

    fn record_of(&self, kind: Kind, outcome: Outcome) -> Record {
        let mut record = Record::new(self.now, kind, outcome);
        record.client = Some(Party::new(self.caller.device(), None));
        if let Some(user) = &self.caller.user {
            let reference = user.fhir_user.clone().or_else(|| user.references.first().cloned());
            record.user = reference.map(|reference| Party::new(reference, self.bearer.account_name.as_deref()));
        }
        record.organization =
            self.caller.client.organization.as_ref().map(|one| Party::new(one.reference.clone(), None));
        record.purpose = Some(self.caller.purpose.code().into());
        record.token = Some(self.bearer.id.as_str().into());
        record
    }

    /// What was disclosed, citizen by citizen, and why that was allowed.
    async fn disclosed(&self, counts: Told) -> Result<Vec<Disclosed>, Error> {
        let unknown: Vec<CitizenKey> = counts.keys().copied().filter(|key| self.patient_of(*key).is_none()).collect();
        let others = self.store.patients(&unknown).await?;
        let grounds = self.grounds(&unknown).await?;
        let mut all = Vec::new();
        for (citizen, counts) in counts {
            let patient = self.patient_of(citizen).or_else(|| others.get(&citizen).cloned()).unwrap_or_default();
            let mut one = Disclosed::of(citizen, patient);
            one.counts = counts.into_iter().map(|(kind, count)| (kind.into(), count)).collect();
            (one.layer, one.consents) = self.reason(citizen, &grounds);
            all.push(one);
        }
        Ok(all)
    }

    fn patient_of(&self, citizen: CitizenKey) -> Option<String> {
        self.candidates.iter().find(|candidate| candidate.citizen == citizen).map(|one| one.patient.to_string())
    }

    /// The Consents that name this caller, of citizens who are spoken of by stance.
    async fn grounds(&self, citizens: &[CitizenKey]) -> Result<Vec<Ground>, Error> {
        if citizens.is_empty() {
            return Ok(Vec::new());
        }
        let naming = self.others.said.iter().filter(|policy| policy.names(&self.caller));
        let stances: Vec<i64> = naming.filter_map(|policy| policy.stance).collect();
        Ok(self.store.grounds(citizens, &stances, self.now).await?)
    }

    fn reason(&self, citizen: CitizenKey, grounds: &[Ground]) -> (Option<Layer>, Vec<Consented>) {
        let consented = |id: Arc<str>, version: i32| Some(Consented { id, version: u64::try_from(version).ok()? });
        let Some(candidate) = self.candidates.iter().find(|candidate| candidate.citizen == citizen) else {
            let own = grounds.iter().filter(|one| one.citizen == citizen);
            let consents: Vec<Consented> =
                own.filter_map(|one| consented(one.id.as_str().into(), one.version)).collect();
            let shared = self.caller.publisher().is_none() && !consents.is_empty();
            return (Some(if shared { Layer::Consent } else { Layer::Custodian }), consents);
        };
        let layer = match &candidate.authority {
            Some(authority) if authority.kind == crate::consent::caller::AuthorityKind::Own => Layer::Own,
            Some(_) => Layer::Authority,
            None if self.caller.publisher().is_some() => Layer::Custodian,
            None => Layer::Consent,
        };
        let consents = self
            .standing
            .iter()
            .filter(|one| one.citizen == citizen && one.policy.names(&self.caller))
            .filter_map(|one| consented(one.id.clone(), one.version))
            .collect();
        (Some(layer), consents)
    }

    /// Whose audit trail the caller may read: the citizens on whose side she is.
    fn audited(&self) -> Vec<CitizenKey> {
        let mut citizens: Vec<CitizenKey> = self
            .view
            .branches()
            .iter()
            .filter(|branch| branch.types.of("AuditEvent").is_some())
            .flat_map(|branch| match &branch.reach {
                Reach::Citizens(citizens) => citizens.clone(),
                Reach::Others(_) | Reach::Custodian(_) | Reach::Shared | Reach::Everything | Reach::Identity { .. } => {
                    Vec::new()
                }
            })
            .collect();
        citizens.sort_unstable();
        citizens.dedup();
        citizens
    }
}

/// Types that are rendered from elsewhere: no versions, no writes.
pub const RENDERED: &[&str] = &["AuditEvent"];

/// Characters kept of what an unknown caller asked for.
const LONGEST_OF_STRANGERS: usize = 256;

fn kind_of(put: &Put) -> Kind {
    match put.method {
        Method::Create | Method::CreateAt => Kind::Create,
        Method::Update | Method::Patch => Kind::Update,
        Method::Delete | Method::Withdraw => Kind::Delete,
    }
}

/// What was asked for, as a path below the base.
fn asked(interaction: &Interaction) -> String {
    match interaction {
        Interaction::Read(at, ..) => at.reference(),
        Interaction::Update { to, .. } | Interaction::Patch { to, .. } | Interaction::Delete { to, .. } => match to {
            Which::At(at) => at.reference(),
            Which::Matching { kind, query } => format!("{kind}?{query}"),
        },
        Interaction::Vread(at, version, _) => format!("{}/_history/{version}", at.reference()),
        Interaction::History(of, _) => of.path(),
        Interaction::Create { kind, .. } => kind.clone(),
        Interaction::Bundle(_) => String::new(),
        Interaction::Capabilities(_) => "metadata".to_owned(),
        Interaction::Search(ground, query) => format!("{}?{}", ground.path(), query_of(query)),
        // What a body holds may be a patient's record: it is not kept.
        Interaction::Operation(asked) if asked.query.is_empty() => asked.path(),
        Interaction::Operation(asked) => format!("{}?{}", asked.path(), query_of(&asked.query)),
    }
}

fn query_of(query: &[(String, String)]) -> String {
    let query: Vec<(Box<str>, Box<str>)> = query
        .iter()
        .filter(|(name, _)| name != "_page")
        .map(|(name, value)| (name.as_str().into(), value.as_str().into()))
        .collect();
    crate::search::page::query_string(&query)
}

/// `GET AuditEvent/[id]`
pub(super) async fn read(call: &Call<'_>, at: &Location) -> Result<Reply, Error> {
    let found = call.audit.by_id(&at.id).await.map_err(|error| StoreError::Audit(error.to_string()))?;
    let found = found.filter(|found| call.audited().contains(&found.citizen)).ok_or(Error::NotFound)?;
    let event = event(call, &found);
    Ok(Reply {
        body: Some(event.to_string().into_bytes()),
        version: Some((1, found.record.at)),
        disclosed: vec![(found.citizen, "AuditEvent".into())],
        about: Some(at.clone()),
        count: 1,
        ..Reply::default()
    })
}

fn event(call: &Call<'_>, found: &Found) -> Json {
    found.event(&Server { base: &call.base, name: "Techo" }, Detail::Hers)
}
