//! The citizen's pages. They work without JavaScript and load nothing but our
//! style sheet.
//!
//! `pages` holds sign-in and approval; [`home`], [`records`], [`apps`] and
//! [`access`] a file each: what the page shows, and how it is read. Everything is
//! read through the [`Call`](crate::interaction::Call) of the person who is signed
//! in, and nothing leaves before the audit log holds it. What stands on a page in
//! words is in `words`, in both languages.
//!
//! To add a page: a file here with its template, a route in `http/portal`, a link
//! in `templates/portal.html`.

pub mod access;
pub mod apps;
pub mod home;
pub mod pages;
pub mod people;
pub mod records;
pub mod shell;
mod words;

use crate::app::App;
use crate::auth::login::Session;
use crate::consent::caller::Action;
use crate::consent::view::CitizenKey;
use crate::interaction::{Call, Error, Interaction, Known, Location, Reply, is_id};
use crate::search::shape::Shape;

use people::{Person, Tie};

/// The call of the person who is signed in, about to do `action`.
///
/// # Errors
/// [`Error::Unauthorized`] if her account is no longer there.
pub async fn call<'a>(app: &'a App, session: &Session, action: Action) -> Result<Call<'a>, Error> {
    let account = app.accounts.account(&session.user.id).await.map_err(crate::store::StoreError::from)?;
    app.portal_call(&account.filter(|account| !account.locked).ok_or(Error::Unauthorized)?, action).await
}

/// Records that she asked for someone who is not there for her: the same for an
/// id that never was.
pub async fn refused(call: &Call<'_>, patient: &str) -> Error {
    if !is_id(patient) {
        return Error::NotFound;
    }
    let at = Location { kind: "Patient".to_owned(), id: patient.to_owned() };
    let asked = Interaction::Read(at, Known::default(), Shape::default());
    match call.record(&asked, &Err(Error::NotFound)).await {
        Ok(()) => Error::NotFound,
        Err(error) => error,
    }
}

/// Records what a page is about to show.
async fn shown(call: &Call<'_>, asked: Interaction, reply: Reply) -> Result<(), Error> {
    call.record(&asked, &Ok(reply)).await
}

/// Records what a page about several people is about to show, each under the
/// purpose that looking at her has. Their names are on the page too.
///
/// * `disclosed`: whose, and of which type; `asked`: the question to the API that
///   the page stands for, of `Patient/a,Patient/b`.
async fn shown_of(
    call: &Call<'_>,
    people: &[&Person],
    disclosed: &[(CitizenKey, String)],
    asked: impl Fn(String) -> Interaction,
) -> Result<(), Error> {
    for tie in [Tie::Own, Tie::Guardian, Tie::Shared] {
        let of_tie: Vec<&Person> = people.iter().copied().filter(|person| person.tie == tie && person.read).collect();
        if of_tie.is_empty() {
            continue;
        }
        let named = of_tie.iter().map(|person| (person.key, "Patient".to_owned()));
        let own = disclosed.iter().filter(|(key, _)| of_tie.iter().any(|person| person.key == *key)).cloned();
        let disclosed: Vec<_> = named.chain(own).collect();
        let ids: Vec<String> = of_tie.iter().map(|person| format!("Patient/{}", person.id)).collect();
        let reply = Reply { count: disclosed.len(), disclosed, ..Reply::default() };
        shown(&people::looking_at(call.doing(call.action), tie), asked(ids.join(",")), reply).await?;
    }
    Ok(())
}
