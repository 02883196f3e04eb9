//! `/`: the people whose records someone may see.

use askama::Template;

use super::people::{self, Person};
use super::shell::{Here, Shell};
use super::{shown_of, words};
use crate::auth::login::Session;
use crate::auth::person::AccountKind;
use crate::interaction::{Call, Error, Ground, Interaction};

/// The page.
#[derive(Clone, Debug, Template)]
#[template(path = "home.html")]
pub struct HomePage {
    shell: Shell,
    people: Vec<Person>,
    /// Whether these pages are meant for her.
    citizen: bool,
}

/// Reads the people of a call.
pub async fn page(call: Call<'_>, shell: Shell, session: &Session) -> Result<HomePage, Error> {
    let citizen = session.user.kind == AccountKind::Person;
    let people = if citizen { people::people(&call, shell.language).await? } else { Vec::new() };
    let everyone: Vec<&Person> = people.iter().collect();
    let asked = |ids: String| {
        Interaction::Search(Ground::Type("Patient".to_owned()), vec![("_id".to_owned(), ids.replace("Patient/", ""))])
    };
    shown_of(&call, &everyone, &[], asked).await?;
    Ok(HomePage { shell: shell.at(Here::Home), people, citizen })
}
