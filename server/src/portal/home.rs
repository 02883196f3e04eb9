//! `/`: the people whose records someone may see.

use askama::Template;

use super::people::{self, Person, Tie};
use super::shell::{Here, Shell};
use super::{shown, words};
use crate::auth::login::Session;
use crate::auth::person::AccountKind;
use crate::interaction::{Call, Error, Interaction, Reply};

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
    for tie in [Tie::Own, Tie::Guardian, Tie::Shared] {
        let read: Vec<&Person> = people.iter().filter(|person| person.read && person.tie == tie).collect();
        if read.is_empty() {
            continue;
        }
        let ids: Vec<&str> = read.iter().map(|person| person.id.as_str()).collect();
        let asked = Interaction::Search("Patient".to_owned(), vec![("_id".to_owned(), ids.join(","))]);
        let disclosed = read.iter().map(|person| (person.key, "Patient".to_owned())).collect();
        let reply = Reply { disclosed, count: read.len(), ..Reply::default() };
        // Each under its own purpose of use.
        shown(&people::looking_at(call.doing(call.action), tie), asked, reply).await?;
    }
    Ok(HomePage { shell: shell.at(Here::Home), people, citizen })
}
