//! Approvals → Consents, and their end: the authorization server's door to the
//! records.
//!
//! A Consent is filed in the citizen's own keeping and stands for the triple
//! (approver, client, patient): the one that stood for it before ends in the same
//! transaction. Ending one ends every grant that hangs on it in that transaction
//! too, so that no request is answered between the two.
//!
//! Source: consent.md §4.4, §10

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use techo_profiles::json::{Json, splice};
use tokio::sync::Mutex;

use super::follow::Pending;
use super::plan::{self, Draft};
use super::{Error, Issue};
use crate::app::App;
use crate::auth::person::{ActsFor, Relation};
use crate::auth::server::{Approval, FilesConsent, FilingError};
use crate::consent::filed;
use crate::consent::supersede::Filed;
use crate::consent::view::CitizenKey;
use crate::consent::write::Keeping;
use crate::consent::{View, Work, system};
use crate::store::audit::{Consented, Disclosed, Kind, Layer, Outcome, Party, Record};
use crate::store::people::Citizen;
use crate::store::reader::Stored;
use crate::store::{Refused, StoreError, WriteSet};

/// Times a write is planned anew when another comes between.
const TRIES: usize = 8;

/// Files what people approve, in the name of the Organization that runs the server.
#[derive(Debug)]
pub struct Filing {
    app: Arc<App>,
    organization: String,
    /// One approval at a time, so that two for one triple do not both stand.
    turn: Mutex<()>,
}

/// Who ends a Consent, for the record.
#[derive(Clone, Debug)]
pub struct EndedBy {
    /// The program; `None` where the server ends it by itself.
    pub client: Option<Party>,
    /// The person.
    pub user: Option<Party>,
    /// Purpose of use.
    pub purpose: Option<Box<str>>,
}

impl Filing {
    /// * `organization`: reference of the Organization that runs this server.
    pub fn new(app: Arc<App>, organization: impl Into<String>) -> Self {
        Self { app, organization: organization.into(), turn: Mutex::default() }
    }

    async fn all(&self, approval: &Approval) -> Result<Vec<String>, Error> {
        let _turn = self.turn.lock().await;
        let mut ids = Vec::new();
        for patient in &approval.patients {
            ids.extend(self.one(approval, patient).await?);
        }
        Ok(ids)
    }

    /// Files the Consent for one patient; `None` if no data scope was ticked.
    async fn one(&self, approval: &Approval, patient: &ActsFor) -> Result<Option<String>, Error> {
        let app = &*self.app;
        let performer = performer(patient)?;
        let Some(consent) = self.consent(approval, patient, &performer)? else { return Ok(None) };
        let citizens = app.store.citizens(&[&patient.patient]).await?;
        let citizen = citizens.get(&patient.patient).ok_or_else(|| Error::Internal("approved for nobody".into()))?;
        let triple = filed::triple(&performer, &approval.client.id, &patient.patient);
        let draft = Draft::made(app, "Consent", app.random.id(), consent)?;
        let about = draft.about(app, &Pending::default()).await?;
        let rid = app.store.number().await?;
        for _ in 0..TRIES {
            let mut set = WriteSet::default();
            for before in standing(app, citizen, &triple).await? {
                set.puts.push(inactive(app, &before).await?.1);
            }
            set.puts.push(draft.put(app, rid, None, &about, Keeping::returned(citizen.key)).await?);
            set.extras.push(app.store.consent_changed(citizen.key));
            let record = granted(approval, patient, &performer, citizen, &draft.at.id);
            set.extras.push(app.store.audit_row(app.audit.row(record)));
            match app.write(set).await? {
                Ok(_) => return Ok(Some(draft.at.id)),
                Err(Refused::Moved { .. }) => {}
                Err(Refused::Taken | Refused::Matched { .. }) => {
                    return Err(Error::Internal("a new id was in use".into()));
                }
            }
        }
        Err(Error::Store(StoreError::Busy))
    }

    fn consent(&self, approval: &Approval, patient: &ActsFor, performer: &str) -> Result<Option<Json>, Error> {
        let client = &approval.client;
        let at = Timestamp::from_microsecond(approval.at).map_err(|_| Error::Internal("approved at no time".into()))?;
        Ok(filed::consent(&filed::Approval {
            performer,
            client: &client.id,
            client_name: if approval.language == "en" { &client.name_en } else { &client.name_ja },
            patient: &patient.patient,
            organization: &self.organization,
            scopes: &approval.scopes,
            text: &approval.shown,
            language: approval.language,
            at,
            until: None,
        }))
    }
}

impl FilesConsent for Filing {
    fn file<'a>(&'a self, approval: &'a Approval) -> BoxFuture<'a, Result<Vec<String>, FilingError>> {
        Box::pin(async move { self.all(approval).await.map_err(|error| failed("file", &error)) })
    }

    fn end<'a>(&'a self, consents: &'a [String]) -> BoxFuture<'a, Result<(), FilingError>> {
        let nobody = EndedBy { client: None, user: None, purpose: None };
        Box::pin(async move { end(&self.app, consents, &nobody).await.map_err(|error| failed("end", &error)) })
    }

    fn patient_name<'a>(&'a self, patient: &'a str, language: &'a str) -> BoxFuture<'a, Option<String>> {
        Box::pin(async move {
            let named = async {
                let Some(citizen) = self.app.store.citizens(&[patient]).await?.remove(patient) else { return Ok(None) };
                let Some(body) = self.app.store.patient_body(citizen.key).await? else { return Ok(None) };
                Ok::<_, Error>(Some(name(&plan::parse(&body)?, language).unwrap_or_else(|| patient.to_owned())))
            };
            named.await.unwrap_or_else(|error| {
                tracing::error!(%error, "a patient's name could not be read");
                Some(patient.to_owned())
            })
        })
    }
}

/// Makes Consents inactive and ends the grants that hang on them, all in one
/// transaction. Those that are not active, or not there, stay as they are.
pub async fn end(app: &App, consents: &[String], by: &EndedBy) -> Result<(), Error> {
    let ids: Vec<&str> = consents.iter().map(String::as_str).collect();
    let view = own_work();
    for _ in 0..TRIES {
        let mut set = WriteSet::default();
        for stored in app.store.reader(&view).many("Consent", &ids).await? {
            set.extras.push(app.store.end_grants_of(&stored.id, app.clock.micros()));
            if !is_active(&stored)? {
                continue;
            }
            let (citizens, put) = inactive(app, &stored).await?;
            set.puts.push(put);
            set.extras.extend(citizens.iter().map(|citizen| app.store.consent_changed(*citizen)));
            let record = revoked(app, &stored, &citizens, by).await?;
            set.extras.push(app.store.audit_row(app.audit.row(record)));
        }
        if set.puts.is_empty() && set.extras.is_empty() {
            return Ok(());
        }
        match app.write(set).await? {
            Ok(_) => return Ok(()),
            Err(Refused::Moved { .. }) => {}
            Err(Refused::Taken | Refused::Matched { .. }) => {
                return Err(Error::Internal("an end that makes something new".into()));
            }
        }
    }
    Err(Error::Store(StoreError::Busy))
}

/// A Patient's name as people say it: in kanji if she has one, then in whatever
/// script there is; in English a name in Latin letters first.
pub fn name(patient: &Json, language: &str) -> Option<String> {
    let script = |name: &Json| {
        let own = name.list("extension").iter().find_map(|one| one.str("valueCode"));
        match (own, language) {
            (Some("ABC"), "en") | (Some("IDE"), "ja") => 0,
            (Some("IDE"), _) => 1,
            (None, _) => 2,
            _ => 3,
        }
    };
    let mut names: Vec<&Json> = patient.list("name").iter().collect();
    names.sort_by_key(|name| script(name));
    names.into_iter().find_map(|name| {
        let parts = || {
            let given = name.list("given").iter().filter_map(Json::as_str);
            let whole: Vec<&str> = name.str("family").into_iter().chain(given).collect();
            (!whole.is_empty()).then(|| whole.join(" "))
        };
        name.str("text").map(str::to_owned).or_else(parts)
    })
}

/// As whom the approver gives it.
fn performer(patient: &ActsFor) -> Result<String, Error> {
    match (patient.relation, patient.related_person.as_deref()) {
        (Relation::Own, _) => Ok(format!("Patient/{}", patient.patient)),
        (Relation::Guardian | Relation::Delegate, Some(id)) if id.starts_with("RelatedPerson/") => Ok(id.to_owned()),
        (Relation::Guardian | Relation::Delegate, Some(id)) => Ok(format!("RelatedPerson/{id}")),
        (Relation::Guardian | Relation::Delegate, None) => Err(Error::Unprocessable(vec![Issue::error(
            "business-rule",
            "This authority has no RelatedPerson that could give consent.",
            "この代理権には、同意を与える RelatedPerson がありません。",
        )])),
    }
}

/// The active Consents of a citizen that stand for this triple.
async fn standing(app: &App, citizen: &Citizen, triple: &str) -> Result<Vec<Stored>, Error> {
    let system = filed::triple_system();
    of_one(app, citizen.key, &HashSet::new(), |filed| filed.is_known_as(&system, triple)).await
}

/// Makes the Consents inactive that those of a set take the place of (`consent.md` §4.3,
/// §4.4). All of the set are asked about together: whoever has many Consents has each of
/// them read once. What the set itself changes stays as it says.
pub(crate) async fn supersede(app: &App, set: &mut WriteSet) -> Result<(), Error> {
    let number = app.definitions.type_number("Consent");
    let mut new: BTreeMap<CitizenKey, Vec<Arc<Filed>>> = BTreeMap::new();
    for put in set.puts.iter().filter(|put| Some(put.kind) == number && !put.method.deletes()) {
        let Some(body) = &put.body else { continue };
        let filer = Keeping { custodian: put.facts.custodian, custody: put.facts.custody }.filer();
        let Some(filed) = app.filed(&plan::parse(&body.bytes)?, filer)?.map(Arc::new) else { continue };
        for citizen in &put.facts.subjects {
            new.entry(*citizen).or_default().push(filed.clone());
        }
    }
    let written: HashSet<i64> = set.puts.iter().map(|put| put.rid).collect();
    let mut ended = Vec::new();
    for (citizen, new) in new {
        let replaced = |old: &Filed| new.iter().any(|new| new.supersedes(old));
        for stored in of_one(app, citizen, &written, replaced).await? {
            ended.push(inactive(app, &stored).await?.1);
        }
    }
    ended.append(&mut set.puts);
    set.puts = ended;
    Ok(())
}

/// The active Consents of a citizen that are meant, as they are now.
///
/// * `but`: rows that are not asked about.
async fn of_one(
    app: &App,
    citizen: CitizenKey,
    but: &HashSet<i64>,
    meant: impl Fn(&Filed) -> bool,
) -> Result<Vec<Stored>, Error> {
    let mut known = app.store.consents(&[citizen]).await?;
    known.retain(|one| !but.contains(&one.rid));
    let compiled = app.compiled(&known).await?;
    let both = known.iter().zip(compiled);
    let ids: Vec<&str> =
        both.filter(|(_, filed)| filed.as_deref().is_some_and(&meant)).map(|(one, _)| one.id.as_str()).collect();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for stored in app.store.reader(&own_work()).many("Consent", &ids).await? {
        let Some(body) = stored.body()?.filter(|_| !stored.is_deleted()) else { continue };
        // It may have changed between the two statements.
        let filer = Keeping { custodian: stored.custodian, custody: stored.custody }.filer();
        if app.filed(&plan::parse(body)?, filer)?.is_some_and(|filed| meant(&filed)) {
            found.push(stored);
        }
    }
    Ok(found)
}

fn is_active(stored: &Stored) -> Result<bool, Error> {
    match stored.body()?.filter(|_| !stored.is_deleted()) {
        Some(body) => Ok(plan::parse(body)?.str("status") == Some("active")),
        None => Ok(false),
    }
}

/// The next version of an active Consent, inactive and otherwise as it was; and whose it is.
async fn inactive(app: &App, stored: &Stored) -> Result<(Vec<i64>, crate::store::write::Put), Error> {
    let body = stored.body()?.ok_or_else(|| Error::Internal("a Consent without a body".into()))?;
    let status = plan::parse(body)?.get("status").map(Json::span);
    let status = status.ok_or_else(|| Error::Internal("a Consent without a status".into()))?;
    let text = splice(body, vec![(status, b"\"inactive\"".to_vec())]);
    let draft = Draft::read(app, "Consent", stored.id.clone(), text)?;
    let about = draft.about(app, &Pending::default()).await?;
    let keeping = Keeping { custodian: stored.custodian, custody: stored.custody };
    let put = draft.put(app, stored.rid, Some(stored), &about, keeping).await?;
    Ok((put.facts.subjects.clone(), put))
}

fn own_work() -> View {
    system(Work::Filing)
}

fn granted(approval: &Approval, patient: &ActsFor, performer: &str, citizen: &Citizen, consent: &str) -> Record {
    let mut record = Record::new(approval.at, Kind::Grant, Outcome::Success);
    record.client = Some(Party::new(format!("Device/{}", approval.client.id), Some(&approval.client.name_ja)));
    record.user = Some(Party::new(performer, Some(&approval.approver.name)));
    record.purpose = Some(approval.purpose.as_str().into());
    record.resource = Some(format!("Consent/{consent}").into());
    let mut one = Disclosed::of(citizen.key, citizen.patient.as_str());
    one.layer = Some(if patient.relation == Relation::Own { Layer::Own } else { Layer::Authority });
    one.consents = vec![Consented { id: consent.into(), version: 1 }];
    record.patients = vec![one];
    record
}

async fn revoked(app: &App, stored: &Stored, citizens: &[i64], by: &EndedBy) -> Result<Record, Error> {
    let mut record = Record::new(app.clock.micros(), Kind::Revoke, Outcome::Success);
    record.client.clone_from(&by.client);
    record.user.clone_from(&by.user);
    record.purpose.clone_from(&by.purpose);
    record.resource = Some(format!("Consent/{}", stored.id).into());
    let version = u64::try_from(stored.version).unwrap_or(0) + 1;
    for (citizen, patient) in app.store.patients(citizens).await? {
        let mut one = Disclosed::of(citizen, patient);
        one.consents = vec![Consented { id: stored.id.as_str().into(), version }];
        record.patients.push(one);
    }
    Ok(record)
}

fn failed(what: &str, error: &Error) -> FilingError {
    if matches!(error, Error::Store(StoreError::Crowded(_))) {
        return FilingError::Crowded;
    }
    // Issues name elements, never a patient's values.
    let detail = match error {
        Error::Invalid(issues) | Error::Unprocessable(issues) => {
            issues.iter().map(|issue| issue.text.as_str()).collect::<Vec<_>>().join("; ")
        }
        _ => String::new(),
    };
    tracing::error!(what, %error, detail, "a Consent could not be written");
    FilingError::Failed(error.to_string())
}
