//! The one way in: a token and an [`Interaction`] in, an audited [`Reply`] out.
//!
//! Nothing is answered that the audit log does not hold. What was refused is
//! recorded as it was asked; a hidden row is never looked up for the record.

mod aside;
pub mod bundle;
pub mod capabilities;
pub mod own;

use crate::app::App;
use crate::interaction::{
    Call, Error, Interaction, Reply, Return, Which, create, delete, history, patch, read, search, update,
};
use crate::operation::{self, definition};
use crate::search::error::SearchError;
use crate::store::StoreError;

/// Where a request comes from.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'a> {
    /// The access token as sent.
    pub token: &'a str,
    /// `Prefer: handling=lenient`
    pub lenient: bool,
    /// `Accept-Language`: Japanese rather than English.
    pub japanese: bool,
    /// `Prefer: return=…`
    pub give: Option<Return>,
}

impl Origin<'_> {
    /// The call with how its answer is wished for.
    fn wished<'a>(&self, call: Call<'a>) -> Call<'a> {
        Call { japanese: self.japanese, give: self.give, ..call }
    }
}

/// Answers a request of the FHIR API.
pub async fn answer(app: &App, origin: &Origin<'_>, interaction: Interaction) -> Result<Reply, Error> {
    if aside::is_large(&interaction) {
        return aside::aside(Box::pin(answered(app, origin, interaction))).await;
    }
    answered(app, origin, interaction).await
}

async fn answered(app: &App, origin: &Origin<'_>, interaction: Interaction) -> Result<Reply, Error> {
    // A remembered decision is tried first. Unless a statement of this request found it
    // to stand, nothing was answered on it, and the request begins anew.
    if let Some(call) = app.presumed(origin.token, origin.lenient, &interaction) {
        let call = origin.wished(call);
        let result = run(&call, &interaction).await;
        if call.confirmed() {
            call.record(&interaction, &result).await?;
            return result;
        }
    }
    let call = match app.call(origin.token, origin.lenient, &interaction).await {
        Ok(call) => origin.wished(call),
        Err(error) => {
            app.record_stranger(origin.token, &interaction).await?;
            return Err(error);
        }
    };
    let result = run(&call, &interaction).await;
    call.record(&interaction, &result).await?;
    result
}

/// Carries an interaction out, without its audit record.
pub(super) async fn run(call: &Call<'_>, interaction: &Interaction) -> Result<Reply, Error> {
    call.keep_up().await?;
    for _ in 0..ANEW {
        let result = carried(call, interaction).await;
        let Err(error) = &result else { return result };
        // Nothing was written: by the search parameters in force now it is planned anew.
        let again = match error {
            Error::Store(StoreError::OtherRules) => call.catch_up().await.map(|_| true)?,
            Error::Search(errors) if errors.iter().any(SearchError::may_be_newer) => call.catch_up().await?,
            _ => false,
        };
        if !again {
            return result;
        }
    }
    carried(call, interaction).await
}

/// Times an interaction is begun anew as others change what is indexed.
const ANEW: u32 = 8;

async fn carried(call: &Call<'_>, interaction: &Interaction) -> Result<Reply, Error> {
    if let Some(kind) = interaction.kind()
        && call.definitions.type_number(kind).is_none()
    {
        return Err(Error::UnknownType(kind.to_owned()));
    }
    if let Some(reply) = told(call, interaction) {
        return reply;
    }
    match interaction {
        Interaction::Read(at, known, shape) => read::read(call, at, known, shape).await,
        Interaction::Vread(at, version, shape) => read::vread(call, at, *version, shape).await,
        Interaction::History(at, query) => history::history(call, at, query).await,
        Interaction::Search(ground, query) => search::search(call, ground, query).await,
        Interaction::Create { kind, body, unless } => create::create(call, kind, body, unless.as_deref()).await,
        Interaction::Update { to, body, expected } => update::update(call, to, body, expected.as_ref()).await,
        Interaction::Patch { to, patch, expected } => patch::patch(call, to, patch, expected.as_ref()).await,
        Interaction::Delete { to, expected } => delete::delete(call, to, expected.as_ref()).await,
        Interaction::Capabilities(query) => capabilities::entry(call, query),
        Interaction::Bundle(body) => Box::pin(bundle::bundle(call, body)).await,
        Interaction::Operation(asked) => Box::pin(operation::run(call, asked)).await,
    }
}

/// The definitions of our own operations are read, and nobody writes over them.
fn told(call: &Call<'_>, interaction: &Interaction) -> Option<Result<Reply, Error>> {
    match interaction {
        Interaction::Read(at, ..) => definition::told_at(at).map(|operation| definition::read(call, at, operation)),
        Interaction::Update { to: Which::At(at), .. }
        | Interaction::Patch { to: Which::At(at), .. }
        | Interaction::Delete { to: Which::At(at), .. }
            if definition::told_at(at).is_some() =>
        {
            Some(call.may(call.action, &at.kind).and_then(|()| Err(update::taken())))
        }
        _ => None,
    }
}
